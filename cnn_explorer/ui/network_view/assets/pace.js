// How often a server is asked: the longer it takes to answer, the less often.

const REST = 2; // times as long as an answer takes: until the next question
export const LONGEST = 3000; // ms
export const PATIENCE = 3000; // ms without an answer until a question is taken to be lost

export class Pace {
  interval = 80; // ms from one question to the next at least

  #took = [0, 0]; // ms that the last two answers took

  /** An answer has come. @param {number} took ms */
  note(took) {
    this.#took = [this.#took[1], took];
  }

  /** The server has more to do than it can. */
  slow() {
    this.#took = [LONGEST, LONGEST];
  }

  /** Milliseconds from one question to the next. One slow answer among quick ones changes nothing. */
  get pause() {
    return Math.max(this.interval, Math.min(LONGEST, REST * Math.min(...this.#took)));
  }
}
