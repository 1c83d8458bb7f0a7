// PyTorch's maps while the pen moves: asked for over HTTP, which takes the server a fifth of the time of a run of the page. One question is
// in flight at a time, and the newest drawing wins. Where the server does not answer so, the page's own way is left.

import { LONGEST, Pace } from "./pace.js";

/** @import { PenQuestion } from "../types.d.ts" */

const PATIENCE = 3000; // ms without an answer
const AGAIN = 10000; // ms after a lost connection until this way is tried again

export class PenMaps {
  pace = new Pace();

  #refused = ""; // the network, with its weights, that the server does not have for everybody
  #lostAt = -Infinity; // when a question last found no server
  #wanted = false;
  #asking = false;
  #askedAt = -Infinity;
  #timer = 0;

  /**
   * @param {() => PenQuestion | null} question asked only when it is sent; null while the pen rests
   * @param {{answered: (bytes: Uint8Array, question: PenQuestion) => void, refused: () => void}} told
   * `refused`: the drawing is to go the page's own way
   */
  constructor(question, { answered, refused }) {
    this.question = question;
    this.answered = answered;
    this.refused = refused;
  }

  /** Whether it is worth asking. @param {string} id the network and its weights */
  serves(id) {
    return id !== this.#refused && performance.now() - this.#lostAt > AGAIN;
  }

  /** The drawing has changed. */
  ask() {
    this.#wanted = true;
    this.#next();
  }

  /** The pen rests: nothing is wanted any more. */
  close() {
    this.#wanted = false;
    clearTimeout(this.#timer);
  }

  #next() {
    clearTimeout(this.#timer);
    if (!this.#wanted || this.#asking) return;
    const wait = this.#askedAt + this.pace.pause - performance.now();
    if (wait > 0) this.#timer = setTimeout(() => this.#next(), wait);
    else this.#send();
  }

  async #send() {
    const question = this.question();
    this.#wanted = false;
    if (!question) return;
    this.#asking = true;
    this.#askedAt = performance.now();
    try {
      const address = new URL("../../../pen_maps", import.meta.url); // of the app, wherever it is mounted
      address.search = new URLSearchParams({ net: question.net, version: question.version }).toString();
      const response = await fetch(address, { method: "POST", body: question.drawing, signal: AbortSignal.timeout(PATIENCE) });
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (response.status === 200 && bytes.length === question.length) {
        this.pace.note(performance.now() - this.#askedAt);
        this.answered(bytes, question);
      } else if (response.status === 429 || response.status === 503) {
        this.pace.slow();
      } else {
        this.#refused = question.id;
        this.refused();
      }
    } catch (problem) {
      if (problem instanceof DOMException && problem.name === "TimeoutError") this.pace.note(LONGEST);
      else {
        this.#lostAt = performance.now();
        this.refused();
      }
    } finally {
      this.#asking = false;
      this.#next();
    }
  }
}
