// What layers compute: each function prepares one layer and returns its step. No DOM.
//
// Values are float32 in torch's order, C, H, W. Sums are made in JavaScript's own doubles and rounded once, where they
// are stored.

import { product } from "./geometry.js";
import { geometryOf } from "./windows.js";

/** @import { Layer, Pair, Parameters, Step, Window } from "../types.d.ts" */

export const EPSILON = 1e-5; // of BatchNorm2d
export const SLOPE = 0.01; // of LeakyReLU

/** Hands the values on. @returns {Step} */
export const copy = () => (input) => input.slice();

/** @param {(x: number) => number} formula @returns {() => Step} */
export const valueByValue = (formula) => () => (input) => {
  const output = new Float32Array(input.length);
  for (let index = 0; index < input.length; index++) output[index] = formula(input[index]);
  return output;
};

// --- convolution and linear: sums of products ---

/**
 * Copies what a window sees into a column, then multiplies all kernels of the group with it.
 * @param {Layer} layer @param {number[]} input its shape @param {Parameters} parameters @returns {Step}
 */
export function convolution(layer, input, { weight, bias }) {
  const {
    shape: [channels, rows, columns],
    groups,
  } = layer;
  const window = geometryOf(layer);
  const [, stride, padding] = window;
  const padded = [input[0], input[1] + 2 * padding[0], input[2] + 2 * padding[1]];
  const plane = padded[1] * padded[2];
  const perGroup = channels / groups;
  const cells = cellsOf(window, input[0] / groups, padded);
  const column = new Float64Array(cells.length);
  return (values) => {
    const source = withBorder(values, input, padded, padding);
    const output = new Float32Array(channels * rows * columns);
    for (let group = 0; group < groups; group++) {
      const first = group * (input[0] / groups) * plane;
      for (let pixel = 0; pixel < rows * columns; pixel++) {
        const x = pixel % columns;
        const y = (pixel - x) / columns;
        const corner = first + y * stride[0] * padded[2] + x * stride[1];
        for (let cell = 0; cell < cells.length; cell++) column[cell] = source[corner + cells[cell]];
        multiply(weight, bias, group * perGroup, (group + 1) * perGroup, column, output, pixel, rows * columns);
      }
    }
    return output;
  };
}

/**
 * How far the cells of a window lie behind its first one, in the order of the kernel: input channel, row, column.
 * @param {Window} window @param {number} channels @param {number[]} padded shape of the input with its border
 */
function cellsOf([kernel, , , dilation], channels, [, rows, columns]) {
  const cells = [];
  for (let channel = 0; channel < channels; channel++) {
    for (let y = 0; y < kernel[0]; y++) {
      for (let x = 0; x < kernel[1]; x++) cells.push((channel * rows + y * dilation[0]) * columns + x * dilation[1]);
    }
  }
  return Int32Array.from(cells);
}

/**
 * The maps with `padding` zeros around each.
 * @param {Float32Array} values
 * @param {number[]} shape
 * @param {number[]} padded the same with the border
 * @param {Pair} padding
 */
function withBorder(values, [channels, rows, columns], [, paddedRows, paddedColumns], padding) {
  if (paddedRows === rows && paddedColumns === columns) return values;
  const bordered = new Float32Array(channels * paddedRows * paddedColumns);
  for (let row = 0; row < channels * rows; row++) {
    const channel = Math.floor(row / rows);
    const y = padding[0] + (row % rows);
    bordered.set(
      values.subarray(row * columns, (row + 1) * columns),
      (channel * paddedRows + y) * paddedColumns + padding[1],
    );
  }
  return bordered;
}

/** @param {Layer} layer @param {number[]} _ @param {Parameters} parameters @returns {Step} */
export function linear({ shape: [features] }, _, { weight, bias }) {
  return (input) => {
    const output = new Float32Array(features);
    multiply(weight, bias, 0, features, Float64Array.from(input), output, 0, 1);
    return output;
  };
}

