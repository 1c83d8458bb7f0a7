// What belongs together, framed: the windows a value comes from, back to the drawing, and all that a pixel of the drawing reaches.

import { mapsOf, tileAt } from "./geometry.js";
import { sized } from "./painting.js";
import { stroke } from "./picture.js";
import { runs, upTo } from "./reach.js";

const IMAGE = 28;

export class Highlights {
  /** @param {HTMLCanvasElement} paper over the drawing @param {HTMLCanvasElement} image over the 28×28 pixels */
  constructor(paper, image) {
    this.paper = paper;
    this.image = image;
    this.drawn = [];
  }

  /**
   * @param {(import("./reach.js").Region | null)[]} found of the image, then of every layer
   * @param {{columns: import("./columns.js").Columns, placement: {left: number, top: number, scale: number}, surface: number, seen: number,
   *   theme: "light" | "dark"}} where `placement` of the image on the drawing in CSS pixels, sides of both in CSS pixels
   */
  show(found, { columns, placement, surface, seen, theme }) {
    this.clear();
    if (found[0]) {
      this.#frame(this.image, seen, [[0, 0, seen / IMAGE]], found[0], [IMAGE, IMAGE], theme);
      this.#frame(this.paper, surface, [[placement.left, placement.top, placement.scale]], found[0], [IMAGE, IMAGE], theme);
    }
    found.slice(1).forEach((region, index) => {
      const canvas = columns.outlines[index], grid = columns.grids[index];
      if (!region || !canvas) return;
      const [channels, ...size] = mapsOf(columns.update.layers[index].shape);
      const maps = region.maps ?? upTo(channels);
      const corners = maps.map((map) => [...tileAt(grid, map).map((place) => place * grid.dot), grid.unit * grid.dot]);
      this.#frame(canvas, [grid.width, grid.height], corners, region, size, theme);
    });
  }

  clear() {
    for (const canvas of this.drawn) canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    this.drawn = [];
  }

  /** Frame the same rows and columns in maps whose corners and scales are given; dashed where they lie on the padding. */
  #frame(canvas, side, corners, region, size, theme) {
    const [width, height] = Array.isArray(side) ? side : [side, side];
    const context = sized(canvas, width, height);
    const on = new Path2D(), off = new Path2D();
    const rows = runs(region.rows), columns = runs(region.columns);
    for (const [left, top, dot] of corners) {
      for (const [row, high] of rows) {
        for (const [column, wide] of columns) {
          const beyond = row < 0 || column < 0 || row + high > size[0] || column + wide > size[1];
          if (beyond) off.rect(left + column * dot, top + row * dot, wide * dot, high * dot);
          const [first, end] = clipped(row, high, size[0]), [start, stop] = clipped(column, wide, size[1]);
          if (end > first && stop > start) on.rect(left + start * dot, top + first * dot, (stop - start) * dot, (end - first) * dot);
        }
      }
    }
    stroke(context, off, [3, 2], theme);
    stroke(context, on, [], theme);
    this.drawn.push(canvas);
  }
}

const clipped = (first, length, side) => [Math.max(0, first), Math.min(side, first + length)];
