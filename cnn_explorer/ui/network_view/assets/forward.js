// The forward pass of a network in the browser: layer by layer the numbers that PyTorch computes. No DOM.
//
// Values are float32 in torch's order, C, H, W. Sums are made in JavaScript's own doubles and rounded once, where they are stored.

import { product } from "./geometry.js";

/**
 * @typedef {[number, number]} Pair height, width
 * @typedef {{kind: string, shape: number[], window: [Pair, Pair, Pair, Pair] | null, groups: number}} Layer of an update; `kind` is the nn
 *   class, `shape` that of the output, `window` kernel_size, stride, padding and dilation
 * @typedef {{weight: Float32Array, bias: Float32Array, mean?: Float32Array, variance?: Float32Array}} Parameters views into the weights
 * @typedef {(input: Float32Array) => Float32Array} Step a layer at work; its output is a new array
 * @typedef {{values: Float32Array[], logits: Float32Array, probabilities: Float32Array}} Pass `values` one a layer; `logits` and
 *   `probabilities` are empty unless the last layer is linear
 */

const IMAGE = [1, 28, 28];
const MEAN = 0.1307, STD = 0.3081; // of MNIST's training images
export const EPSILON = 1e-5; // of BatchNorm2d
export const SLOPE = 0.01; // of LeakyReLU

/** A network ready to run: its weights taken apart, its windows worked out. */
export class Forward {
  /** @type {Step[]} */
  #steps = [];

  /** @type {(Parameters | null)[]} of every layer, null where it has none */
  parameters = [];

  /**
   * @param {Layer[]} layers as in an update
   * @param {Float32Array} weights all of them, as `pack_weights` in network_view/__init__.py puts them in a row
   */
  constructor(layers, weights) {
    let shape = IMAGE, at = 0;
    for (const layer of layers) {
      const sizes = (SIZES[layer.kind] ?? none)(layer, shape);
      const views = Object.entries(sizes).map(([name, size]) => [name, weights.subarray(at, (at += size))]);
      const parameters = views.length ? Object.fromEntries(views) : null;
      this.parameters.push(parameters);
      this.#steps.push(FORWARD[layer.kind](layer, shape, parameters));
      shape = layer.shape;
    }
    if (at !== weights.length) throw new RangeError(`weights (${weights.length}) must be as many as the layers have parameters (${at})`);
    this.classifies = layers.at(-1)?.kind === "Linear";
  }

  /** @param {Uint8Array} image 28 × 28, 0 background to 255 ink @returns {Pass} */
  run(image) {
    let value = normalized(image);
    const values = this.#steps.map((step) => (value = step(value)));
    const logits = this.classifies ? value.slice() : new Float32Array(0);
    return { values, logits, probabilities: softmax(logits) };
  }
}

/** What the first layer gets of an image. @param {Uint8Array} image 0 to 255 @returns {Float32Array} about −0.42 to 2.82 */
export const normalized = (image) => Float32Array.from(image, (ink) => (ink / 255 - MEAN) / STD);

// --- layers by kind: how many parameters they have, in the order of torch's state_dict, and what they do ---

const none = () => ({});

/** @type {Record<string, (layer: Layer, input: number[]) => Record<string, number>>} */
const SIZES = {
  Conv2d: ({ shape: [channels], window: [kernel], groups }, [inputs]) => ({
    weight: channels * (inputs / groups) * kernel[0] * kernel[1],
    bias: channels,
  }),
  Linear: ({ shape: [features] }, input) => ({ weight: features * product(input), bias: features }),
  BatchNorm2d: ({ shape: [channels] }) => ({ weight: channels, bias: channels, mean: channels, variance: channels }),
};

