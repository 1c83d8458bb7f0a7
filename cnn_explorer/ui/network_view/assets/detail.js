// An opened map, in place: its inputs, kernels and partial sums, their sum, the bias, the result, and one pixel's
// multiplications.

import { Comparison } from "./comparison.js";
import { around, element, part } from "./element.js";
import { explain } from "./explain.js";
import { mapsOf } from "./geometry.js";
import { ARROWS, within } from "./keys.js";
import { short } from "./numbers.js";
import { reachOf, sized } from "./painting.js";
import { Slide } from "./slide.js";
import { explained } from "./terms.js";
import { FONT, boxOf, drawNumbers, drawTile, numbersSize, paintedTile, write } from "./picture.js";

/** @import { Explanation, Look, Numbers, Part, Place, Scene, Softmax, Theme, Tile, Update } from "../types.d.ts" */
/** @import { Box } from "./picture.js" */
/**
 * @typedef {{update: Update, index: number, map: number, theme: Theme, images: Map<string, HTMLCanvasElement>}}
 *   Pictured tiles of a map,
 *   painted; the same for all its pixels
 */

// Of the panel, CSS pixels, where there is room.
const WIDTH = 820;
const WITHOUT_CHAIN = 700;
const WITHOUT_PARTS = 470;
const PART = [24, 54]; // side of a tile in the list of parts, at least and at most: as many as fit, without scrolling
const CLEAR = 38; // side of such a tile that shows enough
const DENSE = 36; // below, the words beside it are in one line, and rows are closer
// CSS pixels between rows of parts, and between dense ones.
const BETWEEN = 8;
const CLOSE = 2;
const SIGN = 18; // between tiles
const CHAIN = [56, 84]; // side of a tile in the chain
const FEW = 6; // parts shown until all are asked for; more where there is room

export class Detail {
  /** @type {Place | null} */
  place = null;

  /** Whether the pixel is held. */
  pinned = false;

  /**
   * @type {{place: Place, channel: number | null} | null} what was opened or held; pointing elsewhere does not change
   *   it
   */
  chosen = null;

  /** @type {number | null} input channel whose products are written out; null for the strongest */
  channel = null;

  /** @type {(() => Scene) | null} */
  #source = null;

  /** @type {Explanation | null} */
  #told = null;

  /** @type {Pictured | null} */
  #pictured = null;

  #all = false; // whether all parts are shown, not only the strongest
  #few = FEW; // as many as fit
  #side = PART[1]; // of a tile in the list of parts

  /**
   * @type {{pixel: number, parts: number} | null} CSS pixels across beside the parts, and down for them; null until
   *   measured: to ask for them costs a layout
   */
  #room = null;

  #scrolled = 0; // CSS pixels of the parts
  #layout = "";

  /** @type {number[]} channels of the parts in the order of their rows */
  #order = [];

  /** @type {{canvas: HTMLCanvasElement, what: HTMLElement, row: HTMLElement}[]} */
  #rows = [];

  /** @type {Box[]} where the tiles of the chain are */
  #boxes = [];