/**
 * output[at + row·step] = Σ weight[row, ·]·column + bias[row] for the rows from `first` up to `end`. Four rows at a
 * time: their sums do
 * not wait for each other, and the column is read once for all.
 * @param {Float32Array} weight
 * @param {Float32Array} bias
 * @param {number} first
 * @param {number} end
 * @param {Float64Array} column
 * @param {Float32Array} output @param {number} at @param {number} step
 */
function multiply(weight, bias, first, end, column, output, at, step) {
  const length = column.length;
  let row = first;
  for (; row + 4 <= end; row += 4) {
    const w0 = row * length;
    const w1 = w0 + length;
    const w2 = w1 + length;
    const w3 = w2 + length;
    let sum0 = bias[row];
    let sum1 = bias[row + 1];
    let sum2 = bias[row + 2];
    let sum3 = bias[row + 3];
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

/** @param {Layer} layer @param {number[]} input its shape */
export const maxPooling = (layer, input) => pooling(layer, input, largest);

/** @param {Layer} layer @param {number[]} input its shape */
export const averagePooling = (layer, input) => pooling(layer, input, average);

/**
 * @typedef {{top: number, bottom: number, left: number, right: number, size: number}} View rows and columns of a map
 *   that a window sees, ends
 *   left out, and how many cells it has, those on the padding included
 * @param {Layer} layer
 * @param {number[]} input its shape
 * @param {(map: Float32Array, columns: number, view: View) => number} pool
 * @returns {Step}
 */
function pooling(layer, [, height, width], pool) {
  const [channels, rows, columns] = layer.shape;
  const [kernel, stride, padding] = geometryOf(layer);
  /** @type {View[]} */
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
      for (let index = 0; index < views.length; index++)
        output[channel * views.length + index] = pool(map, width, views[index]);
    }
    return output;
  };
}

/**
 * The part of `length` cells from `start` that lies on a side of the map, its end left out.
 * @param {number} start @param {number} length @param {number} side @returns {[number, number]}
 */
const inside = (start, length, side) => [Math.max(0, start), Math.min(side, start + length)];

/** Padding never is the largest. @param {Float32Array} map @param {number} columns @param {View} view */
function largest(map, columns, { top, bottom, left, right }) {
  let best = -Infinity;
  for (let y = top; y < bottom; y++) {
    for (let index = y * columns + left; index < y * columns + right; index++) best = Math.max(best, map[index]);
  }
  return best;
}

/** Padding counts as zeros. @param {Float32Array} map @param {number} columns @param {View} view */
function average(map, columns, { top, bottom, left, right, size }) {
  let sum = 0;
  for (let y = top; y < bottom; y++) {
    for (let index = y * columns + left; index < y * columns + right; index++) sum += map[index];
  }
  return sum / size;
}

// --- value by value ---

/**
 * (x − mean)/√(variance + ε)·weight + bias, each channel with its own.
 * @param {Layer} layer
 * @param {number[]} _
 * @param {Parameters} parameters
 * @returns {Step}
 */
export function batchNorm({ shape }, _, { weight, bias, mean, variance }) {
  const size = product(shape.slice(1));
  return (input) => {
    const output = new Float32Array(input.length);
    for (let channel = 0; channel < shape[0]; channel++) {
      const scale = weight[channel] / Math.sqrt(variance[channel] + EPSILON);
      const shift = bias[channel] - mean[channel] * scale;
      for (let index = channel * size; index < (channel + 1) * size; index++)
        output[index] = input[index] * scale + shift;
    }
    return output;
  };
}

/**
 * The error function: 2/√π·exp(−x²)·(x + 2x³/3 + 4x⁵/15 + …), whose terms all have one sign; beyond ±5 it is ±1 to 12
 * digits.
 * @param {number} x
 */
export function erf(x) {
  if (Math.abs(x) > 5) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let odd = 3; Math.abs(term) > 1e-12 * Math.abs(sum); odd += 2) {
    term *= (2 * x * x) / odd;
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}
