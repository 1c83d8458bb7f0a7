// What follows from the scene that the server sends: the cells of a window, and the windows that a cell is in. No DOM.

/** @import { Cell, Output, OutputCell, Scene, Windows } from "../types.d.ts" */

/**
 * The cells of one window, in the order of the kernel's weights.
 * @param {Windows} windows
 * @param {number} row
 * @param {number} column
 * @returns {Cell[]}
 */
export function windowCells(windows, row, column) {
  return windows.rows[row].flatMap((y) => windows.columns[column].map((x) => /** @type {Cell} */ ([y, x])));
}

/**
 * Rows and columns of the output whose windows hold a cell of the input.
 * @param {Windows} windows
 * @param {number} y
 * @param {number} x
 * @returns {Cell[]}
 */
export function reachedBy(windows, y, x) {
  /** @param {number[][]} lists @param {number} index */
  const holding = (lists, index) => lists.flatMap((list, at) => (list.includes(index) ? [at] : []));
  const columns = holding(windows.columns, x);
  return holding(windows.rows, y).flatMap((row) => columns.map((column) => /** @type {Cell} */ ([row, column])));
}

/**
 * Of the outputs that a cell reaches, the one whose window has it closest to its middle.
 * @param {Windows} windows
 * @param {number} y
 * @param {number} x
 * @returns {Cell | null}
 */
export function centredOn(windows, y, x) {
  /** @param {number[]} list */
  const middle = (list) => (list[0] + list[list.length - 1]) / 2;
  /** @param {Cell} cell */
  const away = ([row, column]) => Math.hypot(middle(windows.rows[row]) - y, middle(windows.columns[column]) - x);
  const [first, ...others] = reachedBy(windows, y, x);
  return others.reduce((best, cell) => (away(best) <= away(cell) ? best : cell), first) ?? null;
}

/**
 * Value of an input grid; padding counts as 0.
 * @param {number[][]} values
 * @param {number} row
 * @param {number} column
 */
export function valueAt(values, row, column) {
  return values[row]?.[column] ?? 0;
}

/** @param {number[][]} values @param {number} row @param {number} column */
export function isInside(values, row, column) {
  return row >= 0 && column >= 0 && row < values.length && column < values[0].length;
}

/**
 * The order in which the animation makes the output values: row by row, map by map.
 * @param {Output[]} outputs
 * @returns {OutputCell[]}
 */
export function playOrder(outputs) {
  return outputs.flatMap(({ values }, map) =>
    values.flatMap((line, row) => line.map((_, column) => ({ map, row, column }))),
  );
}

/** All of a scene that decides which elements there are, as text; its numbers do not. @param {Scene} scene */
export function structureOf(scene) {
  /** @param {number[][]} values */
  const size = (values) => [values.length, values[0]?.length ?? 0];
  return JSON.stringify([
    scene.name,
    scene.layout,
    scene.padding,
    scene.padText,
    scene.axes,
    scene.kernelTitles,
    scene.seen,
    scene.inputs.map(({ title, values, tint, editable }) => [title, tint, editable, size(values)]),
    scene.kernels.map((kernel) => kernel.map(size)),
    scene.outputs.map(({ title, values, input, windows }) => [title, input, windows, size(values)]),
  ]);
}