  /**
   * @param {HTMLElement} panel
   * @param
   *   {{moved: (place: Place | null) => void, marked: (digit: number) => void, closed: () => void,
   *   say: (sentence: string) => void,
   *   numbers: (place: Place) => void}} on
   * `moved` when another pixel is looked at, `marked` a term of the softmax, −1 for none, `numbers` when a value's page
   * of numbers is asked for
   */
  constructor(panel, on) {
    this.element = panel;
    this.on = on;
    panel.innerHTML = `
      <header><h4></h4><div class="slide" role="group" aria-label="The window walks over the input"></div><button
        type="button" class="every" aria-pressed="false"></button><button type="button" class="by-number"
          title="This value with its window, kernels and bias, every number to be seen">Number by number</button><button
          type="button" class="close" title="Close (Escape)" aria-label="Close">×</button></header>
      <p class="how"></p>
      <ul class="lines"></ul>
      <div class="sum"><div class="parts" role="group" tabindex="0"></div>
      <div class="pixel"><div class="comparison" hidden></div><canvas class="chain" tabindex="0" role="application"
        aria-roledescription="arithmetic of one pixel"></canvas><div class="scroll"><canvas class="numbers"
          role="img"></canvas></div><p class="softmax"></p></div></div>`;
    this.sum = part(panel, ".sum", HTMLElement);
    this.pixel = part(panel, ".pixel", HTMLElement);
    this.title = part(panel, "h4", HTMLElement);
    this.every = part(panel, ".every", HTMLElement);
    this.byNumber = part(panel, ".by-number", HTMLElement);
    this.byNumber.onclick = () => {
      if (this.place) this.on.numbers(this.place);
    };
    this.how = part(panel, ".how", HTMLElement);
    this.parts = part(panel, ".parts", HTMLElement);
    this.lines = part(panel, ".lines", HTMLElement);
    this.softmax = part(panel, ".softmax", HTMLElement);
    this.chain = part(panel, ".chain", HTMLCanvasElement);
    this.numbers = part(panel, ".numbers", HTMLCanvasElement);
    this.comparison = new Comparison(part(panel, ".comparison", HTMLElement));
    this.slide = new Slide(part(panel, ".slide", HTMLElement), {
      size: () => this.#size,
      go: (row, column) => this.#slideTo(row, column),
      whole: () => this.#showWhole(),
      say: () => this.on.say(this.words),
    });
    this.sum.onpointerenter = () => this.slide.end();
    part(panel, ".close", HTMLElement).onclick = () => this.close();
    this.every.onclick = () => this.#showAll(this.every.getAttribute("aria-pressed") !== "true");
    this.parts.onscroll = () => {
      this.#scrolled = this.parts.scrollTop;
      this.#paintParts();
    };
    this.parts.onpointermove = this.parts.onpointerdown = (event) => this.#overPart(event);
    this.chain.onpointermove = (event) => {
      if (!this.pinned || event.buttons) this.#overChain(event);
    };
    this.chain.onpointerdown = (event) => {
      this.pinned = this.#overChain(event) && !this.pinned;
      this.#pin();
    };
    this.chain.onkeydown = (event) => this.#walk(event);
    panel.onclick = (event) => event.stopPropagation();
  }

  get isOpen() {
    return this.place !== null;
  }

  /**
   * @param {Place} place
   * @param {() => Scene} source
   * @param {number | null} channel whose products are written out; null for the strongest
   * @param {boolean} pinned whether the pixel is held
   * @param {(width: number) => void} makeRoom as wide as the panel would like to be, CSS pixels
   */
  open(place, source, channel, pinned, makeRoom) {
    this.slide.drop();
    this.#source = source;
    this.place = place;
    this.channel = channel;
    this.chosen = { place, channel };
    this.pinned = pinned;
    this.#all = false;
    this.#told = this.#explained();
    this.element.hidden = false;
    makeRoom(this.#width);
    this.parts.scrollTop = this.#scrolled = 0;
    this.arrange();
    this.#pin();
  }

  close() {
    if (!this.isOpen) return;
    this.place = null;
    this.slide.drop();
    this.chosen = null;
    this.element.hidden = true;
    this.on.closed();
  }

  /** Make use of a panel of another size. */
  arrange() {
    this.#layout = "";
    this.#room = null;
    this.show();
  }

  /** Work everything out anew: another pixel, another drawing, another channel. */
  show() {
    const scene = this.#source?.();
    const told = this.#explained();
    const { place } = this;
    if (!scene || !told || !place) return;
    const { update, look } = scene;
    this.#told = told;
    const pictured = this.#pictured;
    if (
      pictured?.update !== update ||
      pictured.theme !== look.theme ||
      pictured.map !== place.map ||
      pictured.index !== place.index
    ) {
      this.#pictured = { update, theme: look.theme, map: place.map, index: place.index, images: new Map() };
    }
    this.#build(told, place, update.exact);
    this.comparison.show(scene, place);
    this.#paintParts();
    this.#room ??= { pixel: this.pixel.clientWidth || 320, parts: this.parts.clientHeight || 480 };
    this.#paintChain(told, look);
    this.#paintNumbers(told.numbers, look);
    this.#writeParts(told); // behind all painting: text on a canvas costs a look at all styles that have changed
    this.#write(told);
    this.#writeSoftmax(told.softmax);
  }

  /** @returns {Explanation | null} null while weights of a new network are on their way */
  #explained() {
    const scene = this.#source?.();
    return scene?.parameters && this.place ? explain(scene.update, scene.parameters, this.place, this.channel) : null;
  }

