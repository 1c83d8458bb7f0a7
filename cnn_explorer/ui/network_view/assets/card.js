// The card that floats beside what the pointer is on: a map enlarged, or a layer's arithmetic of shapes.

import { element, part } from "./element.js";
import { mapsOf, singleLayout } from "./geometry.js";
import { GLOSSARY, termOf } from "./glossary.js";
import { short } from "./numbers.js";
import { paintLayer } from "./painting.js";

/** @import { Layer, Pixel, Theme } from "../types.d.ts" */
/**
 * @typedef {{layer: Layer, pixel: Pixel, values: Float32Array, reach: number, theme: Theme}} Enlarged what an enlarged
 *   map shows
 */

const SIDE = 180; // of the enlarged map, CSS pixels

export class Card {
  /** @param {HTMLElement} element @param {HTMLElement} host the card stays inside it */
  constructor(element, host) {
    this.element = element;
    this.host = host;
    /** @type {(() => Enlarged) | null} */
    this.source = null;
  }

  hide() {
    this.element.hidden = true;
    this.source = null;
  }

  /** What the card says, in words. */
  get words() {
    return [...this.element.children]
      .map((part) => part.textContent)
      .filter(Boolean)
      .join(", ");
  }

  /** Show the newest values in an open card. */
  refresh() {
    if (this.source) this.#paintMap(this.source());
  }

  /**
   * @param {HTMLElement} canvas that the tile is on
   * @param {{x: number, y: number, width: number, height: number}} tile in it
   * @param {() => Enlarged} source asked again with every update
   */
  showMap(canvas, tile, source) {
    this.source = source;
    this.element.className = "card";
    if (!this.element.querySelector("canvas"))
      this.element.innerHTML = '<h4></h4><canvas></canvas><p class="range"></p><p class="value"></p>';
    this.element.hidden = false;
    this.#paintMap(source());
    const box = canvas.getBoundingClientRect();
    this.#place(box.left + tile.x, box.top + tile.y, tile.width, tile.height, true);
  }

  /** @param {HTMLElement} joint @param {Layer} layer @param {string} changed what has changed, "" for nothing */
  showLayer(joint, layer, changed = "") {
    this.source = null;
    /** @param {number} number */
    const count = (number) => number.toLocaleString("en");
    const lines = [
      GLOSSARY[termOf(layer.kind)].says,
      `${layer.kind} → ${layer.shape.join("×")}`,
      layer.formula,
      layer.unused[0] || layer.unused[1]
        ? `unused: ${layer.unused[0]} rows below, ${layer.unused[1]} columns right`
        : "",
      layer.field[0]
        ? `receptive field: each value sees a window of ${layer.field[0]}×${layer.field[1]} ` +
          `pixels${Math.max(...layer.field) > 28 ? ", the padding among them" : ""}`
        : "",
      layer.parameters ? `${count(layer.parameters)} parameters, set by training` : "",
      layer.macs ? `${count(layer.macs)} multiply-adds for one drawing` : "",
      changed,
    ];
    this.element.className = "card wide";
    const paragraphs = lines
      .filter(Boolean)
      .flatMap((text) => text.split("\n"))
      .map((line) => element("p", "", line));
    this.element.replaceChildren(element("h4", "", layer.name), ...paragraphs);
    this.element.hidden = false;
    const box = joint.getBoundingClientRect();
    this.#place(box.left, box.top + box.height / 3, box.width, 0);
  }

  /**
   * @param {HTMLElement} anchor that is explained
   * @param {string} title
   * @param {string[]} lines
   * @param {SVGElement | null} picture
   */
  showWords(anchor, title, lines, picture = null) {
    this.source = null;
    this.element.className = "card wide words";
    this.element.replaceChildren(
      element("h4", "", title),
      ...lines.map((line) => element("p", "", line)),
      ...(picture ? [picture] : []),
    );
    this.element.hidden = false;
    const box = anchor.getBoundingClientRect();
    this.#place(box.left, box.top, Math.min(box.width, 160), box.height);
  }

  /** @param {Enlarged} enlarged */
  #paintMap({ layer, pixel, values, reach, theme }) {
    const [channels, rows, columns] = mapsOf(layer.shape);
    const size = rows * columns;
    const map = values.subarray(pixel.map * size, (pixel.map + 1) * size);
    const canvas = part(this.element, "canvas", HTMLCanvasElement);
    const [title, range, value] = ["h4", ".range", ".value"].map((selector) =>
      part(this.element, selector, HTMLElement),
    );
    const features = layer.shape.length === 1;
    canvas.hidden = features;
    if (!features) paintLayer(canvas, singleLayout(layer.shape, SIDE), [1, rows, columns], map, () => reach, theme);
    let low = Infinity;
    let high = -Infinity;
    for (const each of map) {
      low = Math.min(low, each);
      high = Math.max(high, each);
    }
    title.textContent = features
      ? `${layer.name} · feature ${pixel.map + 1} of ${channels}`
      : `${layer.name} · map ${pixel.map + 1} of ${channels}`;
    range.textContent = features ? `value ${short(low)}` : `${short(low)} to ${short(high)}`;
    value.textContent = features
      ? ""
      : `(${pixel.row}, ${pixel.column}): ${short(map[pixel.row * columns + pixel.column])}`;
  }

  /**
   * Beside the box it explains, inside the view.
   * @param {number} left @param {number} top @param {number} width @param {number} height
   * @param {boolean} apart below its row or above: what stands in the same row is joined with it
   */
  #place(left, top, width, height, apart = false) {
    const host = this.host.getBoundingClientRect();
    const card = this.element.getBoundingClientRect();
    const right = left + width + 10;
    const x = right + card.width < host.right ? right : left - card.width - 10;
    const below = top + height / 2 < (host.top + host.bottom) / 2;
    const level = top + height / 2 - card.height / 2;
    const away = below ? top + height + 6 : top - card.height - 6;
    const y = Math.min(Math.max(apart ? away : level, host.top), Math.max(host.top, host.bottom - card.height));
    this.element.style.left = `${Math.max(0, Math.min(x - host.left, host.width - card.width))}px`;
    this.element.style.top = `${y - host.top}px`;
  }
}
