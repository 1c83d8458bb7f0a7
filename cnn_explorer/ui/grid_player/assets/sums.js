// The arithmetic of one output value as text. No DOM.

import { full, term } from "./numbers.js";
import { isInside, valueAt, windowCells } from "./scene.js";

/** @import { Place, Product, Scene } from "../types.d.ts" */

/** The products of one window and one kernel. @param {Scene} scene @param {Place} place @param {number} at of the kernel @returns {Product[]} */
export function productsOf(scene, place, at) {
  const output = scene.outputs[place.map];
  const input = scene.seen[place.map][at];
  const { values } = scene.inputs[input];
  const weights = scene.kernels[place.map][at].flat();
  return windowCells(scene.windows[output.windows], place.row, place.column).map(([row, column], index) => {
    const value = valueAt(values, row, column);
    return { value, weight: weights[index], product: value * weights[index], padding: !isInside(values, row, column) };
  });
}

/**
 * Lines of the sum that makes one output value; the last one ends in the value.
 * @param {Scene} scene @param {Place} place @returns {string[]}
 */
export function sumLines(scene, place) {
  const output = scene.outputs[place.map];
  const value = output.values[place.row][place.column];
  return output.rule === "conv" ? convolutionLines(scene, place, value) : poolingLines(scene, place);
}

/** @param {Scene} scene @param {Place} place @param {number} value */
function convolutionLines(scene, place, value) {
  const channels = scene.kernels[place.map].map((_, at) => productsOf(scene, place, at).map(({ value, weight }) => `${term(value)}·${term(weight)}`).join(" + "));
  const sums = scene.partials[place.map].map((map) => map[place.row][place.column]);
  const bias = scene.biases[place.map];
  const total = `${sums.map(term).join(" + ")} + bias ${term(bias)} = ${full(value)}`;
  if (channels.length === 1) return [`${channels[0]} = ${full(sums[0])}`, total];
  return [...channels.map((products, at) => `${scene.inputs[scene.seen[place.map][at]].title}: ${products} = ${full(sums[at])}`), total];
}

/** All outputs of the same input at the same place: max beside average beside none. @param {Scene} scene @param {Place} place */
function poolingLines(scene, place) {
  const chosen = scene.outputs[place.map];
  const { values, title } = scene.inputs[chosen.input];
  return scene.outputs.flatMap((output, map) => {
    if (output.input !== chosen.input || output.windows !== chosen.windows) return [];
    const cells = windowCells(scene.windows[output.windows], place.row, place.column);
    const inside = cells.filter(([row, column]) => isInside(values, row, column)).map(([row, column]) => term(values[row][column]));
    const result = full(output.values[place.row][place.column]);
    const name = scene.inputs.length > 1 ? `${title}, ${output.title}` : output.title;
    if (output.rule === "none") return [`${name}: ${result}`];
    if (output.rule === "max") {
      const [row, column] = scene.winners[map][place.row][place.column];
      return [`${name}: max(${inside.join(", ")}) = ${result}, found in row ${row}, column ${column}`];
    }
    const summands = cells.map(([row, column]) => term(valueAt(values, row, column)));
    return [`${name}: (${summands.join(" + ")}) / ${cells.length} = ${result}`];
  });
}

/** The same for the ear: where the value is, then how it comes about. @param {Scene} scene @param {Place} place */
export function spoken(scene, place) {
  const { title } = scene.outputs[place.map];
  return `${title}, row ${place.row}, column ${place.column}. ${sumLines(scene, place).join(". ")}`;
}
