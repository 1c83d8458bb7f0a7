// What an opened map is made of, kind of layer by kind of layer, as data: tiles, parts, numbers and sentences. No DOM.

import { contributions, convolved, weighed, windowOf, winner } from "./arithmetic.js";
import { EPSILON, SLOPE, normalized } from "./forward.js";
import { mapsOf, product } from "./geometry.js";
import { inputOf, seen } from "./reach.js";

/** @typedef {import("./protocol.js").Update} Update @typedef {import("./forward.js").Parameters} Parameters */
/** @typedef {{index: number, map: number, row: number, column: number}} Place a value in a layer */
/** @typedef {{label: string, size: [number, number], values: Float32Array, weights?: boolean, cells?: [number, number][], output?: boolean}} Tile
 *   one map; `cells` are outlined (those on the padding lie outside), `output` if pointing at it chooses the pixel */
/** @typedef {{channel: number, tiles: Tile[], sum: number}} Part what one input channel adds */
/** @typedef {{digit: number, terms: string[], quotient: string, probability: string}} Softmax `terms` are the logits */
/** @typedef {{columns: number, cells: {lines: string[], value: number, faint?: boolean, ring?: boolean}[]}} Numbers */
/**
 * @typedef {{title: string, how: string, parts: Part[], chain: Tile[], numbers: Numbers | null, lines: string[], agrees: boolean | null,
 *   softmax: Softmax | null}} Explanation
 * `parts` strongest first, empty where a value has one input map; `agrees` whether PyTorch's own value was met, null if there is nothing to compare
 */

const LARGEST = 9; // terms of a linear layer that are written out

/**
 * @param {Update} update @param {(Parameters | null)[]} parameters of every layer @param {Place} place
 * @param {number | null} channel whose products are written out; null for the strongest
 * @returns {Explanation}
 */
export function explain(update, parameters, place, channel) {
  const { index, map } = place;
  const layer = update.layers[index];
  const input = inputOf(update.layers, index);
  const values = index ? update.values[index - 1] : normalized(update.image);
  const context = { update, layer, input, values, output: update.values[index], parameters: parameters[index], place, channel };
  const [maps] = mapsOf(layer.shape);
  const answers = update.classes && index === update.layers.length - 1;
  const title = layer.shape.length === 3 ? `${layer.name} · map ${map + 1} of ${maps}` : `${layer.name} · ${answers ? `output for digit ${map}` : `feature ${map + 1} of ${maps}`}`;
  const told = (KINDS[layer.kind] ?? handedOn)(context);
  const softmax = answers ? softmaxOf(update, map) : null;
  return { title, parts: [], numbers: null, agrees: null, ...told, softmax, chain: [...told.chain, ...after(update, index, map)] };
}

const KINDS = {
  Conv2d: convolution, Linear: linear, MaxPool2d: pooling, AvgPool2d: pooling, BatchNorm2d: normalization,
  ReLU: activation, LeakyReLU: activation, Tanh: activation, Sigmoid: activation, GELU: activation,
};

/** The unchanged rest of the way until other maps come in: activation, pooling. @returns {Tile[]} */
function after({ layers, values }, index, map) {
  const tiles = [];
  if (layers[index].shape.length !== 3) return tiles;
  for (let at = index + 1; at < layers.length && tiles.length < 3; at++) {
    if (layers[at].shape.length !== layers[index].shape.length || ["Conv2d", "Linear", "Flatten"].includes(layers[at].kind)) break;
    tiles.push(tileOf(layers[at].name, layers[at].shape, values[at], map));
  }
  return tiles;
}

/** @returns {Tile} */
function tileOf(label, shape, values, map, more = {}) {
  const [, rows, columns] = mapsOf(shape);
  return { label, size: [rows, columns], values: values.subarray(map * rows * columns, (map + 1) * rows * columns), ...more };
}

/** The value that PyTorch has there. */
function valueAt(shape, values, { map, row, column }) {
  const [, rows, columns] = mapsOf(shape);
  return values[(map * rows + row) * columns + column];
}

/** Rows and columns of the window of one output pixel. @returns {[number, number][]} */
function windowCells(layer, { row, column }) {
  return seen(layer.window, 0, [row]).flatMap((y) => seen(layer.window, 1, [column]).map((x) => [y, x]));
}

// --- sums: convolution and linear ---

