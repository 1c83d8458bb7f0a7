// What the server sends: one blob an update, made by network_view/__init__.py. No DOM.
//
//     uint32 header length, header (JSON), 784 bytes image, values of every layer (float32 at rest, float16 while the pen moves),
//     float32 logits and probabilities, float32 weights of the network and of the pinned one, each where they were asked for

import { product } from "./geometry.js";

/** @import { Update } from "../types.d.ts" */

/** @param {Uint8Array} bytes @returns {Update} */
export function decode(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = view.getUint32(0, true);
  /** @type {Omit<Update, "id" | "image" | "values" | "logits" | "probabilities" | "weights" | "pinWeights"> & {version: string, weights: number}} */
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + headerLength)));
  let at = 4 + headerLength;
  const image = bytes.slice(at, at + 784);
  at += 784;
  /** @param {number} length */
  const float32 = (length) => {
    const numbers = new Float32Array(length);
    for (let index = 0; index < length; index++, at += 4) numbers[index] = view.getFloat32(at, true);
    return numbers;
  };
  /** @param {number} length */
  const float16 = (length) => {
    const numbers = new Float32Array(length);
    for (let index = 0; index < length; index++, at += 2) numbers[index] = HALF[view.getUint16(at, true)];
    return numbers;
  };
  const read = header.exact ? float32 : float16;
  const values = header.pending ? [] : header.layers.map(({ shape }) => read(product(shape)));
  const classes = header.pending ? 0 : header.classes;
  const id = `${header.net} ${header.version}`;
  return { ...header, id, image, values, logits: float32(classes), probabilities: float32(classes), weights: float32(header.weights), pinWeights: float32(header.pin?.weights ?? 0) };
}

// Every 16-bit float as a number: a look-up is faster than arithmetic, and Float16Array is not everywhere yet.
const HALF = Float32Array.from({ length: 65536 }, (_, bits) => {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
});
