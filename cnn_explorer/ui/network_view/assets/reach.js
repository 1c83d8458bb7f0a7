// Which values a value comes from, and which it reaches: windows back and forth through the layers. Pure functions on
// numbers.
//
// A window is the same for all rows and all columns, so what is highlighted in a map is a set of rows times a set of
// columns. Sets are sorted arrays; a row below 0 or beyond the map lies on the padding.

import { mapsOf, product } from "./geometry.js";
import { kindOf } from "./layer_kinds.js";
import { channelsOf, inputOf, seen, unique, upTo } from "./windows.js";

/** @import { Layer, Region } from "../types.d.ts" */

/** @param {number[]} shape @returns height and width */
const sides = (shape) => mapsOf(shape).slice(1);

/**
 * Everything that values of one layer are made of.
 * @param {Layer[]} layers @param {number} index of the layer @param {Region} region in its output
 * @returns {(Region | null)[]} for the image, then for every layer up to this one; null where nothing but padding is
 *   left
 */
export function backward(layers, index, region) {
  /** @type {(Region | null)[]} */
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
  /** @type {(Region | null)[]} */
  const found = [region];
  layers.forEach((layer, at) => {
    const from = found[at];
    found.push(from && onward(layer, inputOf(layers, at), from));
  });
  return found;
}

/**
 * Maps of the layer before that a map is made of; null for all.
 * @param {Layer[]} layers
 * @param {number} index of the layer
 * @param {number} map
 */
export const sourcesOf = (layers, index, map) =>
  through(layers[index], inputOf(layers, index), { maps: [map], rows: [], columns: [] }).maps;

/**
 * Maps of the layer behind that a map goes into; null for all.
 * @param {Layer[]} layers
 * @param {number} index of the layer
 * @param {number} map
 */
export function targetsOf(layers, index, map) {
  const layer = layers[index + 1];
  const input = layers[index].shape;
  if (!layer) return [];
  if (mixes(layer, input))
    return layer.groups === 1
      ? null
      : upTo(layer.shape[0]).filter((output) => channelsOf(layer, input, [output])?.includes(map));
  const [rows, columns] = sides(input).map(upTo);
  return flattens(layer, input) ? flattened(input, { maps: [map], rows, columns }).maps : [map];
}

/**
 * What a region of a layer's output sees of its input.
 * @param {Layer} layer
 * @param {number[]} input its shape
 * @param {Region} region
 * @returns {Region}
 */
function through(layer, input, region) {
  const { maps } = region;
  const { window } = layer;
  if (window) {
    const [rows, columns] = [0, 1].map((axis) => seen(window, axis, axis ? region.columns : region.rows));
    return { maps: mixes(layer, input) ? channelsOf(layer, input, maps) : maps, rows, columns };
  }
  if (mixes(layer, input)) return everything(input);
  return flattens(layer, input) ? unflattened(input, maps) : region;
}

/**
 * What a region of a layer's input reaches in its output.
 * @param {Layer} layer
 * @param {number[]} input its shape
 * @param {Region} region
 * @returns {Region | null}
 */
function onward(layer, input, region) {
  const { window } = layer;
  if (window) {
    const sizes = sides(layer.shape);
    const [rows, columns] = [0, 1].map((axis) => {
      const from = new Set(axis ? region.columns : region.rows);
      return upTo(sizes[axis]).filter((place) => seen(window, axis, [place]).some((cell) => from.has(cell)));
    });
    if (!rows.length || !columns.length) return null;
    return { maps: mixes(layer, input) ? null : region.maps, rows, columns };
  }
  if (mixes(layer, input)) return everything(layer.shape);
  return flattens(layer, input) ? flattened(input, region) : region;
}

/**
 * Whether a value is made of all maps of the input. A kind that the browser does not know may do so where it has
 * weights or where sizes
 * change without a window.
 * @param {Layer} layer @param {number[]} input its shape
 */
export function mixes(layer, input) {
  const kind = kindOf(layer);
  if (kind) return Boolean(kind.mixes);
  return layer.parameters > 0 || (!layer.window && product(input) !== product(layer.shape));
}

/**
 * Maps come in and features go out: a flatten, or the layer behind one, which has no column of its own.
 * @param {Layer} layer
 * @param {number[]} input
 */
const flattens = (layer, input) => input.length === 3 && layer.shape.length === 1;

/** @param {number[]} shape @returns {Region} */
const everything = (shape) => ({ maps: null, rows: upTo(sides(shape)[0]), columns: upTo(sides(shape)[1]) });

/**
 * The pixels that some features of a flatten are.
 * @param {number[]} input its shape
 * @param {number[] | null} features
 * @returns {Region}
 */
function unflattened([, rows, columns], features) {
  if (!features) return { maps: null, rows: upTo(rows), columns: upTo(columns) };
  return {
    maps: unique(features.map((feature) => Math.floor(feature / (rows * columns)))),
    rows: unique(features.map((feature) => Math.floor(feature / columns) % rows)),
    columns: unique(features.map((feature) => feature % columns)),
  };
}

/**
 * The features that some pixels of a flatten become.
 * @param {number[]} input its shape
 * @param {Region} region
 * @returns {Region}
 */
function flattened([channels, height, width], { maps, rows, columns }) {
  const features = (maps ?? upTo(channels)).flatMap((map) =>
    rows.flatMap((row) => columns.map((column) => (map * height + row) * width + column)),
  );
  return { maps: features, rows: [0], columns: [0] };
}

/**
 * Without the padding: nothing lies behind it.
 * @param {Region} region
 * @param {number[]} size of the maps
 * @returns {Region | null}
 */
function inside({ maps, rows, columns }, [height, width]) {
  const kept = {
    maps,
    rows: rows.filter((row) => row >= 0 && row < height),
    columns: columns.filter((column) => column >= 0 && column < width),
  };
  return kept.rows.length && kept.columns.length ? kept : null;
}

/** Runs of neighbours as [first, length]. @param {number[]} places sorted */
export function runs(places) {
  /** @type {[number, number][]} */
  const found = [];
  for (const place of places) {
    const last = found.at(-1);
    if (last && last[0] + last[1] === place) last[1]++;
    else found.push([place, 1]);
  }
  return found;
}
