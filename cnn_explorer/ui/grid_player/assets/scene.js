// What the server sends, and what follows from it without a new number being computed: windows, and which windows a cell is in. No DOM.

/**
 * @typedef {[number, number]} Cell row and column
 * @typedef {{rows: number[][], columns: number[][]}} Windows for each output row and column the input indices its window covers; outside is padding
 * @typedef {{title: string, values: number[][], tint: string, editable: boolean}} Input
 * @typedef {{title: string, note: string, values: number[][], input: number, windows: number, rule: "conv" | "max" | "avg" | "none", changed: number[][] | null}} Output
 *   `input` is the grid that a pooling reads, `windows` an index into the scene's windows
 * @typedef {{name: string, ack: number, layout: "rows" | "matrix" | "pool", lead: string, lines: string[], inputs: Input[], padding: number, padText: string,
 *   windows: Windows[], kernels: number[][][][], kernelTitles: string[], seen: number[][], biases: number[], partials: number[][][][],
 *   outputs: Output[], winners: Cell[][][], agrees: boolean, axes: string[], about: string}} Scene
 * @typedef {{map: number, row: number, column: number}} Place of an output value
 */

/** The cells of one window, in the order of the kernel's weights. @param {Windows} windows @returns {Cell[]} */
export function windowCells(windows, row, column) {
  return windows.rows[row].flatMap((y) => windows.columns[column].map((x) => /** @type {Cell} */ ([y, x])));
}

/** Rows and columns of the output whose windows hold a cell of the input. @param {Windows} windows @returns {Cell[]} */
export function reachedBy(windows, y, x) {
  const holding = (lists, index) => lists.flatMap((list, at) => (list.includes(index) ? [at] : []));
  const columns = holding(windows.columns, x);
  return holding(windows.rows, y).flatMap((row) => columns.map((column) => /** @type {Cell} */ ([row, column])));
}

/** Of the outputs that a cell reaches, the one whose window has it closest to its middle. @param {Windows} windows @returns {Cell | null} */
export function centredOn(windows, y, x) {
  const middle = (list) => (list[0] + list[list.length - 1]) / 2;
  const away = ([row, column]) => Math.hypot(middle(windows.rows[row]) - y, middle(windows.columns[column]) - x);
  return reachedBy(windows, y, x).reduce((best, cell) => (best && away(best) <= away(cell) ? best : cell), null);
}

/** Value of an input grid; padding counts as 0. @param {number[][]} values */
export function valueAt(values, row, column) {
  return values[row]?.[column] ?? 0;
}

export function isInside(values, row, column) {
  return row >= 0 && column >= 0 && row < values.length && column < values[0].length;
}

/** The order in which the output is made: row by row, map by map. @param {Output[]} outputs @returns {Place[]} */
export function playOrder(outputs) {
  return outputs.flatMap(({ values }, map) => values.flatMap((line, row) => line.map((_, column) => ({ map, row, column }))));
}

/** Everything that decides which elements there are; numbers alone change none. @param {Scene} scene */
export function structureOf(scene) {
  const size = (values) => [values.length, values[0]?.length ?? 0];
  return JSON.stringify([
    scene.name, scene.layout, scene.padding, scene.padText, scene.axes, scene.kernelTitles, scene.seen,
    scene.inputs.map(({ title, values, tint, editable }) => [title, tint, editable, size(values)]),
    scene.kernels.map((kernel) => kernel.map(size)),
    scene.outputs.map(({ title, values, input, windows }) => [title, input, windows, size(values)]),
  ]);
}
