// Walking with the arrow keys.

/** @typedef {[down: number, right: number]} Step */

/** @type {Record<string, Step | undefined>} by the name of the key */
export const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** A place that is not left behind. @param {number} place @param {number} count of places from 0 on */
export const within = (place, count) => Math.min(count - 1, Math.max(0, place));
