// The 4-D weight tensor of a convolution as a grid: a row an output channel, a column an input channel, each cell a kernel.

import { kernelsLayout, pixelAt, tileAt } from "./geometry.js";
import { ARROWS, within } from "./keys.js";
import { paintLayer, reachOf } from "./painting.js";
import { short } from "./explain.js";

const MARGIN = 34; // for the axes, CSS pixels

export class Kernels {
  /**
   * @param {HTMLElement} element the panel
   * @param {{moved: (output: number, input: number | null) => void, opened: (output: number, input: number) => void, closed: () => void,
   *   say: (sentence: string) => void}} on `moved` to another kernel, channels counted in the whole layer
   */
  constructor(element, on) {
    this.element = element;
    this.on = on;
    this.index = -1;
    element.innerHTML = `
      <header><h4></h4><button type="button" class="close" title="Close (Escape)" aria-label="Close">×</button></header>
      <p class="how"></p>
      <p class="axis across"></p>
      <div class="scroll"><p class="axis down"></p><canvas tabindex="0" role="img"></canvas></div>
      <p class="told"></p>`;
    const find = (selector) => element.querySelector(selector);
    Object.assign(this, { title: find("h4"), how: find(".how"), across: find(".across"), down: find(".down"), canvas: find("canvas"), told: find(".told") });
    find(".close").onclick = () => this.close();
    this.canvas.onpointermove = this.canvas.onpointerdown = (event) => {
      const box = this.canvas.getBoundingClientRect();
      const found = pixelAt(this.grid, this.outputs * this.inputs, event.clientX - box.left, event.clientY - box.top);
      if (found) this.#look(Math.floor(found.map / this.inputs), found.map % this.inputs);
    };
    this.canvas.onclick = () => this.#open();
    this.canvas.onkeydown = (event) => this.#keys(event);
    element.onclick = (event) => event.stopPropagation();
  }

  get isOpen() {
    return this.index >= 0;
  }

  /** @param {number} index of the layer @param {import("./protocol.js").Layer} layer @param {number[]} input shape @param {Float32Array} weight */
  open(index, layer, input, weight, width, height, theme) {
    Object.assign(this, { index, layer, weight, theme });
    const [kernel] = layer.window;
    this.outputs = layer.shape[0];
    this.inputs = input[0] / layer.groups;
    this.grid = kernelsLayout([this.outputs, this.inputs, ...kernel], width - MARGIN - 24, height);
    this.width = Math.min(width, Math.max(300, this.grid.width + MARGIN + 40));
    this.at = [0, 0];
    this.element.hidden = false;
    this.title.textContent = `${layer.name}.weight · (${[this.outputs, this.inputs, ...kernel].join(", ")})`;
    this.how.textContent = `Each output channel has ${this.inputs === 1 ? "one kernel" : `${this.inputs} kernels, one for each input channel${layer.groups > 1 ? " of its group" : ""}`}: ${this.outputs}·${this.inputs}·${kernel[0]}·${kernel[1]} = ${weight.length.toLocaleString("en")} weights, and ${this.outputs} biases.`;
    this.across.textContent = `${this.inputs} input channel${this.inputs === 1 ? "" : "s"}${layer.groups > 1 ? " a group" : ""} →`;
    this.down.textContent = `${this.outputs} output channels →`;
    this.canvas.setAttribute("aria-label", `${this.outputs} times ${this.inputs} kernels of ${kernel.join(" by ")}. Arrow keys walk through them, Enter opens a map.`);
    this.paint(theme);
    this.told.textContent = "Point at a kernel: its input and its output map light up.";
  }

  paint(theme) {
    const [rows, columns] = this.layer.window[0];
    const reach = reachOf(this.weight);
    paintLayer(this.canvas, this.grid, [this.outputs * this.inputs, rows, columns], this.weight, () => reach, `${theme} weights`);
    const context = this.canvas.getContext("2d");
    const [x, y] = tileAt(this.grid, this.at[0] * this.inputs + this.at[1]);
    context.strokeStyle = theme === "dark" ? "#fff" : "#000";
    context.strokeRect(x - 0.5, y - 0.5, this.grid.tileWidth + 1, this.grid.tileHeight + 1);
  }

  close() {
    if (!this.isOpen) return;
    this.index = -1;
    this.element.hidden = true;
    this.on.closed();
  }

  /** The input channel that a column stands for, which differs from group to group. */
  #channel([output, input]) {
    return Math.floor(output / (this.outputs / this.layer.groups)) * this.inputs + input;
  }

  #look(output, input) {
    if (output === this.at[0] && input === this.at[1] && this.looked) return;
    this.looked = true;
    this.at = [output, input];
    this.paint(this.theme);
    const size = this.layer.window[0][0] * this.layer.window[0][1];
    const kernel = this.weight.subarray((output * this.inputs + input) * size, (output * this.inputs + input + 1) * size);
    this.told.textContent = `${this.layer.name}.weight[${output}, ${input}]: ${short(Math.min(...kernel))} to ${short(Math.max(...kernel))}; input channel ${this.#channel(this.at) + 1} adds to output channel ${output + 1}`;
    this.on.moved(output, this.#channel(this.at));
  }

  #open() {
    this.on.opened(this.at[0], this.#channel(this.at));
  }

  #keys(event) {
    const step = ARROWS[event.key];
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.#open();
    }
    if (!step) return;
    event.preventDefault();
    this.#look(within(this.at[0] + step[0], this.outputs), within(this.at[1] + step[1], this.inputs));
    this.on.say(this.told.textContent);
  }
}
