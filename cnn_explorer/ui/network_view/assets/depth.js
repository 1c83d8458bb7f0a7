// From the whole network to one multiplication: what is highlighted under the pointer, which map is open, and how the others make room.

import { Detail } from "./detail.js";
import { Kernels } from "./kernels.js";
import { Highlights } from "./highlights.js";
import { backward, forward, inputOf, upTo } from "./reach.js";

const STAY = 110; // CSS pixels of the neighbours that stay in sight
const GAP = 6;

/** @typedef {import("./explain.js").Place} Place @typedef {import("./protocol.js").Update} Update */
/**
 * @typedef {{update: Update, parameters: (import("./forward.js").Parameters | null)[] | null, look: import("./picture.js").Look, narrow: boolean,
 *   placement: {left: number, top: number, scale: number}, surface: number, seen: number}} Scene `parameters` null until the weights are here
 */

export class Depth {
  /**
   * @param {HTMLElement} host @param {import("./columns.js").Columns} columns @param {() => Scene} scene as it is now
   * @param {(sentence: string) => void} say
   */
  constructor(host, columns, scene, say) {
    const find = (selector) => host.querySelector(selector);
    this.layers = find(".layers");
    this.columns = columns;
    this.scene = scene;
    this.highlights = new Highlights(find(".surface .outline"), find(".seen .outline"));
    this.detail = new Detail(find(".detail"), { say, closed: () => this.#closed(), moved: (place) => this.look(place), marked: (digit) => this.columns.mark(digit) });
    this.kernels = new Kernels(find(".kernels"), {
      say,
      closed: () => this.#closed(),
      moved: (output, input) => this.#lookAtKernel(output, input),
      opened: (map, channel) => this.#openFrom(map, channel),
    });
  }

  /** Highlight what a value is made of; null for what is open, or nothing. @param {Place | null} place */
  look(place) {
    const shown = place ?? this.detail.place;
    if (!shown || this.scene().update.pending) { this.highlights.clear(); this.columns.mark(-1); return; }
    const { layers, classes } = this.scene().update;
    const region = { maps: [shown.map], rows: [shown.row], columns: [shown.column] };
    const digit = classes && shown.index === layers.length - 1 ? shown.map : -1;
    this.columns.mark(digit);
    if (this.detail.isOpen) this.detail.mark(digit);
    this.#highlight(backward(layers, shown.index, region));
  }

  /** Highlight all that a pixel of the image reaches; null for nothing. @param {[number, number] | null} pixel row and column */
  reach(pixel) {
    if (!pixel || this.scene().update.pending) { this.look(null); return; }
    this.#highlight(forward(this.scene().update.layers, { maps: [0], rows: [pixel[0]], columns: [pixel[1]] }));
  }

  #highlight(found) {
    const { placement, surface, seen, look } = this.scene();
    this.highlights.show(found, { columns: this.columns, placement, surface, seen, theme: look.theme });
  }

  /** The whole of two maps: what a kernel joins. */
  #lookAtKernel(output, input) {
    const { layers } = this.scene().update;
    const { index } = this.kernels;
    const whole = (shape, map) => ({ maps: [map], rows: upTo(shape[1]), columns: upTo(shape[2]) });
    const found = Array.from({ length: layers.length + 1 }, () => null);
    found[index] = whole(inputOf(layers, index), input);
    found[index + 1] = whole(layers[index].shape, output);
    this.#highlight(found);
  }

  // --- opening and closing ---

  /** @param {Place} place @param {number | null} channel whose products are written out; null for the strongest */
  open(place, channel = null) {
    const { update, parameters } = this.scene();
    if (update.pending) return;
    if (!parameters) { this.wanted = () => this.open(place, channel); return; }
    this.wanted = null;
    const focused = this.layers.getRootNode().activeElement, opener = this.opener ?? focused;
    const walking = focused?.matches(":focus-visible");
    this.kernels.close();
    this.opener = opener;
    this.columns.quiet = true;
    this.columns.card.hide();
    this.#reset();
    this.detail.open(place, this.scene, channel);
    this.#makeRoom(this.detail.element, place.index, this.detail.width);
    this.detail.show(); // once more, for the width it got
    if (walking) this.detail.focus();
  }

