// Makes elements of the page.

/** @import { Figure } from "../types.d.ts" */

/**
 * An element with a class, and what is in it.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag @param {string} className @param {(Node | string)[]} children @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, className = "", ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/**
 * A picture with its title above and its caption below.
 * @param {Figure} figure
 * @param {HTMLElement} frame what shows it
 * @param {HTMLElement[]} below
 */
export function figureOf({ title, caption }, frame, ...below) {
  const made = element("figure", "", element("b", "", title), frame, ...below);
  if (caption) made.append(element("figcaption", "", caption));
  return made;
}

/** @param {string} address @param {string} text what stands for the picture */
export function imageOf(address, text) {
  const image = element("img");
  image.src = address;
  image.alt = text;
  image.draggable = false;
  return image;
}

/**
 * Lay an element over a part of a picture, in fractions of its sides.
 * @param {HTMLElement} mark
 * @param {number} top
 * @param {number} bottom
 * @param {number} left
 * @param {number} right
 */
export function lay(mark, top, bottom, left, right) {
  mark.style.top = `${100 * top}%`;
  mark.style.left = `${100 * left}%`;
  mark.style.height = `${100 * (bottom - top)}%`;
  mark.style.width = `${100 * (right - left)}%`;
}
