// The whole map: a row for every level that is unfolded. Presses go to the server; the focus stays where it was.

import { rowOf } from "./row.js";

/** @import { Data } from "../types.d.ts" */

export class NetworkMap {
  /** @type {(id: string) => void} has the server unfold a part, or fold all ("") */
  press = () => {};

  /** @type {string} the box that was pressed last and is still to be answered */
  #pressed = "";

  /** @param {HTMLElement} host */
  constructor(host) {
    this.host = host;
    host.addEventListener("click", (event) => this.#click(event));
    host.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {Data} data */
  update(data) {
    const focused = this.#focused();
    const rows = data.rows.map((row, depth) => rowOf(row, depth, data.selected));
    this.host.replaceChildren(...rows);
    this.host.dataset.selected = data.selected;
    if (focused) this.#box(focused)?.focus({ preventScroll: true });
    if (this.#pressed && this.#pressed === data.selected) rows.at(-1)?.scrollIntoView({ block: "nearest" });
    this.#pressed = "";
  }

  /** The id of the box that has the focus. */
  #focused() {
    const root = this.host.getRootNode();
    const active = root instanceof ShadowRoot || root instanceof Document ? root.activeElement : null;
    return active instanceof HTMLElement && this.host.contains(active) ? active.dataset.id : undefined;
  }

  /** @param {string} id */
  #box(id) {
    return [...this.host.querySelectorAll("button")].find((box) => box.dataset.id === id);
  }

  /** @param {Event} event */
  #click(event) {
    const box = event.target instanceof Element ? event.target.closest("button") : null;
    if (!box) return;
    const id = box.dataset.id ?? "";
    const folds = box.getAttribute("aria-expanded") === "true" || box.getAttribute("aria-pressed") === "true";
    this.#ask(folds ? (box.dataset.above ?? "") : id);
  }

  /** Escape folds the level that was unfolded last. @param {KeyboardEvent} event */
  #key(event) {
    const opened = [...this.host.querySelectorAll("button[data-opened]")].at(-1);
    if (event.key !== "Escape" || !(opened instanceof HTMLElement)) return;
    event.preventDefault();
    opened.focus();
    this.#ask(opened.dataset.above ?? "");
  }

  /** @param {string} id */
  #ask(id) {
    this.#pressed = id;
    this.press(id);
  }
}
