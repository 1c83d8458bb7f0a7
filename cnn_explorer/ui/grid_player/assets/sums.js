// The arithmetic of one output value as text. No DOM.

import { full, term } from "./numbers.js";
import { isInside, valueAt, windowCells } from "./scene.js";

/** @import { OutputCell, Product, Scene } from "../types.d.ts" */

/**
 * The products of one window and one kernel.
 * @param {Scene} scene
 * @param {OutputCell} selected
 * @param {number} at index of the kernel
 * @returns {Product[]}
 */
export function productsOf(scene, selected, at) {
  const output = scene.outputs[selected.map];
  const input = scene.seen[selected.map][at];
  const { values } = scene.inputs[input];
  const weights = scene.kernels[selected.map][at].flat();
  return windowCells(scene.windows[output.windows], selected.row, selected.column).map(([row, column], index) => {
    const value = valueAt(values, row, column);
    return { value, weight: weights[index], product: value * weights[index], padding: !isInside(values, row, column) };
  });
}

/**
 * Lines of the sum that makes one output value; the last one ends in the value.
 * @param {Scene} scene
 * @param {OutputCell} selected
 * @param {number | null} chosen the kernel whose products are written out, null for all
 * @returns {string[]}
 */
export function sumLines(scene, selected, chosen = null) {
  return scene.outputs[selected.map].rule === "conv"
    ? convolutionLines(scene, selected, chosen)
    : poolingLines(scene, selected);
}

/** @param {Scene} scene @param {OutputCell} selected @param {number | null} chosen as above */
function convolutionLines(scene, selected, chosen) {
  const { map, row, column } = selected;
  const sums = scene.partials[map].map((partial) => partial[row][column]);
  const shown = chosen === null ? sums.map((_, at) => at) : [chosen];
  const products = shown.map((at) => {
    const title = sums.length > 1 ? `${scene.inputs[scene.seen[map][at]].title}: ` : "";
    return `${title}${productsOf(scene, selected, at)
      .map(({ value, weight }) => `${term(value)}·${term(weight)}`)
      .join(" + ")} = ${full(sums[at])}`;
  });
  const bias = scene.biases[map];
  const rest = scene.rest;
  const others = rest ? ` + ${rest.count} other channels ${term(rest.values[row][column])}` : "";
  const total = sums.reduce((sum, each) => sum + each, rest?.values[row][column] ?? 0) + bias;
  return [...products, `${sums.map(term).join(" + ")}${others} + bias ${term(bias)} = ${full(total)}`];
}

/**
 * All outputs of the same input at the same row and column: max, average and none.
 * @param {Scene} scene
 * @param {OutputCell} selected
 */
function poolingLines(scene, selected) {
  const chosen = scene.outputs[selected.map];
  const {
    values,
    title,
    corner: [top, left],
  } = scene.inputs[chosen.input];
  return scene.outputs.flatMap((output, map) => {
    if (output.input !== chosen.input || output.windows !== chosen.windows) return [];
    const cells = windowCells(scene.windows[output.windows], selected.row, selected.column);
    const inside = cells
      .filter(([row, column]) => isInside(values, row, column))
      .map(([row, column]) => term(values[row][column]));
    const result = full(output.values[selected.row][selected.column]);
    const name = scene.inputs.length > 1 ? `${title}, ${output.title}` : output.title;
    if (output.rule === "none") return [`${name}: ${result}`];
    const padding = cells.length - inside.length;
    if (output.rule === "max") {
      const [row, column] = scene.winners[map][selected.row][selected.column];
      const ignored = padding ? `; the ${padding} of padding ${padding > 1 ? "are" : "is"} ignored` : "";
      return [
        `${name}: max(${inside.join(", ")}) = ${result}, found in row ${row + top}, column ${column + left}${ignored}`,
      ];
    }
    const summands = cells.map(([row, column]) => term(valueAt(values, row, column)));
    const counted = padding
      ? `; the ${padding} of padding ${padding > 1 ? "count as zeros" : "counts as zero"} (count_include_pad=True)`
      : "";
    return [`${name}: (${summands.join(" + ")}) / ${cells.length} = ${result}${counted}`];
  });
}

/**
 * The same for a screen reader: where the value is, then its sum.
 * @param {Scene} scene
 * @param {OutputCell} selected
 * @param {number | null} chosen as above
 */
export function spoken(scene, selected, chosen = null) {
  const {
    title,
    corner: [top, left],
  } = scene.outputs[selected.map];
  return (
    `${title}, row ${selected.row + top}, column ${selected.column + left}. ` +
    `${sumLines(scene, selected, chosen).join(". ")}`
  );
}
