// Numbers as text. No DOM.

/** @param {string} text */
const minus = (text) => text.replaceAll("-", "−");

/** @param {number} number @param {string} word */
export const count = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

/** @param {number} number */
const infinite = (number) => (number < 0 ? "−∞" : "∞");

/** Three significant digits. @param {number} number */
export const short = (number) =>
  Number.isFinite(number) ? minus(Number(number.toPrecision(3)).toString()) : infinite(number);

/** Six significant digits. @param {number} number */
export const exact = (number) =>
  Number.isFinite(number) ? minus(Number(number.toPrecision(6)).toString()) : infinite(number);

/** As many digits as tell one float32 from its neighbours. @param {number} number */
export const unrounded = (number) => minus(Number(number.toPrecision(9)).toString());

/** A sum as it is written on paper: a negative number is taken off. @param {string} text */
export const tidy = (text) => text.replaceAll("− −", "+ ").replaceAll("+ −", "− ");

/** One decimal; none from 100 on. @param {number} number */
export const oneDecimal = (number) =>
  minus((Math.round(10 * number) / 10 || 0).toFixed(Math.abs(number) < 99.9 ? 1 : 0));

/** @param {number} share 0 to 1 */
export const percent = (share) => `${(100 * share).toFixed(1)} %`;
