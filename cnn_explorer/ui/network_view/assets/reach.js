// Which values a value comes from, and which it reaches: windows back and forth through the layers. Pure functions on numbers.
//
// A window is the same for all rows and all columns, so what is highlighted in a map is a set of rows times a set of columns. Sets are sorted
// arrays; a row below 0 or beyond the map lies on the padding.

import { mapsOf } from "./geometry.js";

/** @typedef {import("./protocol.js").Layer} Layer */
/** @typedef {{maps: number[] | null, rows: number[], columns: number[]}} Region the same rows and columns of some maps of a layer; `maps` null for all of them */

const IMAGE = [1, 28, 28];
/** 0, 1, … */
export const upTo = (count) => Array.from({ length: count }, (_, index) => index);
const sides = (shape) => mapsOf(shape).slice(1);
const unique = (numbers) => [...new Set(numbers)].sort((a, b) => a - b);

/** Shape of a layer's input. @param {Layer[]} layers @param {number} index */
export const inputOf = (layers, index) => (index ? layers[index - 1].shape : IMAGE);

/**
 * Everything that values of one layer are made of.
 * @param {Layer[]} layers @param {number} index of the layer @param {Region} region in its output
 * @returns {(Region | null)[]} for the image, then for every layer up to this one; null where nothing but padding is left
 */
export function backward(layers, index, region) {
  const found = [region];
  for (let at = index; at >= 0; at--) {
    const from = found[0] && inside(found[0], sides(layers[at].shape));
    found.unshift(from && through(layers[at], inputOf(layers, at), from));
  }
  return found;
}

/**
 * Everything that pixels of the image reach.
 * @param {Layer[]} layers @param {Region} region in the image
 * @returns {(Region | null)[]} for the image, then for every layer
 */
export function forward(layers, region) {
  const found = [region];
  layers.forEach((layer, at) => found.push(found[at] && onward(layer, inputOf(layers, at), found[at])));
  return found;
}

/** What `region` outputs of a layer see of its input. @returns {Region} */
function through(layer, input, region) {
  const { maps } = region;
  if (layer.window) {
    const [rows, columns] = [0, 1].map((axis) => seen(layer.window, axis, axis ? region.columns : region.rows));
    return { maps: layer.kind === "Conv2d" ? channelsOf(layer, input, maps) : maps, rows, columns };
  }
  if (layer.kind === "Linear") return everything(input);
  return flattens(layer, input) ? unflattened(input, maps) : region;
}

/** What `region` inputs of a layer reach in its output. @returns {Region | null} */
function onward(layer, input, region) {
  if (layer.window) {
    const sizes = sides(layer.shape);
    const [rows, columns] = [0, 1].map((axis) => {
      const from = new Set(axis ? region.columns : region.rows);
      return upTo(sizes[axis]).filter((place) => seen(layer.window, axis, [place]).some((cell) => from.has(cell)));
    });
    if (!rows.length || !columns.length) return null;
    return { maps: layer.kind === "Conv2d" ? null : region.maps, rows, columns };
  }
  if (layer.kind === "Linear") return everything(layer.shape);
  return flattens(layer, input) ? flattened(input, region) : region;
}

/** Maps come in and features go out: a flatten, or the layer behind one, which has no column of its own. */
const flattens = (layer, input) => input.length === 3 && layer.shape.length === 1;

/** The cells of the windows at some places along one axis (0 down, 1 across). */
export function seen([kernel, stride, padding, dilation], axis, places) {
  const cells = places.flatMap((place) => upTo(kernel[axis]).map((cell) => place * stride[axis] - padding[axis] + cell * dilation[axis]));
  return places.length > 1 ? unique(cells) : cells;
}

/** Input channels that some output channels of a convolution are made of. */
export function channelsOf(layer, [channels], maps) {
  if (!maps || layer.groups === 1) return null;
  const outputs = layer.shape[0] / layer.groups, inputs = channels / layer.groups;
  return unique(maps.flatMap((map) => upTo(inputs).map((channel) => Math.floor(map / outputs) * inputs + channel)));
}

/** @returns {Region} */
const everything = (shape) => ({ maps: null, rows: upTo(sides(shape)[0]), columns: upTo(sides(shape)[1]) });

/** The pixels that some features of a flatten are. @returns {Region} */
function unflattened([, rows, columns], features) {
  if (!features) return { maps: null, rows: upTo(rows), columns: upTo(columns) };
  return {
    maps: unique(features.map((feature) => Math.floor(feature / (rows * columns)))),
    rows: unique(features.map((feature) => Math.floor(feature / columns) % rows)),
    columns: unique(features.map((feature) => feature % columns)),
  };
}

/** The features that some pixels of a flatten become. @returns {Region} */
function flattened([channels, height, width], { maps, rows, columns }) {
  const features = (maps ?? upTo(channels)).flatMap((map) => rows.flatMap((row) => columns.map((column) => (map * height + row) * width + column)));
  return { maps: features, rows: [0], columns: [0] };
}

/** Without the padding: nothing lies behind it. @returns {Region | null} */
function inside({ maps, rows, columns }, [height, width]) {
  const kept = { maps, rows: rows.filter((row) => row >= 0 && row < height), columns: columns.filter((column) => column >= 0 && column < width) };
  return kept.rows.length && kept.columns.length ? kept : null;
}

/** Runs of neighbours as [first, length]. @param {number[]} places sorted */
export function runs(places) {
  const found = [];
  for (const place of places) {
    const last = found.at(-1);
    if (last && last[0] + last[1] === place) last[1]++;
    else found.push([place, 1]);
  }
  return found;
}