/** @type {Record<string, (layer: Layer, input: number[], parameters: Parameters) => Step>} */
const FORWARD = {
  Conv2d: convolution,
  MaxPool2d: (layer, input) => pooling(layer, input, largest),
  AvgPool2d: (layer, input) => pooling(layer, input, average),
  Linear: linear,
  BatchNorm2d: normalization,
  ReLU: () => mapped((x) => Math.max(0, x)),
  LeakyReLU: () => mapped((x) => (x > 0 ? x : SLOPE * x)),
  Tanh: () => mapped(Math.tanh),
  Sigmoid: () => mapped((x) => 1 / (1 + Math.exp(-x))),
  GELU: () => mapped((x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2))),
  Dropout: () => (input) => input.slice(), // acts only while training
  Flatten: () => (input) => input.slice(),
};

/** @param {(x: number) => number} formula @returns {Step} */
const mapped = (formula) => (input) => {
  const output = new Float32Array(input.length);
  for (let index = 0; index < input.length; index++) output[index] = formula(input[index]);
  return output;
};

// --- convolution and linear: sums of products ---

/** Copies what a window sees into a column, then multiplies all kernels of the group with it. */
function convolution({ shape: [channels, rows, columns], window, groups }, input, { weight, bias }) {
  const [, stride, padding] = window;
  const padded = [input[0], input[1] + 2 * padding[0], input[2] + 2 * padding[1]];
  const plane = padded[1] * padded[2], perGroup = channels / groups;
  const cells = cellsOf(window, input[0] / groups, padded);
  const column = new Float64Array(cells.length);
  return (values) => {
    const source = withBorder(values, input, padded, padding);
    const output = new Float32Array(channels * rows * columns);
    for (let group = 0; group < groups; group++) {
      const first = group * (input[0] / groups) * plane;
      for (let pixel = 0; pixel < rows * columns; pixel++) {
        const x = pixel % columns, y = (pixel - x) / columns;
        const corner = first + y * stride[0] * padded[2] + x * stride[1];
        for (let cell = 0; cell < cells.length; cell++) column[cell] = source[corner + cells[cell]];
        multiply(weight, bias, group * perGroup, (group + 1) * perGroup, column, output, pixel, rows * columns);
      }
    }
    return output;
  };
}

/** How far the cells of a window lie behind its first one, in the order of the kernel: input channel, row, column. */
function cellsOf([kernel, , , dilation], channels, [, rows, columns]) {
  const cells = [];
  for (let channel = 0; channel < channels; channel++) {
    for (let y = 0; y < kernel[0]; y++) {
      for (let x = 0; x < kernel[1]; x++) cells.push((channel * rows + y * dilation[0]) * columns + x * dilation[1]);
    }
  }
  return Int32Array.from(cells);
}

/** The maps with `padding` zeros around each. */
function withBorder(values, [channels, rows, columns], [, paddedRows, paddedColumns], padding) {
  if (paddedRows === rows && paddedColumns === columns) return values;
  const bordered = new Float32Array(channels * paddedRows * paddedColumns);
  for (let row = 0; row < channels * rows; row++) {
    const channel = Math.floor(row / rows), y = padding[0] + (row % rows);
    bordered.set(values.subarray(row * columns, (row + 1) * columns), (channel * paddedRows + y) * paddedColumns + padding[1]);
  }
  return bordered;
}

/** @returns {Step} */
function linear({ shape: [features] }, _, { weight, bias }) {
  return (input) => {
    const output = new Float32Array(features);
    multiply(weight, bias, 0, features, Float64Array.from(input), output, 0, 1);
    return output;
  };
}

/**
 * output[at + row·step] = Σ weight[row, ·]·column + bias[row] for the rows from `first` up to `end`. Four rows at a time: their sums do
 * not wait for each other, and the column is read once for all.
 */
