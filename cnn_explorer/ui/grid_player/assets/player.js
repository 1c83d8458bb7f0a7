// The grid player: keeps the selected output value, which pointer, keys and transport change.

import { openField, Outbox } from "./editing.js";
import { element, outside, part, rootOf, smallest } from "./element.js";
import { cellOf } from "./grid.js";
import { arrange, arrangeNarrow } from "./layout.js";
import { listen } from "./listening.js";
import { mark, showAxes } from "./marks.js";
import { full } from "./numbers.js";
import { centredOn, playOrder, structureOf, windowCells } from "./scene.js";
import { Stage } from "./stage.js";
import { spoken, sumLines } from "./sums.js";
import { Transport } from "./transport.js";

/** @import { Cell, Message, OutputCell, Scene } from "../types.d.ts" */
/** @import { Found } from "./listening.js" */
/** @typedef {{scene: Scene, stage: Stage, structure: string}} Shown what is on screen */

const NARROW = 700; // below, everything stacks
const FOOT = 69; // CSS pixels: the transport, and the gaps
const LINE = 21; // CSS pixels: a line of the sum
const BESIDE = 350; // CSS pixels: the width of the sum beside the grids

// Of the kernel tensor's axes: out_channels, in_channels, rows, columns.
const ALL = [true, true, true, true];
const ROW = [false, false, false, true];

const MARKUP = `
<header><div class="shapes"></div><p class="formula"></p><p class="about"></p></header>
<div class="body"><div class="grid-area"></div><div class="sum"></div></div>
<footer><div class="transport" role="group" aria-label="Animation"></div><div class="axes" role="group"
  aria-label="Axes of the kernel tensor" hidden></div><p class="hint"></p></footer>
<div class="spoken" role="status" aria-live="polite"></div>`;

export class Player {
  /** @type {(message: Message) => void} */
  send = () => {};

  /** @type {Shown | null} */
  #shown = null;

  /** @type {OutputCell[]} in which the animation makes the values */
  #order = [];

  /** @type {OutputCell | null} the value whose window and sum are shown */
  #selected = null;

  /** @type {number | null} index in the order that the animation has reached; null while the visitor selects values */
  #progress = null;

  /** @type {boolean[]} which axes of the kernel tensor are shown as a whole; of the others the first index alone */
  #whole = [];

  #chosen = 0; // the kernel of the selected value that was looked at last

  #usual = ""; // the hint while there is no other