function convolution({ update, layer, input, values, output, parameters, place, channel }) {
  const { map, row, column } = place;
  const sum = convolved(layer, input, values, parameters, map, row, column);
  const strongest = added(layer, input, values, output, parameters, map);
  const cells = windowCells(layer, place), here = [[row, column]];
  const name = place.index ? update.layers[place.index - 1].name : "image";
  const part = Object.fromEntries(sum.parts.map((each) => [each.channel, each]));
  const parts = strongest.map((each) => ({
    channel: each.channel,
    sum: part[each.channel].sum,
    tiles: [
      tileOf("x", input, values, each.channel, { cells }),
      { label: "w", size: layer.window[0], values: each.kernel, weights: true },
      { label: "x ∗ w", size: layer.shape.slice(1), values: each.values, cells: here, output: true },
    ],
  }));
  const chosen = part[channel] ?? part[strongest[0].channel];
  const all = new Float32Array(layer.shape[1] * layer.shape[2]);
  for (const { values: own } of strongest) own.forEach((value, at) => { all[at] += value; });
  return {
    how: parts.length === 1
      ? `The kernel of ${layer.window[0].join("×")} weights slides over ${name}${input[0] > 1 ? ` channel ${parts[0].channel + 1}` : ""}; the bias ${exact(sum.bias)} is added.`
      : `${parts.length} input channels of ${name}, each with its own ${layer.window[0].join("×")} kernel; their results are summed and the bias ${exact(sum.bias)} is added.`,
    parts,
    chain: [
      { label: "Σ", size: layer.shape.slice(1), values: all, cells: here, output: true },
      tileOf(`+ bias → ${layer.name}`, layer.shape, output, map, { cells: here, output: true }),
    ],
    numbers: numbersOf(chosen.cells, layer.window[0][1], ({ value, weight }) => [short(value), `× ${short(weight)}`, short(value * weight)], ({ value, weight }) => value * weight),
    lines: [
      `Pixel (${row}, ${column}), channel ${chosen.channel + 1}: ${count(chosen.cells.length, "product")}, sum ${exact(chosen.sum)}`,
      ...totals(sum, valueAt(layer.shape, output, place), update.exact),
    ],
    agrees: agreement(sum, valueAt(layer.shape, output, place), update.exact),
  };
}

/** From logits to one probability. @returns {Softmax} */
function softmaxOf({ logits, probabilities }, digit) {
  const sum = logits.reduce((whole, logit) => whole + Math.exp(logit), 0);
  return { digit, terms: Array.from(logits, short), quotient: `${short(Math.exp(logits[digit]))} / ${short(sum)}`, probability: `${short(100 * probabilities[digit])} %` };
}

/** @type {WeakMap<Float32Array, {map: number, found: ReturnType<typeof contributions>}>} by the layer's output: the same for all its pixels */
const known = new WeakMap();

function added(layer, input, values, output, parameters, map) {
  const last = known.get(output);
  if (last?.map === map) return last.found;
  const found = contributions(layer, input, values, parameters, map);
  known.set(output, { map, found });
  return found;
}

function linear({ update, layer, input, values, output, parameters, place, channel }) {
  const sum = weighed(input, values, parameters, place.map);
  const name = place.index ? update.layers[place.index - 1].name : "image";
  const size = input.length === 3 ? input.slice(1) : folded(input[0]);
  const column = (cells, pick) => Float32Array.from(cells, pick);
  const parts = sum.parts.map(({ channel: from, cells, sum: own }) => ({
    channel: from,
    sum: own,
    tiles: [
      { label: "x", size, values: column(cells, (cell) => cell.value) },
      { label: "w", size, values: column(cells, (cell) => cell.weight), weights: true },
      { label: "x · w", size, values: column(cells, (cell) => cell.value * cell.weight) },
    ],
  })).sort((a, b) => Math.abs(b.sum) - Math.abs(a.sum));
  const terms = sum.parts.flatMap(({ channel: from, cells }) => cells.map((cell) => ({ ...cell, channel: from })))
    .filter((term) => channel === null || term.channel === channel)
    .sort((a, b) => Math.abs(b.value * b.weight) - Math.abs(a.value * a.weight)).slice(0, LARGEST);
  const where = (term) => (input.length === 3 ? `${name} ${term.channel + 1} (${term.row}, ${term.column})` : `${name} ${term.column + 1}`);
  return {
    how: `Every one of the ${count(product(input), "input")} of ${name} times its own weight, all summed, plus the bias ${exact(sum.bias)}.`,
    parts,
    chain: [],
    numbers: numbersOf(terms, 3, (term) => [where(term), `${short(term.value)} × ${short(term.weight)}`, short(term.value * term.weight)], (term) => term.value * term.weight),
    lines: [`The largest of ${count(sum.parts.reduce((all, { cells }) => all + cells.length, 0), "product")}`, ...totals(sum, output[place.map], update.exact)],
    agrees: agreement(sum, output[place.map], update.exact),
  };
}

/** Rows and columns of a picture of features that lie in no plane: as square as their number allows. */
function folded(count) {
  let rows = Math.floor(Math.sqrt(count));
  while (count % rows) rows--;
  return [rows, count / rows];
}

/** The sum and PyTorch's, to the last digit. */
function totals({ parts, bias, total }, theirs, compared) {
  const shown = parts.slice(0, 4).map(({ sum }) => short(sum)).join(" + ").replaceAll("+ −", "− ");
  const more = parts.length > 4 ? ` + … (${parts.length} channels)` : "";
  const whole = parts.length > 1 ? `Σ ${shown}${more} = ${exact(total - bias)}` : `Σ = ${exact(total - bias)}`;
  return [whole, `+ bias ${exact(bias)} = ${unrounded(total)}`, compared ? `PyTorch: ${unrounded(theirs)}` : "PyTorch's number comes when the pen rests"];
}

