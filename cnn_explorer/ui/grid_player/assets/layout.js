// How large a cell may be. No DOM.

import { short } from "./numbers.js";

/** @import { Scene } from "../types.d.ts" */
/**
 * @typedef {{wide: (side: number) => number, down: number, over: number}} Extent width in pixels by a cell's side;
 *   height in cells, and further pixels
 */

// CSS pixels: the smallest side of a cell, a finger's target; the largest one; a grid's title with the gap below it.
const LEAST = 24;
const MOST = 52;
const CAPTION = 23;
/** Input channels of one kernel that have a line each with their products; more of them share one table of products. */
const FEW = 4;
// CSS pixels: a column and a row of the products, whatever the side of a cell; the column with letters of `SMALL`.
const PRODUCT = 62;
const HIGH = 36;
const SMALL = 12; // CSS pixels of the smallest letters, except on wide screens

/**
 * Width of a grid's columns, which the longest of its numbers may stretch; as `td` in style.css.
 * @param {number[][]} values
 * @param {number} small CSS pixels of the smallest letters
 */
function columnsOf(values, small) {
  const letters = Math.max(1, ...values.flat().map((value) => short(value).length));
  /** @param {number} side of a cell */
  return (side, columns = values[0]?.length ?? 0) =>
    columns * Math.max(side, letters * 0.58 * Math.min(18, Math.max(small, 0.4 * side)) + 8);
}

/**
 * Whether all kernels share one table of products, as there is no room for one each.
 * @param {Scene} scene
 * @param {number} height pixels
 */
export function isShared({ layout, kernels }, height) {
  const count = kernels[0]?.length ?? 0;
  const size = kernels[0]?.[0].length ?? 0;
  return layout === "rows" && count > 1 && (count > FEW || count * (CAPTION + HIGH * size) > height);
}

/**
 * @typedef {"beside" | "below"} Products where the products are: beside their kernel, or below it where that is too
 *   wide
 */

/**
 * The size of all grids together: the width is `wide(side)` pixels, the height `down` cells and `over` pixels.
 * @param {Scene} scene
 * @param {Products} products
 * @param {number} [small] CSS pixels of the smallest letters
 * @returns {Extent}
 */
function extent(scene, products, small = SMALL) {
  const { inputs, kernels, outputs, padding, layout } = scene;
  const channels = inputs.length;
  const lines = kernels.length;
  const input = columnsOf(
    inputs.flatMap(({ values }) => values),
    small,
  );
  const padded = inputs[0].values[0].length + padding.left + padding.right;
  const height = inputs[0].values.length + padding.top + padding.bottom;
  const weight = columnsOf(kernels.flat(2), small);
  const kernel = kernels[0]?.[0]?.length ?? 0;
  const first = outputs.filter((output) => layout !== "pool" || output.input === 0);
  const high = Math.max(0, ...first.map(({ values }) => values.length));
  const output = columnsOf(
    outputs.flatMap(({ values }) => values),
    small,
  );
  const across = first[0]?.values[0].length ?? 0;
  const bias = columnsOf([scene.biases], small);
  const picture = inputs[0].tint ? 3 : 0;
  if (layout === "rows") {
    const partial = channels > 1 && scene.partials.length ? columnsOf(scene.partials[0].flat(), small) : () => 0;
    const below = products === "below";
    const sums = ((PRODUCT * small) / SMALL) * kernel;
    /** @param {number} side */
    const pair = (side) => (below ? Math.max(weight(side, kernel), sums) : weight(side, kernel) + sums);
    return {
      wide: (side) =>
        input(side, padded) +
        pair(side) +
        partial(side, across) +
        bias(side, 1) +
        output(side, across) +
        picture * side +
        210,
      down: Math.max(height, below ? 2.6 * kernel : kernel) * channels, // a cell of the products is the higher one
      over: CAPTION * channels * (below ? 2 : 1),
    };
  }
  if (layout === "matrix") {
    return {
      wide: (side) =>
        input(side, padded) +
        channels * (weight(side, kernel) + 14) +
        bias(side, 1) +
        output(side, across) +
        picture * side +
        150,
      down: Math.max(height * channels, Math.max(kernel, high) * lines),
      over: CAPTION * Math.max(channels, lines),
    };
  }
  return {
    wide: (side) =>
      input(side, padded) + first.reduce((sum, { values }) => sum + columnsOf(values, small)(side) + 24, 60),
    down: Math.max(height, high) * channels,
    over: CAPTION * channels,
  };
}

/**
 * The largest side of a cell with which everything fits into these pixels; `LEAST` if none does.
 * @param {Extent} extent
 * @param {number} width
 * @param {number} height
 */
function fitting({ wide, down, over }, width, height) {
  let side = Math.max(LEAST, Math.min(MOST, Math.floor((height - over) / down)));
  while (side > LEAST && wide(side) > width) side -= 1;
  return side;
}

/**
 * The side of a cell, whether the sum is beside the grids (`aside`) or below, and where the products are.
 * @param {Scene} scene
 * @param {{width: number, height: number, beside: number, below: number, shared: boolean, small?: number}} room
 * pixels, with what the sum takes of the width beside the grids or of the height below; whether kernels share their
 * products; the smallest letters
 * @returns {{side: number, aside: boolean, products: Products}}
 */
export function arrange(scene, { width, height, beside, below, shared, small = SMALL }) {
  if (shared) return { side: LEAST, aside: false, products: "beside" };
  const all = extent(scene, "beside", small);
  const under = fitting(all, width, height - below);
  const aside = fitting(all, width - beside, height);
  const several = scene.inputs.length > 1;
  const room = all.wide(LEAST) <= width - beside;
  if (room && (aside > under || (aside === under && several))) return { side: aside, aside: true, products: "beside" };
  if (all.wide(LEAST) <= width) return { side: under, aside: false, products: "beside" };
  return { side: fitting(extent(scene, "below", small), width, height - below), aside: false, products: "below" };
}

/**
 * On a phone grids wrap: cells are as large as height alone allows.
 * @param {Scene} scene
 * @returns {ReturnType<typeof arrange>}
 */
export function arrangeNarrow(scene) {
  return { side: Math.min(32, fitting(extent(scene, "beside"), Infinity, 330)), aside: false, products: "beside" };
}
