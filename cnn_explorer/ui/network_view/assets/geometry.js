// Where the tiles of every layer go. Pure functions on numbers.

/**
 * @typedef {{width: number, height: number, columns: number, rows: number, tileWidth: number, tileHeight: number, gap: number}} Grid
 * of one layer, in CSS pixels
 */

const GAP = 4;
const MAX_SCALE = 9; // CSS pixels for a map's pixel

/** Channels, height and width of a layer; features are maps of one pixel. @param {number[]} shape */
export const mapsOf = (shape) => (shape.length === 3 ? shape : [shape[0], 1, 1]);

/**
 * One scale for all layers, so that a map half as high is drawn half as high, as large as the room allows.
 * @param {number[][]} shapes @param {number} width for all columns together @param {number} height of a column @param {number} floor least side of a tile
 * @returns {Grid[]}
 */
export function columnsLayout(shapes, width, height, floor) {
  const grids = (scale) => shapes.map((shape) => columnGrid(shape, scale, height, floor));
  const total = (scale) => grids(scale).reduce((sum, grid) => sum + grid.width, 0);
  let low = 0, high = MAX_SCALE;
  for (let step = 0; step < 20; step++) {
    const middle = (low + high) / 2;
    if (total(middle) <= width) low = middle;
    else high = middle;
  }
  return grids(low);
}

function columnGrid(shape, scale, height, floor) {
  const [channels, rows, columns] = mapsOf(shape);
  const [tileWidth, tileHeight, gap] = tileSize(shape, rows, columns, Math.min(scale, height / rows), floor);
  const perColumn = Math.max(1, Math.min(channels, Math.floor((height + gap) / (tileHeight + gap))));
  const subColumns = Math.ceil(channels / perColumn);
  return grid(subColumns, Math.ceil(channels / subColumns), tileWidth, tileHeight, gap);
}

/**
 * The same layer on a phone: rows of tiles, none below 40 pixels.
 * @param {number[]} shape @param {number} width of the page @returns {Grid}
 */
export function stackedLayout(shape, width, largest) {
  const [channels, rows, columns] = mapsOf(shape);
  const scale = Math.min(width / columns, 72 / largest);
  const [tileWidth, tileHeight, gap] = tileSize(shape, rows, columns, scale, 40);
  const perRow = Math.max(1, Math.min(channels, Math.floor((width + gap) / (tileWidth + gap))));
  return grid(perRow, Math.ceil(channels / perRow), tileWidth, tileHeight, gap);
}

/** The proportions of the map, its smaller side not below the floor. */
function tileSize(shape, rows, columns, scale, floor) {
  if (shape.length === 1) return shape[0] > 64 ? [7, 7, 1] : [14, 14, 2];
  const enlarge = Math.max(1, floor / (Math.min(rows, columns) * scale));
  return [Math.round(columns * scale * enlarge), Math.round(rows * scale * enlarge), GAP];
}

function grid(columns, rows, tileWidth, tileHeight, gap) {
  return { columns, rows, tileWidth, tileHeight, gap, width: columns * (tileWidth + gap) - gap, height: rows * (tileHeight + gap) - gap };
}

/** Corner of tile `index`, filled column by column like reading a list. @param {Grid} grid @returns {[number, number]} */
export function tileAt(grid, index) {
  const column = Math.floor(index / grid.rows), row = index % grid.rows;
  return [column * (grid.tileWidth + grid.gap), row * (grid.tileHeight + grid.gap)];
}

/**
 * Which map, and which of its pixels, lies under a point; null between tiles.
 * @param {Grid} grid @param {number[]} shape @returns {{map: number, row: number, column: number} | null}
 */
export function pixelAt(grid, shape, x, y) {
  const [channels, rows, columns] = mapsOf(shape);
  const tileColumn = Math.floor(x / (grid.tileWidth + grid.gap)), tileRow = Math.floor(y / (grid.tileHeight + grid.gap));
  if (tileColumn < 0 || tileRow < 0 || tileColumn >= grid.columns || tileRow >= grid.rows) return null;
  const map = tileColumn * grid.rows + tileRow;
  const insideX = x - tileColumn * (grid.tileWidth + grid.gap), insideY = y - tileRow * (grid.tileHeight + grid.gap);
  if (map >= channels || insideX >= grid.tileWidth || insideY >= grid.tileHeight) return null;
  return { map, row: Math.floor((insideY / grid.tileHeight) * rows), column: Math.floor((insideX / grid.tileWidth) * columns) };
}
