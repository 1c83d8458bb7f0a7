// PyTorch's maps while the pen moves, fetched over HTTP: a fifth of the server's time for a run of the page. One
// request is in flight at a time, and the newest drawing wins. Where the server has no answer, the drawing is sent
// through `ServerChannel`.

import { PATIENCE, Pace } from "./pace.js";

/** @import { PenQuestion } from "../types.d.ts" */

const AGAIN = 10000; // ms after a failure until the server is asked again
const LATER = 60000; // ms after it had no maps for a network

export class PenMaps {
  pace = new Pace();

  #refused = ""; // id of the network for which the server had no maps
  #refusedAt = -Infinity;
  #lostAt = -Infinity; // when a request last failed
  #stroke = 0; // counts strokes: an answer to an earlier one is not shown
  #wanted = false;
  #asking = false;
  #askedAt = -Infinity;
  #timer = 0;

  /**
   * @param {() => PenQuestion | null} question asked only when it is sent; null while the pen rests
   * @param {{answered: (bytes: Uint8Array, question: PenQuestion) => void, refused: () => void}} told
   * `refused`: there is no answer, so the drawing is to be sent through `ServerChannel`
   */
  constructor(question, { answered, refused }) {
    this.question = question;
    this.answered = answered;
    this.refused = refused;
  }

  /** Whether it is worth asking. @param {string} id the network and its weights */
  serves(id) {
    const now = performance.now();
    return now - this.#lostAt > AGAIN && (id !== this.#refused || now - this.#refusedAt > LATER);
  }

  /** The drawing has changed. */
  ask() {
    this.#wanted = true;
    this.#next();
  }

  /** The pen rests: nothing is wanted any more. */
  close() {
    this.#wanted = false;
    this.#stroke++;
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
    const stroke = this.#stroke;
    this.#asking = true;
    this.#askedAt = performance.now();
    const { status, bytes } = await fetched(question);
    this.#asking = false;
    const took = performance.now() - this.#askedAt;
    if (status === 429 || status === 503) this.pace.slow();
    else this.pace.note(took);
    if (status === OK && bytes.length === question.length) {
      if (stroke === this.#stroke) this.answered(bytes, question);
    } else if (status === LOST || (status >= 500 && status !== 503)) {
      this.#lostAt = performance.now();
    } else if (![TIMED_OUT, 413, 422, 429, 503].includes(status)) {
      this.#refused = question.id;
      this.#refusedAt = performance.now();
    }
    if (stroke === this.#stroke && !this.serves(question.id)) this.refused();
    this.#next();
  }
}

const OK = 200;
const LOST = 0;
const TIMED_OUT = -1;

/** The answer's status, or `LOST` or `TIMED_OUT`, and its body. @param {PenQuestion} question */
async function fetched({ net, version, drawing }) {
  const address = new URL("../../../pen_maps", import.meta.url); // of the app, wherever it is mounted
  address.search = new URLSearchParams({ net, version }).toString();
  try {
    const response = await fetch(address, { method: "POST", body: drawing, signal: AbortSignal.timeout(PATIENCE) });
    return { status: response.status, bytes: new Uint8Array(await response.arrayBuffer()) };
  } catch (problem) {
    const status = problem instanceof DOMException && problem.name === "TimeoutError" ? TIMED_OUT : LOST;
    return { status, bytes: new Uint8Array(0) };
  }
}
