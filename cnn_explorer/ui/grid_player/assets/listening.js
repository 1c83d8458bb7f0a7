// Pointer and keys over the grids, as three wishes: to look at a cell, to hear about it, to change it.

import { rootOf } from "./element.js";
import { placeOf } from "./grid.js";

/** @import { Grid } from "./grid.js" */
/** @typedef {{grid: Grid, row: number, column: number}} Found a cell */

/** @type {Record<string, [number, number] | undefined>} rows down and columns to the right */
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/**
 * @param {HTMLElement} place that the grids are in
 * @param {{touched: () => void, look: (found: Found) => void, announce: () => void, edit: (found: Found, typed: string) => void}} wishes
 *   `touched` says that somebody is there
 */
export function listen(place, { touched, look, announce, edit }) {
  /** A finger keeps its first target while it moves. @param {PointerEvent} event */
  const under = (event) => placeOf(event.pointerType === "mouse" ? event.target : rootOf(place).elementFromPoint(event.clientX, event.clientY));
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
  place.onpointerenter = touched;
  place.onpointermove = (event) => { if (event.pointerType !== "touch" || event.buttons) follow(event); };
  place.onpointerleave = () => { last = undefined; };
  place.onpointerdown = (event) => {
    touched();
    last = undefined;
    firstTap = event.pointerType === "touch" && !placeOf(event.target)?.current;
    follow(event);
  };
  // A first tap looks, a second one edits. Behind a drag a browser may keep the tap's click to itself.
  place.onpointerup = () => { if (firstTap) announce(); };
  place.onclick = (event) => {
    const found = placeOf(event.target);
    if (!found || event.target instanceof HTMLInputElement || !found.grid.has(found.row, found.column)) return;
    found.grid.focus(found.row, found.column);
    if (!firstTap) edit(found, "");
  };
  place.onkeydown = (event) => {
    const found = placeOf(event.target);
    if (!found || event.ctrlKey || event.metaKey || event.altKey) return;
    const { grid, row, column } = found;
    const step = ARROWS[event.key];
    if (step) {
      event.preventDefault();
      const down = row + step[0], across = column + step[1];
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
  place.addEventListener("focusin", ({ target }) => {
    const found = placeOf(target);
    if (!found || !(target instanceof Element) || !target.matches("td:focus-visible")) return;
    touched();
    look(found);
    announce();
  });
}
