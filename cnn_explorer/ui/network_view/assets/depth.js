// From the whole network to one multiplication: what is highlighted under the pointer, which map is open, and how the
// others make room.

import { Detail } from "./detail.js";
import { focused, part } from "./element.js";
import { mapsOf } from "./geometry.js";
import { Highlights } from "./highlights.js";
import { Kernels } from "./kernels.js";
import { hasKernels } from "./layer_kinds.js";
import { Links } from "./links.js";
import { backward, forward } from "./reach.js";
import { inputOf, upTo } from "./windows.js";

/** @import { Place, Region, Scene, ViewState } from "../types.d.ts" */

const STAY = 110; // CSS pixels of the neighbours that stay in sight
const GAP = 6;

export class Depth {
  /** @type {HTMLElement | null} what had the focus when a map was opened */
  #opener = null;

  /** @type {number[]} shape of the opened layer */
  #shape = [];

  /** @type {(() => void) | null} what is to be opened once the weights are here */
  #wanted = null;

  /**
   * @param {HTMLElement} host @param {import("./columns.js").Columns} columns @param {() => Scene} scene as it is now
   * @param {(sentence: string) => void} say
   * @param {(place: Place) => void} numbers asks for the page with a value's numbers
   */
  constructor(host, columns, scene, say, numbers) {
    this.layers = part(host, ".layers", HTMLElement);
    this.columns = columns;
    this.scene = scene;
    this.highlights = new Highlights(
      part(host, ".surface .outline", HTMLCanvasElement),
      part(host, ".seen .outline", HTMLCanvasElement),
    );
    this.links = new Links(host, columns, part(host, ".image", HTMLElement));
    this.layers.addEventListener("scroll", () => this.links.follow());
    this.detail = new Detail(part(host, ".detail", HTMLElement), {
      say,
      closed: () => this.#closed(),
      moved: (place) => this.look(place),
      marked: (digit) => this.columns.mark(digit),
      numbers,
    });
    this.kernels = new Kernels(part(host, ".kernels", HTMLElement), {
      say,
      closed: () => this.#closed(),
      moved: (output, input) => this.#lookAtKernel(output, input),
      opened: (map, channel) => this.#openFrom(map, channel),
    });
  }

  /**
   * Highlight what a value is made of, and join its map to its neighbours'; null for what is open, or nothing.
   * @param {Place | null} place
   */
  look(place) {
    if (place && this.index < 0 && !this.scene().update.pending) this.links.show(place, this.scene().narrow);
    else this.links.clear();
    const shown = place ?? this.detail.place;
    if (!shown || this.scene().update.pending) {
      this.highlights.clear();
      this.columns.mark(-1);
      return;
    }
    const { layers, classes } = this.scene().update;
    const region = { maps: [shown.map], rows: [shown.row], columns: [shown.column] };
    const digit = classes && shown.index === layers.length - 1 ? shown.map : -1;
    this.columns.mark(digit);
    if (this.detail.isOpen) this.detail.mark(digit);
    this.#highlight(backward(layers, shown.index, region));
  }

  /**
   * Highlight all that a pixel of the image reaches; null for nothing.
   * @param {[number, number] | null} pixel row and column
   */
  reach(pixel) {
    if (!pixel || this.scene().update.pending) {
      this.look(null);
      return;
    }
    this.links.clear();
    this.#highlight(forward(this.scene().update.layers, { maps: [0], rows: [pixel[0]], columns: [pixel[1]] }));
  }

