// An opened map, in place: its inputs, kernels and partial sums, their sum, the bias, the result, and one pixel's multiplications.

import { explain, short } from "./explain.js";
import { mapsOf } from "./geometry.js";
import { ARROWS, within } from "./keys.js";
import { element } from "./element.js";
import { boxOf, drawNumbers, drawTile, numbersSize, paintedTile, write } from "./picture.js";
import { reachOf, sized } from "./painting.js";

const WIDTH = 700; // of the panel, CSS pixels, where there is room
const PART = 54; // side of a tile in the list of parts
const SIGN = 18; // between tiles
const CHAIN = 84; // side of a tile in the chain
const FEW = 6; // parts shown until all are asked for

/** @typedef {import("./explain.js").Place} Place @typedef {import("./explain.js").Explanation} Explanation */

export class Detail {
  /**
   * @param {HTMLElement} element the panel
   * @param {{moved: (place: Place) => void, marked: (digit: number) => void, closed: () => void, say: (sentence: string) => void}} on `moved`
   *   when another pixel is looked at, `marked` a term of the softmax, −1 for none
   */
  constructor(element, on) {
    this.element = element;
    this.on = on;
    /** @type {Place | null} */
    this.place = null;
    element.innerHTML = `
      <header><h4></h4><button type="button" class="every" aria-pressed="false"></button><button type="button" class="close" title="Close (Escape)" aria-label="Close">×</button></header>
      <p class="how"></p>
      <div class="sum"><div class="parts" role="group" tabindex="0"></div>
      <div class="pixel"><canvas class="chain" tabindex="0" role="img"></canvas><ul class="lines"></ul><p class="softmax"></p><div class="scroll"><canvas class="numbers" role="img"></canvas></div></div></div>`;
    const find = (selector) => element.querySelector(selector);
    Object.assign(this, { title: find("h4"), every: find(".every"), how: find(".how"), parts: find(".parts"), chain: find(".chain"), lines: find(".lines"), softmax: find(".softmax"), numbers: find(".numbers") });
    find(".close").onclick = () => this.close();
    this.every.onclick = () => this.#showAll(this.every.getAttribute("aria-pressed") !== "true");
    this.parts.onscroll = () => this.#paintParts();
    this.parts.onpointermove = this.parts.onpointerdown = (event) => this.#overPart(event);
    this.chain.onpointermove = (event) => { if (!this.pinned || event.buttons) this.#overChain(event); };
    this.chain.onpointerdown = (event) => { this.pinned = this.#overChain(event) && !this.pinned; this.#pin(); };
    this.chain.onkeydown = (event) => this.#keys(event);
    element.onclick = (event) => event.stopPropagation();
  }

  get isOpen() {
    return this.place !== null;
  }

  /**
   * @param {Place} place @param {() => {update: import("./protocol.js").Update, parameters: object[], look: import("./picture.js").Look}} source
   * @param {number | null} channel whose products are written out; null for the strongest
   */
  open(place, source, channel = null) {
    this.source = source;
    this.place = place;
    this.channel = channel;
    this.pinned = false;
    this.all = false;
    this.layout = "";
    this.element.hidden = false;
    this.parts.scrollTop = 0;
    this.show();
    this.#pin();
  }

  /** One level back: first the pixel is let go, then the map. */
  back() {
    if (!this.pinned) { this.close(); return; }
    this.pinned = false;
    this.#pin();
  }

  close() {
    if (!this.isOpen) return;
    this.place = null;
    this.element.hidden = true;
    this.on.closed();
  }

  /** Work everything out anew: another pixel, another drawing, another channel. */
  show() {
    const { update, parameters, look } = this.source();
    if (!parameters) return; // those of a new network are on their way
    /** @type {Explanation} */
    const told = explain(update, parameters, this.place, this.channel);
    this.told = told;
    this.look = look;
    if (this.pictured?.update !== update || this.pictured.theme !== look.theme || this.pictured.map !== this.place.map || this.pictured.index !== this.place.index) {
      this.pictured = { update, theme: look.theme, map: this.place.map, index: this.place.index, images: new Map() }; // the same for all pixels
    }
    this.reach = { part: reachOfTiles(told.parts, 2), input: reachOfTiles(told.parts, 0), weight: reachOfTiles(told.parts, 1) };
    this.#build();
    this.#paintParts();
    this.#paintChain();
    this.#paintNumbers();
    this.#write();
    this.#writeSoftmax();
  }

  // --- building: only when other rows are to be shown ---

  #build() {
    const { told, place } = this;
    const layout = [place.index, place.map, told.parts.length, this.all].join(" ");
    const shown = this.all ? told.parts : told.parts.slice(0, FEW);
    const order = shown.map(({ channel }) => channel);
    const moving = !this.source().update.exact; // rows that change places under the pen could not be followed
    if (layout === this.layout && (moving || order.join() === this.order.join())) return;
    this.layout = layout;
    this.order = order;
    this.title.textContent = told.title;
    this.how.textContent = told.how;
    this.every.hidden = told.parts.length <= FEW;
    this.every.textContent = this.all ? `strongest ${FEW}` : `all ${told.parts.length}`;
    this.every.setAttribute("aria-pressed", String(this.all));
    this.parts.hidden = !shown.length;
    this.parts.setAttribute("aria-label", `What each input channel adds, strongest first: ${shown.length} of ${told.parts.length}`);
    this.rows = shown.map(({ channel }) => {
      const row = element("div", "part");
      row.dataset.channel = String(channel);
      row.append(document.createElement("canvas"), element("span", "what"));
      return row;
    });
    this.parts.replaceChildren(...this.rows);
    this.chain.hidden = !told.chain.length;
  }

  #showAll(all) {
    this.all = all;
    this.show();
  }

