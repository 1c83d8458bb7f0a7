// Where the grids stand: built once for each structure of the scene, then only their numbers change.

import { Grid } from "./grid.js";
import { Products } from "./products.js";

const sizeOf = (values) => `${values.length}×${values[0]?.length ?? 0}`;

function element(name, ...children) {
  const made = document.createElement("div");
  made.className = name;
  made.append(...children.filter(Boolean));
  return made;
}

function sign(text) {
  const made = document.createElement("span");
  made.className = "sign";
  made.setAttribute("aria-hidden", "true");
  made.textContent = text;
  return made;
}

export class Stage {
  /** @param {import("./scene.js").Scene} scene */
  constructor(scene) {
    const { inputs, kernels, biases, outputs, partials } = scene;
    this.inputs = inputs.map(({ title, values, tint, editable }, channel) =>
      new Grid({ part: "input", index: [channel], title, note: sizeOf(values), values, tint, editable, padding: scene.padding, padText: scene.padText }));
    this.kernels = kernels.map((kernel, out) => kernel.map((values, at) =>
      new Grid({ part: "weight", index: [out, at], title: this.#kernelTitle(scene, out, at), values, editable: true })));
    this.biases = biases.map((bias, out) => new Grid({ part: "bias", index: [out], title: "bias", values: [[bias]], editable: true }));
    this.outputs = outputs.map(({ title, note, values }, map) => new Grid({ part: "output", index: [map], title, note, values }));
    const single = scene.layout === "rows";
    this.products = single && outputs.length ? kernels[0].map((values) => new Products(kernels[0].length > 1 ? "products" : "window · kernel", values.length)) : [];
    this.partials = single && kernels[0].length > 1 && outputs.length
      ? partials[0].map((values, at) => new Grid({ part: "partial", index: [at], title: "partial result", values })) : [];
    if (inputs[0].tint) {
      this.canvas = document.createElement("canvas");
      this.canvas.setAttribute("role", "img");
      this.canvas.setAttribute("aria-label", "The three channels together: a small colour picture");
    }
    this.update(scene);
    this.element = { rows: () => this.#rows(), matrix: () => this.#matrix(scene), pool: () => this.#pool(scene) }[scene.layout]();
  }

  get grids() {
    return [...this.inputs, ...this.kernels.flat(), ...this.biases, ...this.outputs, ...this.partials];
  }

  /** The three channels as the colours they are. */
  #paint(scene) {
    if (!this.canvas) return;
    const [red, green, blue] = scene.inputs.map(({ values }) => values.flat());
    const most = Math.max(1, ...red, ...green, ...blue);
    const [height, width] = [scene.inputs[0].values.length, scene.inputs[0].values[0].length];
    Object.assign(this.canvas, { width, height });
    this.canvas.style.aspectRatio = `${width} / ${height}`;
    const dots = Uint8ClampedArray.from(red.flatMap((_, at) => [red[at], green[at], blue[at], most].map((value) => (255 * value) / most)));
    this.canvas.getContext("2d").putImageData(new ImageData(dots, width, height), 0, 0);
  }

  /** New numbers. @param {import("./scene.js").Scene} scene */
  update(scene) {
    this.#paint(scene);
    this.inputs.forEach((grid, channel) => grid.update(scene.inputs[channel].values, sizeOf(scene.inputs[channel].values)));
    this.kernels.forEach((kernel, out) => kernel.forEach((grid, at) => grid.update(scene.kernels[out][at])));
    this.biases.forEach((grid, out) => grid.update([[scene.biases[out]]]));
    this.outputs.forEach((grid, map) => grid.update(scene.outputs[map].values, scene.outputs[map].note));
    this.partials.forEach((grid, at) => grid.update(scene.partials[0][at]));
    this.outputs.forEach((grid, map) => grid.mark("changed", scene.outputs[map].changed ?? []));
    this.inputs.forEach((grid) => grid.mark("unused", scene.outputs.length ? unreached(grid, scene.windows[0]) : []));
  }

  #kernelTitle(scene, out, at) {
    if (scene.kernelTitles.length) return scene.kernelTitles[out];
    return scene.kernels[0].length === 1 && scene.kernels.length === 1 ? "kernel" : `weight[${out}, ${at}]`;
  }

  /** One kernel: a line a channel, and what they add up to. */
  #rows() {
    const lines = this.inputs.map((input, at) => element("line", input.element, sign("∗"), this.kernels[0][at].element,
      ...(this.products[at] ? [sign("→"), this.products[at].element] : []), ...(this.partials[at] ? [sign("Σ"), this.partials[at].element] : [])));
    return element("stage rows", this.canvas, element("lines", ...lines), sign("Σ +"),
      element("result", element("line", this.biases[0].element, ...this.outputs.flatMap((output) => [sign("="), output.element]))));
  }

  /** Several kernels: the inputs, then a line an output channel. A channel outside the kernel's group leaves its place empty. */
  #matrix(scene) {
    const lines = this.kernels.map((kernel, out) => {
      const places = this.inputs.map((_, channel) => kernel[scene.seen[out].indexOf(channel)]?.element ?? element("nothing"));
      return element("line", ...places, sign("+"), this.biases[out].element, ...(this.outputs[out] ? [sign("="), this.outputs[out].element] : []));
    });
    return element("stage matrix", this.canvas, element("inputs", ...this.inputs.map((grid) => grid.element)), sign("∗"), element("lines", ...lines));
  }

  /** Pooling: a line an input, its outputs beside each other. */
  #pool(scene) {
    const lines = this.inputs.map((input, at) => element("line", input.element, sign("→"),
      ...this.outputs.filter((_, map) => scene.outputs[map].input === at).map((grid) => grid.element)));
    return element("stage pool", element("lines", ...lines));
  }
}

/** Cells, padding included, that no window reaches. */
function unreached(grid, windows) {
  const rows = new Set(windows.rows.flat()), columns = new Set(windows.columns.flat());
  const cells = [];
  for (let row = -grid.padding; row < grid.rows + grid.padding; row++) {
    for (let column = -grid.padding; column < grid.columns + grid.padding; column++) {
      if (!rows.has(row) || !columns.has(column)) cells.push([row, column]);
    }
  }
  return cells;
}
