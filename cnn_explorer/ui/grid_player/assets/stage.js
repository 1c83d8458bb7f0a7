// The grids and their layout. They are built once for each structure of the scene; then only their numbers change.

import { element, contextOf } from "./element.js";
import { Grid } from "./grid.js";
import { isShared } from "./layout.js";
import { Products } from "./products.js";

/** @import { Cell, Scene, Windows } from "../types.d.ts" */

const ABOVE = 260; // CSS pixels of the page above and below the grids

/** @param {number[][]} values */
const sizeOf = (values) => `${values.length}×${values[0]?.length ?? 0}`;

/** @param {string} name @param {(Node | null)[]} children */
const box = (name, ...children) => element("div", name, ...children.filter((child) => child !== null));

/** @param {string} text */
function sign(text) {
  const made = element("span", "sign", text);
  made.setAttribute("aria-hidden", "true");
  return made;
}

export class Stage {
  /** @param {Scene} scene @param {number} height CSS pixels of the window */
  constructor(scene, height) {
    const { inputs, kernels, biases, outputs, partials } = scene;
    this.inputs = inputs.map(
      ({ title, note, values, tint, editable, corner }, channel) =>
        new Grid({
          part: "input",
          index: [channel],
          title,
          note: note ?? sizeOf(values),
          values,
          tint,
          editable,
          corner,
          padding: scene.padding,
          padText: scene.padText,
        }),
    );
    this.kernels = kernels.map((kernel, out) =>
      kernel.map(
        (values, at) =>
          new Grid({
            part: "weight",
            index: [out, at],
            title: this.#kernelTitle(scene, out, at),
            values,
            editable: scene.editable,
          }),
      ),
    );
    this.biases = biases.map(
      (bias, out) =>
        new Grid({ part: "bias", index: [out], title: "bias", values: [[bias]], editable: scene.editable }),
    );
    this.outputs = outputs.map(
      ({ title, note, values, corner }, map) => new Grid({ part: "output", index: [map], title, note, values, corner }),
    );
    const single = scene.layout === "rows";
    /** Whether all kernels share one table of products: that of the one looked at. */
    this.shared = isShared(scene, height - ABOVE);
    const withProducts = this.shared ? kernels[0].slice(0, 1) : kernels[0];
    this.products =
      single && outputs.length
        ? withProducts.map((values) => new Products(kernels[0].length > 1 ? "products" : "window · kernel", values))
        : [];
    const corner = outputs[0]?.corner;
    this.partials =
      single && kernels[0].length > 1 && outputs.length
        ? partials[0].map(
            (values, at) => new Grid({ part: "partial", index: [at], title: "partial result", values, corner }),
          )
        : [];
    /** @type {HTMLElement | null} of a single kernel: bias and output */
    this.result = null;
    /** @type {HTMLElement[]} of a single kernel: a line for each input channel */
    this.lines = [];
    /** @type {HTMLCanvasElement | null} */
    this.canvas = null;
    if (inputs[0].tint) {
      this.canvas = element("canvas");
      this.canvas.setAttribute("role", "img");
      this.canvas.setAttribute("aria-label", "The three channels together: a small colour picture");
    }
    this.update(scene);
    this.element = { rows: () => this.#rows(), matrix: () => this.#matrix(scene), pool: () => this.#pool(scene) }[
      scene.layout
    ]();
  }

  get grids() {
    return [...this.inputs, ...this.kernels.flat(), ...this.biases, ...this.outputs, ...this.partials];
  }

