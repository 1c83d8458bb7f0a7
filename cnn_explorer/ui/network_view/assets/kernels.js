// The 4-D weight tensor of a convolution as a grid: a row an output channel, a column an input channel, each cell a
// kernel.

import { contextOf, part } from "./element.js";
import { kernelsLayout, pixelAt, tileAt } from "./geometry.js";
import { ARROWS, within } from "./keys.js";
import { count, short } from "./numbers.js";
import { paintLayer, reachOf } from "./painting.js";
import { explained } from "./terms.js";
import { geometryOf } from "./windows.js";

/** @import { Grid, Layer, Theme } from "../types.d.ts" */
/**
 * @typedef
 *   {{index: number, layer: Layer, weight: Float32Array, kernel: [number, number], outputs: number, inputs: number,
 *   grid: Grid}} Tensor
 *   what is open: the weights of one layer, with `inputs` input channels for each output channel
 */

const MARGIN = 34; // for the axes, CSS pixels

export class Kernels {
  /** @type {Tensor | null} */
  #tensor = null;

  /** @type {[output: number, input: number]} the kernel that is looked at, counted in the tensor */
  #at = [0, 0];

  #pointed = false;

  /** @type {Theme} */
  #theme = "light";

  /** Width that the panel would like to have, CSS pixels. */
  width = 300;

  /**
   * @param {HTMLElement} panel
   * @param
   *   {{moved: (output: number, input: number) => void, opened: (output: number, input: number) => void, closed: ()
   *   => void,
   *   say: (sentence: string) => void}} on `moved` to another kernel, channels counted in the whole layer
   */
  constructor(panel, on) {
    this.element = panel;
    this.on = on;
    panel.innerHTML = `
      <header><h4></h4><button type="button" class="close" title="Close (Escape)" aria-label="Close">×</button></header>
      <p class="how"></p>
      <p class="axis across"></p>
      <div class="scroll"><p class="axis down"></p><canvas tabindex="0" role="application"
        aria-roledescription="kernels"></canvas></div>
      <p class="told"></p>`;
    this.canvas = part(panel, "canvas", HTMLCanvasElement);
    part(panel, ".close", HTMLElement).onclick = () => this.close();
    this.canvas.onpointermove = this.canvas.onpointerdown = (event) => this.#point(event);
    this.canvas.onclick = () => this.#open();
    this.canvas.onkeydown = (event) => this.#walk(event);
    panel.onclick = (event) => event.stopPropagation();
  }

  get isOpen() {
    return this.#tensor !== null;
  }

  /** The layer whose kernels are open; −1 for none. */
  get index() {
    return this.#tensor?.index ?? -1;
  }