  // --- painting ---

  /** The rows in view: with 256 input channels most are not. */
  #paintParts() {
    const { told, look } = this;
    if (!told.parts.length) return;
    const byChannel = new Map(told.parts.map((part) => [part.channel, part]));
    const parts = this.order.map((channel) => byChannel.get(channel));
    let running = 0;
    const sums = parts.map(({ sum }) => (running += sum));
    const wide = 3 * PART + 2 * SIGN, high = PART + 4;
    const first = Math.floor(this.parts.scrollTop / (high + 4)), last = first + Math.ceil((this.parts.clientHeight || 480) / (high + 4)) + 1;
    parts.forEach((part, at) => {
      if (at < first || at > last) { this.rows[at].firstChild.style.height = `${high}px`; return; }
      const [canvas, what] = this.rows[at].children;
      const context = sized(canvas, wide, high);
      part.tiles.forEach((tile, place) => {
        const box = boxOf(tile.size, place * (PART + SIGN) + 1, 2, PART - 2);
        const reach = [this.reach.input, this.reach.weight, this.reach.part][place];
        drawTile(context, box, tile, this.#image(`${part.channel} ${place}`, tile, reach), look.theme);
        if (place < 2) write(context, place ? "→" : part.tiles[2].output ? "∗" : "·", (place + 1) * (PART + SIGN) - SIGN / 2, PART / 2, look, "center");
      });
      what.textContent = `${part.channel + 1}: ${short(part.sum)}\nΣ ${short(sums[at])}`; // what it adds, and all down to here
      this.rows[at].classList.toggle("chosen", part.channel === this.channel);
    });
  }

