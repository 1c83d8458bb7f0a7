// The windows that layers slide over their input. Pure functions on numbers.

/** @import { Layer, Window } from "../types.d.ts" */

export const IMAGE = [1, 28, 28];

/** 0, 1, … @param {number} count */
export const upTo = (count) => Array.from({ length: count }, (_, index) => index);

/** @param {number[]} numbers @returns sorted, each once */
export const unique = (numbers) => [...new Set(numbers)].sort((a, b) => a - b);

/** Shape of a layer's input. @param {Layer[]} layers @param {number} index */
export const inputOf = (layers, index) => (index ? layers[index - 1].shape : IMAGE);

/** kernel_size, stride, padding and dilation of a layer that slides a window. @param {Layer} layer @returns {Window} */
export function geometryOf({ kind, window }) {
  if (!window) throw new TypeError(`${kind} needs a window`);
  return window;
}

/**
 * The cells of the windows at some places along one axis (0 down, 1 across).
 * @param {Window} window
 * @param {number} axis
 * @param {number[]} places
 */
export function seen([kernel, stride, padding, dilation], axis, places) {
  const cells = places.flatMap((place) =>
    upTo(kernel[axis]).map((cell) => place * stride[axis] - padding[axis] + cell * dilation[axis]),
  );
  return places.length > 1 ? unique(cells) : cells;
}

/**
 * Input channels that some output channels of a convolution are made of; null for all.
 * @param {Layer} layer @param {number[]} input its shape @param {number[] | null} maps
 */
export function channelsOf(layer, [channels], maps) {
  if (!maps || layer.groups === 1) return null;
  const outputs = layer.shape[0] / layer.groups;
  const inputs = channels / layer.groups;
  return unique(maps.flatMap((map) => upTo(inputs).map((channel) => Math.floor(map / outputs) * inputs + channel)));
}
