// The whole: keeps the output value that is looked at, and lets pointer, keys and transport move it.

import { openField, Outbox } from "./editing.js";
import { placeOf } from "./grid.js";
import { arrange, arrangeNarrow } from "./layout.js";
import { listen } from "./listening.js";
import { mark, showAxes } from "./marks.js";
import { full } from "./numbers.js";
import { centredOn, playOrder, structureOf, windowCells } from "./scene.js";
import { Stage } from "./stage.js";
import { spoken, sumLines } from "./sums.js";
import { Transport } from "./transport.js";

const NARROW = 700; // below, everything stacks
const FOOT = 78; // CSS pixels of the transport and what lies between
const LINE = 21; // of the sum
const BESIDE = 350; // of the sum, where it stands beside the grids

const MARKUP = `
<header><div class="shapes"></div><p class="about"></p><div class="axes" role="group" aria-label="Axes of the kernel tensor" hidden></div></header>
<div class="body"><div class="place"></div><div class="sum"></div></div>
<footer><div class="transport" role="group" aria-label="Animation"></div><p class="hint"></p></footer>
<div class="spoken" role="status" aria-live="polite"></div>`;

export class Player {
  /** @param {HTMLElement} host */
  constructor(host) {
    this.host = host;
    host.innerHTML = MARKUP;
    const find = (selector) => host.querySelector(selector);
    [this.place, this.sum, this.hint, this.speech, this.shapes, this.about, this.axes] =
      [".place", ".sum", ".hint", ".spoken", ".shapes", ".about", ".axes"].map(find);
    this.send = () => {};
    this.outbox = new Outbox((message) => this.send(message));
    this.transport = new Transport(find(".transport"), { step: () => this.#step(), reset: () => this.#reset() });
    this.calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    listen(this.place, {
      touched: () => this.transport.pause(),
      look: (found) => this.#look(found),
      announce: () => this.#announce(),
      edit: (found, typed) => this.#edit(found, typed),
    });
    this.observer = new ResizeObserver(() => this.#layout());
    this.observer.observe(host);
    const page = host.getRootNode().host?.closest("[data-testid=stMainBlockContainer]");
    if (page) this.observer.observe(page); // what stands above may grow later
    this.onresize = () => this.#layout();
    window.addEventListener("resize", this.onresize);
  }

  close() {
    this.transport.pause();
    this.observer.disconnect();
    window.removeEventListener("resize", this.onresize);
  }

  /** @param {import("./scene.js").Scene} scene */
  update(scene) {
    const opening = this.scene?.name !== scene.name;
    const structure = structureOf(scene);
    this.outbox.acknowledge(scene.ack);
    this.scene = scene;
    if (structure !== this.structure) this.#build(structure);
    else if (!this.outbox.busy) this.stage.update(scene); // an answer to an older edit would undo a newer one for a moment
    this.shapes.replaceChildren(...(scene.lines.length ? [scene.lead, ...scene.lines] : [])
      .map((text) => Object.assign(document.createElement("p"), { textContent: text })));
    this.about.textContent = scene.about;
    this.order = playOrder(scene.outputs);
    if (opening) this.#open();
    else this.select(this.#nearest(this.selected));
    this.host.dataset.ack = String(scene.ack);
    this.host.dataset.scene = scene.name;
    this.#layout();
  }

  #build(structure) {
    const focused = placeOf(this.host.getRootNode().activeElement);
    this.transport.pause();
    this.structure = structure;
    this.stage = new Stage(this.scene);
    this.place.replaceChildren(this.stage.element);
    this.axes.hidden = !this.scene.axes.length;
    const count = this.scene.axes.length; // built up from the last axis to the first
    this.axes.replaceChildren("weight: ", ...this.scene.axes.map((label, at) => {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: label });
      button.onclick = () => { this.transport.pause(); this.#showAxes(count - at); };
      return button;
    }));
    this.axis = undefined;
    this.#showAxes(this.scene.axes.length);
    if (focused) {
      const again = this.stage.grids.find(({ part, index }) => part === focused.grid.part && String(index) === String(focused.grid.index));
      again?.focus(Math.min(focused.row, again.rows - 1), Math.min(focused.column, again.columns - 1));
    }
  }

  /** A scene that was not on screen before: start at its first value, by itself unless less motion is wished. */
  #open() {
    this.progress = null;
    this.select(this.order[0] ?? null);
    this.#say("");
    if (this.calm || !this.order.length) return;
    this.#reset();
    this.transport.play();
  }

  #nearest(place) {
    const { outputs } = this.scene;
    if (!outputs.length) return null;
    const map = Math.min(place?.map ?? 0, outputs.length - 1);
    const { values } = outputs[map];
    return { map, row: Math.min(place?.row ?? 0, values.length - 1), column: Math.min(place?.column ?? 0, values[0].length - 1) };
  }

  // --- looking at one value ---

  /** @param {import("./scene.js").Place | null} place @param {{cell?: import("./scene.js").Cell, term?: number}} also an input cell that the pointer is on */
  select(place, { cell, term = -1 } = {}) {
    this.selected = place;
    const { scene, stage } = this;
    if (!place) {
      for (const grid of stage.grids) for (const name of ["window", "current", "peer", "reached", "done", "winner", "term"]) grid.mark(name, []);
      this.sum.replaceChildren();
      return;
    }
    mark(stage, scene, { place, cell, term, done: this.progress === null ? [] : this.order.slice(0, this.progress + 1) });
    stage.outputs[place.map].stopAt(place.row, place.column);
    this.#showSum(sumLines(scene, place));
  }