  /** @param {HTMLElement} host */
  constructor(host) {
    this.host = host;
    host.innerHTML = MARKUP;
    this.gridArea = part(host, ".grid-area", HTMLElement);
    this.sum = part(host, ".sum", HTMLElement);
    this.hint = part(host, ".hint", HTMLElement);
    this.speech = part(host, ".spoken", HTMLElement);
    this.shapes = part(host, ".shapes", HTMLElement);
    this.about = part(host, ".about", HTMLElement);
    this.formula = part(host, ".formula", HTMLElement);
    this.axes = part(host, ".axes", HTMLElement);
    this.outbox = new Outbox((message) => this.send(message));
    this.transport = new Transport(part(host, ".transport", HTMLElement), {
      step: () => this.#step(),
      restart: () => this.#restart(),
    });
    this.calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    listen(this.gridArea, {
      touched: () => this.transport.pause(),
      look: (found) => this.#look(found),
      announce: () => this.#announce(),
      edit: (found, typed) => this.#edit(found, typed),
    });
    this.observer = new ResizeObserver(() => this.#layout());
    this.observer.observe(host);
    const page = outside(host, "[data-testid=stMainBlockContainer]");
    if (page) this.observer.observe(page); // what is above may grow later
    this.onresize = () => this.#layout();
    window.addEventListener("resize", this.onresize);
  }

  close() {
    this.transport.pause();
    this.outbox.close();
    this.observer.disconnect();
    window.removeEventListener("resize", this.onresize);
  }

  /** @param {Scene} scene */
  update(scene) {
    const before = this.#shown;
    const structure = structureOf(scene);
    this.outbox.acknowledge(scene.ack);
    if (before?.structure !== structure) {
      this.#build({ scene, structure, stage: new Stage(scene, window.innerHeight) });
    } else {
      this.#shown = { ...before, scene };
      // An answer to an older edit would undo a newer one for a moment.
      if (!this.outbox.busy) before.stage.update(scene);
    }
    this.shapes.replaceChildren(
      ...(scene.lines.length ? [scene.lead, ...scene.lines] : []).map((text) => element("p", "", text)),
    );
    this.formula.textContent = scene.formula;
    this.about.textContent = scene.about;
    this.#order = playOrder(scene.outputs);
    if (!before || placeOf(before.scene) !== placeOf(scene)) this.#open();
    else this.select(this.#nearest(this.#selected));
    this.host.dataset.ack = String(scene.ack);
    this.host.dataset.scene = scene.name;
    this.#layout();
  }

  /** What is on screen. Throws before the first scene. */
  get #now() {
    if (!this.#shown) throw new Error("no scene is shown yet");
    return this.#shown;
  }

  /** @param {Shown} shown */
  #build(shown) {
    const focused = cellOf(rootOf(this.host).activeElement);
    const {
      scene: { axes },
      stage,
    } = shown;
    this.transport.pause();
    this.#shown = shown;
    this.gridArea.replaceChildren(stage.element);
    const beside = stage.shared ? stage.result : null; // which stays in sight
    (beside ?? part(this.host, ".body", HTMLElement)).append(this.sum);
    this.axes.hidden = !axes.length;
    this.axes.replaceChildren(
      "weight: ",
      ...axes.map((label, at) => {
        const button = element("button", "", label);
        button.type = "button";
        button.title = "Pressed: all along this axis. Not pressed: the first index alone";
        button.onclick = () => {
          this.transport.pause();
          this.#progress = null;
          this.#showAxes(this.#whole.map((whole, axis) => whole !== (axis === at)));
        };
        return button;
      }),
    );
    this.#showAxes(ALL);
    if (focused) {
      const again = stage.grids.find(
        (grid) => grid.part === focused.grid.part && String(grid.index) === String(focused.grid.index),
      );
      again?.focus(Math.min(focused.row, again.rows - 1), Math.min(focused.column, again.columns - 1));
    }
  }

  /** Begin a new scene at its first value, and play it unless the visitor prefers reduced motion. */
  #open() {
    this.#progress = null;
    const { start, partials } = this.#now.scene;
    this.#chosen = start && partials.length ? strongest(partials[start.map], start) : 0;
    this.select(start ?? this.#order[0] ?? null);
    this.#say("");
    if (start || this.calm || !this.#order.length) return;
    this.#restart();
    this.transport.play();
  }

  /**
   * The output value nearest to one that may be gone; null where there is no output.
   * @param {OutputCell | null} former
   * @returns {OutputCell | null}
   */
  #nearest(former) {
    const { outputs } = this.#now.scene;
    if (!outputs.length) return null;
    const map = Math.min(former?.map ?? 0, outputs.length - 1);
    const { values } = outputs[map];
    return {
      map,
      row: Math.min(former?.row ?? 0, values.length - 1),
      column: Math.min(former?.column ?? 0, values[0].length - 1),
    };
  }

  // --- the selected value ---

  /**
   * @param {OutputCell | null} selected
   * @param {{cell?: Cell, term?: number}} options the input cell that the pointer is on, and the number of its product
   */
  select(selected, { cell, term = -1 } = {}) {
    this.#selected = selected;
    const { scene, stage } = this.#now;
    if (!selected) {
      for (const grid of stage.grids)
        for (const name of ["window", "current", "peer", "reached", "done", "winner", "term"]) grid.mark(name, []);
      this.sum.replaceChildren();
      return;
    }
    this.#chosen = Math.min(this.#chosen, (scene.kernels[selected.map]?.length ?? 1) - 1);
    mark(stage, scene, {
      selected,
      cell,
      at: this.#chosen,
      term,
      done: this.#progress === null ? [] : this.#order.slice(0, this.#progress + 1),
    });
    stage.outputs[selected.map].stopAt(selected.row, selected.column);
    this.#showSum(scene, selected);
  }

  /** The kernel whose products are written out; null for all. */
  get #written() {
    return this.#now.stage.shared ? this.#chosen : null;
  }