function multiply(weight, bias, first, end, column, output, at, step) {
  const length = column.length;
  let row = first;
  for (; row + 4 <= end; row += 4) {
    const w0 = row * length, w1 = w0 + length, w2 = w1 + length, w3 = w2 + length;
    let sum0 = bias[row], sum1 = bias[row + 1], sum2 = bias[row + 2], sum3 = bias[row + 3];
    for (let index = 0; index < length; index++) {
      const value = column[index];
      sum0 += weight[w0 + index] * value;
      sum1 += weight[w1 + index] * value;
      sum2 += weight[w2 + index] * value;
      sum3 += weight[w3 + index] * value;
    }
    output[at + row * step] = sum0;
    output[at + (row + 1) * step] = sum1;
    output[at + (row + 2) * step] = sum2;
    output[at + (row + 3) * step] = sum3;
  }
  for (; row < end; row++) {
    let sum = bias[row];
    for (let index = 0, w = row * length; index < length; index++) sum += weight[w + index] * column[index];
    output[at + row * step] = sum;
  }
}

// --- pooling ---

/**
 * @typedef {{top: number, bottom: number, left: number, right: number, size: number}} View rows and columns of a map that a window sees, ends
 *   left out, and how many cells it has, those on the padding included
 * @param {(map: Float32Array, columns: number, view: View) => number} pool @returns {Step}
 */
function pooling({ shape: [channels, rows, columns], window: [kernel, stride, padding] }, [, height, width], pool) {
  const views = [];
  for (let row = 0; row < rows; row++) {
    const [top, bottom] = inside(row * stride[0] - padding[0], kernel[0], height);
    for (let column = 0; column < columns; column++) {
      const [left, right] = inside(column * stride[1] - padding[1], kernel[1], width);
      views.push({ top, bottom, left, right, size: kernel[0] * kernel[1] });
    }
  }
  return (input) => {
    const output = new Float32Array(channels * views.length);
    for (let channel = 0; channel < channels; channel++) {
      const map = input.subarray(channel * height * width, (channel + 1) * height * width);
      for (let index = 0; index < views.length; index++) output[channel * views.length + index] = pool(map, width, views[index]);
    }
    return output;
  };
}

/** The part of `length` cells from `start` that lies on a side of the map, its end left out. @returns {Pair} */
const inside = (start, length, side) => [Math.max(0, start), Math.min(side, start + length)];

/** Padding never is the largest. */
function largest(map, columns, { top, bottom, left, right }) {
  let best = -Infinity;
  for (let y = top; y < bottom; y++) {
    for (let index = y * columns + left; index < y * columns + right; index++) best = Math.max(best, map[index]);
  }
  return best;
}

/** Padding counts as zeros. */
function average(map, columns, { top, bottom, left, right, size }) {
  let sum = 0;
  for (let y = top; y < bottom; y++) {
    for (let index = y * columns + left; index < y * columns + right; index++) sum += map[index];
  }
  return sum / size;
}

// --- value by value ---

/** (x − mean)/√(variance + ε)·weight + bias, each channel with its own. @returns {Step} */
function normalization({ shape }, _, { weight, bias, mean, variance }) {
  const size = product(shape.slice(1));
  return (input) => {
    const output = new Float32Array(input.length);
    for (let channel = 0; channel < shape[0]; channel++) {
      const scale = weight[channel] / Math.sqrt(variance[channel] + EPSILON), shift = bias[channel] - mean[channel] * scale;
      for (let index = channel * size; index < (channel + 1) * size; index++) output[index] = input[index] * scale + shift;
    }
    return output;
  };
}

/** The error function: 2/√π·exp(−x²)·(x + 2x³/3 + 4x⁵/15 + …), whose terms all have one sign; beyond ±5 it is ±1 to 12 digits. */
function erf(x) {
  if (Math.abs(x) > 5) return Math.sign(x);
  let term = x, sum = x;
  for (let odd = 3; Math.abs(term) > 1e-12 * Math.abs(sum); odd += 2) {
    term *= (2 * x * x) / odd;
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** exp(x)/Σ exp(x); the largest is taken off first, so that none overflows. @param {Float32Array} logits */
function softmax(logits) {
  const most = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - most));
  const sum = powers.reduce((whole, power) => whole + power, 0);
  return Float32Array.from(powers, (power) => power / sum);
}
