// Editing a number in its cell, and sending the edits to the server.

import { element } from "./element.js";
import { full, MAX_VALUE, parse } from "./numbers.js";

/** @import { Edit, Message } from "../types.d.ts" */
/** @import { Grid } from "./grid.js" */

const PATIENCE = 3000; // ms without an answer (a restart, a lost connection) until the edits are sent again

/**
 * The edits that the server has not confirmed. Each message repeats all of them: Streamlit keeps only the newest of
 * messages that arrive
 * while it is busy. They are sent until they are confirmed: a message is lost where the connection is.
 */
export class Outbox {
  #timer = 0;

  /** @param {(message: Message) => void} send */
  constructor(send) {
    this.send = send;
    this.seq = 0;
    /** @type {Message["edits"]} */
    this.waiting = [];
  }

  /** @param {Edit} edit */
  push(edit) {
    this.seq += 1;
    this.waiting.push({ ...edit, seq: this.seq });
    this.#send();
  }

  /** @param {number} seq of the last message that the server has seen */
  acknowledge(seq) {
    this.seq = Math.max(this.seq, seq);
    this.waiting = this.waiting.filter((edit) => edit.seq > seq);
    if (!this.busy) this.close();
  }

  close() {
    clearTimeout(this.#timer);
  }

  #send() {
    clearTimeout(this.#timer);
    this.send({ seq: this.seq, edits: [...this.waiting] });
    this.#timer = window.setTimeout(() => {
      this.seq += 1;
      this.#send();
    }, PATIENCE); // the same message would not be a new one
  }

  get busy() {
    return this.waiting.length > 0;
  }
}

/**
 * @type {Record<string, [number, number] | undefined>} where a key leads from the field: rows down, columns to the
 *   right
 */
const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], Enter: [0, 0] };

/**
 * Open a field in a cell.
 * @param {Grid} grid
 * @param {number} row
 * @param {number} column
 * @param {string} typed the character that opened it, or "" to start from the number
 * @param
 *   {{commit: (value: number) => void, complain: (sentence: string) => void, leave: (row: number, column: number)
 *   => void}} then
 */
export function openField(grid, row, column, typed, then) {
  const cell = grid.cell(row, column);
  if (!cell || cell.querySelector("input")) return;
  const before = cell.textContent;
  const value = grid.values[row][column];
  const field = element("input");
  field.inputMode = "text"; // a decimal keyboard has no minus on some telephones
  field.maxLength = 12;
  field.autocomplete = "off";
  field.setAttribute("aria-label", `${grid.title}, row ${row}, column ${column}`);
  field.value = typed || full(value);
  cell.replaceChildren(field);
  let open = true;

  const close = () => {
    open = false;
    cell.textContent = before;
  };
  /** @param {boolean} leaving @returns {boolean} whether the field is closed */
  const commit = (leaving) => {
    if (!open) return true;
    const entered = parse(field.value);
    if (entered === null && !leaving) {
      field.setAttribute("aria-invalid", "true");
      then.complain(
        `“${field.value}” is not a number from −${MAX_VALUE} to ${MAX_VALUE}; a fraction such as 1/9 is one.`,
      );
      return false;
    }
    close();
    if (entered === null)
      then.complain(`“${field.value}” is not a number from −${MAX_VALUE} to ${MAX_VALUE}; ${full(value)} stays.`);
    else if (entered !== value) then.commit(entered);
    return true;
  };

  /** @param {KeyboardEvent} event @returns {[number, number] | undefined} */
  const stepOf = ({ key, shiftKey }) => (key === "Tab" ? [0, shiftKey ? -1 : 1] : STEPS[key]);

  field.onblur = () => {
    commit(true);
  };
  field.onkeydown = (event) => {
    event.stopPropagation();
    const step = stepOf(event);
    if (event.key === "Escape") {
      close();
      grid.focus(row, column);
    } else if (step) {
      const down = row + step[0];
      const across = column + step[1];
      // On to whatever comes next in the page; the blur commits.
      if (event.key === "Tab" && !grid.has(down, across)) return;
      event.preventDefault();
      if (!commit(false)) return;
      if (grid.has(down, across)) then.leave(down, across);
      else then.leave(row, column);
    }
  };
  field.focus({ preventScroll: true });
  if (!typed) field.select();
}
