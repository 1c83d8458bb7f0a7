// A column a layer: its name and shape, its formula, its maps as tiles; then the ten probabilities.

import { latticesOf } from "./alignment.js";
import { changeSentence, differences, shapeText } from "./compare.js";
import { element } from "./element.js";
import { paintFormer } from "./former_maps.js";
import { formulaOf, linesOf, textOf, writeFormula } from "./formulas.js";
import { columnsLayout, mapsOf, pixelAt, singleLayout, stackedLayout, tileAt } from "./geometry.js";
import { headOf, writeHead } from "./headings.js";
import { ARROWS, within } from "./keys.js";
import { writeNumbers } from "./map_numbers.js";
import { markInput } from "./marks.js";
import { showGroup } from "./knobs.js";
import { hasKernels } from "./layer_kinds.js";
import { oneDecimal, percent } from "./numbers.js";
import { cssColour, paintLayer, reachOf } from "./painting.js";
import { FONT } from "./picture.js";
import { IMAGE, inputOf } from "./windows.js";

/** @import { Difference, Former, Grid, Layer, Lattice, Pixel, Place, Scale, Theme, Update } from "../types.d.ts" */
/** @import { Knob } from "./knobs.js" */
/** @import { Tiles } from "./links.js" */
/** @typedef {{narrow: boolean, width: number, height: number, theme: Theme}} Room for the columns, CSS pixels */
/**
 * @typedef
 *   {{canvas: HTMLCanvasElement, former: HTMLCanvasElement, numbers: HTMLCanvasElement, marks: HTMLCanvasElement,
 *   outline: HTMLCanvasElement, grid: Grid, column: HTMLElement}} Drawn a layer with a column of its own
 */
/**
 * @typedef {{column: HTMLElement, verdict: HTMLElement, sure: HTMLElement,
 * doubt: HTMLElement, rows:
 * {row: HTMLElement, logit: HTMLElement, bar: HTMLElement, was: HTMLElement, share: HTMLElement}[]}} Answer the ten
 * probabilities
 */

export const PRESENTED = 20; // CSS pixels of the letters while presenting
export const SEEN = 84; // CSS pixels of the 28×28 image: 3 each
const JOINT = 19; // width of a joint with its margins, CSS pixels
const MARGIN = 1; // of these, at each side
const PROJECTOR = 1700; // width of the window from which on text is larger, as in style.css
const WIDE = 1250; // of the room: from here on, so is the answer
const BREAK = 212; // width of the note where the geometry breaks
// Lines of a formula, at least and at most.
const LINES = 2;
const MOST_LINES = 4;
const VERDICT = 50; // the large digit
const CLOSE = 0.1; // probability of a runner-up that is named
const UNLIKE = "unlike all digits that networks learn from here";
const NOTED = 0.005; // difference of two probabilities that is marked
const NEWS = 6000; // ms that headings show what a change has done

/**
 * Sizes of text, CSS pixels: the height of name and shape and of a formula's line, the width of letters in both, about,
 * and of the answer.
 */
const TEXTS = {
  laptop: { title: 32, line: 13, letter: 6.8, digit: 6.2, answer: 176 },
  wide: { title: 36, line: 16, letter: 7.6, digit: 7.2, answer: 290 },
  beside: { title: 36, line: 16, letter: 7.6, digit: 7.2, answer: 200 }, // the code
  presented: { title: 52, line: 25, letter: 10.6, digit: 10.3, answer: 250 },
};
/** @typedef {typeof TEXTS.laptop} Text */

export class Columns {
  /** @type {Scale} what the colours of a map are relative to */
  scale = "layer";

  presenting = false; // larger

  toScale = false; // a map half as high is drawn half as high; else all are as large as they can be

  /** While a map is open, pointing at another one shows no card. */
  quiet = false;

  /** @type {Map<number, Drawn>} by the layer's index */
  drawn = new Map();

  /** @type {HTMLElement[]} where columns stack: room for the widgets of each block, below its maps */
  places = [];

