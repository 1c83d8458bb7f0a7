// Where the tiles of every layer go. Pure functions on numbers.

/** @import { Grid, Pixel } from "../types.d.ts" */
/** @typedef {Pick<Grid, "tileWidth" | "tileHeight" | "gap" | "unit" | "dot">} TileSize */

const GAP = 3.5; // CSS pixels, about
// CSS pixels a map pixel, at most and at least.
const MAX_SCALE = 9;
const LEAST_SCALE = 0.5;
const MAX_DOT = 16; // CSS pixels a weight
const FINE = 2; // CSS pixels of a canvas dot under an outline, about
const FLOORS = [128, 112, 96, 88, 80, 72, 64, 56, 52, 48, 44, 40, 36, 32, 28, 24, 20, 16, 12]; // least side of a tile
const TO_SCALE_FLOORS = FLOORS.slice(-3);

/** How many values a shape has. @param {number[]} shape */
export const product = (shape) => shape.reduce((whole, side) => whole * side, 1);

/**
 * Channels, height and width of a layer; features are maps of one pixel.
 * @param {number[]} shape
 * @returns {[number, number, number]}
 */
export const mapsOf = ([channels, rows, columns]) => [channels, rows ?? 1, columns ?? 1];

/**
 * The smallest maps as large as the room allows, and then all. `toScale`: a map half as high is drawn half as high, as
 * far as small maps
 * can still be seen. Where even small tiles do not fit, all get smaller still, and the rest is scrolled to.
 * @param {number[][]} shapes
 * @param {number[]} least widths of the columns, for their headings
 * @param {number} width for all columns together
 * @param {number} height of a column @param {boolean} [toScale]
 * @returns {Grid[]}
 */
export function columnsLayout(shapes, least, width, height, toScale = false) {
  /** @param {Grid[]} grids */
  const fits = (grids) => grids.reduce((sum, grid, index) => sum + Math.max(grid.width, least[index]), 0) <= width;
  for (const floor of toScale ? TO_SCALE_FLOORS : FLOORS) {
    if (!fits(columnGrids(shapes, LEAST_SCALE, height, floor))) continue;
    for (let scale = MAX_SCALE; ; scale -= 0.25) {
      const grids = columnGrids(shapes, scale, height, floor);
      if (scale <= LEAST_SCALE || fits(grids)) return grids;
    }
  }
  return columnGrids(shapes, LEAST_SCALE, height, FLOORS[FLOORS.length - 1]);
}

/**
 * @param {number[][]} shapes
 * @param {number} scale CSS pixels a map pixel
 * @param {number} height
 * @param {number} floor least side of a tile
 */
function columnGrids(shapes, scale, height, floor) {
  const tiles = shapes.map((shape) => tileOf(shape, Math.min(scale, height / mapsOf(shape)[1]), floor, height));
  const most = sharedMost(
    shapes,
    tiles.map((tile) => (height / tile.dot + tile.gap) / (tile.tileHeight + tile.gap)),
  );
  return tiles.map((tile, index) => {
    const [channels] = mapsOf(shapes[index]);
    const columns = Math.ceil(channels / most[index]);
    return gridOf(tile, columns, Math.ceil(channels / columns));
  });
}

/**
 * The same layers on a phone: rows of tiles, none below 40 pixels.
 * @param {number[][]} shapes @param {number} width of the page @returns {Grid[]}
 */
export function stackedLayout(shapes, width) {
  const largest = Math.max(...shapes.map((shape) => Math.max(...mapsOf(shape).slice(1))));
  const tiles = shapes.map((shape) => tileOf(shape, Math.min(width / mapsOf(shape)[2], 72 / largest), 40, width));
  const most = sharedMost(
    shapes,
    tiles.map((tile) => (width / tile.dot + tile.gap) / (tile.tileWidth + tile.gap)),
  );
  return tiles.map((tile, index) => gridOf(tile, most[index], Math.ceil(mapsOf(shapes[index])[0] / most[index])));
}

/**
 * How many tiles of every layer stand in a line. Neighbours with as many maps share the number, so that a channel keeps
 * its place.
 * @param {number[][]} shapes @param {number[]} room how many tiles fit in a line, by layer
 */
function sharedMost(shapes, room) {
  const most = shapes.map(([channels], index) => Math.max(1, Math.min(channels, Math.floor(room[index]))));
  /** @param {number} index @param {number} next */
  const together = (index, next) =>
    shapes[index].length === 3 && shapes[next].length === 3 && shapes[index][0] === shapes[next][0];
  for (let index = 1; index < most.length; index += 1)
    if (together(index, index - 1)) most[index] = Math.min(most[index], most[index - 1]);
  for (let index = most.length - 2; index >= 0; index -= 1)
    if (together(index, index + 1)) most[index] = Math.min(most[index], most[index + 1]);
  return most;
}

/**
 * A tile with the proportions of the map, its smaller side not below the floor unless the longer one would then leave
 * the room.
 * @param {number[]} shape
 * @param {number} scale CSS pixels a map pixel
 * @param {number} floor
 * @param {number} room
 * @returns {TileSize}
 */
