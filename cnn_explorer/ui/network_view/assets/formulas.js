// What stands below a layer's name: how its size comes about, in one line of parts, so that those which a change has
// touched are marked.

import { element } from "./element.js";
import { mapsOf } from "./geometry.js";
import { inputOf } from "./windows.js";

/** @import { Difference, Layer } from "../types.d.ts" */
/** @typedef {{text: string, touched: boolean}} Part */
/**
 * @typedef {{size: number, kernel: number, stride: number, padding: number, dilation: number, output: number}} Side of
 *   a layer that slides a window, along one axis
 */

const AXES = [0, 1];
const WEIGHED = "W·x + b"; // of a linear layer; the shape of W is on its card

/**
 * The lines below a layer's name: one where rows and columns have the same formula.
 * @param {Layer[]} layers @param {number} index @param {Layer[]} former layers of the network that it is compared with
 * @param {Difference | null} difference null where nothing is compared
 * @returns {Part[][]}
 */
export function formulaOf(layers, index, former, difference) {
  const layer = layers[index];
  const at = difference?.index ?? null;
  if (!layer.window) {
    const before = at === null ? null : former[at].formula.split("\n");
    return layer.formula
      .split("\n")
      .map((text) => [
        { text: text.startsWith(WEIGHED) ? WEIGHED : text, touched: Boolean(difference) && !before?.includes(text) },
      ]);
  }
  const [rows, columns] = AXES.map((axis) => {
    const side = sideOf(layers, index, axis);
    const was = at === null ? null : sideOf(former, at, axis);
    return sized(side, difference ? was : side);
  });
  const same = textOf(rows) === textOf(columns);
  return same
    ? [rows]
    : [
        [{ text: "H: ", touched: false }, ...rows],
        [{ text: "W: ", touched: false }, ...columns],
      ];
}

/** @param {Part[]} parts */
export const textOf = (parts) => parts.map(({ text }) => text).join("");

/** How many lines a text takes, broken between words. @param {string} text @param {number} letters of a line */
export function linesOf(text, letters) {
  let lines = 1;
  let used = 0;
  for (const { length } of text.split(" ")) {
    if (used && used + 1 + length > letters) [lines, used] = [lines + 1, length];
    else used += length + (used ? 1 : 0);
  }
  return lines;
}

/** @param {HTMLElement} place @param {Part[][]} lines */
export function writeFormula(place, lines) {
  place.replaceChildren(
    ...lines.map((parts) => {
      const line = element("span");
      line.append(...parts.map(({ text, touched }) => (touched ? element("mark", "", text) : text)));
      return line;
    }),
  );
}

/** @param {Layer[]} layers @param {number} index @param {number} axis @returns {Side | null} */
function sideOf(layers, index, axis) {
  const { window, shape } = layers[index];
  if (!window) return null;
  const [kernel, stride, padding, dilation] = window.map((pair) => pair[axis]);
  return { size: mapsOf(inputOf(layers, index))[axis + 1], kernel, stride, padding, dilation, output: shape[axis + 1] };
}

/**
 * PyTorch's formula, ⌊(size + 2·padding − dilation·(kernel − 1) − 1)/stride⌋ + 1, without the parts that change
 * nothing; where windows
 * stand side by side, it is ⌊size/kernel⌋.
 * @param {Side | null} side @param {Side | null} was the same before @returns {Part[]}
 */
function sized(side, was) {
  if (!side) return [];
  const { size, kernel, stride, padding, dilation, output } = side;
  /** @param {string} text @param {(keyof Side)[]} names of what it says */
  const part = (text, ...names) => ({ text, touched: names.some((name) => side[name] !== was?.[name]) });
  const plain = (/** @type {string} */ text) => ({ text, touched: false });
  const result = [plain(" =\u00a0"), part(String(output), "output")];
  if (stride === kernel && stride > 1 && !padding && dilation === 1) {
    return [
      plain("⌊"),
      part(String(size), "size"),
      plain("/"),
      part(String(kernel), "kernel", "stride", "padding", "dilation"),
      plain("⌋"),
      ...result,
    ];
  }
  const parts = [part(String(size), "size")];
  if (padding) parts.push(plain(" + "), part(`2·${padding}`, "padding"));
  parts.push(plain(" − "));
  if (dilation === 1) parts.push(part(String(kernel), "kernel", "dilation"));
  else parts.push(part(String(dilation), "dilation"), plain("·("), part(String(kernel), "kernel"), plain("−1) − 1"));
  if (stride > 1)
    return [plain("⌊("), ...parts, plain(")/"), part(String(stride), "stride"), plain("⌋ + 1"), ...result];
  return [...parts, plain(" + 1"), ...result];
}