  #openFrom(map, channel) {
    const { index } = this.kernels;
    const { shape } = this.scene().update.layers[index];
    this.open({ index, map, row: Math.floor(shape[1] / 2), column: Math.floor(shape[2] / 2) }, channel);
  }

  /** @param {number} index of a convolution */
  openKernels(index) {
    const { update, parameters, look } = this.scene();
    if (!parameters) { this.wanted = () => this.openKernels(index); return; }
    this.wanted = null;
    const opener = this.opener ?? this.layers.getRootNode().activeElement;
    this.detail.close();
    this.opener = opener;
    this.columns.card.hide();
    this.highlights.clear();
    this.#reset();
    this.kernels.open(index, update.layers[index], inputOf(update.layers, index), parameters[index].weight, this.#room, this.layers.clientHeight - 130, look.theme);
    this.#makeRoom(this.kernels.element, index, this.kernels.width);
    this.kernels.canvas.focus({ preventScroll: true });
  }

  /** After every paint: other values, maybe another network. @param {boolean} rebuilt the columns are new */
  refresh(rebuilt) {
    const { update, parameters, look } = this.scene();
    if (rebuilt) {
      const { place } = this.detail;
      const fits = place && update.layers[place.index]?.shape.length === this.shape?.length && place.map < update.layers[place.index].shape[0];
      this.highlights.clear();
      if (this.kernels.isOpen || (place && !fits)) this.close();
      else if (place) this.open({ ...place, row: 0, column: 0 });
    } else if (this.detail.isOpen) {
      this.detail.show();
    }
    if (this.wanted && parameters) this.wanted();
    if (this.kernels.isOpen) this.kernels.paint(look.theme);
  }

  /** One level back. @returns {boolean} whether there was one */
  back() {
    if (this.detail.isOpen) { this.detail.back(); return true; }
    if (this.kernels.isOpen) { this.kernels.close(); return true; }
    return false;
  }

  close() {
    this.wanted = null;
    this.detail.close();
    this.kernels.close();
  }

  #closed() {
    this.wanted = null;
    this.columns.quiet = false;
    this.#reset();
    this.look(null);
    this.columns.refocus(this.opener);
    this.opener = null;
  }

  // --- room ---

  get #room() {
    return this.layers.clientWidth - 2 * GAP;
  }

  /** Neighbours move aside and dim; the map's own column and the one before it stay in sight. */
  #makeRoom(panel, index, wanted) {
    const { update, narrow } = this.scene();
    this.shape = update.layers[index].shape;
    this.layers.classList.add("opened");
    const parts = [...this.layers.children];
    const column = (at) => this.columns.columnOf(at);
    const own = column(index), before = index ? column(index - 1) : null;
    for (const part of parts) part.classList.toggle("aside", part !== own && part !== before);
    if (narrow) return;
    const width = Math.min(wanted, this.#room);
    const inside = (part) => part.offsetLeft - this.layers.scrollLeft;
    const inEnd = before ? inside(before) + before.offsetWidth : 0, outStart = inside(own);
    const most = this.#room - width - Math.min(own.offsetWidth, STAY) - GAP;
    const left = Math.max(before ? Math.min(before.offsetWidth, STAY) + GAP : 0, Math.min(inEnd + GAP, most));
    const start = Math.max(0, Math.min(left, this.#room - width));
    const ownAt = parts.indexOf(own);
    parts.forEach((part, at) => {
      const isAfter = at >= ownAt;
      part.style.transform = `translateX(${Math.round(isAfter ? start + width + GAP - outStart : start - GAP - inEnd)}px)`;
    });
    panel.style.width = `${width}px`;
    panel.style.left = `${start}px`;
  }

  #reset() {
    this.layers.classList.remove("opened");
    for (const part of this.layers.children) {
      part.style.transform = "";
      part.classList.remove("aside");
    }
  }
}