  /** @param {Scene} scene @param {OutputCell} selected */
  #showSum(scene, selected) {
    const lines = sumLines(scene, selected, this.#written);
    while (this.sum.children.length > lines.length) this.sum.lastChild?.remove();
    while (this.sum.children.length < lines.length) this.sum.append(element("p"));
    lines.forEach((line, at) => {
      this.sum.children[at].textContent = line;
    });
    const { rule, values } = scene.outputs[selected.map];
    if (rule !== "conv" && !scene.start) return;
    const value = full(values[selected.row][selected.column]);
    const check = element(
      "span",
      scene.agrees ? "agrees" : "differs",
      scene.agrees ? `✓ PyTorch: ${value}` : `PyTorch: ${value}`,
    );
    this.sum.lastElementChild?.append(" ", check);
  }

  /** @param {string} sentence */
  #say(sentence) {
    if (this.speech.textContent !== sentence) this.speech.textContent = sentence;
  }

  #announce() {
    if (this.#selected) this.#say(spoken(this.#now.scene, this.#selected, this.#written));
  }

  /** @param {string} sentence */
  #tell(sentence) {
    this.hint.textContent = sentence || this.#usual;
  }

  // --- the animation: first the axes of the kernel tensor, then value by value ---

  /** @returns {boolean} whether another step follows */
  #step() {
    const next = this.#whole.lastIndexOf(false); // built up from the last axis to the first
    if (next >= 0) {
      this.#showAxes(this.#whole.map((whole, axis) => whole || axis === next));
      return true;
    }
    if (!this.#order.length) return false;
    const last = this.#order.length - 1;
    this.#progress = this.#progress === null || this.#progress >= last ? 0 : this.#progress + 1;
    this.select(this.#order[this.#progress]);
    if (!this.transport.playing) this.#announce();
    return this.#progress < last;
  }

  #restart() {
    if (!this.#order.length) return;
    if (this.#now.scene.axes.length) this.#showAxes(ROW);
    this.#progress = -1;
    this.select(this.#order[0]);
  }

  /** @param {boolean[]} whole which axes of the kernel tensor are shown as a whole */
  #showAxes(whole) {
    this.#whole = whole;
    [...this.axes.children].forEach((button, at) => button.setAttribute("aria-pressed", String(whole[at])));
    showAxes(this.#now.stage, whole);
  }

  // --- pointer and keys ---

  /** @param {Found} found */
  #look({ grid, row, column }) {
    const building = this.#progress !== null;
    this.#progress = null;
    if (building) this.#showAxes(ALL);
    this.#tell("");
    const now = this.#nearest(this.#selected);
    if (!now) return;
    const [map, at] = grid.index;
    if (grid.part === "weight") this.#chosen = at;
    if (grid.part === "partial") this.#chosen = map;
    if (grid.part === "output") this.select({ map, row, column });
    else if (grid.part === "partial") this.select({ map: 0, row, column });
    else if (grid.part === "weight") this.select({ ...now, map }, { term: row * grid.columns + column });
    else if (grid.part === "bias") this.select({ ...now, map });
    else this.#lookAtInput(map, row, column);
  }

  /**
   * Select, of the output values that an input cell reaches, the one whose window has the cell closest to its middle.
   * @param {number} channel @param {number} row @param {number} column
   */
  #lookAtInput(channel, row, column) {
    const { outputs, seen, windows } = this.#now.scene;
    /** @param {number} map */
    const fits = (map) => (outputs[map].rule === "conv" ? seen[map].includes(channel) : outputs[map].input === channel);
    const here = this.#selected?.map ?? 0;
    this.#chosen = Math.max(0, seen[here]?.indexOf(channel) ?? 0);
    const map = fits(here) ? here : outputs.findIndex((_, at) => fits(at));
    const reached = windows[outputs[map].windows];
    const centre = centredOn(reached, row, column);
    if (!centre) {
      this.#tell("No window reaches this number: it is left over.");
      return;
    }
    const term =
      outputs[map].rule === "conv"
        ? windowCells(reached, ...centre).findIndex(([y, x]) => y === row && x === column)
        : -1;
    this.select({ map, row: centre[0], column: centre[1] }, { cell: [row, column], term });
  }

  /** @param {Found} found @param {string} typed */
  #edit({ grid, row, column }, typed) {
    if (!grid.editable) return;
    this.transport.pause();
    openField(grid, row, column, typed, {
      commit: (value) => {
        const values = grid.values.map((line, y) => line.map((old, x) => (y === row && x === column ? value : old)));
        grid.update(values);
        this.outbox.push({
          part: grid.part,
          index: grid.part === "bias" ? grid.index : [...grid.index, row, column],
          value,
        });
        this.#tell("");
      },
      complain: (sentence) => {
        this.#tell(sentence);
        this.#say(sentence);
      },
      leave: (down, across) => grid.focus(down, across),
    });
  }

  // --- layout ---

  #layout() {
    const width = this.host.clientWidth;
    if (!width || !this.#shown) return;
    const {
      scene,
      stage: { shared },
    } = this.#shown;
    const narrow = width < NARROW;
    const touch = matchMedia("(pointer: coarse)").matches;
    this.#usual = hintFor(scene, touch);
    if (!this.hint.textContent) this.#tell("");
    this.host.classList.toggle("narrow", narrow);
    const head = part(this.host, "header", HTMLElement).offsetHeight;
    const lines = scene.layout === "pool" ? 2 : Math.max(2, scene.inputs.length + 1);
    const room = {
      width,
      height: window.innerHeight - this.#above() - head - FOOT,
      beside: BESIDE,
      below: lines * LINE,
      shared,
      small: smallest(),
    };
    const { side, aside, products } = narrow ? arrangeNarrow(scene) : arrange(scene, room);
    this.host.classList.toggle("beside", aside);
    this.host.classList.toggle("stacked", products === "below");
    this.host.style.setProperty("--side", String(scene.kernels[0]?.[0].length ?? 0));
    this.host.style.setProperty("--cell", `${side}px`);
    this.host.classList.toggle(
      "sum-first",
      scene.layout === "pool" && this.gridArea.offsetHeight > room.height - room.below,
    );
    for (const box of this.gridArea.querySelectorAll(".scroll"))
      box.classList.toggle("wide", box.scrollWidth > box.clientWidth);
  }

  /** CSS pixels of the page above the player, wherever the page is scrolled to. */
  #above() {
    return this.host.getBoundingClientRect().top + (outside(this.host, "[data-testid=stMain]")?.scrollTop ?? 0);
  }
}

/** The kernel that adds most to a value. @param {number[][][]} partials by kernel @param {OutputCell} value */
function strongest(partials, { row, column }) {
  const sums = partials.map((partial) => Math.abs(partial[row][column]));
  return sums.indexOf(Math.max(...sums));
}

/** What a scene shows, whatever its numbers are: another one opens at its own start. @param {Scene} scene */
const placeOf = ({ name, start, outputs }) =>
  JSON.stringify([name, start, start && outputs.map(({ title, corner }) => [title, corner])]);

/** @param {Scene} scene @param {boolean} touch */
function hintFor(scene, touch) {
  if (!scene.inputs[0].editable) return touch ? "Tap or drag to look." : "Point at any cell.";
  if (touch) return "Tap or drag to look; tap a number twice to change it.";
  return (
    `Point at any cell. Click a number of the ` +
    `${scene.kernels.length ? "input, the kernel or the bias" : "input"} to change it.`
  );
}