  /**
   * @param {number} index of the layer
   * @param {Layer} layer
   * @param {number[]} input its shape
   * @param {Float32Array} weight
   * @param {number} width of the room in CSS pixels @param {number} height @param {Theme} theme
   */
  open(index, layer, input, weight, width, height, theme) {
    const [kernel] = geometryOf(layer);
    const outputs = layer.shape[0];
    const inputs = input[0] / layer.groups;
    const grid = kernelsLayout([outputs, inputs, ...kernel], width - MARGIN - 24, height);
    this.#tensor = { index, layer, weight, kernel, outputs, inputs, grid };
    this.width = Math.min(width, Math.max(300, grid.width + MARGIN + 40));
    this.#at = [0, 0];
    this.element.hidden = false;
    const grouped = layer.groups > 1;
    const several = `${inputs} kernels, one for each input channel${grouped ? " of its group" : ""}`;
    this.#write("h4", `${layer.name}.weight · (${[outputs, inputs, ...kernel].join(", ")})`);
    const how =
      `Each output channel has ${inputs === 1 ? "one kernel" : several}: ` +
      `${outputs}·${inputs}·${kernel[0]}·${kernel[1]} = ${weight.length.toLocaleString("en")} weights, and ` +
      `${outputs} biases.`;
    part(this.element, ".how", HTMLElement).replaceChildren(...explained(how));
    this.#write(
      ".across",
      inputs === 1
        ? `${count(outputs, "output channel")}, one kernel each →`
        : `${count(inputs, "input channel")}${grouped ? " a group" : ""} →`,
    );
    this.#write(".down", inputs === 1 ? "" : `${outputs} output channels →`);
    this.canvas.setAttribute(
      "aria-label",
      `${outputs} times ${inputs} kernels of ${kernel.join(" by ")}. Arrow keys walk through them, Enter opens a map.`,
    );
    this.paint(theme);
    this.#write(".told", "Point at a kernel: its input and its output map light up.");
  }

  /** @param {Theme} theme */
  paint(theme) {
    if (!this.#tensor) return;
    this.#theme = theme;
    const { weight, kernel, outputs, inputs, grid } = this.#tensor;
    const reach = reachOf(weight);
    paintLayer(this.canvas, grid, [outputs * inputs, ...kernel], weight, () => reach, `${theme} weights`);
    const context = contextOf(this.canvas);
    const [x, y] = tileAt(grid, this.#at[0] * inputs + this.#at[1]);
    context.strokeStyle = theme === "dark" ? "#fff" : "#000";
    context.lineWidth = 1;
    const left = Math.max(x, 1) - 0.5;
    const top = Math.max(y, 1) - 0.5; // within the canvas
    context.strokeRect(
      left,
      top,
      Math.min(x + grid.tileWidth, grid.dotsWide - 1) + 0.5 - left,
      Math.min(y + grid.tileHeight, grid.dotsHigh - 1) + 0.5 - top,
    );
  }

  close() {
    if (!this.isOpen) return;
    this.#tensor = null;
    this.element.hidden = true;
    this.on.closed();
  }

  /** @param {string} selector @param {string} text */
  #write(selector, text) {
    part(this.element, selector, HTMLElement).textContent = text;
  }

  /** The input channel that a column stands for, which differs from group to group. @param {Tensor} tensor */
  #channel({ outputs, inputs, layer }) {
    const [output, input] = this.#at;
    return Math.floor(output / (outputs / layer.groups)) * inputs + input;
  }

  /** @param {PointerEvent} event */
  #point(event) {
    if (!this.#tensor) return;
    const { outputs, inputs, grid } = this.#tensor;
    const box = this.canvas.getBoundingClientRect();
    const found = pixelAt(grid, outputs * inputs, event.clientX - box.left, event.clientY - box.top);
    if (found) this.#look(Math.floor(found.map / inputs), found.map % inputs);
  }

  /** @param {number} output @param {number} input */
  #look(output, input) {
    const tensor = this.#tensor;
    if (!tensor || (output === this.#at[0] && input === this.#at[1] && this.#pointed)) return;
    this.#pointed = true;
    this.#at = [output, input];
    this.paint(this.#theme);
    const {
      layer,
      weight,
      kernel: [rows, columns],
      inputs,
    } = tensor;
    const first = (output * inputs + input) * rows * columns;
    const kernel = weight.subarray(first, first + rows * columns);
    const channel = this.#channel(tensor);
    this.#write(
      ".told",
      `${layer.name}.weight[${output}, ${input}]: ${short(Math.min(...kernel))} to ${short(Math.max(...kernel))}; ` +
        `input channel ${channel + 1} adds to output channel ${output + 1}`,
    );
    this.on.moved(output, channel);
  }

  #open() {
    if (this.#tensor) this.on.opened(this.#at[0], this.#channel(this.#tensor));
  }

  /** @param {KeyboardEvent} event */
  #walk(event) {
    const step = ARROWS[event.key];
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.#open();
    }
    if (!step || !this.#tensor) return;
    event.preventDefault();
    const { outputs, inputs, grid } = this.#tensor;
    const [output, input] = this.#at;
    if (inputs === 1) this.#look(within(output + step[0] * grid.columns + step[1], outputs), 0);
    else this.#look(within(output + step[0], outputs), within(input + step[1], inputs));
    this.on.say(part(this.element, ".told", HTMLElement).textContent);
  }
}