  // --- building: only when other rows are to be shown ---

  /** @param {Explanation} told @param {Place} place @param {boolean} exact */
  #build(told, place, exact) {
    const layout = [place.index, place.map, told.parts.length, this.#all].join(" ");
    if (!this.#layout) {
      this.title.textContent = told.title;
      this.how.replaceChildren(...explained(told.how));
      this.lines.classList.toggle("two", told.parts.length > 0);
      this.#write(told); // what is above the parts decides how much room they have
      this.#fit(told.parts.length);
    }
    const shown = this.#all ? told.parts : told.parts.slice(0, this.#few);
    const order = shown.map(({ channel }) => channel);
    // Rows that change places under the pen could not be followed: they wait until it rests.
    if (layout === this.#layout && (!exact || order.join() === this.#order.join())) return;
    this.#layout = layout;
    this.#order = order;
    // No convolution and no pooling.
    this.slide.element.hidden = this.byNumber.hidden = !this.#source?.().update.layers[place.index].window;
    this.every.hidden = told.parts.length <= this.#few;
    this.every.textContent = this.#all ? `strongest ${this.#few}` : `all ${told.parts.length}`;
    this.every.setAttribute("aria-pressed", String(this.#all));
    this.parts.hidden = !shown.length;
    this.parts.setAttribute(
      "aria-label",
      `What each input channel adds, strongest first: ${shown.length} of ${told.parts.length}`,
    );
    this.#rows = order.map((channel) => {
      const row = element("div", "part");
      const canvas = element("canvas");
      const what = element("span", "what");
      row.dataset.channel = String(channel);
      row.append(canvas, what);
      return { row, canvas, what };
    });
    this.parts.replaceChildren(...this.#rows.map(({ row }) => row));
    this.chain.hidden = !told.chain.length;
  }

  /** As many parts as the panel has room for, as large as it has room for. @param {number} count of all */
  #fit(count) {
    const room = this.#source?.().narrow ? 0 : this.sum.clientHeight;
    this.#few = Math.max(FEW, Math.floor(room / (CLEAR + BETWEEN)));
    const rows = this.#all ? count : Math.min(count, this.#few);
    const [least, most] = PART;
    const each = Math.floor(room / rows);
    this.#side = room ? Math.min(most, each - BETWEEN) : most;
    if (this.#side < DENSE) this.#side = Math.min(DENSE - 1, Math.max(least, each - CLOSE));
    this.parts.classList.toggle("dense", this.#dense);
  }

  get #dense() {
    return this.#side < DENSE;
  }

  /** @param {boolean} all */
  #showAll(all) {
    this.#all = all;
    this.arrange();
  }

  // --- painting ---

  /** The rows in view: with 256 input channels most are not. */
  #paintParts() {
    const look = this.#source?.().look;
    const told = this.#told;
    if (!told?.parts.length || !look) return;
    const byChannel = new Map(told.parts.map((each) => [each.channel, each]));
    const reaches = [0, 1, 2].map((place) => reachOfTiles(told.parts, place));
    const side = this.#side;
    const wide = 3 * side + 2 * SIGN;
    const high = side + (this.#dense ? CLOSE : BETWEEN / 2);
    const apart = side + (this.#dense ? CLOSE : BETWEEN);
    const first = Math.floor(this.#scrolled / apart);
    const last = first + Math.ceil((this.#room?.parts ?? 480) / apart) + 1;
    this.#rows.forEach(({ canvas }, at) => {
      const shown = byChannel.get(this.#order[at]);
      if (!shown || at < first || at > last) {
        canvas.style.height = `${high}px`;
        return;
      }
      const context = sized(canvas, wide, high);
      shown.tiles.forEach((tile, place) => {
        const box = boxOf(tile.size, place * (side + SIGN) + 1, 2, side - 2);
        drawTile(context, box, tile, this.#image(`${shown.channel} ${place}`, tile, reaches[place]), look.theme);
        if (tile.output) this.#cover(context, box, tile.size);
        if (place === 2) return;
        const product = shown.tiles[2].output ? "∗" : "·";
        write(context, place ? "→" : product, (place + 1) * (side + SIGN) - SIGN / 2, side / 2, look, "center");
      });
    });
  }

  /** What every part adds, and all down to it. @param {Explanation} told */
  #writeParts({ parts }) {
    const byChannel = new Map(parts.map((each) => [each.channel, each]));
    let running = 0;
    this.#rows.forEach(({ row, what }, at) => {
      const { channel, sum } = byChannel.get(this.#order[at]) ?? { channel: this.#order[at], sum: 0 };
      running += sum;
      what.textContent = `${channel + 1}: ${short(sum)}${this.#dense ? ",  " : "\n"}Σ ${short(running)}`;
      row.classList.toggle("chosen", channel === this.channel);
    });
  }

  /** A tile's picture, painted when it is first seen. @param {string} name @param {Tile} tile @param {number} reach */
  #image(name, tile, reach) {
    const { images, theme } = /** @type {Pictured} */ (this.#pictured);
    const image = images.get(name) ?? paintedTile(tile, reach, theme);
    images.set(name, image);
    return image;
  }

  /** @param {Explanation} told @param {Look} look */
  #paintChain({ chain, numbers }, look) {
    if (!chain.length) return;
    const columns = this.#chainColumns(chain.length, numbers);
    const side = Math.max(24, Math.min(CHAIN[1], this.#chainRoom(numbers, columns) / columns - SIGN));
    const grown = look.text / FONT;
    const top = 19 * grown;
    const high = side + top + 1;
    const largest = Math.max(...chain.flatMap(({ size }) => size));
    const context = sized(this.chain, columns * (side + SIGN), Math.ceil(chain.length / columns) * high);
    this.#boxes = chain.map((tile, at) => {
      const row = Math.floor(at / columns);
      const x = (at % columns) * (side + SIGN);
      const y = row * high;
      const box = boxOf(tile.size, x + 1, y + top, Math.max(24, ((side - 2) * Math.max(...tile.size)) / largest));
      drawTile(context, box, tile, this.#image(`chain ${at}`, tile, reachOf(tile.values)), look.theme);
      if (tile.output) this.#cover(context, box, tile.size);
      write(context, at && !x ? `→ ${tile.label}` : tile.label, box.x, y + 8 * grown, look);
      if (x) write(context, "→", box.x - SIGN / 2 - 1, box.y + box.height / 2, look, "center");
      return box;
    });
    this.chain.setAttribute(
      "aria-label",
      `${chain.map(({ label }) => label).join(", then ")}. Arrow keys choose a pixel, Enter holds it.`,
    );
  }

  /** Two columns of tiles leave the products room beside them. @param {number} tiles @param {Numbers | null} numbers */
  #chainColumns(tiles, numbers) {
    return tiles > 2 && this.#chainRoom(numbers, 2) < this.#pixelWidth ? 2 : tiles;
  }

  /**
   * CSS pixels across for the chain: beside the products where they leave enough.
   * @param {Numbers | null} numbers
   * @param {number} columns
   */
  #chainRoom(numbers, columns) {
    const beside = this.#pixelWidth - (numbers ? numbersSize(numbers, this.#text).wide + SIGN : 0);
    return beside >= columns * (CHAIN[0] + SIGN) ? beside : this.#pixelWidth;
  }

  /** Size of the text, CSS pixels. */
  get #text() {
    return this.#source?.().look.text ?? FONT;
  }

