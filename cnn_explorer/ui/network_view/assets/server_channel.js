// Drawings to the server with back-pressure: one update in flight, none sooner than `interval` after the last, the latest wins, the last
// is never lost.

/** @import { Message, State } from "../types.d.ts" */

const PATIENCE = 3000; // ms without an answer (a restart, a lost connection) until the drawing is sent again

export class ServerChannel {
  /**
   * @param {() => State} state what is to be told, asked only when it is sent
   * @param {(message: Message) => void} send
   */
  constructor(state, send) {
    this.state = state;
    this.send = send;
    this.interval = 80; // ms
    this.seq = 0;
    this.acknowledged = 0;
    this.waiting = false; // something has changed since the last message
    this.final = false;
    this.sentAt = -Infinity;
    this.timer = 0;
    this.later = 0;
  }

  /** True while the server has yet to answer what was drawn here. */
  get busy() {
    return this.waiting || this.acknowledged < this.seq;
  }

  /** The server's answer to `seq` is not about the drawing as it is now. @param {number} seq */
  outdates(seq) {
    return this.waiting || seq < this.seq;
  }

  /** The drawing has changed. @param {boolean} final true at the end of a stroke: the address is to hold it */
  push(final) {
    this.final = final || (this.waiting && this.final);
    this.waiting = true;
    this.#next();
  }

  /** The server has seen everything up to `seq`. @param {number} seq */
  acknowledge(seq) {
    this.seq = Math.max(this.seq, seq); // a page that was just mounted goes on counting where the session stands
    this.acknowledged = Math.max(this.acknowledged, seq);
    this.#next();
  }

  /** Ask again for the same drawing a little later: the server was not ready. @param {number} delay ms */
  retry(delay) {
    clearTimeout(this.later);
    this.later = setTimeout(() => { if (!this.busy) this.push(false); }, delay);
  }

  close() {
    clearTimeout(this.timer);
    clearTimeout(this.later);
    this.waiting = false;
  }

  #next() {
    clearTimeout(this.timer);
    const now = performance.now();
    const inFlight = this.acknowledged < this.seq;
    if (!this.waiting && !inFlight) return;
    const pause = this.final ? 0 : this.interval;
    const due = this.sentAt + (inFlight ? PATIENCE : pause);
    if (now < due) {
      this.timer = setTimeout(() => this.#next(), due - now);
      return;
    }
    this.waiting = false;
    this.sentAt = now;
    this.send({ seq: ++this.seq, final: this.final, ...this.state() });
    this.timer = setTimeout(() => this.#next(), PATIENCE);
  }
}
