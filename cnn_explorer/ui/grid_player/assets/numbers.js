// Numbers as text, and text as numbers. No DOM.

export const MAX_VALUE = 999;

/** Short, for a cell: five digits at most behind the sign. @param {number} value */
export function short(value) {
  if (Number.isInteger(value)) return signed(String(value));
  const digits = Math.max(0, 3 - Math.max(0, Math.floor(Math.log10(Math.abs(value)))));
  return signed(String(Number(value.toFixed(digits))));
}

/** Short, and in brackets if it is negative. @param {number} value */
export function bracketed(value) {
  return value < 0 ? `(${short(value)})` : short(value);
}

/** In full, without the last bits' noise. @param {number} value */
export function full(value) {
  return signed(String(Number(value.toPrecision(10))));
}

/** As a term of a product or a sum: a negative one in brackets. @param {number} value */
export function term(value) {
  return value < 0 ? `(${full(value)})` : full(value);
}

/** @param {string} text */
const signed = (text) => text.replace("-", "−");

/**
 * What a visitor typed: a number from −999 to 999 or a fraction of two; null if it is neither.
 * @param {string} text
 * @returns {number | null}
 */
export function parse(text) {
  const parts = text.trim().replaceAll("−", "-").replaceAll(",", ".").split("/");
  if (parts.length > 2 || parts.some((part) => part.trim() === "")) return null;
  const value = parts.length === 2 ? Number(parts[0]) / Number(parts[1]) : Number(parts[0]);
  return Math.abs(value) <= MAX_VALUE ? Number(value.toPrecision(6)) : null;
}
