// Terms that explain themselves: whatever has `data-term` shows its entry of the glossary under the pointer, with the
// focus or on a tap; whatever has `data-why` shows these words.

import { around, element } from "./element.js";
import { GLOSSARY } from "./glossary.js";

/** @import { Card } from "./card.js" */
/** @import { Entry } from "./glossary.js" */

const SVG = "http://www.w3.org/2000/svg";
const CELL = 11; // CSS pixels of a cell in a picture
const EXPLAINED = "[data-term], [data-why]";

/** A term within a text. @param {string} name of its entry @param {string} text */
export function termOn(name, text) {
  const made = element("button", "term", text);
  made.type = "button";
  made.dataset.term = name;
  return made;
}

const NAMES =
  "feature map|channel|kernel|stride|padding|pooling|ReLU|logit|softmax|parameter|multiply-add|receptive field";
const WORDS = new RegExp(`\\b(${NAMES})s?\\b`, "i");

/**
 * A text in which each of its terms explains itself where it stands first.
 * @param {string} text
 * @returns {(Node | string)[]}
 */
export function explained(text) {
  /** @type {(Node | string)[]} */
  const parts = [];
  const known = new Set();
  let rest = text;
  let plain = "";
  for (let found = WORDS.exec(rest); found; found = WORDS.exec(rest)) {
    const [word, term] = found;
    const name = term.toLowerCase();
    const end = found.index + word.length;
    plain += rest.slice(0, known.has(name) ? end : found.index);
    if (!known.has(name)) {
      parts.push(plain, termOn(name, word));
      plain = "";
    }
    known.add(name);
    rest = rest.slice(end);
  }
  return [...parts, plain + rest];
}

export class Terms {
  /** @param {HTMLElement} host @param {Card} card @param {(sentence: string) => void} say to a screen reader */
  constructor(host, card, say) {
    this.card = card;
    /** @param {Event} event */
    const show = (event) => {
      const found = around(event, EXPLAINED);
      if (found) this.#show(found);
      return found;
    };
    host.addEventListener("pointerover", show);
    host.addEventListener("focusin", (event) => {
      if (show(event)) say(card.words);
    });
    host.addEventListener("click", show, true); // panels keep presses to themselves
    for (const leaving of ["pointerout", "focusout"])
      host.addEventListener(leaving, (event) => {
        if (around(event, EXPLAINED)) card.hide();
      });
  }

  /** @param {HTMLElement} found */
  #show(found) {
    const { term = "", why } = found.dataset;
    const entry = GLOSSARY[term];
    if (why) this.card.showWords(found, found.dataset.title ?? "", why.split("\n"));
    else if (entry)
      this.card.showWords(
        found,
        entry.term,
        [entry.says, ...(found.dataset.more ? [found.dataset.more] : [])],
        pictureOf(entry),
      );
  }
}

/** All terms, one below the other. @param {HTMLElement} list */
export function listTerms(list) {
  list.replaceChildren(
    ...Object.values(GLOSSARY).flatMap((entry) => {
      const says = element("dd", "", entry.says);
      const picture = pictureOf(entry);
      if (picture) says.append(picture);
      return [element("dt", "", entry.term), says];
    }),
  );
}

/** @param {Entry} entry @returns {SVGElement | null} */
function pictureOf({ picture, curve }) {
  if (!picture && !curve) return null;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "picture");
  svg.setAttribute("aria-hidden", "true");
  /** @param {string} tag @param {Record<string, string | number>} attributes */
  const add = (tag, attributes) => {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
    svg.append(made);
  };
  const columns = picture ? Math.max(...picture.map((row) => row.length)) : 6;
  const rows = picture?.length ?? 5;
  svg.setAttribute("viewBox", `0 0 ${columns * CELL} ${rows * CELL}`);
  svg.style.cssText = `width: ${columns * CELL}px; height: ${rows * CELL}px`;
  picture?.forEach((row, y) =>
    [...row].forEach((cell, x) => {
      if (cell !== " ")
        add("rect", {
          x: x * CELL + 1,
          y: y * CELL + 1,
          width: CELL - 2,
          height: CELL - 2,
          class: { "#": "window", "+": "zeros", o: "position" }[cell] ?? "cell",
        });
    }),
  );
  if (!curve) return svg;
  /** @param {number} x @param {number} y from −1 to 1 */
  const point = (x, y) => `${((x + 1) / 2) * columns * CELL} ${((1 - y) / 2) * rows * CELL}`;
  add("path", { d: `M${point(-1, 0)}L${point(1, 0)}M${point(0, -1)}L${point(0, 1)}`, class: "axes" });
  add("path", { d: `M${curve.map(([x, y]) => point(x, y)).join("L")}`, class: "curve" });
  return svg;
}
