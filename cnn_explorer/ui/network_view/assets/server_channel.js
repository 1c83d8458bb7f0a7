// Drawings to the server, by runs of the page. One message is in flight at a time. The next one waits for `pace.pause`,
// or for 3 s where maps come over HTTP. The newest drawing wins; the last one is never lost. The end of a stroke is
// sent at once.

import { LONGEST, PATIENCE, Pace } from "./pace.js";

/** @import { Message, State } from "../types.d.ts" */

const SETTLED = 1000; // ms after which the server has long followed the browser to another address

export class ServerChannel {
  /**
   * @param {() => State} state what is to be told, asked only when it is sent
   * @param {(message: Message) => void} send
   */
  constructor(state, send) {
    this.state = state;
    this.send = send;
    this.pace = new Pace();
    this.seq = 0;
    this.acknowledged = 0;
    this.drawnAt = 0; // number of the first message with the drawing as it is now; infinite until it is sent
    this.waiting = false; // something is to be told
    this.final = false;
    this.patient = false; // maps come over HTTP: this movement is sent only if the stroke still goes on after 3 s
    this.sentAt = -Infinity;
    this.since = 0; // when the oldest change was made that is yet to be sent
    this.timer = 0;
    this.later = 0;
  }

  /** True while the server has yet to answer. */
  get busy() {
    return this.waiting || this.acknowledged < this.seq;
  }

  /** True while the server has yet to see what was drawn here. */
  get drawn() {
    return this.outdates(this.acknowledged);
  }

  /** The server's answer to `seq` is not about the drawing as it is now. @param {number} seq */
  outdates(seq) {
    return seq < this.drawnAt;
  }

  /**
   * The drawing has changed.
   * @param {boolean} final true at the end of a stroke: the address is to hold it
   * @param {boolean} patient maps come over HTTP
   */
  push(final, patient = false) {
    if (this.drawnAt < Infinity) this.since = performance.now();
    this.final = final || (this.drawnAt === Infinity && this.final);
    this.drawnAt = Infinity;
    this.#want(patient);
  }

  /** Something else than the drawing is to be told, or an update is wanted. */
  ask() {
    this.#want(false);
  }

  /** Send now what waits: the page is about to be left. */
  flush() {
    if (this.waiting) this.#send();
  }

  /** Forget what the server has not seen: the browser has gone to another address, which says what is drawn. */
  drop() {
    this.close();
    this.drawnAt = 0;
    this.acknowledged = this.seq;
    this.retry(SETTLED); // an answer that says what the last one said does not get here
  }

  /** The server has seen everything up to `seq`. @param {number} seq */
  acknowledge(seq) {
    if (this.acknowledged < this.seq && seq === this.seq) this.pace.note(performance.now() - this.sentAt);
    this.seq = Math.max(this.seq, seq); // a page that was just mounted goes on counting where the session stands
    this.acknowledged = Math.max(this.acknowledged, seq);
    this.#next();
  }

  /** Ask again a little later: the server was not ready. @param {number} delay ms */
  retry(delay) {
    clearTimeout(this.later);
    this.later = setTimeout(() => {
      if (!this.busy) this.ask();
    }, delay);
  }

  close() {
    clearTimeout(this.timer);
    clearTimeout(this.later);
    this.waiting = false;
  }

  /** @param {boolean} patient */
  #want(patient) {
    this.patient = patient && (this.patient || !this.waiting); // what else waits is not put off
    this.waiting = true;
    this.#next();
  }

  /** When the next message is to be sent, as `performance.now()`. */
  get #due() {
    if (this.acknowledged < this.seq) return this.sentAt + PATIENCE;
    if (this.patient) return Math.max(this.since, this.sentAt) + LONGEST;
    return this.sentAt + (this.final ? 0 : this.pace.pause);
  }

  #next() {
    clearTimeout(this.timer);
    if (!this.waiting && this.acknowledged >= this.seq) return;
    const now = performance.now();
    const due = this.#due;
    if (now < due) {
      this.timer = setTimeout(() => this.#next(), due - now);
      return;
    }
    this.#send();
  }

  /** The drawing is sent until it is acknowledged, and not again: the address may have changed it by then. */
  #send() {
    clearTimeout(this.timer);
    this.waiting = false;
    this.sentAt = performance.now();
    this.seq++;
    const { drawn, seq } = this;
    const state = this.state();
    if (this.drawnAt === Infinity) this.drawnAt = seq;
    this.send({ ...state, seq, final: drawn && this.final, drawing: drawn ? state.drawing : "", drawn });
    this.timer = setTimeout(() => this.#next(), PATIENCE);
  }
}