  /** @param {(Region | null)[]} found of the image, then of every layer */
  #highlight(found) {
    const { placement, surface, seen, look } = this.scene();
    this.highlights.show(found, { columns: this.columns, placement, surface, seen, theme: look.theme });
  }

  /** The whole of two maps: what a kernel joins. @param {number} output @param {number} input */
  #lookAtKernel(output, input) {
    const { layers } = this.scene().update;
    const { index } = this.kernels;
    /** @param {number[]} shape @param {number} map @returns {Region} */
    const whole = (shape, map) => ({ maps: [map], rows: upTo(shape[1]), columns: upTo(shape[2]) });
    /** @type {(Region | null)[]} */
    const found = Array.from({ length: layers.length + 1 }, () => null);
    found[index] = whole(inputOf(layers, index), input);
    found[index + 1] = whole(layers[index].shape, output);
    this.#highlight(found);
  }

  // --- opening and closing ---

  /**
   * @param {Place} place @param {number | null} channel whose products are written out; null for the strongest
   * @param {boolean} pinned whether the pixel is held
   */
  open(place, channel = null, pinned = false) {
    const { update, parameters } = this.scene();
    if (update.pending) return;
    if (!parameters) {
      this.#wanted = () => this.open(place, channel, pinned);
      return;
    }
    this.#wanted = null;
    const focus = focused(this.layers);
    const opener = this.#opener ?? focus;
    const walking = focus?.matches(":focus-visible");
    this.kernels.close();
    this.#opener = opener;
    this.columns.quiet = true;
    this.columns.card.hide();
    this.links.clear();
    this.#reset();
    this.detail.open(place, this.scene, channel, pinned, (width) =>
      this.#makeRoom(this.detail.element, place.index, width),
    );
    if (walking) this.detail.focus();
  }

  /** @param {number} map @param {number} channel */
  #openFrom(map, channel) {
    const { index } = this.kernels;
    const { shape } = this.scene().update.layers[index];
    this.open({ index, map, row: Math.floor(shape[1] / 2), column: Math.floor(shape[2] / 2) }, channel);
  }

  /** @param {number} index of a convolution */
  openKernels(index) {
    const { update, parameters, look } = this.scene();
    if (!parameters) {
      this.#wanted = () => this.openKernels(index);
      return;
    }
    const weight = parameters[index]?.weight;
    this.#wanted = null;
    if (!weight) return;
    const opener = this.#opener ?? focused(this.layers);
    this.detail.close();
    this.#opener = opener;
    this.columns.card.hide();
    this.links.clear();
    this.highlights.clear();
    this.#reset();
    this.kernels.open(
      index,
      update.layers[index],
      inputOf(update.layers, index),
      weight,
      this.#room,
      this.layers.clientHeight - 139,
      look.theme,
    );
    this.#makeRoom(this.kernels.element, index, this.kernels.width);
    this.kernels.canvas.focus({ preventScroll: true });
  }

  /** After every paint: other values, maybe another network. @param {boolean} rebuilt the columns are new */
  refresh(rebuilt) {
    const { update, parameters, look } = this.scene();
    if (rebuilt) {
      this.links.clear();
      const { place } = this.detail;
      const shape = (place && update.layers[place.index]?.shape) ?? [];
      const fits = place && shape.length === this.#shape.length && place.map < shape[0];
      this.highlights.clear();
      if (this.kernels.isOpen || (place && !fits)) this.close();
      else if (place && shape.join() === this.#shape.join()) this.open(place, this.detail.channel, this.detail.pinned);
      else if (place) this.open({ ...place, row: 0, column: 0 });
    } else if (this.detail.isOpen) {
      this.detail.show();
    }
    if (parameters) this.#wanted?.();
    if (this.kernels.isOpen) this.kernels.paint(look.theme);
  }

  /** The layer of what is open; −1 for nothing. */
  get index() {
    return this.detail.place?.index ?? this.kernels.index;
  }

  /**
   * What is open, for the address; null while it waits for weights.
   * @returns {Pick<ViewState, "map" | "kernels"> | null}
   */
  get state() {
    if (this.#wanted) return null;
    const { layers } = this.scene().update;
    const { chosen, pinned } = this.detail;
    const kernels = this.kernels.isOpen ? layers[this.kernels.index].name : null;
    if (!chosen) return { map: null, kernels };
    const {
      place: { index, ...pixel },
      channel,
    } = chosen;
    return { map: { layer: layers[index].name, ...pixel, channel, pinned }, kernels };
  }

  /** Open what an address names, as far as this network has it. @param {Pick<ViewState, "map" | "kernels">} state */
  restore({ map, kernels }) {
    const { layers } = this.scene().update;
    /** @param {string | undefined} name */
    const find = (name) => layers.findIndex((layer) => layer.name === name);
    const index = find(map?.layer ?? kernels ?? undefined);
    const layer = layers[index];
    const [maps, rows, columns] = layer ? mapsOf(layer.shape) : [0, 0, 0];
    if (map && map.map < maps && map.row < rows && map.column < columns) {
      const [inputs] = mapsOf(inputOf(layers, index));
      const channel = map.channel !== null && map.channel < inputs ? map.channel : null;
      this.open({ index, map: map.map, row: map.row, column: map.column }, channel, map.pinned);
    } else if (kernels && layer && hasKernels(layer)) {
      this.openKernels(index);
    } else {
      this.close();
    }
  }

  /** Close what is open. @returns {boolean} whether there was something */
  back() {
    const open = this.index >= 0;
    this.close();
    return open;
  }

  close() {
    this.#wanted = null;
    this.detail.close();
    this.kernels.close();
  }

  #closed() {
    this.#wanted = null;
    this.columns.quiet = false;
    this.#reset();
    this.look(null);
    this.columns.refocus(this.#opener);
    this.#opener = null;
  }

  // --- room ---

  get #room() {
    return this.layers.clientWidth - 2 * GAP;
  }

  get #parts() {
    return [...this.layers.children].filter((each) => each instanceof HTMLElement);
  }

  /**
   * Neighbours move aside and dim; the map's own column and the one before it stay in sight.
   * @param {HTMLElement} panel
   * @param {number} index
   * @param {number} wanted width
   */
  #makeRoom(panel, index, wanted) {
    const { update, narrow } = this.scene();
    this.#shape = update.layers[index].shape;
    this.layers.classList.add("opened");
    const parts = this.#parts;
    const own = this.columns.columnOf(index);
    const before = index ? this.columns.columnOf(index - 1) : null;
    for (const each of parts) each.classList.toggle("aside", each !== own && each !== before);
    if (narrow || !own) return;
    const width = Math.min(wanted, this.#room);
    /** @param {HTMLElement} column @returns its left edge in sight */
    const inside = (column) => column.offsetLeft - this.layers.scrollLeft;
    const inEnd = before ? inside(before) + before.offsetWidth : 0;
    const outStart = inside(own);
    const stay = before ? Math.min(STAY, (this.#room - width) / 2 - GAP) : STAY;
    const most = this.#room - width - Math.min(own.offsetWidth, stay) - GAP;
    const left = Math.max(before ? Math.min(before.offsetWidth, stay) + GAP : 0, Math.min(inEnd + GAP, most));
    const start = Math.max(0, Math.min(left, this.#room - width));
    const ownAt = parts.indexOf(own);
    parts.forEach((each, at) => {
      const isAfter = at >= ownAt;
      const by = isAfter ? start + width + GAP - outStart : start - GAP - inEnd;
      each.style.transform = `translateX(${Math.round(by)}px)`;
    });
    panel.style.width = `${width}px`;
    panel.style.left = `${start}px`;
  }

  #reset() {
    this.layers.classList.remove("opened");
    for (const each of this.#parts) {
      each.style.transform = "";
      each.classList.remove("aside");
    }
  }
}