  #showSum(lines) {
    while (this.sum.children.length > lines.length) this.sum.lastChild.remove();
    while (this.sum.children.length < lines.length) this.sum.append(document.createElement("p"));
    lines.forEach((line, at) => { this.sum.children[at].textContent = line; });
    const { scene, selected } = this;
    if (scene.outputs[selected.map].rule !== "conv") return;
    const check = document.createElement("span");
    check.className = scene.agrees ? "agrees" : "differs";
    const value = full(scene.outputs[selected.map].values[selected.row][selected.column]);
    check.textContent = scene.agrees ? `✓ PyTorch: ${value}` : `PyTorch: ${value}`;
    this.sum.lastChild.append(" ", check);
  }

  #say(sentence) {
    if (this.speech.textContent !== sentence) this.speech.textContent = sentence;
  }

  #announce() {
    if (this.selected) this.#say(spoken(this.scene, this.selected));
  }

  #tell(sentence) {
    this.hint.textContent = sentence || this.usual;
  }

  // --- the animation: first the axes of the kernel tensor, then value by value ---

  #step() {
    const { axes } = this.scene;
    if (this.axis < axes.length) {
      this.#showAxes(this.axis + 1);
      return true;
    }
    if (!this.order.length) return false;
    const last = this.order.length - 1;
    this.progress = this.progress === null || this.progress >= last ? 0 : this.progress + 1;
    this.select(this.order[this.progress]);
    if (!this.transport.playing) this.#announce();
    return this.progress < last;
  }

  #reset() {
    if (!this.order.length) return;
    this.#showAxes(Math.min(1, this.scene.axes.length));
    this.progress = -1;
    this.select(this.order[0]);
  }

  /** How much of the kernel tensor is shown: 1 a row, 2 a kernel, 3 all input channels, 4 all output channels. */
  #showAxes(count) {
    if (this.axis === count) return;
    this.axis = count;
    const { length } = this.axes.children;
    [...this.axes.children].forEach((button, at) => button.setAttribute("aria-pressed", String(length - at <= count)));
    showAxes(this.stage, this.scene.axes.length, count);
  }

  // --- looking and changing ---

  #look(place) {
    const { grid, row, column } = place;
    const { scene } = this;
    this.progress = null;
    this.#showAxes(scene.axes.length);
    this.#tell("");
    if (!scene.outputs.length) return;
    const now = this.#nearest(this.selected);
    if (grid.part === "output") this.select({ map: grid.index[0], row, column });
    else if (grid.part === "partial") this.select({ map: 0, row, column });
    else if (grid.part === "weight") this.select({ ...now, map: grid.index[0] }, { term: row * grid.columns + column });
    else if (grid.part === "bias") this.select({ ...now, map: grid.index[0] });
    else this.#lookAtInput(grid.index[0], row, column);
  }

  /** From a cell of the input to the outputs it reaches; shown is the one whose window has the cell closest to its middle. */
  #lookAtInput(channel, row, column) {
    const { outputs, seen, windows } = this.scene;
    const fits = (map) => (outputs[map].rule === "conv" ? seen[map].includes(channel) : outputs[map].input === channel);
    const map = fits(this.selected?.map ?? 0) ? (this.selected?.map ?? 0) : outputs.findIndex((_, at) => fits(at));
    const centre = centredOn(windows[outputs[map].windows], row, column);
    if (!centre) {
      this.#tell("No window reaches this number: it is left over.");
      return;
    }
    const place = { map, row: centre[0], column: centre[1] };
    const term = outputs[map].rule === "conv"
      ? windowCells(windows[outputs[map].windows], ...centre).findIndex(([y, x]) => y === row && x === column) : -1;
    this.select(place, { cell: [row, column], term });
  }

  #edit({ grid, row, column }, typed) {
    if (!grid.editable) return;
    this.transport.pause();
    openField(grid, row, column, typed, {
      commit: (value) => {
        const values = grid.values.map((line, y) => line.map((old, x) => (y === row && x === column ? value : old)));
        grid.update(values);
        this.outbox.push({ part: grid.part, place: grid.part === "bias" ? grid.index : [...grid.index, row, column], value });
        this.#tell("");
      },
      complain: (sentence) => { this.#tell(sentence); this.#say(sentence); },
      leave: (down, across) => grid.focus(down, across),
    });
  }

  // --- room ---

  #layout() {
    const width = this.host.clientWidth;
    if (!width || !this.scene) return;
    const narrow = width < NARROW;
    const touch = matchMedia("(pointer: coarse)").matches;
    const what = this.scene.kernels.length ? "input, the kernel or the bias" : "input";
    this.usual = touch ? "Tap or drag to look; tap a number twice to change it." : `Point at any cell. Click a number of the ${what} to change it.`;
    if (!this.hint.textContent) this.#tell("");
    this.host.classList.toggle("narrow", narrow);
    const head = this.host.querySelector("header").offsetHeight;
    const lines = this.scene.layout === "pool" ? 2 : Math.max(2, this.scene.inputs.length + 1);
    const room = { width, height: window.innerHeight - this.#above() - head - FOOT, beside: BESIDE, below: lines * LINE };
    const { side, aside, products } = narrow ? arrangeNarrow(this.scene) : arrange(this.scene, room);
    this.host.classList.toggle("beside", aside);
    this.host.classList.toggle("tight", !products);
    this.host.style.setProperty("--side", String(this.scene.kernels[0]?.[0].length ?? 0));
    this.host.style.setProperty("--cell", `${side}px`);
    for (const box of this.place.querySelectorAll(".scroll")) box.classList.toggle("wide", box.scrollWidth > box.clientWidth);
  }

  /** CSS pixels of the page above the player, wherever the page is scrolled to. */
  #above() {
    const scroller = this.host.getRootNode().host?.closest("[data-testid=stMain]");
    return this.host.getBoundingClientRect().top + (scroller?.scrollTop ?? 0);
  }
}
