// What a layer's window does with the maps that go in, drawn on them: padding around each map, hatching where no window
// comes; while one of the window's knobs is held, the padding to scale, the window in its first position, and for the
// stride a dot for each position.

import { contextOf, element } from "./element.js";
import { mapsOf, tileAt } from "./geometry.js";
import { sized } from "./painting.js";
import { OUTLINES, stroke } from "./picture.js";
import { runs } from "./reach.js";
import { seen, upTo } from "./windows.js";

/** @import { Grid, Layer, Theme } from "../types.d.ts" */

const LEAST = 2; // CSS pixels of a padding, at least; else as much as there is room for between the maps
const HATCH = 5; // CSS pixels from line to line
const AXES = [0, 1];

/**
 * Rows (axis 0) or columns (1) of a layer's input that no window reaches.
 * @param {Layer} layer
 * @param {number[]} input its shape
 * @param {number} axis
 */
export function unreached({ window, shape }, input, axis) {
  if (!window) return [];
  const reached = new Set(seen(window, axis, upTo(shape[axis + 1])));
  return upTo(mapsOf(input)[axis + 1]).filter((place) => !reached.has(place));
}

/** Where the windows begin along one axis; below 0 on the padding. @param {Layer} layer @param {number} axis */
export const positions = ({ window, shape }, axis) =>
  window ? upTo(shape[axis + 1]).map((place) => place * window[1][axis] - window[2][axis]) : [];

/**
 * @param {HTMLCanvasElement} canvas over the input's own
 * @param {Grid} grid of the input's tiles
 * @param {Layer} layer that slides the window
 * @param {number[]} input shape @param {string} held the parameter whose knob is held, "" for none @param {Theme} theme
 */
export function markInput(canvas, grid, layer, input, held, theme) {
  const { window } = layer;
  if (!window) return;
  const [maps, ...size] = mapsOf(input);
  const dot = grid.unit * grid.dot;
  const room = (grid.gap * grid.dot) / 2;
  const left = AXES.map((axis) => unreached(layer, input, axis));
  const [, , padding] = window;
  canvas.hidden = !held && !left.flat().length && !padding[0] && !padding[1];
  if (canvas.hidden) return;
  const around = Math.ceil(Math.max(LEAST, room, ...(held ? padding : []).map((cells) => cells * dot))) + 3;
  const context = sized(canvas, grid.width + 2 * around, grid.height + 2 * around);
  canvas.style.margin = `${-around}px`;
  const hatch = hatching(context, theme);
  const starts = AXES.map((axis) => positions(layer, axis));
  const [height, width] = size.map((side) => side * dot);
  for (let map = 0; map < maps; map++) {
    const [x, y] = tileAt(grid, map).map((dots) => dots * grid.dot + around);
    // Where maps would cover each other, on the first one.
    const shown = held && (!map || Math.max(...padding) * dot <= room + 1);
    const [high, wide] = padding.map((cells) => (shown ? cells * dot : Math.min(cells * dot, Math.max(room, LEAST))));
    if (high || wide) ring(context, [x, y, width, height], [wide, high], theme);
    context.fillStyle = hatch;
    for (const [row, length] of runs(left[0])) context.fillRect(x, y + row * dot, width, length * dot);
    for (const [column, length] of runs(left[1])) context.fillRect(x + column * dot, y, length * dot, height);
    if (!shown) continue;
    if (held === "stride")
      dots(
        context,
        starts.map((along, axis) => along.map((start) => [y, x][axis] + (start + 0.5) * dot)),
        theme,
      );
    const cells = AXES.map((axis) =>
      runs(seen(window, axis, [0])).map(([start, length]) => [[y, x][axis] + start * dot, length * dot]),
    );
    const path = new Path2D();
    for (const [top, down] of cells[0]) for (const [start, across] of cells[1]) path.rect(start, top, across, down);
    stroke(context, path, [], theme);
  }
}

/**
 * Zeros around a map.
 * @param {CanvasRenderingContext2D} context
 * @param {number[]} box x, y, width, height
 * @param {number[]} padding at the sides, above and below
 * @param {Theme} theme
 */
function ring(context, [x, y, width, height], [wide, high], theme) {
  const path = new Path2D();
  path.rect(x - wide, y - high, width + 2 * wide, height + 2 * high);
  path.rect(x, y, width, height);
  context.fillStyle = theme === "light" ? "rgb(120 130 145 / 0.5)" : "rgb(150 160 175 / 0.5)";
  context.fill(path, "evenodd");
}

/** @param {CanvasRenderingContext2D} context @param {number[][]} places down and across @param {Theme} theme */
function dots(context, [down, across], theme) {
  const [halo, ink] = OUTLINES[theme];
  const apart = Math.min(...[down, across].map((places) => (places.length > 1 ? places[1] - places[0] : Infinity)));
  const side = Math.max(1, Math.min(3, apart / 3));
  for (const [colour, grown] of /** @type {[string, number][]} */ ([
    [halo, side > 2 ? 1 : 0],
    [ink, 0],
  ])) {
    context.fillStyle = colour;
    const whole = side + 2 * grown;
    for (const y of down) for (const x of across) context.fillRect(x - whole / 2, y - whole / 2, whole, whole);
  }
}

/** Diagonal lines. @param {CanvasRenderingContext2D} context @param {Theme} theme */
function hatching(context, theme) {
  const ratio = window.devicePixelRatio || 1;
  const side = Math.round(HATCH * ratio);
  const tile = element("canvas");
  tile.width = tile.height = side;
  const lines = contextOf(tile);
  const [halo, ink] = OUTLINES[theme];
  lines.globalAlpha = 0.6;
  lines.fillStyle = halo;
  lines.fillRect(0, 0, side, side);
  lines.globalAlpha = 1;
  lines.strokeStyle = ink;
  lines.lineWidth = ratio;
  for (const shift of [-side, 0, side]) {
    lines.moveTo(shift - 1, side + 1);
    lines.lineTo(shift + side + 1, -1);
  }
  lines.stroke();
  const pattern = /** @type {CanvasPattern} */ (context.createPattern(tile, "repeat"));
  pattern.setTransform(new DOMMatrix().scale(1 / ratio));
  return pattern;
}
