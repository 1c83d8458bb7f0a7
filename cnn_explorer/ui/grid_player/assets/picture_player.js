// A kernel on a picture, live: the pixel under the pointer with its window and its products; an edited kernel changes
// the picture at once.

import { openField, Outbox } from "./editing.js";
import { contextOf, element, outside, part, smallest } from "./element.js";
import { bytesOf, coloured, filtered, isSigned, productsOf, sizeOfResult } from "./filter.js";
import { Grid } from "./grid.js";
import { ARROWS, listen } from "./listening.js";
import { bracketed, full, short, term } from "./numbers.js";
import { Products } from "./products.js";

/** @import { Cell, Message, Picture, PictureScene } from "../types.d.ts" */
/**
 * @typedef {{figure: HTMLElement, canvas: HTMLCanvasElement, mark: HTMLElement, note: HTMLElement}} Shown a picture on
 *   screen
 */
/** @typedef {{grid: Grid, products: Products}} Tables the kernel, and its products with the window */

const NARROW = 700; // below, the kernel stands under both pictures
const MOST = 392; // CSS pixels of a picture: 14 for each of a digit's
const LEAST = 150;
const SETTLED = 400; // ms until a chosen pixel is in the address
const CELL = 34; // CSS pixels of a number of the kernel
const FOOT = 130; // CSS pixels of all that is below the pictures
const GAPS = 80; // CSS pixels between pictures and kernel
// Letters: a column of the products, by the longest number of the kernel; factors that are longer wrap.
const PRODUCT = [5.2, 6.5];
const LETTER = 0.475; // of its height

const MARKUP = `
<header><p class="about"></p></header>
<div class="pictures">
  <figure class="shown before"><figcaption><b>before</b> <span></span></figcaption><div><canvas></canvas><i
    class="mark"></i></div></figure>
  <div class="middle"></div>
  <figure class="shown after"><figcaption><b>after</b> <span></span></figcaption><div><canvas></canvas><i
    class="mark"></i></div></figure>
</div>
<div class="sum"><p></p></div>
<footer><p class="hint"></p></footer>
<div class="spoken" role="status" aria-live="polite"></div>`;

export class PicturePlayer {
  /** @type {(message: Message) => void} */
  send = () => {};

  /** @type {PictureScene | null} */
  #scene = null;

  /** @type {Picture} */
  #picture = { values: new Float64Array(0), rows: 0, columns: 0 };

  /** @type {number[][]} as it is here, maybe not yet on the server */
  #kernel = [];

  /** @type {Float64Array} */
  #values = new Float64Array(0);

  /** @type {Cell} rows and columns of the result */
  #size = [0, 0];

  /** @type {Cell} that the visitor has pressed */
  #chosen = [0, 0];

  /** @type {Cell | null} under the pointer */
  #pointed = null;

  #term = -1; // the number of a product, or −1
  #timer = 0;

  /** @type {Tables | null} */
  #tables = null;