  /** @type {Answer | null} */
  #answer = null;

  /** @type {Update | null} */
  #update = null;

  /** @type {Room | null} */
  #room = null;

  /** @type {Former | null} what the present network is compared with */
  #former = null;

  /** @type {Difference[]} of every layer; none where nothing is compared */
  #differences = [];

  /** @type {(Lattice | null)[]} */
  #lattices = [];

  #held = false; // the former network's maps are shown
  #news = 0; // timer
  #built = "";

  /** @type {Theme | null} in which the maps' numbers are written */
  #numbered = null;

  #returning = false; // the focus is given back
  #walking = false; // with the keyboard
  #marked = -1; // digit

  /** @type {Knob | null} that the visitor holds */
  #knob = null;

  /** @type {Pixel | null} the value that was looked at last */
  #seen = null;

  /**
   * @param {HTMLElement} host
   * @param {import("./card.js").Card} card
   * @param {HTMLCanvasElement} image over the 28×28 pixels, for marks
   * @param {{say: (sentence: string) => void, looked: (place: Place | null) => void, opened: (place: Place) => void,
   * kernels: (index: number) => void, repaired: (net: string) => void}} on `say` to a screen reader, `looked` at a
   * value or at none, `opened` a value's
   *   map, `kernels` of a layer asked for, `repaired` by another network
   */
  constructor(host, card, image, on) {
    this.element = host;
    this.card = card;
    this.image = image;
    this.on = on;
    for (const [name, width] of Object.entries({ joint: JOINT - 2 * MARGIN, margin: MARGIN, break: BREAK })) {
      host.style.setProperty(`--${name}`, `${width}px`);
    }
    host.onscroll = () => this.#hint();
  }

  /** The layers on screen. @returns {Layer[]} */
  get layers() {
    return this.#update?.layers ?? [];
  }

