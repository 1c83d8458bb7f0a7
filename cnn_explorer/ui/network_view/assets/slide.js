// A window walks over the input of an opened map by itself: the buttons, and which values are made so far. It starts on
// a press only.

import { part } from "./element.js";

const WHOLE = 20_000; // ms for a whole map
const PAUSE = [40, 700]; // ms a value, at least and at most

export class Slide {
  /** How many values are made, row by row; null while the map is shown as a whole. @type {number | null} */
  made = null;

  #timer = 0;

  /**
   * @param {HTMLElement} element
   * @param
   *   {{size: () => [rows: number, columns: number], go: (row: number, column: number) => void, whole: () => void,
   *   say: () => void}} on
   *   `go` shows how a value is made, `whole` the map as a whole, `say` tells the value
   */
  constructor(element, on) {
    this.element = element;
    this.on = on;
    element.innerHTML = `
      <button type="button" data-slide="play"></button>
      <button type="button" data-slide="step">Step</button>
      <button type="button" data-slide="restart">Restart</button>`;
    this.button = part(element, "[data-slide=play]", HTMLElement);
    this.button.onclick = () => {
      if (this.#timer) this.#pause();
      else this.#play();
    };
    part(element, "[data-slide=step]", HTMLElement).onclick = () => {
      this.#pause();
      this.#step();
      this.on.say();
    };
    part(element, "[data-slide=restart]", HTMLElement).onclick = () => {
      this.#pause();
      this.made = 0;
      this.#step();
    };
    this.#pause();
  }

  /** Stop, and show the map as a whole: the pointer is on it. */
  end() {
    if (this.made === null) return;
    this.drop();
    this.on.whole();
  }

  /** Stop: another map is opened, or none. */
  drop() {
    this.#pause();
    this.made = null;
  }

  #play() {
    const [rows, columns] = this.on.size();
    this.#step();
    this.#timer = window.setTimeout(
      () => this.#play(),
      Math.min(PAUSE[1], Math.max(PAUSE[0], WHOLE / (rows * columns))),
    );
    this.#name("Pause", true);
    if (this.made === rows * columns) this.#pause();
  }

  #pause() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#name("Slide", false);
  }

  #step() {
    const [rows, columns] = this.on.size();
    const at = this.made === null || this.made >= rows * columns ? 0 : this.made;
    this.made = at + 1;
    this.on.go(Math.floor(at / columns), at % columns);
  }

  /** @param {string} name @param {boolean} playing */
  #name(name, playing) {
    this.button.textContent = name;
    this.button.setAttribute("aria-pressed", String(playing));
  }
}