  /** @param {HTMLElement} host */
  constructor(host) {
    this.host = host;
    host.innerHTML = MARKUP;
    this.about = part(host, ".about", HTMLElement);
    this.middle = part(host, ".middle", HTMLElement);
    this.sum = part(host, ".sum p", HTMLElement);
    this.hint = part(host, ".hint", HTMLElement);
    this.speech = part(host, ".spoken", HTMLElement);
    this.before = this.#shown(".before");
    this.after = this.#shown(".after");
    this.outbox = new Outbox((message) => this.send(message));
    listen(this.middle, {
      touched: () => {},
      look: ({ grid, row, column }) => {
        this.#term = row * grid.columns + column;
        this.#look();
      },
      announce: () => this.#announce(),
      edit: ({ row, column }, typed) => this.#edit(row, column, typed),
    });
    this.middle.addEventListener("pointerleave", () => {
      this.#term = -1;
      this.#look();
    });
    this.observer = new ResizeObserver(() => this.#layout());
    this.observer.observe(host);
    this.onresize = () => this.#layout();
    window.addEventListener("resize", this.onresize);
    this.onleave = () => this.#settle();
    window.addEventListener("cnn-explorer-leave", this.onleave); // from the top bar
  }

  close() {
    clearTimeout(this.#timer);
    window.removeEventListener("cnn-explorer-leave", this.onleave);
    this.outbox.close();
    this.observer.disconnect();
    window.removeEventListener("resize", this.onresize);
  }

  /** @param {PictureScene} scene */
  update(scene) {
    this.outbox.acknowledge(scene.ack);
    if (this.#scene?.pixels !== scene.pixels) {
      const [rows, columns] = scene.size;
      this.#picture = { rows, columns, values: Float64Array.from(bytesOf(scene.pixels), (grey) => grey / 255) };
    }
    this.#scene = scene;
    if (!this.outbox.busy) {
      // An answer to an older edit would undo a newer one for a moment.
      this.#kernel = scene.kernel;
      if (!this.#timer) this.#chosen = scene.pixel;
    }
    this.about.textContent = scene.about;
    this.#tell("");
    this.#compute();
    this.host.dataset.ack = String(scene.ack);
    this.host.dataset.scene = scene.name;
  }

  /** @param {string} selector @returns {Shown} */
  #shown(selector) {
    const figure = part(this.host, selector, HTMLElement);
    const canvas = part(figure, "canvas", HTMLCanvasElement);
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-roledescription", "picture");
    canvas.onpointermove = canvas.onpointerdown = (event) => {
      if (event.pointerType !== "touch" || event.buttons) this.#point(canvas, event);
    };
    canvas.onpointerup = () => {
      if (this.#pointed) this.#choose(this.#pointed);
      this.#announce();
    };
    canvas.onpointerleave = canvas.onpointercancel = () => {
      this.#pointed = null;
      this.#look();
    };
    canvas.onkeydown = (event) => this.#walk(event);
    canvas.onfocus = () => {
      if (canvas.matches(":focus-visible")) this.#announce();
    };
    return {
      figure,
      canvas,
      mark: part(figure, ".mark", HTMLElement),
      note: part(figure, "figcaption span", HTMLElement),
    };
  }

  // --- computing and painting ---

  /** Everything that follows from picture and kernel. */
  #compute() {
    const { rows, columns, values } = this.#picture;
    this.#values = filtered(this.#picture, this.#kernel);
    this.#size = sizeOfResult(this.#picture, this.#kernel);
    this.#chosen = this.#inside(this.#chosen);
    paint(this.before.canvas, [rows, columns], coloured(values, false));
    const signed = Boolean(this.#scene?.signed) || isSigned(this.#kernel);
    paint(this.after.canvas, this.#size, coloured(this.#values, signed));
    const low = this.#values.reduce((least, value) => Math.min(least, value), Infinity);
    const high = this.#values.reduce((most, value) => Math.max(most, value), -Infinity);
    const colours = signed
      ? `from ${short(low)} (blue) over 0 to ${short(high)} (orange)`
      : `from ${short(low)} to ${short(high)}, 0 black, 1 white`;
    this.before.note.textContent = `${rows}×${columns} pixels, 0 black, 1 white`;
    this.after.note.textContent = colours;
    for (const [shown, which] of /** @type {[Shown, string][]} */ ([
      [this.before, "before"],
      [this.after, "after"],
    ])) {
      shown.canvas.setAttribute(
        "aria-label",
        `The picture ${which} the kernel, ${shown.note.textContent}. Arrow keys choose a pixel.`,
      );
    }
    this.#showKernel();
    this.#layout();
    this.#look();
  }

  #showKernel() {
    const kernel = this.#kernel;
    if (this.#tables?.grid.rows === kernel.length) {
      this.#tables.grid.update(kernel);
      return;
    }
    const grid = new Grid({ part: "weight", index: [0, 0], title: "kernel", values: kernel, editable: true });
    this.#tables = { grid, products: new Products("window · kernel", kernel) };
    this.middle.replaceChildren(grid.element, this.#tables.products.element);
  }

  /** The pixel that is looked at. */
  get #pixel() {
    return this.#inside(this.#pointed ?? this.#chosen);
  }

  /** @param {Cell} cell @returns {Cell} the nearest one of the result */
  #inside([row, column]) {
    const [rows, columns] = this.#size;
    return [Math.max(0, Math.min(row, rows - 1)), Math.max(0, Math.min(column, columns - 1))];
  }

  /** Show the pixel that is looked at: its window, its products and their sum. */
  #look() {
    if (!this.#tables) return;
    const pixel = this.#pixel;
    const [row, column] = pixel;
    const side = this.#kernel.length;
    const { rows, columns } = this.#picture;
    const products = productsOf(this.#picture, this.#kernel, pixel);
    frame(this.before.mark, [row - Math.floor(side / 2), column - Math.floor(side / 2)], side, [rows, columns]);
    frame(this.after.mark, pixel, 1, this.#size);
    const { grid, products: table } = this.#tables;
    table.update(products);
    table.mark(this.#term);
    grid.mark("term", this.#term < 0 ? [] : [[Math.floor(this.#term / side), this.#term % side]]);
    const check = this.#check(products, pixel);
    this.sum.replaceChildren(this.#words(products, pixel), ...(check ? [" ", check] : []));
    this.host.dataset.pixel = pixel.join(".");
  }

  /** @param {ReturnType<typeof productsOf>} products @param {Cell} pixel */
  #words(products, [row, column]) {
    const terms = products.map(({ value, weight }) => `${term(value)}·${term(weight)}`).join(" + ");
    return `row ${row}, column ${column}: ${terms} = ${full(totalOf(products))}`;
  }

  /**
   * PyTorch's value beside the sum; null while the server has yet to see the kernel.
   * @param {ReturnType<typeof productsOf>} products
   * @param {Cell} pixel
   */
  #check(products, [row, column]) {
    const scene = this.#scene;
    if (!scene || JSON.stringify(scene.kernel) !== JSON.stringify(this.#kernel)) return null;
    const theirs = new Float32Array(bytesOf(scene.result).buffer)[row * this.#size[1] + column];
    const size = products.reduce((sum, { product }) => sum + Math.abs(product), 0);
    const agrees = Math.abs(theirs - totalOf(products)) <= 1e-6 * size;
    const number = full(Number(theirs.toPrecision(7))); // as many digits as float32 has
    return element("span", agrees ? "agrees" : "differs", agrees ? `✓ PyTorch: ${number}` : `PyTorch: ${number}`);
  }

  // --- pointer and keys ---

  /** @param {HTMLCanvasElement} canvas @param {PointerEvent} event */
  #point(canvas, event) {
    const box = canvas.getBoundingClientRect();
    const row = Math.floor(((event.clientY - box.top) / box.height) * canvas.height);
    const column = Math.floor(((event.clientX - box.left) / box.width) * canvas.width);
    const pixel = this.#inside([row, column]);
    if (String(pixel) === String(this.#pointed)) return;
    this.#pointed = pixel;
    this.#look();
  }

  /** @param {Cell} pixel */
  #choose(pixel) {
    if (String(pixel) === String(this.#chosen)) return;
    this.#chosen = pixel;
    this.#look();
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.#settle(), SETTLED);
  }

  /** Send the chosen pixel, if that is still to be done. */
  #settle() {
    if (!this.#timer) return;
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.outbox.push({ part: "pixel", index: this.#chosen, value: 0 });
  }

  /** @param {KeyboardEvent} event */
  #walk(event) {
    const step = ARROWS[event.key];
    if (!step) return;
    event.preventDefault();
    this.#pointed = null;
    this.#choose(this.#inside([this.#chosen[0] + step[0], this.#chosen[1] + step[1]]));
    this.#announce();
  }

  #announce() {
    const sentence = this.#words(productsOf(this.#picture, this.#kernel, this.#pixel), this.#pixel);
    if (this.speech.textContent !== sentence) this.speech.textContent = sentence;
  }

  /** @param {number} row @param {number} column of the kernel @param {string} typed */
  #edit(row, column, typed) {
    if (!this.#tables) return;
    const { grid } = this.#tables;
    openField(grid, row, column, typed, {
      commit: (value) => {
        this.#kernel = this.#kernel.map((line, y) => line.map((old, x) => (y === row && x === column ? value : old)));
        this.outbox.push({ part: "weight", index: [0, 0, row, column], value });
        this.#tell("");
        this.#compute();
      },
      complain: (sentence) => {
        this.#tell(sentence);
        this.speech.textContent = sentence;
      },
      leave: (down, across) => grid.focus(down, across),
    });
  }

  /** @param {string} sentence "" for what is usual */
  #tell(sentence) {
    const touch = matchMedia("(pointer: coarse)").matches;
    const usual = touch
      ? "Tap or drag on a picture to look at a pixel; tap a number of the kernel twice to change it."
      : "Point at a pixel, press to keep it. Click a number of the kernel to change it: the picture follows.";
    this.hint.textContent = sentence || usual;
  }

  // --- layout ---

  #layout() {
    const width = this.host.clientWidth;
    const { rows, columns } = this.#picture;
    if (!width || !rows) return;
    const narrow = width < NARROW;
    this.host.classList.toggle("narrow", narrow);
    this.host.style.setProperty("--cell", `${CELL}px`);
    const letters = "0.123·".length + Math.max(...this.#kernel.flat().map((weight) => bracketed(weight).length));
    // A width of its own, so that the picture beside it stays where it is while the pointer is on it.
    const middle = Math.round(
      this.#kernel.length * smallest() * Math.min(PRODUCT[1], Math.max(PRODUCT[0], LETTER * letters)),
    );
    this.middle.style.width = narrow ? "" : `${middle}px`;
    const above =
      part(this.host, ".pictures", HTMLElement).getBoundingClientRect().top +
      (outside(this.host, "[data-testid=stMain]")?.scrollTop ?? 0);
    const room = narrow ? (width - 12) / 2 : Math.min((width - middle - GAPS) / 2, window.innerHeight - above - FOOT);
    const largest = Math.max(rows, columns);
    const side = Math.min(MOST, Math.max(LEAST, room));
    // Whole pixels where they can be told apart.
    const dot = side >= 2 * largest ? Math.floor(side / largest) : side / largest;
    for (const { canvas } of [this.before, this.after]) {
      canvas.style.width = `${dot * canvas.width}px`;
      canvas.style.height = `${dot * canvas.height}px`;
    }
  }
}

/** @param {{product: number}[]} products */
const totalOf = (products) => products.reduce((sum, { product }) => sum + product, 0);

/** @param {HTMLCanvasElement} canvas @param {Cell} size @param {Uint8ClampedArray<ArrayBuffer>} dots */
function paint(canvas, [rows, columns], dots) {
  canvas.width = columns;
  canvas.height = rows;
  contextOf(canvas).putImageData(new ImageData(dots, columns, rows), 0, 0);
}

/**
 * Lay a frame around side × side pixels of a picture.
 * @param {HTMLElement} mark
 * @param {Cell} corner
 * @param {number} side
 * @param {Cell} size of the picture
 */
function frame(mark, [row, column], side, [rows, columns]) {
  const places = { left: column / columns, top: row / rows, width: side / columns, height: side / rows };
  for (const [name, share] of Object.entries(places)) mark.style.setProperty(name, `${100 * share}%`);
}