  get #pixelWidth() {
    return this.#room?.pixel ?? 320;
  }

  /**
   * Hide the values that the walking window has not made yet.
   * @param {CanvasRenderingContext2D} context
   * @param {Box} box
   * @param {[number, number]} size rows and columns
   */
  #cover(context, { x, y, dot }, [rows, columns]) {
    const { made } = this.slide;
    if (made === null) return;
    const row = Math.floor(made / columns);
    const column = made % columns;
    context.clearRect(x + column * dot, y + row * dot, (columns - column) * dot, dot);
    context.clearRect(x, y + (row + 1) * dot, columns * dot, (rows - row - 1) * dot);
  }

  /** Rows and columns of the opened map. @returns {[number, number]} */
  get #size() {
    const { place } = this;
    if (!place || !this.#source) return [1, 1];
    const [, rows, columns] = mapsOf(this.#source().update.layers[place.index].shape);
    return [rows, columns];
  }

  /**
   * The walking window shows another value; the one that was chosen stays chosen.
   * @param {number} row
   * @param {number} column
   */
  #slideTo(row, column) {
    if (!this.place) return;
    this.place = { ...this.place, row, column };
    this.show();
    this.on.moved(this.place);
  }

  /** The walk has ended: a pixel that was held is shown again. */
  #showWhole() {
    if (!this.place) return;
    if (this.pinned && this.chosen) this.place = this.chosen.place;
    this.show();
    this.on.moved(this.place);
  }

  /** @param {Numbers | null} numbers @param {Look} look */
  #paintNumbers(numbers, look) {
    this.numbers.hidden = !numbers;
    if (!numbers) return;
    const { wide, high } = numbersSize(numbers, look.text);
    drawNumbers(sized(this.numbers, wide, high), numbers, look);
    this.numbers.setAttribute(
      "aria-label",
      numbers.cells.length <= 64
        ? numbers.cells.map(({ lines }) => lines.join(" ")).join("; ")
        : `${numbers.cells.length} numbers`,
    );
  }

  /** @param {Explanation} told */
  #write(told) {
    const lines = told.lines.map((line) => element("li", "", line));
    if (told.agrees !== null) {
      const mark = element("strong", told.agrees ? "same" : "other", told.agrees ? " ✓ agrees" : " ✗ differs");
      mark.title =
        "PyTorch adds float32 numbers in another order; both agree if they differ by at most a millionth of Σ|x·w| + " +
        "|b|";
      lines.at(-1)?.append(mark);
    }
    this.lines.replaceChildren(...lines);
  }

  /** p = exp(x)/Σ exp(x), each power a word that highlights its logit. @param {Softmax | null} softmax */
  #writeSoftmax(softmax) {
    this.softmax.hidden = !softmax;
    if (!softmax) return;
    /** @param {number} digit */
    const power = (digit) => {
      const word = element("span", "power", `exp(${softmax.terms[digit]})`);
      word.dataset.digit = String(digit);
      word.onpointerenter = word.onpointerdown = () => {
        this.mark(digit);
        this.on.marked(digit);
      };
      word.onpointerleave = () => {
        this.mark(-1);
        this.on.marked(-1);
      };
      return word;
    };
    const sum = softmax.terms.flatMap((_, digit) => [digit ? " + " : "", power(digit)]);
    this.softmax.replaceChildren(
      ...explained(`Softmax of the ten logits: p(${softmax.digit}) = `),
      power(softmax.digit),
      " / (",
      ...sum,
      `) = ${softmax.quotient} = ${softmax.probability}`,
    );
  }

  /** Highlight a digit's powers. @param {number} digit −1 for none */
  mark(digit) {
    for (const word of this.softmax.children)
      word.classList.toggle("marked", word instanceof HTMLElement && word.dataset.digit === String(digit));
  }

  /** What a screen reader says of the pixel. */
  get words() {
    if (!this.place || !this.#told) return "";
    const { row, column } = this.place;
    const { chain, lines, agrees } = this.#told;
    return `${chain.length ? `(${row}, ${column}). ` : ""}${lines.join(". ")}${agrees ? ", agrees" : ""}`;
  }

  #pin() {
    this.element.classList.toggle("pinned", this.pinned);
    this.#choose();
    this.on.moved(this.place);
  }

  // --- pointer and keyboard ---

  /** @param {PointerEvent} event */
  #overPart(event) {
    const row = around(event, ".part");
    const channel = Number(row?.dataset.channel);
    const tile = this.#told?.parts.find((each) => each.channel === channel)?.tiles[2];
    if (!row || !tile || !this.place) return;
    const pixel =
      tile.output && (!this.pinned || event.buttons)
        ? cellAt(
            boxOf(tile.size, 2 * (this.#side + SIGN) + 1, 2, this.#side - 2),
            tile.size,
            pointIn(part(row, "canvas", HTMLCanvasElement), event),
          )
        : null;
    if (channel === this.channel && !pixel) return;
    this.channel = channel;
    this.#go(pixel ?? [this.place.row, this.place.column]);
  }

  /** @param {PointerEvent} event @returns {boolean} whether a pixel was met */
  #overChain(event) {
    if (!this.isOpen || !this.#told) return false;
    const point = pointIn(this.chain, event);
    for (const [at, tile] of this.#told.chain.entries()) {
      const cell = tile.output ? cellAt(this.#boxes[at], tile.size, point) : null;
      if (cell) {
        this.#go(cell);
        return true;
      }
    }
    return false;
  }

  /** @param {[number, number]} cell */
  #go([row, column]) {
    if (!this.place) return; // a last movement of the pointer after closing
    this.slide.end();
    this.place = { ...this.place, row, column };
    this.#choose();
    this.show();
    this.on.moved(this.place);
  }

  #choose() {
    if (this.pinned && this.place) this.chosen = { place: this.place, channel: this.channel };
  }

  /** @param {KeyboardEvent} event */
  #walk(event) {
    const step = ARROWS[event.key];
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.pinned = true;
      this.#pin();
      this.on.say(this.words);
    }
    if (!step || !this.place || !this.#source) return;
    event.preventDefault();
    event.stopPropagation();
    const [rows, columns] = this.#size;
    this.#go([within(this.place.row + step[0], rows), within(this.place.column + step[1], columns)]);
    this.on.say(this.words);
  }

  focus() {
    (this.#told?.chain.length ? this.chain : this.parts).focus({ preventScroll: true });
  }

  /** Width that the panel would like to have. */
  get #width() {
    const grown = this.#text / FONT;
    if (!this.#told?.parts.length) return grown * WITHOUT_PARTS;
    return grown * (this.#told.chain.length ? WIDTH : WITHOUT_CHAIN);
  }
}

/** @param {HTMLElement} canvas @param {PointerEvent} event @returns {[number, number]} CSS pixels from its corner */
function pointIn(canvas, event) {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

/**
 * @param {Box} box
 * @param {[number, number]} size rows and columns
 * @param {[number, number]} point
 * @returns {[number, number] | null} row and column
 */
function cellAt(box, [rows, columns], [x, y]) {
  const row = Math.floor((y - box.y) / box.dot);
  const column = Math.floor((x - box.x) / box.dot);
  return row >= 0 && column >= 0 && row < rows && column < columns ? [row, column] : null;
}

/** @param {Part[]} parts @param {number} place of the tile */
const reachOfTiles = (parts, place) =>
  parts.reduce((most, each) => Math.max(most, reachOf(each.tiles[place].values)), 0);
