// What the server sends: one blob an update, made by network_view/__init__.py. No DOM.
//
//     uint32 header length, header (JSON), 784 bytes image, values of every layer (float32 at rest, float16 while the pen moves),
//     float32 logits and probabilities, float32 weights of the network where they were asked for

import { product } from "./geometry.js";

/**
 * @typedef {{name: string, kind: string, shape: number[], formula: string, unused: number[], field: number[], parameters: number, macs: number,
 *   window: [number, number][] | null, groups: number}} Layer window: kernel_size, stride, padding, dilation as [height, width]
 * @typedef {{layer: string, text: string}} Break why the next layer cannot take its input
 * id: the network and its weights, which training changes; training: seconds that it has had and is to have
 * @typedef {{seq: number, drawing: string, net: string, id: string, pending: boolean, exact: boolean, trained: boolean, measured: boolean, sentence: string,
 *   training: {going: boolean, has: number, to: number} | null,
 *   layers: Layer[], error: Break | null, classes: number, image: Uint8Array, values: Float32Array[], logits: Float32Array,
 *   probabilities: Float32Array, weights: Float32Array}} Update
 */

/** @param {Uint8Array} bytes @returns {Update} */
export function decode(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = view.getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + headerLength)));
  let at = 4 + headerLength;
  const image = bytes.slice(at, at + 784);
  at += 784;
  const float32 = (length) => {
    const numbers = new Float32Array(length);
    for (let index = 0; index < length; index++, at += 4) numbers[index] = view.getFloat32(at, true);
    return numbers;
  };
  const float16 = (length) => {
    const numbers = new Float32Array(length);
    for (let index = 0; index < length; index++, at += 2) numbers[index] = HALF[view.getUint16(at, true)];
    return numbers;
  };
  const read = header.exact ? float32 : float16;
  const values = header.pending ? [] : header.layers.map(({ shape }) => read(product(shape)));
  const classes = header.pending ? 0 : header.classes;
  const id = `${header.net} ${header.version}`;
  return { ...header, id, image, values, logits: float32(classes), probabilities: float32(classes), weights: float32(header.weights) };
}

// Every 16-bit float as a number: a look-up is faster than arithmetic, and Float16Array is not everywhere yet.
const HALF = Float32Array.from({ length: 65536 }, (_, bits) => {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
});
