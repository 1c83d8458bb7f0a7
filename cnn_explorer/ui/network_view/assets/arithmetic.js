// How one output value comes about: the terms of its sum, what each input channel adds, the winner of a pool. Pure
// functions on numbers.

import { channelsOf, geometryOf, seen, upTo } from "./windows.js";

/** @import { Layer, Parameters } from "../types.d.ts" */
/**
 * @typedef {{row: number, column: number, value: number, inside: boolean}} Cell of a window; `inside` is false on the
 *   padding
 * @typedef {Cell & {weight: number}} Term of a sum
 * @typedef {{channel: number, cells: Term[], sum: number}} Addend what one input channel adds
 * @typedef {{parts: Addend[], bias: number, total: number, tolerance: number}} Sum `tolerance` is how far float32 sums
 *   in another order may
 * be from `total`
 */

const CLOSE = 1e-6;

/**
 * The cells of one window in one map.
 * @param {Layer} layer
 * @param {number[]} input its shape
 * @param {Float32Array} values the input
 * @param {number} channel
 * @param {number} row
 * @param {number} column @param {number} padding what a cell on the padding counts as @returns {Cell[]}
 */
export function windowOf(layer, [, height, width], values, channel, row, column, padding = 0) {
  const window = geometryOf(layer);
  const rows = seen(window, 0, [row]);
  const columns = seen(window, 1, [column]);
  return rows.flatMap((y) =>
    columns.map((x) => {
      const inside = y >= 0 && x >= 0 && y < height && x < width;
      return { row: y, column: x, inside, value: inside ? values[(channel * height + y) * width + x] : padding };
    }),
  );
}

/**
 * One output pixel of a convolution: Σ over channels Σ over the window x·w, plus the bias.
 * @param {Layer} layer
 * @param {number[]} input its shape
 * @param {Float32Array} values the input
 * @param {Parameters} parameters
 * @param {number} map @param {number} row @param {number} column @returns {Sum}
 */
export function convolved(layer, input, values, { weight, bias }, map, row, column) {
  const channels = channelsOf(layer, input, [map]) ?? upTo(input[0]);
  const [kernel] = geometryOf(layer);
  const size = kernel[0] * kernel[1];
  const parts = channels.map((channel, place) => {
    const first = (map * channels.length + place) * size;
    const cells = windowOf(layer, input, values, channel, row, column).map((cell, at) => ({
      ...cell,
      weight: weight[first + at],
    }));
    return { channel, cells, sum: total(cells) };
  });
  return summed(parts, bias[map]);
}

/**
 * One feature of a linear layer: Σ x·w + bias, in parts by the channel that the inputs come from.
 * @param {number[]} input its shape
 * @param {Float32Array} values the input
 * @param {Parameters} parameters
 * @param {number} feature
 * @returns {Sum}
 */
export function weighed(input, values, { weight, bias }, feature) {
  const [channels, height, width] = input.length === 3 ? input : [1, 1, input[0]];
  const size = height * width;
  const first = feature * channels * size;
  const parts = upTo(channels).map((channel) => {
    const cells = upTo(size).map((place) => {
      const at = channel * size + place;
      return {
        row: Math.floor(place / width),
        column: place % width,
        inside: true,
        value: values[at],
        weight: weight[first + at],
      };
    });
    return { channel, cells, sum: total(cells) };
  });
  return summed(parts, bias[feature]);
}

/** @param {Term[]} cells */
const total = (cells) => cells.reduce((sum, { value, weight }) => sum + value * weight, 0);

/** @param {Addend[]} parts @param {number} bias @returns {Sum} */
function summed(parts, bias) {
  const size = parts.reduce(
    (sum, { cells }) => sum + cells.reduce((most, { value, weight }) => most + Math.abs(value * weight), 0),
    0,
  );
  return {
    parts,
    bias,
    total: parts.reduce((sum, part) => sum + part.sum, 0) + bias,
    tolerance: CLOSE * (size + Math.abs(bias)),
  };
}

/**
 * What each input channel adds to one output map.
 * @param {Layer} layer
 * @param {number[]} input its shape
 * @param {Float32Array} values the input
 * @param {Parameters} parameters
 * @param {number} map
 * @returns {{channel: number, kernel: Float32Array, values: Float32Array, strength: number}[]} strongest first;
 *   `values` as large as the map
 */
export function contributions(layer, input, values, { weight }, map) {
  const channels = channelsOf(layer, input, [map]) ?? upTo(input[0]);
  const [kernel, stride, padding, dilation] = geometryOf(layer);
  const [, height, width] = input;
  const [, rows, columns] = layer.shape;
  const size = kernel[0] * kernel[1];
  const found = channels.map((channel, place) => {
    const slice = weight.subarray((map * channels.length + place) * size, (map * channels.length + place + 1) * size);
    const sums = new Float64Array(rows * columns);
    for (let ky = 0, at = 0; ky < kernel[0]; ky++) {
      for (let kx = 0; kx < kernel[1]; kx++, at++) {
        for (let y = 0; y < rows; y++) {
          const fromY = y * stride[0] - padding[0] + ky * dilation[0];
          if (fromY < 0 || fromY >= height) continue;
          const line = (channel * height + fromY) * width - padding[1] + kx * dilation[1];
          for (let x = 0; x < columns; x++) {
            const fromX = x * stride[1] - padding[1] + kx * dilation[1];
            if (fromX >= 0 && fromX < width) sums[y * columns + x] += slice[at] * values[line + x * stride[1]];
          }
        }
      }
    }
    return {
      channel,
      kernel: slice,
      values: Float32Array.from(sums),
      strength: sums.reduce((sum, value) => sum + Math.abs(value), 0),
    };
  });
  return found.sort((a, b) => b.strength - a.strength);
}

/** The cell that max pooling takes: the first of the largest. @param {Cell[]} cells */
export const winner = (cells) => cells.reduce((best, cell) => (cell.value > best.value ? cell : best));
