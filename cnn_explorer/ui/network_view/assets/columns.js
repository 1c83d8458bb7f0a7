// A column a layer: its name and shape, its maps as tiles, the formula on the joint before it; then the ten probabilities.

import { columnsLayout, mapsOf, pixelAt, stackedLayout, tileAt } from "./geometry.js";
import { ARROWS, within } from "./keys.js";
import { element } from "./element.js";
import { cssColour, paintLayer, reachOf } from "./painting.js";

const JOINT = 28; // width of a joint with its margins, CSS pixels
const MARGIN = 4; // of these, at each side
const ANSWER = 176; // width of the probabilities, on a laptop and on a wide screen
const WIDE_ANSWER = 290, WIDE = 1250;
const BREAK = 212; // width of the note where the geometry breaks
const HEAD = 34; // name and shape above the tiles
const LETTER = 6.8; // width of a heading's letters, about

/** @typedef {import("./protocol.js").Update} Update @typedef {import("./explain.js").Place} Place */

export class Columns {
  /**
   * @param {HTMLElement} element @param {import("./card.js").Card} card
   * @param {{say: (sentence: string) => void, looked: (place: Place | null) => void, opened: (place: Place) => void,
   *   kernels: (index: number) => void}} on `say` to a screen reader, `looked` at a value or at none, `opened` a value's
   *   map, `kernels` of a layer asked for
   */
  constructor(element, card, on) {
    this.element = element;
    this.card = card;
    this.on = on;
    for (const [name, width] of Object.entries({ joint: JOINT - 2 * MARGIN, margin: MARGIN, head: HEAD, break: BREAK })) {
      element.style.setProperty(`--${name}`, `${width}px`);
    }
    this.scale = "layer";
    this.built = "";
    element.onscroll = () => this.#hint();
  }

