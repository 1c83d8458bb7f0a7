// The number of each map on its corner: always on large maps, on small ones under the pointer and with the focus.

import { tileAt } from "./geometry.js";
import { sized } from "./painting.js";
import { OUTLINES } from "./picture.js";

/** @import { Grid, Theme } from "../types.d.ts" */

const LARGEST = 18; // CSS pixels of a number, unless all text is larger
// CSS pixels of a map's side: from there on it has room for a number, and for one that stays.
const SMALL = 24;
const LARGE = 56;

/**
 * @param {HTMLCanvasElement} canvas over the layer's own
 * @param {Grid} grid of the layer's tiles
 * @param {number} maps
 * @param {Theme} theme
 * @param {string} family of the font @param {number} text its least size
 */
export function writeNumbers(canvas, grid, maps, theme, family, text) {
  const side = Math.min(grid.tileWidth, grid.tileHeight) * grid.dot;
  canvas.hidden = side < SMALL;
  if (canvas.hidden) return;
  canvas.classList.toggle("always", side >= LARGE);
  const context = sized(canvas, grid.width, grid.height);
  const [halo, ink] = OUTLINES[theme];
  context.font = `600 ${Math.max(text, Math.min(LARGEST, side / 6))}px ${family}`;
  context.textBaseline = "top";
  context.lineJoin = "round";
  context.lineWidth = 3;
  context.strokeStyle = halo;
  context.fillStyle = ink;
  for (let map = 0; map < maps; map++) {
    const [left, top] = tileAt(grid, map).map((dots) => dots * grid.dot + 2);
    context.strokeText(String(map + 1), left, top);
    context.fillText(String(map + 1), left, top);
  }
}
