// What a value of each kind of layer is made of, as data: tiles, parts, numbers and sentences. No DOM.

import { contributions, convolved, weighed, windowOf, winner } from "./arithmetic.js";
import { mapsOf, product } from "./geometry.js";
import { count, exact, short, tidy, unrounded } from "./numbers.js";
import { EPSILON } from "./steps.js";
import { geometryOf, seen } from "./windows.js";

/** @import { Context, Layer, Numbers, Parameters, Pixel, Tile, Told } from "../types.d.ts" */
/** @import { Cell, Sum, Term } from "./arithmetic.js" */

const LARGEST = 9; // terms of a linear layer that are written out

// --- tiles and values ---

/**
 * One map of a layer.
 * @param {string} label
 * @param {number[]} shape
 * @param {Float32Array} values
 * @param {number} map
 * @returns {Tile}
 */
export function tileOf(label, shape, values, map, more = {}) {
  const [, rows, columns] = mapsOf(shape);
  return {
    label,
    size: [rows, columns],
    values: values.subarray(map * rows * columns, (map + 1) * rows * columns),
    ...more,
  };
}

/** The value that PyTorch has there. @param {number[]} shape @param {Float32Array} values @param {Pixel} pixel */
function valueAt(shape, values, { map, row, column }) {
  const [, rows, columns] = mapsOf(shape);
  return values[(map * rows + row) * columns + column];
}

/**
 * Rows and columns of the window of one output pixel.
 * @param {Layer} layer
 * @param {Pixel} pixel
 * @returns {[number, number][]}
 */
function windowCells(layer, { row, column }) {
  const window = geometryOf(layer);
  return seen(window, 0, [row]).flatMap((y) =>
    seen(window, 1, [column]).map((x) => /** @type {[number, number]} */ ([y, x])),
  );
}

/** Height and width of a layer's maps. @param {Layer} layer @returns {[number, number]} */
const sizeOf = ({ shape }) => [shape[1], shape[2]];

// --- sums: convolution and linear ---

/** @param {Context} context @returns {Told} */
export function explainConvolution({ update, layer, input, from, values, output, parameters, place, channel }) {
  const { map, row, column } = place;
  const [kernel] = geometryOf(layer);
  const sum = convolved(layer, input, values, parameters, map, row, column);
  const strongest = strongestFirst(layer, input, values, output, parameters, map);
  const cells = windowCells(layer, place);
  const here = [[row, column]];
  const byChannel = new Map(sum.parts.map((each) => [each.channel, each]));
  const parts = strongest.map((each) => ({
    channel: each.channel,
    sum: byChannel.get(each.channel)?.sum ?? 0,
    tiles: [
      tileOf("x", input, values, each.channel, { cells }),
      { label: "w", size: kernel, values: each.kernel, weights: true },
      tileOf("x ∗ w", [1, ...sizeOf(layer)], each.values, 0, { cells: here, output: true }),
    ],
  }));
  const chosen = byChannel.get(channel ?? strongest[0].channel) ?? byChannel.get(strongest[0].channel) ?? sum.parts[0];
  const all = new Float32Array(layer.shape[1] * layer.shape[2]);
  for (const { values: own } of strongest)
    own.forEach((value, at) => {
      all[at] += value;
    });
  const only = input[0] > 1 ? `${from} channel ${parts[0].channel + 1}` : from;
  return {
    how:
      parts.length === 1
        ? `The kernel of ${kernel.join("×")} weights slides over ${only}; the bias ${exact(sum.bias)} is added.`
        : `${parts.length} input channels of ${from}, each with its own ${kernel.join("×")} kernel; their results ` +
          `are summed and the bias ${exact(sum.bias)} is added.`,
    parts,
    chain: [
      tileOf("Σ", [1, ...sizeOf(layer)], all, 0, { cells: here, output: true }),
      tileOf(`+ bias → ${layer.name}`, layer.shape, output, map, { cells: here, output: true }),
    ],
    numbers: numbersOf(chosen.cells, kernel[1], productLines, productOf),
    lines: [
      `Pixel (${row}, ${column}), channel ${chosen.channel + 1}: ${count(chosen.cells.length, "product")}, sum ` +
        `${exact(chosen.sum)}`,
      ...totals(sum, valueAt(layer.shape, output, place), update.exact),
    ],
    agrees: agreement(sum, valueAt(layer.shape, output, place), update.exact),
  };
}

/** @param {Term} term */
const productOf = ({ value, weight }) => value * weight;

/** @param {Term} term */
const productLines = ({ value, weight }) => [short(value), `× ${short(weight)}`, short(value * weight)];

