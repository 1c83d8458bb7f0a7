// The button that has the network trained for a few seconds, and the option to have it after each change.

import { part } from "./element.js";

/** @import { Update } from "../types.d.ts" */

export class Training {
  /** What the server is asked for: a network, and the seconds that it is to have been trained altogether. */
  asked = { train: "", seconds: 0 };

  /** @param {HTMLElement} element a button and a checkbox @param {() => void} push tells the server */
  constructor(element, push) {
    this.element = element;
    this.button = part(element, "button", HTMLButtonElement);
    this.always = part(element, "input", HTMLInputElement);
    /** @type {Update | undefined} */
    this.update = undefined;
    this.push = push;
    this.button.onclick = () => {
      if (!this.update?.training?.going) this.#ask();
    };
    this.always.onchange = () => {
      if (this.#wanted) this.#ask();
    };
  }

  /** @param {Update} update */
  show(update) {
    const changed = this.update?.net !== update.net;
    this.update = update;
    const { training } = update;
    this.element.hidden = !training?.to; // where there is no more to be had, or not from here
    if (changed) this.asked = { train: "", seconds: 0 };
    if (!training) return;
    const { going, has, to } = training;
    this.button.hidden = !to;
    this.button.textContent = going ? "Training…" : `Train ${to - has} s${has ? " more" : ""}`;
    this.button.title = going
      ? `${has.toFixed(1)} of ${to} seconds`
      : `Train this network for ${to - has} seconds on 4,000 digits`;
    this.button.setAttribute("aria-disabled", String(going));
    this.button.style.setProperty("--done", `${(100 * has) / to}%`);
    if (changed && this.#wanted) this.#ask();
  }

  /** True where the network is to be trained without a press of the button. */
  get #wanted() {
    const training = this.update?.training;
    return Boolean(this.always.checked && training && !training.going && !training.has);
  }

  #ask() {
    if (!this.update?.training) return;
    this.asked = { train: this.update.net, seconds: this.update.training.to };
    this.push();
  }
}
