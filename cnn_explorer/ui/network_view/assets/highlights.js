// What belongs together, framed: the windows a value comes from, back to the drawing, and all that a pixel of the
// drawing reaches.

import { contextOf } from "./element.js";
import { mapsOf, tileAt } from "./geometry.js";
import { sized } from "./painting.js";
import { stroke } from "./picture.js";
import { runs } from "./reach.js";
import { upTo } from "./windows.js";

/** @import { Placement, Region, Theme } from "../types.d.ts" */

const IMAGE = 28;

export class Highlights {
  /** @param {HTMLCanvasElement} paper over the drawing @param {HTMLCanvasElement} image over the 28×28 pixels */
  constructor(paper, image) {
    this.paper = paper;
    this.image = image;
    /** @type {HTMLCanvasElement[]} */
    this.drawn = [];
  }

  /**
   * @param {(Region | null)[]} found of the image, then of every layer
   * @param
   *   {{columns: import("./columns.js").Columns, placement: Placement, surface: number, seen: number, theme: Theme}}
   *   where `placement` of the image on the drawing in CSS pixels, sides of both in CSS pixels
   */
  show(found, { columns, placement, surface, seen, theme }) {
    this.clear();
    if (found[0]) {
      this.#frame(this.image, [seen, seen], [[0, 0, seen / IMAGE]], found[0], [IMAGE, IMAGE], theme);
      this.#frame(
        this.paper,
        [surface, surface],
        [[placement.left, placement.top, placement.scale]],
        found[0],
        [IMAGE, IMAGE],
        theme,
      );
    }
    found.slice(1).forEach((region, index) => {
      const drawn = columns.drawn.get(index);
      if (!region || !drawn) return;
      const { outline, grid } = drawn;
      const [channels, ...size] = mapsOf(columns.layers[index].shape);
      const maps = region.maps ?? upTo(channels);
      const corners = maps.map((map) => {
        const [left, top] = tileAt(grid, map);
        return [left * grid.dot, top * grid.dot, grid.unit * grid.dot];
      });
      this.#frame(outline, [grid.width, grid.height], corners, region, size, theme);
    });
  }

  clear() {
    for (const canvas of this.drawn) contextOf(canvas).clearRect(0, 0, canvas.width, canvas.height);
    this.drawn = [];
  }

  /**
   * Frame the same rows and columns in some maps; dashed where they lie on the padding.
   * @param {HTMLCanvasElement} canvas
   * @param {number[]} sides of the canvas in CSS pixels
   * @param {number[][]} corners left, top and CSS pixels
   * a value of each map
   * @param {Region} region
   * @param {number[]} size rows and columns of the maps
   * @param {Theme} theme
   */
  #frame(canvas, [width, height], corners, region, size, theme) {
    const context = sized(canvas, width, height);
    const on = new Path2D();
    const off = new Path2D();
    const rows = runs(region.rows);
    const columns = runs(region.columns);
    for (const [left, top, dot] of corners) {
      for (const [row, high] of rows) {
        for (const [column, wide] of columns) {
          const beyond = row < 0 || column < 0 || row + high > size[0] || column + wide > size[1];
          if (beyond) off.rect(left + column * dot, top + row * dot, wide * dot, high * dot);
          const [first, end] = clipped(row, high, size[0]);
          const [start, stop] = clipped(column, wide, size[1]);
          if (end > first && stop > start)
            on.rect(left + start * dot, top + first * dot, (stop - start) * dot, (end - first) * dot);
        }
      }
    }
    stroke(context, off, [3, 2], theme);
    stroke(context, on, [], theme);
    this.drawn.push(canvas);
  }
}

/** @param {number} first @param {number} length @param {number} side */
const clipped = (first, length, side) => [Math.max(0, first), Math.min(side, first + length)];
