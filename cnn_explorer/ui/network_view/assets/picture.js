// Maps, kernels and numbers drawn anywhere on a canvas: what the opened map is made of.

import { element } from "./element.js";
import { dotsLayout } from "./geometry.js";
import { cssColour, inkOn, paintLayer, reachOf } from "./painting.js";

export const FONT = 12; // CSS pixels: the least that can be read
const LINE = 14;
// Halo and line: one of both stands out on any colour.
export const OUTLINES = { light: ["#fff", "#111"], dark: ["#000", "#fff"] };
const UNSET = "10px sans-serif"; // font of a context whose canvas has just got another size

/** @import { Look, Numbers, Theme, Tile } from "../types.d.ts" */
/** @typedef {[row: number, column: number]} Cell */
/**
 * @typedef {{x: number, y: number, width: number, height: number, dot: number}} Box where a map is drawn; `dot` CSS
 *   pixels a value
 */

/**
 * A box for rows × columns whose longer side is `side`.
 * @param {Cell} size
 * @param {number} x
 * @param {number} y
 * @param {number} side
 * @returns {Box}
 */
export function boxOf([rows, columns], x, y, side) {
  const dot = side / Math.max(rows, columns);
  return { x, y, width: columns * dot, height: rows * dot, dot };
}

/**
 * One map on a canvas of its own, a dot a value.
 * @param {Tile} tile
 * @param {number} reach the magnitude with full colour
 * @param {Theme} theme
 */
export function paintedTile(tile, reach, theme) {
  const canvas = element("canvas");
  const shape = [1, ...tile.size];
  const grid = dotsLayout(shape);
  paintLayer(canvas, grid, shape, tile.values, () => reach, tile.weights ? `${theme} weights` : theme);
  return canvas;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Box} box
 * @param {Tile} tile
 * @param {HTMLCanvasElement} image of it
 * @param {Theme} theme
 */
export function drawTile(context, box, tile, image, theme) {
  context.imageSmoothingEnabled = false;
  context.drawImage(image, box.x, box.y, box.width, box.height);
  if (tile.cells) outline(context, box, tile.cells, tile.size, theme);
}

/**
 * Frame cells: solid on the map, dashed on the padding around it.
 * @param {CanvasRenderingContext2D} context
 * @param {Box} box
 * @param {Cell[]} cells
 * @param {Cell} size rows and columns of the map
 * @param {Theme} theme
 */
export function outline(context, box, cells, [rows, columns], theme) {
  /** @param {Cell} cell */
  const inside = ([row, column]) => row >= 0 && column >= 0 && row < rows && column < columns;
  const groups = [
    { group: cells.filter(inside), dash: [] },
    { group: cells.filter((cell) => !inside(cell)), dash: [3, 2] },
  ];
  for (const { group, dash } of groups) {
    if (!group.length) continue;
    const path = new Path2D();
    if (dense(group)) frame(path, box, group);
    else for (const cell of group) frame(path, box, [cell]);
    stroke(context, path, dash, theme);
  }
}

/** Whether cells fill a rectangle. @param {Cell[]} cells */
function dense(cells) {
  const { top, left, bottom, right } = spanOf(cells);
  return (bottom - top) * (right - left) === cells.length;
}

/** @param {Cell[]} cells */
function spanOf(cells) {
  let top = Infinity;
  let left = Infinity;
  let bottom = -Infinity;
  let right = -Infinity;
  for (const [row, column] of cells) {
    top = Math.min(top, row);
    left = Math.min(left, column);
    bottom = Math.max(bottom, row + 1);
    right = Math.max(right, column + 1);
  }
  return { top, left, bottom, right };
}

/** @param {Path2D} path @param {Box} box @param {Cell[]} cells */
function frame(path, { x, y, dot }, cells) {
  const { top, left, bottom, right } = spanOf(cells);
  path.rect(x + left * dot, y + top * dot, (right - left) * dot, (bottom - top) * dot);
}

/** @param {CanvasRenderingContext2D} context @param {Path2D} path @param {number[]} dash @param {Theme} theme */
export function stroke(context, path, dash, theme) {
  const [halo, line] = OUTLINES[theme];
  context.setLineDash(dash);
  context.lineWidth = 3;
  context.strokeStyle = halo;
  context.stroke(path);
  context.lineWidth = 1.5;
  context.strokeStyle = line;
  context.stroke(path);
  context.setLineDash([]);
}

/** @type {WeakMap<CanvasRenderingContext2D, string>} the font that each context was given last */
const fonts = new WeakMap();

/**
 * To set a font costs a look at the styles of the whole page.
 * @param {CanvasRenderingContext2D} context
 * @param {string} family
 * @param {number} text CSS pixels
 */
function useFont(context, family, text) {
  const font = `${text}px ${family}`;
  if (fonts.get(context) === font && context.font !== UNSET) return;
  context.font = font;
  fonts.set(context, font);
}

/**
 * @param {CanvasRenderingContext2D} context @param {string} text @param {number} x @param {number} y @param {Look} look
 * @param {CanvasTextAlign} align
 */
export function write(context, text, x, y, look, align = "left") {
  useFont(context, look.family, look.text);
  context.fillStyle = look.ink;
  context.textAlign = align;
  context.textBaseline = "middle";
  context.fillText(text, x, y);
}

/** Size of a grid of numbers. @param {Numbers} numbers @param {number} text size of the letters */
export function numbersSize({ columns, cells }, text) {
  const grown = text / FONT;
  const longest = Math.max(...cells.flatMap(({ lines }) => lines.map((line) => line.length)));
  const lines = Math.max(...cells.map((cell) => cell.lines.length));
  const cell = { width: Math.max(34, Math.ceil(6.3 * grown * longest + 6)), height: lines * LINE * grown + 6 };
  return { ...cell, wide: columns * cell.width, high: Math.ceil(cells.length / columns) * cell.height };
}

/**
 * Cells on the colour of their value.
 * @param {CanvasRenderingContext2D} context
 * @param {Numbers} numbers
 * @param {Look} look
 */
export function drawNumbers(context, numbers, { theme, soft, family, text }) {
  const { width, height } = numbersSize(numbers, text);
  const line = (LINE * text) / FONT;
  const reach = reachOf(numbers.cells.map((cell) => cell.value));
  useFont(context, family, text);
  context.textAlign = "center";
  context.textBaseline = "middle";
  numbers.cells.forEach((cell, at) => {
    const x = (at % numbers.columns) * width;
    const y = Math.floor(at / numbers.columns) * height;
    context.fillStyle = cell.faint ? soft : cssColour(cell.value, reach, theme);
    context.fillRect(x, y, width - 1, height - 1);
    context.fillStyle = cell.faint ? inkOn(0, 1, theme) : inkOn(cell.value, reach, theme);
    const first = y + height / 2 - ((cell.lines.length - 1) * line) / 2;
    cell.lines.forEach((each, number) => context.fillText(each, x + width / 2, first + number * line));
  });
  const ringed = numbers.cells.findIndex((cell) => cell.ring);
  if (ringed < 0) return;
  const path = new Path2D();
  path.rect(
    (ringed % numbers.columns) * width + 1.5,
    Math.floor(ringed / numbers.columns) * height + 1.5,
    width - 4,
    height - 4,
  );
  stroke(context, path, [], theme);
}