  /** A tile's picture, painted when it is first seen. */
  #image(name, tile, reach) {
    const { images, theme } = this.pictured;
    if (!images.has(name)) images.set(name, paintedTile(tile, reach, theme));
    return images.get(name);
  }

  #paintChain() {
    const { told, look } = this;
    if (!told.chain.length) return;
    const side = Math.min(CHAIN, (this.chain.parentElement.clientWidth || 320) / told.chain.length - SIGN);
    const largest = Math.max(...told.chain.flatMap(({ size }) => size));
    const context = sized(this.chain, told.chain.length * (side + SIGN), side + 20);
    this.boxes = told.chain.map((tile, at) => {
      const box = boxOf(tile.size, at * (side + SIGN) + 1, 19, Math.max(24, (side - 2) * Math.max(...tile.size) / largest));
      drawTile(context, box, tile, this.#image(`chain ${at}`, tile, reachOf(tile.values)), look.theme);
      write(context, tile.label, box.x, 8, look);
      if (at) write(context, "→", box.x - SIGN / 2 - 1, 19 + side / 2, look, "center");
      return box;
    });
    this.chain.setAttribute("aria-label", `${told.chain.map(({ label }) => label).join(", then ")}. Arrow keys choose a pixel, Enter holds it.`);
  }

  #paintNumbers() {
    const { numbers } = this.told;
    this.numbers.hidden = !numbers;
    if (!numbers) return;
    const { wide, high } = numbersSize(numbers);
    drawNumbers(sized(this.numbers, wide, high), numbers, this.look);
    this.numbers.setAttribute("aria-label", numbers.cells.length <= 64 ? numbers.cells.map(({ lines }) => lines.join(" ")).join("; ") : `${numbers.cells.length} numbers`);
  }

  #write() {
    const { told } = this;
    const lines = told.lines.map((line) => element("li", "", line));
    if (told.agrees !== null) {
      const mark = element("strong", told.agrees ? "same" : "other", told.agrees ? " ✓ agrees" : " ✗ differs");
      mark.title = "PyTorch adds float32 numbers in another order; both agree if they differ by at most a millionth of Σ|x·w| + |b|";
      lines.at(-1).append(mark);
    }
    this.lines.replaceChildren(...lines);
  }

  /** p = exp(x)/Σ exp(x), each power a word that highlights its logit. */
  #writeSoftmax() {
    const { softmax } = this.told;
    this.softmax.hidden = !softmax;
    if (!softmax) return;
    const power = (digit) => {
      const word = element("span", "power", `exp(${softmax.terms[digit]})`);
      word.dataset.digit = String(digit);
      word.onpointerenter = word.onpointerdown = () => { this.mark(digit); this.on.marked(digit); };
      word.onpointerleave = () => { this.mark(-1); this.on.marked(-1); };
      return word;
    };
    const sum = softmax.terms.flatMap((_, digit) => [digit ? " + " : "", power(digit)]);
    this.softmax.replaceChildren(`softmax: p(${softmax.digit}) = `, power(softmax.digit), " / (", ...sum, `) = ${softmax.quotient} = ${softmax.probability}`);
  }

  /** Highlight a digit's powers. @param {number} digit −1 for none */
  mark(digit) {
    for (const word of this.softmax.querySelectorAll(".power")) word.classList.toggle("marked", word.dataset.digit === String(digit));
  }

  /** What a screen reader says of the pixel. */
  get words() {
    const { row, column } = this.place;
    return `${this.told.chain.length ? `(${row}, ${column}). ` : ""}${this.told.lines.join(". ")}${this.told.agrees ? ", agrees" : ""}`;
  }

  #pin() {
    this.element.classList.toggle("pinned", this.pinned);
    this.on.moved(this.place);
  }

  // --- pointer and keyboard ---

  #overPart(event) {
    const row = event.target.closest(".part");
    if (!row) return;
    const channel = Number(row.dataset.channel);
    const box = row.firstChild.getBoundingClientRect();
    const part = this.told.parts.find((each) => each.channel === channel);
    const tile = part.tiles[2];
    const pixel = tile.output && (!this.pinned || event.buttons) && cellAt(boxOf(tile.size, 2 * (PART + SIGN) + 1, 2, PART - 2), tile.size, event.clientX - box.left, event.clientY - box.top);
    if (channel === this.channel && !pixel) return;
    this.channel = channel;
    this.#go(pixel || [this.place.row, this.place.column]);
  }

  /** @returns {boolean} whether a pixel was met */
  #overChain(event) {
    if (!this.isOpen) return false;
    const box = this.chain.getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    const at = this.told.chain.findIndex((tile, index) => tile.output && cellAt(this.boxes[index], tile.size, x, y));
    if (at < 0) return false;
    this.#go(cellAt(this.boxes[at], this.told.chain[at].size, x, y));
    return true;
  }

  #go([row, column]) {
    if (!this.isOpen) return; // a last movement of the pointer after closing
    this.place = { ...this.place, row, column };
    this.show();
    this.on.moved(this.place);
  }

  #keys(event) {
    const step = ARROWS[event.key];
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.pinned = true;
      this.#pin();
      this.on.say(this.words);
    }
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const [, rows, columns] = mapsOf(this.source().update.layers[this.place.index].shape);
    this.#go([within(this.place.row + step[0], rows), within(this.place.column + step[1], columns)]);
    this.on.say(this.words);
  }

  focus() {
    (this.told.chain.length ? this.chain : this.parts).focus({ preventScroll: true });
  }

  /** Width that the panel would like to have. */
  get width() {
    return this.told.parts.length ? WIDTH : 400;
  }
}

function cellAt(box, [rows, columns], x, y) {
  const row = Math.floor((y - box.y) / box.dot), column = Math.floor((x - box.x) / box.dot);
  return row >= 0 && column >= 0 && row < rows && column < columns ? [row, column] : null;
}

const reachOfTiles = (parts, place) => parts.reduce((most, part) => Math.max(most, reachOf(part.tiles[place].values)), 0);