  /** The three channels as the colours they are. @param {Scene} scene */
  #paint(scene) {
    if (!this.canvas) return;
    const [red, green, blue] = scene.inputs.map(({ values }) => values.flat());
    const most = Math.max(1, ...red, ...green, ...blue);
    const height = scene.inputs[0].values.length;
    const width = scene.inputs[0].values[0].length;
    this.canvas.width = width;
    this.canvas.height = height;
    this.canvas.style.aspectRatio = `${width} / ${height}`;
    const dots = Uint8ClampedArray.from(
      red.flatMap((_, at) => [red[at], green[at], blue[at], most].map((value) => (255 * value) / most)),
    );
    contextOf(this.canvas).putImageData(new ImageData(dots, width, height), 0, 0);
  }

  /** New numbers. @param {Scene} scene */
  update(scene) {
    this.#paint(scene);
    this.inputs.forEach((grid, channel) =>
      grid.update(scene.inputs[channel].values, scene.inputs[channel].note ?? sizeOf(scene.inputs[channel].values)),
    );
    this.kernels.forEach((kernel, out) => kernel.forEach((grid, at) => grid.update(scene.kernels[out][at])));
    this.biases.forEach((grid, out) => grid.update([[scene.biases[out]]]));
    this.outputs.forEach((grid, map) => grid.update(scene.outputs[map].values, scene.outputs[map].note));
    this.partials.forEach((grid, at) => grid.update(scene.partials[0][at]));
    this.outputs.forEach((grid, map) => grid.mark("changed", scene.outputs[map].changed ?? []));
    this.inputs.forEach((grid) => grid.mark("unused", scene.outputs.length ? unreached(grid, scene.windows[0]) : []));
  }

  /** @param {Scene} scene @param {number} out @param {number} at */
  #kernelTitle(scene, out, at) {
    if (scene.start) return "kernel"; // a part of a larger layer, whose kernels have other numbers
    if (scene.kernelTitles.length) return scene.kernelTitles[out];
    return scene.kernels[0].length === 1 && scene.kernels.length === 1 ? "kernel" : `weight[${out}, ${at}]`;
  }

  /** One kernel: a line for each channel, and their sum. */
  #rows() {
    const { shared } = this;
    this.lines = this.inputs.map((input, at) =>
      box(
        "line",
        input.element,
        sign("∗"),
        box(
          "pair",
          this.kernels[0][at].element,
          ...(this.products[at] && !shared ? [sign("→"), this.products[at].element] : []),
        ),
        ...(this.partials[at] ? [sign("Σ"), this.partials[at].element] : []),
      ),
    );
    const products = shared ? this.products.map(({ element: table }) => table) : [];
    const outputs = this.outputs.flatMap((output) => [sign("="), output.element]);
    this.result = box("result", box("line", ...products, sign("Σ +"), this.biases[0].element, ...outputs));
    return box(`stage rows${shared ? " shared" : ""}`, this.canvas, box("lines", ...this.lines), this.result);
  }

  /**
   * Several kernels: the inputs, then a line for each output channel, with an empty box for a channel outside its
   * group.
   * @param {Scene} scene
   */
  #matrix(scene) {
    const lines = this.kernels.map((kernel, out) => {
      const boxes = this.inputs.map(
        (_, channel) => kernel[scene.seen[out].indexOf(channel)]?.element ?? box("nothing"),
      );
      return box(
        "line",
        ...boxes,
        sign("+"),
        this.biases[out].element,
        ...(this.outputs[out] ? [sign("="), this.outputs[out].element] : []),
      );
    });
    return box(
      "stage matrix",
      this.canvas,
      box("inputs", ...this.inputs.map((grid) => grid.element)),
      sign("∗"),
      box("lines", ...lines),
    );
  }

  /** Pooling: a line for each input, with its outputs. @param {Scene} scene */
  #pool(scene) {
    const lines = this.inputs.map((input, at) =>
      box(
        "line",
        input.element,
        sign("→"),
        ...this.outputs.filter((_, map) => scene.outputs[map].input === at).map((grid) => grid.element),
      ),
    );
    return box("stage pool", box("lines", ...lines));
  }
}

/** Cells, padding included, that no window reaches. @param {Grid} grid @param {Windows} windows */
function unreached(grid, windows) {
  const rows = new Set(windows.rows.flat());
  const columns = new Set(windows.columns.flat());
  /** @type {Cell[]} */
  const cells = [];
  const { top, bottom, left, right } = grid.padding;
  for (let row = -top; row < grid.rows + bottom; row++) {
    for (let column = -left; column < grid.columns + right; column++) {
      if (!rows.has(row) || !columns.has(column)) cells.push([row, column]);
    }
  }
  return cells;
}
