// One grid of numbers: a table whose cells are reached by pointer and by arrow keys.

import { element, part as partOf } from "./element.js";
import { full, short } from "./numbers.js";

/** @import { Border, Cell, GridPart } from "../types.d.ts" */

/** @type {Border} */
const NONE = { top: 0, bottom: 0, left: 0, right: 0 };

/** @type {WeakMap<Element, {grid: Grid, row: number, column: number}>} */
const positions = new WeakMap();

/**
 * The cell of a grid that an element lies in; `current` if the Tab key stops at it.
 * @param {EventTarget | null} target
 */
export function cellOf(target) {
  const cell = target instanceof Element ? target.closest("td") : null;
  const position = cell && positions.get(cell);
  return position ? { ...position, current: position.grid.current === cell } : undefined;
}

export class Grid {
  /**
   * @param
   *   {{part: GridPart, index: number[], title: string, note?: string, values: number[][], padding?: Border,
   *   padText?: string,
   * editable?: boolean, tint?: string, corner?: Cell}} options `part` and `index` say which numbers these are:
   * ["input", channel], ["weight", out, in],
   *   ["bias"], ["output", map], ["partial", at]
   */
  constructor({
    part,
    index,
    title,
    note = "",
    values,
    padding = NONE,
    padText = "",
    editable = false,
    tint = "",
    corner = [0, 0],
  }) {
    this.part = part;
    this.index = index;
    this.title = title;
    this.padding = padding;
    this.editable = editable;
    this.tint = tint;
    this.corner = corner;
    this.values = values;
    /** @type {HTMLTableCellElement | undefined} the one cell that the Tab key stops at */
    this.current = undefined;
    /** @type {HTMLTableCellElement[][]} real cells and, around them, those of the padding */
    this.cells = [];
    /** @type {Map<string, HTMLTableCellElement[]>} */
    this.marked = new Map();
    this.element = element("figure", `grid ${part}`);
    this.element.innerHTML = `<figcaption><b></b> <span></span></figcaption><div class="scroll"><table
      role="grid"></table></div>`;
    partOf(this.element, "b", HTMLElement).textContent = title;
    this.caption = partOf(this.element, "figcaption span", HTMLElement);
    this.table = partOf(this.element, "table", HTMLTableElement);
    if (!editable) this.table.setAttribute("aria-readonly", "true");
    this.#build(padText);
    this.update(values, note);
  }

  get rows() {
    return this.values.length;
  }
  get columns() {
    return this.values[0]?.length ?? 0;
  }

  /** @param {string} padText */
  #build(padText) {
    const { top, bottom, left, right } = this.padding;
    for (let row = -top; row < this.rows + bottom; row++) {
      const line = this.table.insertRow();
      /** @type {HTMLTableCellElement[]} */
      const cells = [];
      this.cells.push(cells);
      for (let column = -left; column < this.columns + right; column++) {
        const cell = line.insertCell();
        cell.setAttribute("role", "gridcell");
        cell.tabIndex = -1;
        positions.set(cell, { grid: this, row, column });
        cells.push(cell);
        if (!this.has(row, column)) {
          cell.className = "padding";
          cell.textContent = padText;
        }
      }
    }
    this.current = this.cell(0, 0);
    if (this.current) this.current.tabIndex = 0;
  }

  /** @param {number} row @param {number} column */
  has(row, column) {
    return row >= 0 && column >= 0 && row < this.rows && column < this.columns;
  }

  /**
   * A cell, padding included.
   * @param {number} row
   * @param {number} column
   * @returns {HTMLTableCellElement | undefined}
   */
  cell(row, column) {
    return this.cells[row + this.padding.top]?.[column + this.padding.left];
  }

  /** Show new numbers in the same cells; a cell that is being edited keeps what is typed. @param {number[][]} values */
  update(values, note = "") {
    this.values = values;
    this.caption.textContent = note;
    this.table.setAttribute("aria-label", note ? `${this.title}, ${note}` : this.title);
    const most = Math.max(...values.flat().map(Math.abs)) || 1;
    values.forEach((line, row) =>
      line.forEach((value, column) => {
        const cell = this.cell(row, column);
        if (!cell) return;
        if (!cell.querySelector("input")) cell.textContent = short(value);
        cell.title = short(value) === full(value) ? "" : full(value);
        if (this.tint) cell.style.setProperty("--share", `${Math.round((38 * Math.max(0, value)) / most)}%`);
      }),
    );
    if (this.tint) this.element.dataset.tint = this.tint;
    this.element.style.setProperty(
      "--letters",
      String(Math.max(1, ...values.flat().map((value) => short(value).length))),
    );
  }

  /** Give a class to these cells and take it from all others. @param {string} name @param {Cell[]} cells */
  mark(name, cells) {
    for (const cell of this.marked.get(name) ?? []) cell.classList.remove(name);
    const found = cells.map(([row, column]) => this.cell(row, column)).filter((cell) => cell !== undefined);
    for (const cell of found) cell.classList.add(name);
    this.marked.set(name, found);
  }

  /** Let the Tab key stop at this cell, and at no other of the grid. @param {number} row @param {number} column */
  stopAt(row, column) {
    const cell = this.cell(row, column);
    if (!cell || cell === this.current) return cell;
    if (this.current) this.current.tabIndex = -1;
    this.current = cell;
    cell.tabIndex = 0;
    return cell;
  }

  /** @param {number} row @param {number} column */
  focus(row, column) {
    this.stopAt(row, column)?.focus({ preventScroll: false });
  }
}
