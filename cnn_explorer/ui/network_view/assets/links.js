// Lines from the map under the pointer to the maps that it is made of, and to those that it goes into.

import { part } from "./element.js";
import { mapsOf } from "./geometry.js";
import { sourcesOf, targetsOf } from "./reach.js";
import { inputOf } from "./windows.js";

/** @import { Place } from "../types.d.ts" */
/** @typedef {{left: number, top: number, right: number, bottom: number}} Box in CSS pixels of the window */
/** @typedef {{whole: Box, tile: (map: number) => Box}} Tiles of a layer, or of the image */

const MOST = 32; // lines; more maps than that are joined by one surface

export class Links {
  #path = ""; // as it is drawn

  /** @type {[Place, boolean] | null} what is joined */
  #joined = null;

  /**
   * @param {HTMLElement} host
   * @param {import("./columns.js").Columns} columns
   * @param {HTMLElement} image that the network sees
   */
  constructor(host, columns, image) {
    this.host = host;
    this.columns = columns;
    this.image = image;
    this.lines = part(host, ".links .single", SVGPathElement);
    this.surfaces = part(host, ".links .many", SVGPathElement);
  }

  /** @param {Place} place of a value on the map @param {boolean} narrow whether layers stand one below the other */
  show(place, narrow) {
    this.#joined = [place, narrow];
    const { index, map } = place;
    const { columns } = this;
    const { layers } = columns;
    const own = columns.tilesOf(index)?.tile(map);
    if (!own) return;
    const box = index ? null : this.image.getBoundingClientRect();
    const before = box ? { whole: box, tile: () => box } : columns.tilesOf(index - 1);
    const { left, top } = this.host.getBoundingClientRect();
    const room = columns.element.getBoundingClientRect();
    const lines = [];
    const surfaces = [];
    for (const [tiles, maps, backward] of /** @type {[Tiles | null, number[] | null, boolean][]} */ ([
      [before, sourcesOf(layers, index, map), true],
      [columns.tilesOf(index + 1), targetsOf(layers, index, map), false],
    ])) {
      if (!tiles) continue;
      const [all] = mapsOf(backward ? inputOf(layers, index) : layers[index + 1].shape);
      const count = maps?.length ?? all;
      const [x, y] = side(own, !backward, narrow);
      const from = [x - left, y - top];
      /**
       * @param {Box} other
       * @returns {number[]} where a line ends: what is scrolled out of sight is joined at the edge
       */
      const end = (other) => {
        const [along, down] = side(other, backward, narrow);
        return [
          (other === box || narrow ? along : Math.min(Math.max(along, room.left), room.right)) - left,
          down - top,
        ];
      };
      if (count <= MOST)
        for (const each of maps ?? Array(count).keys()) lines.push(curve(from, end(tiles.tile(each)), narrow));
      else surfaces.push(surface(from, tiles.whole, end(tiles.whole), [left, top], narrow));
    }
    this.#draw(lines.join(""), surfaces.join(""));
  }

  clear() {
    this.#joined = null;
    this.#draw("", "");
  }

  /** The layers were scrolled. */
  follow() {
    if (this.#joined) this.show(...this.#joined);
  }

  /** @param {string} lines @param {string} surfaces */
  #draw(lines, surfaces) {
    if (lines + surfaces === this.#path) return;
    this.#path = lines + surfaces;
    this.lines.setAttribute("d", lines);
    this.surfaces.setAttribute("d", surfaces);
  }
}

/**
 * The middle of the side at which lines leave a box, or reach it.
 * @param {Box} box
 * @param {boolean} leaving
 * @param {boolean} narrow
 * @returns {[number, number]}
 */
function side({ left, top, right, bottom }, leaving, narrow) {
  if (narrow) return [(left + right) / 2, leaving ? bottom : top];
  return [leaving ? right : left, (top + bottom) / 2];
}

/** @param {number[]} from @param {number[]} to @param {boolean} narrow */
function curve(from, to, narrow) {
  const [[x, y], [x2, y2]] = [from, to].map((point) => point.map(Math.round));
  const middle = narrow ? (y + y2) >> 1 : (x + x2) >> 1;
  return narrow
    ? `M${x} ${y}C${x} ${middle} ${x2} ${middle} ${x2} ${y2}`
    : `M${x} ${y}C${middle} ${y} ${middle} ${y2} ${x2} ${y2}`;
}

/**
 * @param {number[]} from
 * @param {Box} box
 * @param {number[]} to the middle of its side
 * @param {number[]} corner of the view
 * @param {boolean} narrow
 */
function surface(from, box, [x, y], [left, top], narrow) {
  const [start, stop] = narrow
    ? [`${box.left - left} ${y}`, `${box.right - left} ${y}`]
    : [`${x} ${box.top - top}`, `${x} ${box.bottom - top}`];
  return `M${from.join(" ")}L${start}L${stop}Z`;
}
