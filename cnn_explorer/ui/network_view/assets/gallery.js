// The bundled digits to pick from, folded away behind a button.

import { element, part } from "./element.js";

const DIGITS = 30; // as `asset_hashes.py` paints them into gallery.png, ten a row, 28 pixels each

export class Gallery {
  /** @param {HTMLElement} host */
  constructor(host) {
    this.panel = part(host, ".gallery", HTMLElement);
    this.button = part(host, ".more", HTMLElement);
    const sprite = `url("${new URL("./gallery.png", import.meta.url)}")`;
    for (let index = 0; index < DIGITS; index++) {
      const digit = element("button");
      digit.type = "button";
      digit.dataset.digit = `d${index}`;
      digit.setAttribute("aria-label", `A ${index % 10}, number ${1 + Math.floor(index / 10)}`);
      digit.style.backgroundImage = sprite;
      digit.style.backgroundPosition = `${-28 * (index % 10)}px ${-28 * Math.floor(index / 10)}px`;
      this.panel.append(digit);
    }
    this.panel.addEventListener("focusout", ({ relatedTarget: next }) => {
      if (next !== this.button && !(next instanceof Node && this.panel.contains(next))) this.open(false);
    });
  }

  get isOpen() {
    return !this.panel.hidden;
  }

  /** @param {boolean} wanted */
  open(wanted) {
    if (this.isOpen === wanted) return;
    if (this.panel.matches(":focus-within")) this.button.focus();
    this.panel.hidden = !wanted;
    this.button.setAttribute("aria-expanded", String(wanted));
  }
}