  /** A shadow where more can be scrolled to. */
  #hint() {
    const { scrollLeft, scrollWidth, clientWidth } = this.element;
    this.element.classList.toggle("more", scrollLeft + clientWidth < scrollWidth - 12);
  }

  /**
   * @param {Update} update @param {Room} room @param {Former | null} former what the network is compared with
   * @returns {boolean} whether the columns were made anew
   */
  show(update, room, former = null) {
    const other = former?.layers !== this.#former?.layers;
    this.#update = update;
    this.#room = room;
    this.#former = former;
    const signature = [
      update.net,
      update.pending,
      room.narrow,
      room.width,
      room.height,
      this.toScale,
      this.presenting,
      update.pin !== null,
    ].join(" ");
    const rebuilt = signature !== this.#built;
    if (rebuilt) {
      this.#build(update, room);
      this.#built = signature;
    }
    if (rebuilt || other) this.#compare();
    if (rebuilt || room.theme !== this.#numbered) {
      this.#writeNumbers(room.theme);
      this.#markInputs();
    }
    if (update.pending) return rebuilt;
    const network = Math.max(0, ...update.values.map((values) => reachOf(values)));
    for (const [index, { canvas, grid }] of this.drawn) {
      const { shape } = update.layers[index];
      const values = update.values[index];
      paintLayer(canvas, grid, shape, values, this.#reach(shape, values, network), room.theme);
    }
    if (this.#answer) this.#showAnswer(this.#answer, update, room.theme);
    if (this.#held) this.#paintFormer();
    this.card.refresh();
    if (rebuilt) {
      this.#hint();
      this.#markBlock();
    }
    return rebuilt;
  }

  /**
   * Give the focus back to what an opened map was opened from: the walk goes on there.
   * @param {HTMLElement | null} opener
   */
  refocus(opener) {
    this.#returning = true;
    opener?.focus({ preventScroll: true });
    this.#returning = false;
  }

  /**
   * Where a layer's maps are on the screen; null where it has no column.
   * @param {number} index
   * @returns {Tiles | null}
   */
  tilesOf(index) {
    const drawn = this.drawn.get(index);
    if (drawn) {
      const { canvas, grid } = drawn;
      const whole = canvas.getBoundingClientRect();
      return {
        whole,
        tile: (map) => {
          const [x, y] = tileAt(grid, map);
          const left = whole.left + x * grid.dot;
          const top = whole.top + y * grid.dot;
          return { left, top, right: left + grid.tileWidth * grid.dot, bottom: top + grid.tileHeight * grid.dot };
        },
      };
    }
    if (!this.#answer || index !== this.layers.length - 1) return null;
    const { rows } = this.#answer;
    const tile = (/** @type {number} */ digit) => rows[digit].row.getBoundingClientRect();
    const [first, last] = [tile(0), tile(rows.length - 1)];
    return { whole: { left: first.left, top: first.top, right: first.right, bottom: last.bottom }, tile };
  }

  /**
   * The block that each layer belongs to, counted from 1; 0 before the first convolution, and from the first layer of
   * features on.
   */
  get #blocks() {
    let block = 0;
    return this.layers.map((layer) => {
      if (hasKernels(layer)) block += 1;
      return layer.shape.length === 3 ? block : 0;
    });
  }

  /**
   * Show what a knob changes, which the visitor holds: its block's columns, and the window on the maps that go in.
   * @param {Knob | null} knob
   */
  hold(knob) {
    this.#knob = knob;
    this.#markBlock();
    this.#markInputs();
  }

  #markBlock() {
    this.#blocks.forEach((own, index) =>
      this.columnOf(index)?.classList.toggle("turned", own > 0 && own === this.#knob?.block),
    );
  }

  /** Padding, unreached rows and columns, and the window that is held, on the maps that go into each layer. */
  #markInputs() {
    const { layers } = this;
    const knob = this.#knob;
    const blocks = this.#blocks;
    const theme = this.#room?.theme ?? "light";
    const held = layers.findIndex(
      (layer, index) => blocks[index] === knob?.block && Boolean(layer.window) && hasKernels(layer) !== knob.pooling,
    );
    layers.forEach((layer, index) => {
      const before = index ? this.drawn.get(index - 1) : { marks: this.image, grid: singleLayout(IMAGE, SEEN) };
      if (before)
        markInput(
          before.marks,
          before.grid,
          layer,
          inputOf(layers, index),
          index === held ? (knob?.parameter ?? "") : "",
          index ? theme : "dark",
        ); // the image is black
    });
    if (!layers[0]?.window) this.image.hidden = true;
  }

  /** Where the blocks begin, and what follows them: CSS pixels from the left edge of the page. @returns {number[]} */
  get starts() {
    const blocks = this.#blocks;
    const features = this.layers.findIndex(({ shape }) => shape.length === 1);
    const first = Array.from({ length: Math.max(0, ...blocks) }, (_, block) => blocks.indexOf(block + 1));
    return [...first, features].map(
      (index) => this.columnOf(index)?.getBoundingClientRect().left ?? this.element.getBoundingClientRect().right,
    );
  }

  /** The element of a layer's column. @param {number} index */
  columnOf(index) {
    return this.drawn.get(index)?.column ?? this.#answer?.column ?? null;
  }

  /** The answer as short as can be, or "". @param {Update} update */
  verdict({ classes, probabilities, trained, image }) {
    if (!classes || !image.some((ink) => ink)) return "";
    const best = bestOf(probabilities);
    return trained ? `${best} ${percent(probabilities[best])}` : `${best}?`;
  }

  /**
   * What makes the answer doubtful: a drawing that is unlike all digits, else a close runner-up; or "".
   * @param {Update} update
   */
  doubt({ classes, probabilities, trained, image, exact, unlike }) {
    if (!classes || !trained || !image.some((ink) => ink)) return "";
    if (exact && unlike) return UNLIKE;
    const best = bestOf(probabilities);
    const second = bestOf(probabilities.map((share, digit) => (digit === best ? -1 : share)));
    return probabilities[second] >= CLOSE ? `or ${second}, ${percent(probabilities[second])}` : "";
  }

  /** What a screen reader says once the pen has been lifted. @param {Update} update */
  answer(update) {
    if (update.error) return update.error.text;
    const verdict = this.verdict(update);
    if (!verdict) return "";
    return update.trained
      ? `Answer: ${[verdict, this.doubt(update)].filter(Boolean).join(", ")}`
      : `Untrained network, it would say ${verdict}`;
  }

  // --- before and after ---

  /** Show the former network's maps in place of the present ones, or these again. @param {boolean} held */
  showFormer(held) {
    this.#held = held;
    this.element.classList.toggle("held", held);
    this.card.hide();
    if (!this.#update || this.#update.pending) return;
    if (held) this.#paintFormer();
    if (this.#answer) this.#showAnswer(this.#answer, this.#update, this.#room?.theme ?? "light");
  }

  /** Have all headings say for a moment what they were before. */
  tellChange() {
    clearTimeout(this.#news);
    this.element.classList.add("news");
    this.#news = setTimeout(() => this.element.classList.remove("news"), NEWS);
  }

  close() {
    clearTimeout(this.#news);
  }

  /** What has changed, for a screen reader. */
  get change() {
    return changeSentence(this.layers, this.#differences);
  }

  #compare() {
    const former = this.#former;
    this.#differences = former ? differences(this.layers, former.layers) : [];
    this.#lattices = latticesOf(this.layers);
    for (const [index, { column }] of this.drawn) this.#writeHead(index, column);
    if (this.#answer) this.#writeHead(this.layers.length - 1, this.#answer.column, "softmax");
  }

  /** What has become of one layer, in a line; "" for nothing. @param {number} index */
  #changeOf(index) {
    const { changes = [], former = null } = this.#differences[index] ?? {};
    const was = former ? shapeText(former.shape) : "";
    const now = shapeText(this.layers[index].shape);
    const told = [...changes, ...(was && was !== now ? [`${was} → ${now}`] : [])];
    return told.length ? `changed: ${told.join(", ")}` : "";
  }

  /** @param {number} index of a layer @param {HTMLElement} column @param {string} also */
  #writeHead(index, column, also = "") {
    const [head, formula] = column.children;
    const difference = this.#differences[index] ?? null;
    if (head instanceof HTMLElement) writeHead(head, this.layers[index], difference, also);
    if (formula instanceof HTMLElement)
      writeFormula(formula, formulaOf(this.layers, index, this.#former?.layers ?? [], difference));
  }

  #paintFormer() {
    const { layers = [], pass = null } = this.#former ?? {};
    const lattices = latticesOf(layers);
    const theme = this.#room?.theme ?? "light";
    const network = Math.max(0, ...(pass?.values ?? []).map((values) => reachOf(values)));
    for (const [index, { former, grid }] of this.drawn) {
      const at = this.#differences[index]?.index ?? null;
      const values = at === null ? null : pass?.values[at];
      const shown =
        at === null || !values
          ? null
          : {
              shape: layers[at].shape,
              lattice: lattices[at],
              values,
              reach: this.#reach(layers[at].shape, values, network),
            };
      paintFormer(former, grid, this.layers[index].shape, this.#lattices[index], shown, theme);
    }
  }

  // --- building ---

  /**
   * The magnitude with full colour, by map.
   * @param {number[]} shape
   * @param {Float32Array} values
   * @param {number} network
   * @returns {(map: number) => number}
   */
  #reach(shape, values, network) {
    const [, rows, columns] = mapsOf(shape);
    if (this.scale === "network") return () => network;
    if (this.scale === "layer" || shape.length === 1) {
      const layer = reachOf(values);
      return () => layer;
    }
    return (map) => reachOf(values, map * rows * columns, (map + 1) * rows * columns);
  }

  /** A number on every map that has room for it. @param {Theme} theme */
  #writeNumbers(theme) {
    this.#numbered = theme;
    const { fontFamily } = getComputedStyle(this.element);
    for (const [index, { numbers, grid }] of this.drawn) {
      const { shape } = this.layers[index];
      if (shape.length === 3)
        writeNumbers(numbers, grid, shape[0], theme, fontFamily, this.presenting ? PRESENTED : FONT);
    }
  }

  /**
   * A column for every layer but the last one's logits, which stand beside the probabilities.
   * @param {Update} update
   * @param {Room} room
   */
  #build({ layers, error, classes, pin }, { narrow, width, height }) {
    const shown = layers.slice(0, classes ? -1 : undefined);
    const shapes = shown.map(({ shape }) => shape);
    const large = width < WIDE ? TEXTS.beside : TEXTS.wide;
    const usual = window.innerWidth < PROJECTOR ? TEXTS.laptop : large;
    const text = this.presenting ? TEXTS.presented : usual;
    const { answer } = text;
    const { style } = /** @type {HTMLElement} */ (this.element.parentElement);
    style.setProperty("--answer", `${answer}px`);
    this.element.classList.toggle("comparable", pin !== null);
    const joints = shown.length + (classes || error ? 1 : 0);
    // For the pin, which else stands above the answer or the break.
    const alone = pin && !classes && !error ? answer : 0;
    const tail = (classes ? answer : 0) + (error ? BREAK + 8 : 0) + alone;
    const least = shown.map((layer) => headWidth(layer, text));
    const across = width - joints * JOINT - tail - 12;
    /** @param {number} lines of the formulas @returns {{grids: Grid[], head: number}} */
    const laidOut = (lines) => {
      const head = text.title + lines * text.line;
      return { grids: columnsLayout(shapes, least, across, height - head, this.toScale), head };
    };
    let { grids, head } = narrow ? { grids: stackedLayout(shapes, width), head: 0 } : laidOut(LINES);
    if (!narrow) {
      const widths = grids.map((grid, index) => Math.max(grid.width, least[index]) + JOINT);
      const lines = Math.max(
        LINES,
        ...shown.map((_, index) =>
          Math.min(MOST_LINES, formulaLines(layers, index, Math.floor((widths[index] - 4) / text.digit))),
        ),
      );
      if (lines > LINES) ({ grids, head } = laidOut(lines));
    }
    for (const [name, size] of Object.entries({ head, title: text.title, "pin-top": classes ? head + VERDICT : 0 }))
      style.setProperty(`--${name}`, `${size}px`);
    this.card.hide();
    this.element.classList.remove("news");
    this.element.replaceChildren();
    this.drawn = new Map();
    this.#answer = null;
    this.places = [];
    const blocks = this.#blocks;
    const stacked = narrow && pin !== null; // a page with widgets for the network
    const broken =
      error && error.layer.startsWith("conv")
        ? Math.max(0, ...blocks) + 1
        : ((error && blocks[blocks.length - 1]) ?? 0);
    shown.forEach((layer, index) => {
      const drawn = this.#column(index, layer, grids[index]);
      this.drawn.set(index, drawn);
      this.element.append(this.#joint(index, layer), drawn.column);
      if (stacked && blocks[index] && blocks[index + 1] !== blocks[index] && blocks[index] !== broken)
        this.#place(`conv${blocks[index]}`);
    });
    if (error) this.element.append(breakOf(error, this.on.repaired));
    if (stacked && broken) this.#place(`conv${broken}`);
    if (classes) {
      const last = layers[layers.length - 1];
      this.#answer = this.#answerColumn(last);
      this.element.append(this.#joint(layers.length - 1, last), this.#answer.column);
    }
    if (stacked && !error) this.#place("linear");
  }

  /**
   * Leave room for a group of widgets, as much as it needs.
   * @param {string} name of the group, see `draw/controls.py`
   */
  #place(name) {
    const place = element("div", "place");
    const button = element("button", "", `Change ${name}`);
    place.dataset.group = name;
    button.type = "button"; // for the keyboard: the page has the group after the whole view
    button.onclick = () => showGroup(name);
    place.append(button);
    place.style.height = `var(--room-${name}, 0)`;
    this.places.push(place);
    this.element.append(place);
  }

  /** @param {number} index @param {Layer} layer */
  #joint(index, layer) {
    const joint = element(hasKernels(layer) ? "button" : "div", "joint");
    joint.append(element("span", "arrow"));
    const explained = () => this.card.showLayer(joint, layer, this.#changeOf(index));
    joint.onpointerenter = explained;
    joint.onpointerleave = joint.onblur = () => this.card.hide();
    if (!(joint instanceof HTMLButtonElement)) return joint;
    joint.type = "button";
    joint.append(element("span", "what", "kernels"));
    joint.setAttribute("aria-label", `${layer.name}: kernels. ${layer.formula}`);
    joint.onfocus = () => {
      if (!this.#returning) explained();
    };
    joint.onclick = (event) => {
      event.stopPropagation();
      this.on.kernels(index);
    };
    return joint;
  }

  /** @param {number} index @param {Layer} layer @param {Grid} grid @returns {Drawn} */
  #column(index, layer, grid) {
    const column = element("div", "column");
    const canvas = element("canvas");
    const former = element("canvas", "former");
    const outline = element("canvas", "outline");
    const numbers = element("canvas", "channels");
    const marks = element("canvas", "marks");
    marks.hidden = numbers.hidden = true;
    column.style.minWidth = `${grid.width}px`;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-roledescription", layer.shape.length === 3 ? "feature maps" : "features");
    canvas.tabIndex = 0;
    const [channels, rows, columns] = mapsOf(layer.shape);
    canvas.setAttribute(
      "aria-label",
      layer.shape.length === 3
        ? `${layer.name}: ${channels} feature maps of ${rows}×${columns}. Arrow keys walk through the pixels, Page ` +
            `Up and Down through the maps, Enter opens.`
        : `${layer.name}: ${channels} features. Arrow keys walk through them, Enter opens.`,
    );
    canvas.dataset.layer = layer.name;
    /** @param {PointerEvent | MouseEvent} event @returns {Pixel | null} the value under the pointer */
    const look = (event) => {
      this.#walking = false;
      const box = canvas.getBoundingClientRect();
      const pixel = pixelAt(grid, channels, event.clientX - box.left, event.clientY - box.top);
      return this.#look(index, pixel) ? pixel : null;
    };
    canvas.onpointermove = look;
    canvas.onpointerdown = look;
    canvas.onclick = (event) => {
      const pixel = look(event);
      if (!pixel) return;
      event.stopPropagation();
      this.on.opened({ index, ...pixel });
    };
    canvas.onpointerleave = (event) => {
      if (event.pointerType !== "touch") this.#leave();
    };
    canvas.onblur = () => {
      if (this.#walking) this.#leave();
    };
    canvas.onkeydown = (event) => this.#walk(index, grid, event);
    canvas.onfocus = () => {
      if (this.#returning && !this.#walking) return; // it was opened with the pointer, which is elsewhere by now
      const first = { map: 0, row: 0, column: 0 };
      if (canvas.matches(":focus-visible")) this.#show(index, (this.#returning && this.#seen) || first);
    };
    const tiles = element("div", "tiles");
    tiles.append(canvas, former, marks, numbers, outline);
    column.append(headOf(layer), element("p", "formula"), tiles);
    return { canvas, former, numbers, marks, outline, grid, column };
  }

  #leave() {
    this.card.hide();
    this.on.looked(null);
  }

  /**
   * Enlarge one map, with the value under the pointer.
   * @param {number} index
   * @param {Pixel | null} pixel
   * @returns {boolean} whether there is one
   */
  #look(index, pixel) {
    const drawn = this.drawn.get(index);
    if (!pixel || !drawn || !this.#update || this.#update.pending) {
      this.#leave();
      return false;
    }
    this.#seen = pixel;
    this.on.looked({ index, ...pixel });
    if (this.quiet || this.#held) return true;
    const { canvas, grid } = drawn;
    const [x, y] = tileAt(grid, pixel.map);
    const tile = {
      x: x * grid.dot,
      y: y * grid.dot,
      width: grid.tileWidth * grid.dot,
      height: grid.tileHeight * grid.dot,
    };
    this.card.showMap(canvas, tile, () => {
      const { layers, values: all } = /** @type {Update} */ (this.#update);
      const network = Math.max(...all.map((each) => reachOf(each)));
      const layer = layers[index];
      const values = all[index];
      return {
        layer,
        pixel,
        values,
        reach: this.#reach(layer.shape, values, network)(pixel.map),
        theme: this.#room?.theme ?? "light",
      };
    });
    return true;
  }

  /** @param {number} index @param {Grid} grid @param {KeyboardEvent} event */
  #walk(index, grid, event) {
    const [channels, rows, columns] = mapsOf(this.layers[index].shape);
    const { map, row, column } = this.#seen ?? { map: 0, row: 0, column: 0 };
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.on.opened({ index, map, row, column });
      return;
    }
    const maps = mapsWalked(event.key, rows * columns === 1 ? grid.rows : 0);
    const pixels = ARROWS[event.key];
    if (!maps && !pixels) return;
    event.preventDefault();
    const [down, right] = maps || !pixels ? [0, 0] : pixels;
    this.#show(index, {
      map: within(map + maps, channels),
      row: within(row + down, rows),
      column: within(column + right, columns),
    });
  }

  /** For the keyboard: the card of one map, read out. @param {number} index @param {Pixel} pixel */
  #show(index, pixel) {
    this.#walking = true;
    this.#look(index, pixel);
    this.on.say(this.card.words);
  }

  // --- the answer ---

  /** @param {Layer} layer @returns {Answer} */
  #answerColumn(layer) {
    const column = element("div", "column answer");
    const loud = element("div", "verdict");
    const verdict = element("strong");
    const sure = element("span", "sure");
    const doubt = element("span", "doubt");
    const words = element("div");
    words.append(sure, doubt);
    loud.append(verdict, words);
    const list = element("ol", "probabilities");
    const rows = Array.from({ length: layer.shape[0] }, (_, digit) => {
      const row = element("li");
      const logit = element("span", "logit");
      const track = element("span", "bar");
      const bar = element("i");
      const share = element("span", "share");
      const was = element("span", "was");
      logit.dataset.term = "logit";
      track.append(bar, was);
      row.append(element("span", "digit", String(digit)), logit, track, share);
      row.onclick = (event) => {
        event.stopPropagation();
        this.on.opened(this.#output(digit));
      };
      row.onpointerenter = () => this.on.looked(this.#output(digit));
      row.onpointerleave = () => this.on.looked(null);
      list.append(row);
      return { row, logit, bar, was, share };
    });
    list.tabIndex = 0;
    list.setAttribute(
      "aria-label",
      "Probabilities. Arrow keys choose a digit, Enter shows where its number comes from.",
    );
    list.onkeydown = (event) => this.#choose(event);
    list.onblur = () => this.mark(-1);
    column.append(headOf(layer, "softmax"), element("p", "formula"), loud, list);
    return { column, verdict, sure, doubt, rows };
  }

  /** The place of a digit's output. @param {number} digit @returns {Place} */
  #output(digit) {
    return { index: this.layers.length - 1, map: digit, row: 0, column: 0 };
  }

  /** @param {KeyboardEvent} event */
  #choose(event) {
    const rows = this.#answer?.rows ?? [];
    const [step] = event.key === "ArrowDown" || event.key === "ArrowUp" ? (ARROWS[event.key] ?? [0]) : [0];
    if (step) this.mark(within(this.#marked + step, rows.length));
    else if (event.key === "Enter" && this.#marked >= 0) this.on.opened(this.#output(this.#marked));
    else return;
    event.preventDefault();
    if (!step) return;
    const { row, logit, share } = rows[this.#marked];
    this.on.say(
      [`${this.#marked}: ${logit.textContent}, ${share.textContent}`, ...(row.title ? [row.title] : [])].join(", "),
    );
  }

  /** Highlight one digit's row. @param {number} digit −1 for none */
  mark(digit) {
    this.#marked = digit;
    this.#answer?.rows.forEach(({ row }, at) => row.classList.toggle("marked", at === digit));
  }

  /** @param {Answer} answer @param {Update} update @param {Theme} theme */
  #showAnswer({ column, verdict, sure, doubt, rows }, update, theme) {
    const before = this.#former?.pass?.probabilities.length === rows.length ? this.#former.pass : null;
    const { trained, image } = update;
    const { probabilities, logits } = this.#held && before ? before : update;
    const best = bestOf(probabilities);
    const blank = !image.some((ink) => ink);
    verdict.textContent = blank ? "–" : String(best);
    const certainty = trained ? percent(probabilities[best]) : "untrained";
    sure.textContent = blank ? "nothing drawn yet" : certainty;
    doubt.textContent = this.#held ? "" : this.doubt(update);
    column.classList.toggle("unlike", doubt.textContent === UNLIKE);
    column.classList.toggle("blank", blank);
    const reach = reachOf(logits);
    rows.forEach(({ row, logit, bar, was, share }, digit) => {
      row.classList.toggle("best", digit === best && !blank);
      logit.textContent = oneDecimal(logits[digit]);
      logit.style.setProperty("--colour", cssColour(logits[digit], reach, theme));
      bar.style.transform = `scaleX(${probabilities[digit]})`;
      share.textContent = percent(probabilities[digit]);
      was.hidden = !before || blank || Math.abs(before.probabilities[digit] - probabilities[digit]) < NOTED;
      was.style.setProperty("--share", String(before?.probabilities[digit] ?? 0));
      row.title = was.hidden ? "" : `before ${percent(before?.probabilities[digit] ?? 0)}`;
    });
  }
}

/**
 * How many maps a key goes on. Where a map has one pixel, a step within it would lead nowhere: arrows go from map to
 * map.
 * @param {string} key @param {number} perColumn tiles one above the other; 0 for maps of several pixels
 */
function mapsWalked(key, perColumn) {
  if (key === "PageDown") return 1;
  if (key === "PageUp") return -1;
  const [down, right] = ARROWS[key] ?? [0, 0];
  return perColumn ? down + right * perColumn : 0;
}

/**
 * How many lines a layer's formula takes.
 * @param {Layer[]} layers
 * @param {number} index
 * @param {number} letters of a line
 */
const formulaLines = (layers, index, letters) =>
  formulaOf(layers, index, [], null).reduce((sum, line) => sum + linesOf(textOf(line), letters), 0);

/** A heading may reach over the joint behind it, which is empty up there. @param {Layer} layer @param {Text} text */
const headWidth = (layer, { letter }) =>
  letter * Math.max(layer.name.length, shapeText(layer.shape).length) - JOINT + 6;

/**
 * Why a layer cannot take its input, and what would help.
 * @param {NonNullable<Update["error"]>} error
 * @param {(net: string) => void} repaired
 */
function breakOf({ layer, text, remedy, repairs }, repaired) {
  const column = element("section", "break");
  column.setAttribute("aria-label", `${layer} does not fit`);
  column.append(element("strong", "", `${layer} does not fit`), element("p", "", `${text}; ${remedy}.`));
  for (const { label, net } of repairs) {
    const button = element("button", "", label);
    button.type = "button";
    button.onclick = (event) => {
      event.stopPropagation();
      repaired(net);
    };
    column.append(button);
  }
  return column;
}

/** @param {Float32Array} probabilities */
const bestOf = (probabilities) => probabilities.indexOf(Math.max(...probabilities));