/**
 * @type {WeakMap<Float32Array, {map: number, found: ReturnType<typeof contributions>}>} by the layer's output: the same
 *   for all its pixels
 */
const known = new WeakMap();

/**
 * What each input channel adds to a map, worked out once a map.
 * @param {Layer} layer @param {number[]} input its shape @param {Float32Array} values @param {Float32Array} output
 * @param {Parameters} parameters @param {number} map
 */
function strongestFirst(layer, input, values, output, parameters, map) {
  const last = known.get(output);
  if (last?.map === map) return last.found;
  const found = contributions(layer, input, values, parameters, map);
  known.set(output, { map, found });
  return found;
}

/** @param {Context} context @returns {Told} */
export function explainLinear({ update, input, from, values, output, parameters, place, channel }) {
  const sum = weighed(input, values, parameters, place.map);
  const size = input.length === 3 ? [input[1], input[2]] : folded(input[0]);
  /** @param {string} label @param {Term[]} cells @param {(term: Term) => number} pick */
  const tile = (label, cells, pick, more = {}) => tileOf(label, [1, ...size], Float32Array.from(cells, pick), 0, more);
  const parts = sum.parts
    .map(({ channel: own, cells, sum: added }) => ({
      channel: own,
      sum: added,
      tiles: [
        tile("x", cells, ({ value }) => value),
        tile("w", cells, ({ weight }) => weight, { weights: true }),
        tile("x · w", cells, productOf),
      ],
    }))
    .sort((a, b) => Math.abs(b.sum) - Math.abs(a.sum));
  const terms = sum.parts
    .flatMap(({ channel: own, cells }) => cells.map((cell) => ({ ...cell, channel: own })))
    .filter((term) => channel === null || term.channel === channel)
    .sort((a, b) => Math.abs(productOf(b)) - Math.abs(productOf(a)))
    .slice(0, LARGEST);
  /** @param {typeof terms[number]} term */
  const where = (term) =>
    input.length === 3 ? `${from} ${term.channel + 1} (${term.row}, ${term.column})` : `${from} ${term.column + 1}`;
  return {
    how:
      `Every one of the ${count(product(input), "input")} of ${from} times its own weight, all summed, plus the ` +
      `bias ${exact(sum.bias)}.`,
    parts,
    chain: [],
    numbers: numbersOf(
      terms,
      3,
      (term) => [where(term), `${short(term.value)} × ${short(term.weight)}`, short(productOf(term))],
      productOf,
    ),
    lines: [
      `The largest of ${count(
        sum.parts.reduce((all, { cells }) => all + cells.length, 0),
        "product",
      )}`,
      ...totals(sum, output[place.map], update.exact),
    ],
    agrees: agreement(sum, output[place.map], update.exact),
  };
}

/**
 * Rows and columns of a picture of features that lie in no plane: as square as their number allows.
 * @param {number} features
 * @returns {number[]}
 */
function folded(features) {
  let rows = Math.floor(Math.sqrt(features));
  while (features % rows) rows--;
  return [rows, features / rows];
}

/** The sum and PyTorch's, to the last digit. @param {Sum} sum @param {number} theirs @param {boolean} compared */
function totals({ parts, bias, total }, theirs, compared) {
  const shown = tidy(
    parts
      .slice(0, 4)
      .map(({ sum }) => short(sum))
      .join(" + "),
  );
  const more = parts.length > 4 ? ` + … (${parts.length} channels)` : "";
  const whole = parts.length > 1 ? `Σ ${shown}${more} = ${exact(total - bias)}` : `Σ = ${exact(total - bias)}`;
  return [
    whole,
    `+ bias ${exact(bias)} = ${unrounded(total)}`,
    compared ? `PyTorch: ${unrounded(theirs)}` : "PyTorch's number comes when the pen rests",
  ];
}

/** @param {Sum} sum @param {number} theirs @param {boolean} compared */
const agreement = ({ total, tolerance }, theirs, compared) => (compared ? Math.abs(total - theirs) <= tolerance : null);

// --- pooling ---

/** @param {Context} context @returns {Told} */
export function explainMaxPooling(context) {
  const cells = pooled(context, -Infinity);
  const best = winner(cells);
  const told = pooling(
    context,
    cells,
    best.value,
    "The largest value of each window. There is nothing to learn, and each map is pooled by itself.",
    (list, theirs) => [
      `max(${listed(list, ", ")}) = ${exact(best.value)}, from row ${best.row}, column ${best.column}`,
      `PyTorch: ${exact(theirs)}`,
    ],
  );
  told.numbers.cells[cells.indexOf(best)].ring = true;
  return told;
}

