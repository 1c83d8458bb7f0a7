// The heading above a layer's maps: its name and shape, and what both were before the change.

import { shapeText } from "./compare.js";
import { element } from "./element.js";
import { termOf } from "./glossary.js";

/** @import { Difference, Layer } from "../types.d.ts" */

/** @param {Layer} layer @param {string} also what follows it in the same column */
export function headOf(layer, also = "") {
  const head = element("h3");
  head.append(element("span", "name"), element("span", "shape"));
  writeHead(head, layer, null, also);
  return head;
}

/**
 * Write a heading, with the former name and shape where they differ. CSS shows these for a moment, and under the
 * pointer.
 * @param {HTMLElement} head @param {Layer} layer @param {Difference | null} difference null where nothing is compared
 * @param {string} also what follows the layer in the same column
 */
export function writeHead(head, layer, difference, also = "") {
  const [name, shape] = head.children;
  const former = difference?.former ?? null;
  const now = shapeText(layer.shape);
  const was = former ? shapeText(former.shape) : "";
  name.replaceChildren(
    ...before(former && former.name !== layer.name ? former.name : ""),
    element("span", "now", also ? `${layer.name} → ${also}` : layer.name),
  );
  shape.replaceChildren(...before(was === now ? "" : was), element("span", "now", now));
  head.dataset.change = changeOf(difference);
  Object.assign(head.dataset, { name: name.lastChild?.textContent, shape: now }); // for CSS, which keeps the width
  head.dataset.term = also || termOf(layer.kind);
  head.dataset.more = [meaning(layer, also), ...(difference?.changes ?? [])].join("; ");
}

/** What a shape means. @param {Layer} layer @param {string} also */
function meaning({ shape, name }, also) {
  if (also) return `${name} gives ${shape[0]} logits: the score of each digit. ${also} makes probabilities of them`;
  return shape.length === 3
    ? `Here: ${shape[0]} feature maps (channels) of ${shape[1]}×${shape[2]}`
    : `Here: ${shape[0]} values`;
}

/** @param {string} text what it was, "" for the same */
const before = (text) => (text ? [was(text), " "] : []);

/** @param {string} text */
function was(text) {
  const made = element("span", "was", text);
  made.append(element("i", "", " →"));
  return made;
}

/** @param {Difference | null} difference */
function changeOf(difference) {
  if (difference?.changes.length) return "own";
  return difference?.follows ? "follows" : "";
}