const agreement = ({ total, tolerance }, theirs, compared) => (compared ? Math.abs(total - theirs) <= tolerance : null);

// --- one map in, one map out ---

function pooling({ layer, input, values, output, place, update }) {
  const { map, row, column } = place;
  const most = layer.kind === "MaxPool2d";
  const cells = windowOf(layer, input, values, map, row, column);
  const theirs = valueAt(layer.shape, output, place);
  const best = winner(cells);
  const mean = cells.reduce((sum, { value }) => sum + value, 0) / cells.length;
  const numbers = numbersOf(cells, layer.window[0][1], ({ value }) => [short(value)], ({ value, inside }) => (inside ? value : 0));
  if (most) numbers.cells[cells.indexOf(best)].ring = true;
  const list = cells.map(({ value }) => short(value));
  return {
    how: most
      ? "The largest value of each window. There is nothing to learn, and each map is pooled by itself."
      : "The mean of each window; the padding counts as zeros. There is nothing to learn, and each map is pooled by itself.",
    chain: [
      tileOf(place.index ? update.layers[place.index - 1].name : "image", input, values, map, { cells: windowCells(layer, place) }),
      tileOf(layer.name, layer.shape, output, map, { cells: [[row, column]], output: true }),
    ],
    numbers,
    lines: most
      ? [`max(${listed(list)}) = ${exact(best.value)}, from row ${best.row}, column ${best.column}`, `PyTorch: ${exact(theirs)}`]
      : [`(${listed(list, " + ").replaceAll("+ −", "− ")}) / ${cells.length} = ${unrounded(mean)}`, `PyTorch: ${unrounded(theirs)}`],
    agrees: update.exact ? Math.abs((most ? best.value : mean) - theirs) <= 1e-6 * Math.max(1, Math.abs(theirs)) : null,
  };
}

/** @type {Record<string, [string, (x: number) => string]>} what it does, and how one value comes about */
const CURVES = {
  ReLU: ["What is below zero becomes zero; the rest stays.", (x) => `max(0, ${exact(x)})`],
  LeakyReLU: [`What is below zero is multiplied by ${SLOPE}; the rest stays.`, (x) => (x > 0 ? `${exact(x)} stays` : `${SLOPE} · ${exact(x)}`)],
  Tanh: ["Squeezed between −1 and 1.", (x) => `tanh(${exact(x)})`],
  Sigmoid: ["Squeezed between 0 and 1.", (x) => `1 / (1 + exp(${exact(-x)}))`],
  GELU: ["x times the share of a normal distribution below x.", (x) => `${exact(x)} · Φ(${exact(x)})`],
};

function activation(context) {
  const [how, worked] = CURVES[context.layer.kind];
  return oneByOne(context, `${how} Every value by itself.`, worked);
}

function normalization(context) {
  const { parameters: { weight, bias, mean, variance }, place: { map } } = context;
  return oneByOne(
    context,
    "Every map by itself: its mean is taken off, it is divided by its scatter, then stretched and shifted by two learned numbers.",
    (x) => `(${exact(x)} − ${exact(mean[map])}) / √(${exact(variance[map])} + ${EPSILON}) · ${exact(weight[map])} + ${exact(bias[map])}`,
  );
}

function handedOn(context) {
  return oneByOne(context, context.layer.kind === "Dropout" ? "Acts only while training: here every value is handed on." : "The same values in one row.", (x) => exact(x));
}

/** A layer that makes each value of the one at the same place. */
function oneByOne({ layer, input, values, output, place, update }, how, worked) {
  const same = input.length === layer.shape.length;
  const cells = [[place.row, place.column]];
  const x = same ? valueAt(input, values, place) : values[place.map];
  const feature = layer.shape.length === 1;
  return {
    how,
    chain: feature
      ? []
      : [tileOf(place.index ? update.layers[place.index - 1].name : "image", input, values, place.map, { cells }), tileOf(layer.name, layer.shape, output, place.map, { cells, output: true })],
    lines: [`${worked(x)} = ${exact(valueAt(layer.shape, output, place))}`.replaceAll("− −", "+ ").replaceAll("+ −", "− ")],
  };
}

// --- numbers as text ---

function numbersOf(cells, columns, lines, value) {
  return { columns, cells: cells.map((cell) => ({ lines: cell.inside ? lines(cell) : ["padding"], value: cell.inside ? value(cell) : 0, faint: !cell.inside })) };
}

const count = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
const minus = (text) => text.replaceAll("-", "−");
const listed = (list, between = ", ") => (list.length > 9 ? [...list.slice(0, 8), "…"] : list).join(between);

/** Three significant digits. */
export const short = (number) => (Number.isFinite(number) ? minus(Number(number.toPrecision(3)).toString()) : number < 0 ? "−∞" : "∞");

/** Six significant digits. */
export const exact = (number) => (Number.isFinite(number) ? minus(Number(number.toPrecision(6)).toString()) : short(number));

/** As many digits as tell one float32 from its neighbours. */
export const unrounded = (number) => minus(Number(number.toPrecision(9)).toString());
