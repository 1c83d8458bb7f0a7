// One grid of numbers: a table whose cells are reached by pointer and by arrow keys.

import { short } from "./numbers.js";

/** @type {WeakMap<Element, {grid: Grid, row: number, column: number}>} */
const places = new WeakMap();

/** The grid and the cell that an element lies in. @param {Element | null} element */
export function placeOf(element) {
  const cell = element?.closest("td");
  return cell ? places.get(cell) : undefined;
}

export class Grid {
  /**
   * @param {{part: string, index: number[], title: string, note?: string, values: number[][], padding?: number, padText?: string,
   *   editable?: boolean, tint?: string}} options `part` and `index` say which numbers these are: ["input", channel], ["weight", out, in],
   *   ["bias"], ["output", map], ["partial", at]
   */
  constructor({ part, index, title, note = "", values, padding = 0, padText = "", editable = false, tint = "" }) {
    Object.assign(this, { part, index, title, padding, padText, editable, tint, values });
    /** @type {HTMLTableCellElement[][]} real cells and, around them, `padding` rows and columns */
    this.cells = [];
    /** @type {Map<string, HTMLTableCellElement[]>} */
    this.marked = new Map();
    this.element = document.createElement("figure");
    this.element.className = `grid ${part}`;
    this.element.innerHTML = `<figcaption><b></b> <span></span></figcaption><div class="scroll"><table role="grid"></table></div>`;
    this.element.querySelector("b").textContent = title;
    this.caption = this.element.querySelector("figcaption span");
    this.caption.textContent = note;
    this.table = this.element.querySelector("table");
    this.table.setAttribute("aria-label", note ? `${title}, ${note}` : title);
    if (!editable) this.table.setAttribute("aria-readonly", "true");
    this.#build();
    this.update(values, note);
  }

  get rows() { return this.values.length; }
  get columns() { return this.values[0]?.length ?? 0; }

  #build() {
    for (let row = -this.padding; row < this.rows + this.padding; row++) {
      const line = this.table.insertRow();
      this.cells.push([]);
      for (let column = -this.padding; column < this.columns + this.padding; column++) {
        const cell = line.insertCell();
        cell.setAttribute("role", "gridcell");
        cell.tabIndex = -1;
        places.set(cell, { grid: this, row, column });
        this.cells.at(-1).push(cell);
        if (!this.has(row, column)) {
          cell.className = "padding";
          cell.textContent = this.padText;
        }
      }
    }
    this.current = this.cell(0, 0);
    if (this.current) this.current.tabIndex = 0;
  }

  has(row, column) {
    return row >= 0 && column >= 0 && row < this.rows && column < this.columns;
  }

  /** A cell, padding included. */
  cell(row, column) {
    return this.cells[row + this.padding]?.[column + this.padding];
  }

  /** New numbers in the same cells; one that is being edited keeps what is typed. */
  update(values, note = "") {
    this.values = values;
    this.caption.textContent = note;
    const most = Math.max(...values.flat().map(Math.abs)) || 1;
    values.forEach((line, row) => line.forEach((value, column) => {
      const cell = this.cell(row, column);
      if (!cell.querySelector("input")) cell.textContent = short(value);
      if (this.tint) cell.style.setProperty("--share", `${Math.round(38 * Math.max(0, value) / most)}%`);
    }));
    if (this.tint) this.element.dataset.tint = this.tint;
    this.element.style.setProperty("--letters", String(Math.max(1, ...values.flat().map((value) => short(value).length))));
  }

  /** Give a class to these cells and take it from all others. @param {string} name @param {[number, number][]} cells */
  mark(name, cells) {
    for (const cell of this.marked.get(name) ?? []) cell.classList.remove(name);
    const found = cells.map(([row, column]) => this.cell(row, column)).filter(Boolean);
    for (const cell of found) cell.classList.add(name);
    this.marked.set(name, found);
  }

  /** The one cell that the Tab key stops at. */
  stopAt(row, column) {
    const cell = this.cell(row, column);
    if (!cell || cell === this.current) return cell;
    if (this.current) this.current.tabIndex = -1;
    this.current = cell;
    cell.tabIndex = 0;
    return cell;
  }

  focus(row, column) {
    this.stopAt(row, column)?.focus({ preventScroll: false });
  }
}