/** @param {Context} context @returns {Told} */
export function explainAveragePooling(context) {
  const cells = pooled(context, 0);
  const mean = cells.reduce((sum, { value }) => sum + value, 0) / cells.length;
  return pooling(
    context,
    cells,
    mean,
    "The mean of each window; the padding counts as zeros. There is nothing to learn, and each map is pooled by " +
      "itself.",
    (list, theirs) => [
      `(${tidy(listed(list, " + "))}) / ${cells.length} = ${unrounded(mean)}`,
      `PyTorch: ${unrounded(theirs)}`,
    ],
  );
}

/** @param {Context} context @param {number} padding what it counts as */
const pooled = ({ layer, input, values, place }, padding) =>
  windowOf(layer, input, values, place.map, place.row, place.column, padding);

/**
 * @param {Context} context @param {Cell[]} cells @param {number} own result @param {string} how
 * @param {(list: string[], theirs: number) => string[]} lines
 */
function pooling({ layer, input, from, values, output, place, update }, cells, own, how, lines) {
  const theirs = valueAt(layer.shape, output, place);
  return {
    how,
    chain: [
      tileOf(from, input, values, place.map, { cells: windowCells(layer, place) }),
      tileOf(layer.name, layer.shape, output, place.map, { cells: [[place.row, place.column]], output: true }),
    ],
    numbers: numbersOf(
      cells,
      geometryOf(layer)[0][1],
      ({ value }) => [short(value)],
      ({ value }) => value,
    ),
    lines: lines(
      cells.map(({ value }) => short(value)),
      theirs,
    ),
    agrees: update.exact ? Math.abs(own - theirs) <= 1e-6 * Math.max(1, Math.abs(theirs)) : null,
  };
}

/** @param {string[]} list @param {string} between */
const listed = (list, between) => (list.length > 9 ? [...list.slice(0, 8), "…"] : list).join(between);

// --- one value in, one value out ---

/**
 * @param {string} how
 * @param {(x: number) => string} worked how one value comes about
 * @returns {(context: Context) => Told}
 */
export const explainValueByValue = (how, worked) => (context) => ({
  how,
  chain: inAndOut(context),
  lines: [tidy(`${worked(inputAt(context))} = ${exact(outputAt(context))}`)],
});

/** @param {string} how @returns {(context: Context) => Told} */
export const explainIdentity = (how) => explainValueByValue(how, exact);

/** @param {Context} context @returns {Told} */
export function explainBatchNorm(context) {
  const {
    parameters: { weight, bias, mean, variance },
    place: { map },
  } = context;
  return explainValueByValue(
    "Every map by itself: its mean is taken off, it is divided by its scatter, then stretched and shifted by two " +
      "learned numbers.",
    (x) =>
      `(${exact(x)} − ${exact(mean[map])}) / √(${exact(variance[map])} + ${EPSILON}) · ${exact(weight[map])} + ` +
      `${exact(bias[map])}`,
  )(context);
}

/**
 * What remains to be said where the browser cannot work a value out: PyTorch's number.
 * @param {Context} context
 * @returns {Told}
 */
export function explainNothing(context) {
  return {
    how: `This browser does not know how ${context.layer.kind} is computed. The maps are PyTorch's.`,
    chain: inAndOut(context),
    lines: [`PyTorch: ${unrounded(outputAt(context))}`],
  };
}

/** The input map beside the output map, where both are maps. @param {Context} context @returns {Tile[]} */
function inAndOut({ layer, input, from, values, output, place }) {
  if (layer.shape.length === 1) return [];
  const cells = [[place.row, place.column]];
  const after = tileOf(layer.name, layer.shape, output, place.map, { cells, output: true });
  if (place.map >= input[0]) return [after];
  const same = input[1] === layer.shape[1] && input[2] === layer.shape[2];
  const window = layer.window ? windowCells(layer, place) : [];
  return [tileOf(from, input, values, place.map, { cells: same ? cells : window }), after];
}

/** @param {Context} context */
const inputAt = ({ layer, input, values, place }) =>
  input.length === layer.shape.length ? valueAt(input, values, place) : values[place.map];

/** @param {Context} context */
const outputAt = ({ layer, output, place }) => valueAt(layer.shape, output, place);

// --- numbers as text ---

/**
 * @template {Cell} T
 * @param {T[]} cells
 * @param {number} columns
 * @param {(cell: T) => string[]} lines
 * @param {(cell: T) => number} value
 * @returns {Numbers}
 */
function numbersOf(cells, columns, lines, value) {
  return {
    columns,
    cells: cells.map((cell) => ({
      lines: cell.inside ? lines(cell) : ["padding"],
      value: cell.inside ? value(cell) : 0,
      faint: !cell.inside,
    })),
  };
}
