// The buttons play, step and restart. They ask an animation for its next step until there is none.

import { part } from "./element.js";

const PAUSE = 850; // ms a step

export class Transport {
  playing = false;
  #timer = 0;

  /**
   * @param {HTMLElement} element
   * @param {{step: () => boolean, restart: () => void}} animation `step` says whether another one follows
   */
  constructor(element, animation) {
    this.animation = animation;
    element.innerHTML = `
      <button type="button" data-do="play"></button>
      <button type="button" data-do="step">Step</button>
      <button type="button" data-do="restart">Restart</button>`;
    this.button = part(element, "[data-do=play]", HTMLElement);
    this.button.onclick = () => (this.playing ? this.pause() : this.play());
    part(element, "[data-do=step]", HTMLElement).onclick = () => {
      this.pause();
      this.animation.step();
    };
    part(element, "[data-do=restart]", HTMLElement).onclick = () => {
      this.pause();
      this.animation.restart();
    };
    this.pause();
  }

  play() {
    this.#show(true);
    this.#tick();
  }

  pause() {
    clearTimeout(this.#timer);
    this.#show(false);
  }

  #tick() {
    clearTimeout(this.#timer);
    if (!document.hidden && !this.animation.step()) {
      this.pause();
      return;
    }
    this.#timer = setTimeout(() => this.#tick(), PAUSE);
  }

  /** @param {boolean} playing */
  #show(playing) {
    this.playing = playing;
    this.button.textContent = playing ? "Pause" : "Play";
    this.button.setAttribute("aria-pressed", String(playing));
  }
}
