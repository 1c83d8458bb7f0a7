// The former network's maps in the places of the present ones: both show the same part of the image at the same point
// of the screen.

import { laidOver } from "./alignment.js";
import { element } from "./element.js";
import { dotsLayout, mapsOf, tileAt } from "./geometry.js";
import { paintLayer, sized } from "./painting.js";

/** @import { Grid, Lattice, Theme } from "../types.d.ts" */

/**
 * @param {HTMLCanvasElement} canvas over the layer's own
 * @param {Grid} grid of the layer's tiles
 * @param {number[]} shape of the layer
 * @param {Lattice | null} lattice of the layer, null for features
 * @param {{shape: number[], lattice: Lattice | null, values: Float32Array, reach: (map: number) => number} | null}
 *   former null where the former
 *   network has nothing to show here
 * @param {Theme} theme
 */
export function paintFormer(canvas, grid, shape, lattice, former, theme) {
  const context = sized(canvas, grid.width, grid.height);
  context.imageSmoothingEnabled = false;
  const [maps, rows, columns] = mapsOf(shape);
  const dot = grid.unit * grid.dot;
  const shown = former && former.shape.length === shape.length ? former : null;
  const [formerMaps, ...size] = shown ? mapsOf(shown.shape) : [0, 0, 0];
  const picture = shown && stacked(shown.shape, shown.values, shown.reach, theme);
  const [down, across] =
    shown?.lattice && lattice
      ? laidOver(shown.lattice, size, lattice)
      : [
          { first: 0, length: rows },
          { first: 0, length: columns },
        ];
  for (let map = 0; map < maps; map++) {
    const [left, top] = tileAt(grid, map).map((dots) => dots * grid.dot);
    context.fillStyle = "rgb(128 128 128 / 0.16)";
    context.fillRect(left, top, columns * dot, rows * dot);
    if (!picture || map >= formerMaps) continue;
    context.save();
    context.beginPath();
    context.rect(left, top, columns * dot, rows * dot);
    context.clip();
    context.drawImage(
      picture,
      0,
      map * size[0],
      size[1],
      size[0],
      left + across.first * dot,
      top + down.first * dot,
      across.length * dot,
      down.length * dot,
    );
    context.restore();
  }
}

/**
 * All maps of a layer, a dot a value, one below the other.
 * @param {number[]} shape
 * @param {Float32Array} values
 * @param {(map: number) => number} reach
 * @param {Theme} theme
 */
function stacked(shape, values, reach, theme) {
  const canvas = element("canvas");
  paintLayer(canvas, dotsLayout(mapsOf(shape)), shape, values, reach, theme);
  return canvas;
}
