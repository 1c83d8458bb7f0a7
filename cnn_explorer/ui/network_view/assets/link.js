// Drawings to the server with back-pressure: one update in flight, at most one every 80 ms, the latest wins, the last is never lost.

const INTERVAL = 80;
const PATIENCE = 3000; // ms without an answer (a restart, a lost connection) until the drawing is sent again

export class Link {
  /** @param {(message: {seq: number, drawing: string, final: boolean}) => void} send */
  constructor(send) {
    this.send = send;
    this.seq = 0;
    this.acknowledged = 0;
    this.waiting = null; // the newest drawing that has not been sent
    this.sentAt = -Infinity;
    this.timer = 0;
  }

  /** True while the server has yet to answer what was drawn here. */
  get busy() {
    return this.waiting !== null || this.acknowledged < this.seq;
  }

  /** @param {string} drawing @param {boolean} final true at the end of a stroke: the address is to hold this drawing */
  push(drawing, final) {
    this.waiting = { drawing, final };
    this.#next();
  }

  /** The server has seen everything up to `seq`. */
  acknowledge(seq) {
    this.seq = Math.max(this.seq, seq); // a page that was just mounted goes on counting where the session stands
    this.acknowledged = Math.max(this.acknowledged, seq);
    this.#next();
  }

  /** Ask again for the same drawing a little later: the server was not ready. */
  retry(drawing, delay) {
    setTimeout(() => { if (!this.busy) this.push(drawing, false); }, delay);
  }

  close() {
    clearTimeout(this.timer);
    this.waiting = null;
  }

  #next() {
    clearTimeout(this.timer);
    const now = performance.now();
    const inFlight = this.acknowledged < this.seq;
    const due = this.sentAt + (inFlight ? PATIENCE : INTERVAL);
    if (inFlight || this.waiting) {
      if (now < due) {
        this.timer = setTimeout(() => this.#next(), due - now);
        return;
      }
    }
    if (!this.waiting && !inFlight) return;
    if (this.waiting) this.last = this.waiting;
    this.waiting = null;
    this.sentAt = now;
    this.send({ seq: ++this.seq, ...this.last });
    this.timer = setTimeout(() => this.#next(), PATIENCE);
  }
}
