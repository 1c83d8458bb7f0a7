// What the server sends: one blob an update, made by network_view/__init__.py. No DOM.
//
// uint32 header length, header (JSON), 784 bytes image, values of every layer (float32 at rest, float16 while the pen
// moves), float32 logits and probabilities, float32 weights of the network and of the pinned one, each where they were
// asked for

import { product } from "./geometry.js";

/** @import { Layer, Maps, Update } from "../types.d.ts" */

const PIXELS = 784;

/** @param {Uint8Array} bytes @returns {Update} */
export function decode(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = view.getUint32(0, true);
  /** @type {Omit<Update, "id" | "weights" | "pinWeights" | keyof Maps> & {weights: number}} */
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + headerLength)));
  const { exact, pending } = header;
  const layers = pending ? [] : header.layers;
  const classes = pending ? 0 : header.classes;
  const at = 4 + headerLength;
  const rest = at + lengthOfMaps(layers, classes, exact);
  const weights = float32(view, rest, header.weights);
  const pinWeights = float32(view, rest + 4 * header.weights, header.pin?.weights ?? 0);
  return {
    ...header,
    id: `${header.net} ${header.version}`,
    ...decodeMaps(bytes.subarray(at), layers, classes, exact),
    weights,
    pinWeights,
  };
}

/**
 * The image, and what a network makes of it.
 * @param {Uint8Array} bytes
 * @param {Layer[]} layers
 * @param {number} classes
 * @param {boolean} exact float32, else float16
 * @returns {Maps}
 */
export function decodeMaps(bytes, layers, classes, exact) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = PIXELS;
  const values = layers.map(({ shape }) => {
    const length = product(shape);
    const start = at;
    at += length * (exact ? 4 : 2);
    return exact ? float32(view, start, length) : float16(view, start, length);
  });
  return {
    image: bytes.slice(0, PIXELS),
    values,
    logits: float32(view, at, classes),
    probabilities: float32(view, at + 4 * classes, classes),
  };
}

/** How many bytes `decodeMaps` reads. @param {Layer[]} layers @param {number} classes @param {boolean} exact */
export function lengthOfMaps(layers, classes, exact) {
  return PIXELS + (exact ? 4 : 2) * layers.reduce((sum, { shape }) => sum + product(shape), 0) + 8 * classes;
}

/** @param {DataView} view @param {number} at @param {number} length */
function float32(view, at, length) {
  const numbers = new Float32Array(length);
  for (let index = 0; index < length; index++) numbers[index] = view.getFloat32(at + 4 * index, true);
  return numbers;
}

/** @param {DataView} view @param {number} at @param {number} length */
function float16(view, at, length) {
  const numbers = new Float32Array(length);
  for (let index = 0; index < length; index++) numbers[index] = HALF[view.getUint16(at + 2 * index, true)];
  return numbers;
}

// Every 16-bit float as a number: a look-up is faster than arithmetic, and Float16Array is not everywhere yet.
const HALF = Float32Array.from({ length: 65536 }, (_, bits) => {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
});
