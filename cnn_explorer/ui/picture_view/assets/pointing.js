// Where the pointer, a finger or the arrow keys are.

/** @import { Place } from "../types.d.ts" */

/**
 * Follow the pointer and fingers over the elements in `host` that are marked `data-point`. A finger that is lifted
 * leaves its place as it is.
 * @param {HTMLElement} host @param {(target: HTMLElement, place: Place) => void} moved @param {() => void} left
 */
export function follow(host, moved, left) {
  /** @param {PointerEvent} event */
  const at = (event) => {
    const target = event.target instanceof Element ? event.target.closest("[data-point]") : null;
    if (!(target instanceof HTMLElement)) return left();
    const box = target.getBoundingClientRect();
    moved(target, {
      x: inside((event.clientX - box.left) / box.width),
      y: inside((event.clientY - box.top) / box.height),
    });
  };
  host.addEventListener("pointermove", at);
  host.addEventListener("pointerdown", at);
  host.addEventListener("pointerleave", (event) => {
    if (event.pointerType !== "touch") left();
  });
}

/**
 * The direction of an arrow key: rows down and columns to the right.
 * @param {KeyboardEvent} event
 * @returns {[number, number] | undefined}
 */
export function arrowOf(event) {
  if (event.altKey || event.ctrlKey || event.metaKey) return undefined;
  return ARROWS[event.key];
}

/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** From 0 to just below 1, so that it lies in the last cell of a grid at most. @param {number} value */
function inside(value) {
  return Math.min(0.999999, Math.max(0, value));
}
