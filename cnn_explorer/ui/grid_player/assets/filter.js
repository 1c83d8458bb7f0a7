// A kernel on a grey picture, with half of the kernel as padding. No DOM.

/** @import { Cell, Picture, Product } from "../types.d.ts" */

/** Bytes of base64 text. @param {string} text */
export const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** Rows and columns of the result. @param {Picture} picture @param {number[][]} kernel @returns {Cell} */
export function sizeOfResult({ rows, columns }, kernel) {
  const more = 2 * Math.floor(kernel.length / 2) - kernel.length + 1; // 1 for an even kernel
  return [rows + more, columns + more];
}

/** Every value of the result, row by row. @param {Picture} picture @param {number[][]} kernel */
export function filtered({ values, rows, columns }, kernel) {
  const [height, width] = sizeOfResult({ values, rows, columns }, kernel);
  const before = Math.floor(kernel.length / 2);
  const result = new Float64Array(height * width);
  kernel.forEach((line, down) =>
    line.forEach((weight, across) => {
      if (!weight) return;
      for (let row = Math.max(0, before - down); row < Math.min(height, rows + before - down); row++) {
        const from = (row + down - before) * columns + across - before;
        const last = Math.min(width, columns + before - across);
        for (let column = Math.max(0, before - across); column < last; column++)
          result[row * width + column] += weight * values[from + column];
      }
    }),
  );
  return result;
}

/**
 * The products that make one value of the result.
 * @param {Picture} picture
 * @param {number[][]} kernel
 * @param {Cell} pixel
 * @returns {Product[]}
 */
export function productsOf({ values, rows, columns }, kernel, [row, column]) {
  const before = Math.floor(kernel.length / 2);
  return kernel.flatMap((line, down) =>
    line.map((weight, across) => {
      const y = row + down - before;
      const x = column + across - before;
      const inside = y >= 0 && x >= 0 && y < rows && x < columns;
      const value = inside ? values[y * columns + x] : 0;
      return { value, weight, product: value * weight, padding: !inside };
    }),
  );
}

/** Whether a result is shown in two colours, as the weights add up to no whole picture. @param {number[][]} kernel */
export const isSigned = (kernel) => Math.abs(kernel.flat().reduce((sum, weight) => sum + weight, 0) - 1) > 0.5;

// Blue below zero, orange above, as everywhere in the app.
const BELOW = [16, 78, 155];
const ZERO = 246;
const ABOVE = [166, 70, 0];

/**
 * A result as colours: grey from 0 to 1, or blue below zero and orange above, with full colour at the largest
 * magnitude.
 * @param {Float64Array} values @param {boolean} signed
 */
export function coloured(values, signed) {
  const dots = new Uint8ClampedArray(4 * values.length).fill(255);
  const reach = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
  values.forEach((value, at) => {
    const share = Math.abs(value) / reach;
    for (let channel = 0; channel < 3; channel++) {
      const end = value < 0 ? BELOW[channel] : ABOVE[channel];
      dots[4 * at + channel] = signed ? ZERO + share * (end - ZERO) : 255 * value;
    }
  });
  return dots;
}