function tileOf(shape, scale, floor, room) {
  const [channels, rows, columns] = mapsOf(shape);
  const feature = floor * (channels > 64 ? 0.35 : 0.7);
  const size =
    shape.length === 1
      ? Math.min(feature, 14)
      : Math.min(Math.max(scale, floor / Math.min(rows, columns)), room / Math.max(rows, columns));
  const unit = Math.max(1, Math.round(size / GAP));
  const dot = size / unit;
  return {
    unit,
    dot,
    gap: Math.max(1, Math.round((shape.length === 1 ? 1.5 : GAP) / dot)),
    tileWidth: columns * unit,
    tileHeight: rows * unit,
  };
}

/** @param {TileSize} tile @param {number} columns @param {number} rows of tiles @returns {Grid} */
function gridOf(tile, columns, rows) {
  const dotsWide = columns * (tile.tileWidth + tile.gap) - tile.gap;
  const dotsHigh = rows * (tile.tileHeight + tile.gap) - tile.gap;
  return { ...tile, columns, rows, dotsWide, dotsHigh, width: dotsWide * tile.dot, height: dotsHigh * tile.dot };
}

/** One map alone, its longer side `side` CSS pixels. @param {number[]} shape @param {number} side @returns {Grid} */
export function singleLayout([, rows, columns], side) {
  return gridOf({ unit: 1, dot: side / Math.max(rows, columns), gap: 0, tileWidth: columns, tileHeight: rows }, 1, 1);
}

/** Maps one below the other, a dot a value. @param {number[]} shape maps, rows, columns @returns {Grid} */
export function dotsLayout([maps, rows, columns]) {
  return gridOf({ unit: 1, dot: 1, gap: 0, tileWidth: columns, tileHeight: rows }, 1, maps);
}

/**
 * Kernels of a convolution: a row an output channel, a column an input channel, as large as the room allows. With one
 * input channel there
 * would be one column: the output channels then fill row after row.
 * @param {number[]} shape of the weights, (outputs, inputs, rows, columns)
 * @param {number} width of the room in CSS pixels
 * @param {number} height
 * @returns {Grid}
 */
export function kernelsLayout([outputs, inputs, rows, columns], width, height) {
  /** @param {number} side of a kernel @param {number} count of kernels @param {number} room */
  const fits = (side, count, room) => room / count / (side + 1);
  /** @param {number} across @param {number} down kernels */
  const dotOf = (across, down) =>
    Math.min(
      MAX_DOT,
      Math.max(3, Math.floor(2 * Math.min(fits(columns, across, width), fits(rows, down, height))) / 2),
    );
  let across = inputs;
  let down = outputs;
  for (let count = 2; inputs === 1 && count <= outputs; count++) {
    const lines = Math.ceil(outputs / count);
    if (dotOf(count, lines) > dotOf(across, down)) [across, down] = [count, lines];
  }
  // Canvas dots are smaller than weights, so that an outline is thin.
  const dot = dotOf(across, down);
  const unit = Math.ceil(dot / FINE);
  return {
    ...gridOf({ unit, dot: dot / unit, gap: unit, tileWidth: columns * unit, tileHeight: rows * unit }, across, down),
    byRow: true,
  };
}

/**
 * Corner of tile `index` in dots; tiles fill column by column, or row by row.
 * @param {Grid} grid
 * @param {number} index
 * @returns {[number, number]}
 */
export function tileAt(grid, index) {
  const [column, row] = grid.byRow
    ? [index % grid.columns, Math.floor(index / grid.columns)]
    : [Math.floor(index / grid.rows), index % grid.rows];
  return [column * (grid.tileWidth + grid.gap), row * (grid.tileHeight + grid.gap)];
}

/**
 * Which map, and which of its pixels, lies under a point in CSS pixels; null between tiles.
 * @param {Grid} grid @param {number} channels @param {number} x @param {number} y @returns {Pixel | null}
 */
export function pixelAt(grid, channels, x, y) {
  const dotX = Math.floor(x / grid.dot);
  const dotY = Math.floor(y / grid.dot);
  const tileColumn = Math.floor(dotX / (grid.tileWidth + grid.gap));
  const tileRow = Math.floor(dotY / (grid.tileHeight + grid.gap));
  if (tileColumn < 0 || tileRow < 0 || tileColumn >= grid.columns || tileRow >= grid.rows) return null;
  const map = grid.byRow ? tileRow * grid.columns + tileColumn : tileColumn * grid.rows + tileRow;
  const insideX = dotX - tileColumn * (grid.tileWidth + grid.gap);
  const insideY = dotY - tileRow * (grid.tileHeight + grid.gap);
  if (map >= channels || insideX >= grid.tileWidth || insideY >= grid.tileHeight) return null;
  return { map, row: Math.floor(insideY / grid.unit), column: Math.floor(insideX / grid.unit) };
}