  /** A shadow where more can be scrolled to. */
  #hint() {
    const { scrollLeft, scrollWidth, clientWidth } = this.element;
    this.element.classList.toggle("more", scrollLeft + clientWidth < scrollWidth - 12);
  }

  /**
   * @param {Update} update @param {{narrow: boolean, width: number, height: number, theme: "light" | "dark"}} room
   * @returns {boolean} whether the columns were made anew
   */
  show(update, room) {
    const { layers } = update;
    this.update = update;
    this.room = room;
    const drawn = this.#drawn();
    const signature = [update.net, update.pending, room.narrow, room.width, room.height].join(" ");
    const rebuilt = signature !== this.built;
    if (rebuilt) {
      this.#build(drawn);
      this.built = signature;
    }
    if (update.pending) return rebuilt;
    const network = Math.max(0, ...update.values.map((values) => reachOf(values)));
    for (const index of drawn) {
      const { shape } = layers[index];
      const values = update.values[index];
      paintLayer(this.canvases[index], this.grids[index], shape, values, this.#reach(shape, values, network), room.theme);
    }
    this.#showAnswer(update, room.theme);
    this.card.refresh();
    if (rebuilt) this.#hint();
    return rebuilt;
  }

  /** Give the focus back to what an opened map was opened from: the walk goes on there. @param {HTMLElement | null} element */
  refocus(element) {
    this.returning = true;
    element?.focus?.({ preventScroll: true });
    this.returning = false;
  }

  /** The element of a layer's column. */
  columnOf(index) {
    return (this.canvases[index] ?? this.loud).closest(".column");
  }

  /** The answer as short as can be, or "". @param {Update} update */
  verdict({ classes, probabilities, trained, image }) {
    if (!classes || !image.some((ink) => ink)) return "";
    const best = bestOf(probabilities);
    return trained ? `${best} ${percent(probabilities[best])}` : `${best}?`;
  }

  /** What a screen reader says once the pen has been lifted. @param {Update} update */
  answer(update) {
    if (update.error) return update.error.text;
    const verdict = this.verdict(update);
    if (!verdict) return "";
    return update.trained ? `Answer: ${verdict}` : `Untrained network, it would say ${verdict}`;
  }

  /** The magnitude with full colour, by map. */
  #reach(shape, values, network) {
    const [, rows, columns] = mapsOf(shape);
    if (this.scale === "network") return () => network;
    if (this.scale === "layer" || shape.length === 1) {
      const layer = reachOf(values);
      return () => layer;
    }
    return (map) => reachOf(values, map * rows * columns, (map + 1) * rows * columns);
  }

  /** Indices of the layers with a column of their own: all but the last one's logits, which stand beside the probabilities. */
  #drawn() {
    const { layers, classes } = this.update;
    return layers.map((_, index) => index).slice(0, classes ? -1 : undefined);
  }

  #build(drawn) {
    const { layers, error, classes } = this.update;
    const { narrow, width, height } = this.room;
    const shapes = drawn.map((index) => layers[index].shape);
    const answer = width < WIDE ? ANSWER : WIDE_ANSWER;
    this.element.style.setProperty("--answer", `${answer}px`);
    const joints = drawn.length + (classes || error ? 1 : 0);
    const tail = (classes ? answer : 0) + (error ? BREAK + 8 : 0);
    const grids = narrow
      ? shapes.map((shape) => stackedLayout(shape, width, Math.max(...shapes.map((each) => Math.max(...mapsOf(each).slice(1))))))
      : columnsLayout(shapes, drawn.map((index) => headWidth(layers[index])), width - joints * JOINT - tail - 12, height - HEAD);
    this.card.hide();
    this.element.replaceChildren();
    this.canvases = {};
    this.outlines = {};
    this.grids = {};
    drawn.forEach((index, place) => {
      this.grids[index] = grids[place];
      this.element.append(this.#joint(index), this.#column(index));
    });
    if (error) this.element.append(breakOf(error));
    if (classes) this.element.append(this.#joint(layers.length - 1), this.#answerColumn(layers[layers.length - 1]));
  }

  #joint(index) {
    const layer = this.update.layers[index];
    const joint = element("button", "joint");
    joint.type = "button";
    const formula = element("span", "formula", layer.formula.replaceAll("\n", "  →  "));
    joint.append(formula, element("span", "arrow"));
    joint.setAttribute("aria-label", `${layer.name}: ${layer.formula}`);
    joint.onpointerenter = () => this.card.showLayer(joint, layer);
    joint.onfocus = () => { if (!this.returning) this.card.showLayer(joint, layer); };
    joint.onclick = (event) => {
      event.stopPropagation();
      if (layer.kind === "Conv2d") this.on.kernels(index);
      else this.card.showLayer(joint, layer);
    };
    joint.onpointerleave = joint.onblur = () => this.card.hide();
    return joint;
  }

  #column(index) {
    const layer = this.update.layers[index];
    const grid = this.grids[index];
    const column = element("div", "column");
    column.style.minWidth = `${grid.width}px`;
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.tabIndex = 0;
    const [channels, rows, columns] = mapsOf(layer.shape);
    canvas.setAttribute(
      "aria-label",
      layer.shape.length === 3
        ? `${layer.name}: ${channels} feature maps of ${rows}×${columns}. Arrow keys walk through the pixels, Page Up and Down through the maps, Enter opens.`
        : `${layer.name}: ${channels} features. Arrow keys walk through them, Enter opens.`,
    );
    canvas.dataset.layer = layer.name;
    const look = (event) => {
      this.walking = false;
      const box = canvas.getBoundingClientRect();
      return this.#look(index, pixelAt(grid, channels, event.clientX - box.left, event.clientY - box.top));
    };
    canvas.onpointermove = look;
    canvas.onpointerdown = look;
    canvas.onclick = (event) => { if (look(event)) { event.stopPropagation(); this.on.opened({ index, ...this.seen }); } };
    canvas.onpointerleave = (event) => { if (event.pointerType !== "touch") this.#leave(); };
    canvas.onblur = () => { if (this.walking) this.#leave(); };
    canvas.onkeydown = (event) => this.#walk(index, event);
    canvas.onfocus = () => {
      if (this.returning && !this.walking) return; // it was opened with the pointer, which is elsewhere by now
      if (canvas.matches(":focus-visible")) this.#show(index, this.returning ? this.seen : { map: 0, row: 0, column: 0 });
    };
    this.canvases[index] = canvas;
    this.outlines[index] = element("canvas", "outline");
    const tiles = element("div", "tiles");
    tiles.append(canvas, this.outlines[index]);
    column.append(headOf(layer), tiles);
    return column;
  }

  #leave() {
    this.card.hide();
    this.on.looked(null);
  }

  /** Enlarge one map, with the value under the pointer. @returns {boolean} whether there is one */
  #look(index, pixel) {
    if (!pixel || this.update.pending) {
      this.#leave();
      return false;
    }
    this.seen = pixel;
    this.on.looked({ index, ...pixel });
    if (this.quiet) return true;
    const grid = this.grids[index];
    const [x, y] = tileAt(grid, pixel.map);
    const tile = { x: x * grid.dot, y: y * grid.dot, width: grid.tileWidth * grid.dot, height: grid.tileHeight * grid.dot };
    this.card.showMap(this.canvases[index], tile, () => {
      const layer = this.update.layers[index];
      const values = this.update.values[index];
      const network = Math.max(...this.update.values.map((each) => reachOf(each)));
      return { layer, pixel, values, reach: this.#reach(layer.shape, values, network)(pixel.map), theme: this.room.theme };
    });
    return true;
  }

  #walk(index, event) {
    const [channels, rows, columns] = mapsOf(this.update.layers[index].shape);
    const { map, row, column } = this.seen ?? { map: 0, row: 0, column: 0 };
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.on.opened({ index, map, row, column });
      return;
    }
    const grid = this.grids[index];
    const feature = rows * columns === 1; // a step within its only pixel would lead nowhere
    const maps = { PageDown: 1, PageUp: -1, ...(feature && { ArrowDown: 1, ArrowUp: -1, ArrowRight: grid.rows, ArrowLeft: -grid.rows }) }[event.key];
    const pixels = ARROWS[event.key];
    if (!maps && !pixels) return;
    event.preventDefault();
    const [down, right] = maps ? [0, 0] : pixels;
    this.#show(index, { map: within(map + (maps ?? 0), channels), row: within(row + down, rows), column: within(column + right, columns) });
  }

  /** For the keyboard: the card of one map, read out. */
  #show(index, pixel) {
    this.walking = true;
    this.#look(index, pixel);
    this.on.say(this.card.words);
  }

  // --- the answer ---

  #answerColumn(layer) {
    const column = element("div", "column answer");
    column.append(headOf(layer, "softmax"));
    this.loud = element("div", "verdict");
    this.loud.append(element("strong"), element("span"));
    const list = element("ol", "probabilities");
    this.bars = Array.from({ length: layer.shape[0] }, (_, digit) => {
      const row = element("li");
      row.append(element("span", "digit", String(digit)), element("span", "logit"), element("span", "bar"), element("span", "share"));
      row.children[2].append(element("i"));
      row.onclick = (event) => { event.stopPropagation(); this.on.opened(this.#output(digit)); };
      row.onpointerenter = () => this.on.looked(this.#output(digit));
      row.onpointerleave = () => this.on.looked(null);
      list.append(row);
      return row;
    });
    list.tabIndex = 0;
    list.setAttribute("aria-label", "Probabilities. Arrow keys choose a digit, Enter shows where its number comes from.");
    list.onkeydown = (event) => this.#choose(event);
    list.onblur = () => this.mark(-1);
    column.append(this.loud, list);
    return column;
  }

  /** The place of a digit's output. @returns {Place} */
  #output(digit) {
    return { index: this.update.layers.length - 1, map: digit, row: 0, column: 0 };
  }

  #choose(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.mark(within((this.marked ?? -1) + step, this.bars.length));
    else if (event.key === "Enter" && this.marked >= 0) this.on.opened(this.#output(this.marked));
    else return;
    event.preventDefault();
    if (step) this.on.say(`${this.marked}: ${this.bars[this.marked].children[1].textContent}, ${this.bars[this.marked].children[3].textContent}`);
  }

  /** Highlight one digit's row. @param {number} digit −1 for none */
  mark(digit) {
    this.marked = digit;
    this.bars?.forEach((row, at) => row.classList.toggle("marked", at === digit));
  }

  #showAnswer({ classes, probabilities, logits, trained, image }, theme) {
    if (!classes) return;
    const best = bestOf(probabilities);
    const blank = !image.some((ink) => ink);
    const [answer, sure] = this.loud.children;
    answer.textContent = blank ? "–" : String(best);
    sure.textContent = blank ? "nothing drawn yet" : trained ? `${percent(probabilities[best])}` : "untrained";
    this.loud.parentElement.classList.toggle("blank", blank);
    const reach = reachOf(logits);
    this.bars.forEach((row, digit) => {
      row.classList.toggle("best", digit === best && !blank);
      const [, logit, bar, share] = row.children;
      logit.textContent = oneDecimal(logits[digit]);
      logit.style.setProperty("--colour", cssColour(logits[digit], reach, theme));
      bar.firstChild.style.transform = `scaleX(${probabilities[digit]})`;
      share.textContent = percent(probabilities[digit]);
    });
  }
}

/** A heading may reach over the joint behind it, which is empty up there. */
const headWidth = (layer) => LETTER * Math.max(layer.name.length, layer.shape.join("×").length) - JOINT + 6;

function headOf(layer, also) {
  const head = element("h3");
  head.append(element("span", "name", also ? `${layer.name} → ${also}` : layer.name), element("span", "shape", layer.shape.join("×")));
  return head;
}

function breakOf(error) {
  const column = element("div", "break");
  column.append(element("strong", "", `${error.layer} does not fit`), element("p", "", error.text));
  return column;
}

/** @param {Float32Array} probabilities */
const bestOf = (probabilities) => probabilities.indexOf(Math.max(...probabilities));

const oneDecimal = (number) => (Math.round(10 * number) / 10 || 0).toFixed(Math.abs(number) < 99.9 ? 1 : 0).replace("-", "−");

const percent = (share) => `${(100 * share).toFixed(1)} %`;
