// Turns pointer and keys over the grids into calls: look at a cell, announce it, edit it.

import { rootOf } from "./element.js";
import { cellOf } from "./grid.js";

/** @import { Grid } from "./grid.js" */
/** @typedef {{grid: Grid, row: number, column: number}} Found a cell */

/** @type {Record<string, [number, number] | undefined>} rows down and columns to the right */
export const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/**
 * @param {HTMLElement} area that the grids are in
 * @param
 *   {{touched: () => void, look: (found: Found) => void, announce: () => void, edit: (found: Found, typed: string)
 *   => void}} handlers
 *   `touched` is called when the visitor begins to use pointer or keys
 */
export function listen(area, { touched, look, announce, edit }) {
  /** A finger keeps its first target while it moves. @param {PointerEvent} event */
  const under = (event) =>
    cellOf(event.pointerType === "mouse" ? event.target : rootOf(area).elementFromPoint(event.clientX, event.clientY));
  /** @type {Found | undefined} */
  let last;
  let firstTap = false;
  /** @param {PointerEvent} event */
  const follow = (event) => {
    const found = under(event);
    if (!found || (found.grid === last?.grid && found.row === last.row && found.column === last.column)) return;
    last = found;
    look(found);
  };
  area.onpointerenter = touched;
  area.onpointermove = (event) => {
    if (event.pointerType !== "touch" || event.buttons) follow(event);
  };
  area.onpointerleave = () => {
    last = undefined;
  };
  area.onpointerdown = (event) => {
    touched();
    last = undefined;
    firstTap = event.pointerType === "touch" && !cellOf(event.target)?.current;
    follow(event);
  };
  // A first tap looks at a cell, a second one edits it. After a drag a browser may send no click.
  area.onpointerup = () => {
    if (firstTap) announce();
  };
  area.onclick = (event) => {
    const found = cellOf(event.target);
    if (!found || event.target instanceof HTMLInputElement || !found.grid.has(found.row, found.column)) return;
    found.grid.focus(found.row, found.column);
    if (!firstTap) edit(found, "");
  };
  area.onkeydown = (event) => {
    const found = cellOf(event.target);
    if (!found || event.ctrlKey || event.metaKey || event.altKey) return;
    const { grid, row, column } = found;
    const step = ARROWS[event.key];
    if (step) {
      event.preventDefault();
      const down = row + step[0];
      const across = column + step[1];
      if (!grid.has(down, across)) return;
      touched();
      grid.focus(down, across);
      look({ grid, row: down, column: across });
      announce();
    } else if (event.key === "Enter" || event.key === "F2") {
      event.preventDefault();
      edit(found, "");
    } else if (/^[-−0-9.,]$/.test(event.key)) {
      event.preventDefault();
      edit(found, event.key);
    }
  };
  area.addEventListener("focusin", ({ target }) => {
    const found = cellOf(target);
    if (!found || !(target instanceof Element) || !target.matches("td:focus-visible")) return;
    touched();
    look(found);
    announce();
  });
}
