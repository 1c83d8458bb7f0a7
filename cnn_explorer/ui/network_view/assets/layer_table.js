// The layer table: what every layer is, sees and costs, and what a fully connected one in its place would.

import { differences, shapeText } from "./compare.js";
import { element } from "./element.js";
import { termOn } from "./terms.js";
import { product } from "./geometry.js";
import { mixes } from "./reach.js";
import { inputOf } from "./windows.js";

/** @import { Layer, Update } from "../types.d.ts" */

/** Headings, with the term that some of them are. @type {[text: string, term: string][]} */
const HEADINGS = [
  ["layer", ""],
  ["output shape", "channel"],
  ["receptive field", "receptive field"],
  ["parameters", "parameter"],
  ["multiply-adds", "multiply-add"],
  ["fully connected instead", "fully connected"],
];

/** @param {number} number */
const countOf = (number) => (number ? number.toLocaleString("en") : "–");

/**
 * Parameters of a fully connected layer with a layer's input and output: a weight for every pair, a bias for every
 * output.
 * @param {number[]} input
 * @param {number[]} output shapes
 */
export const connected = (input, output) => product(output) * (product(input) + 1);

/**
 * A count with the former one before it, where they differ.
 * @param {number} number
 * @param {number | undefined} former
 */
const bothCounts = (number, former) =>
  former === undefined || former === number ? countOf(number) : `${countOf(former)} → ${countOf(number)}`;

/**
 * @param {HTMLTableElement} table
 * @param {Update} update
 * @param {Layer[] | null} former layers of the network that it is compared with
 */
export function writeLayerTable(table, { layers }, former = null) {
  const before = former && differences(layers, former);
  const head = element("thead");
  const body = element("tbody");
  const foot = element("tfoot");
  head.append(
    row(
      HEADINGS.map(([text]) => text),
      "th",
      "col",
    ),
  );
  HEADINGS.forEach(([text, term], at) => {
    if (term) head.rows[0].cells[at].replaceChildren(termOn(term, text));
  });
  let instead = 0;
  layers.forEach((layer, index) => {
    const input = inputOf(layers, index);
    const other = layer.window || mixes(layer, input) ? connected(input, layer.shape) : 0;
    instead += other;
    const field = layer.field[0] ? layer.field.join("×") : "all";
    const was = before?.[index].former ?? undefined;
    const shape = shapeText(layer.shape);
    const shapes = was && shapeText(was.shape) !== shape ? `${shapeText(was.shape)} → ${shape}` : shape;
    const line = row([
      layer.name,
      shapes,
      field,
      bothCounts(layer.parameters, was?.parameters),
      bothCounts(layer.macs, was?.macs),
      countOf(other),
    ]);
    const why = parametersOf(layer, input);
    if (why) {
      line.tabIndex = 0;
      Object.assign(line.dataset, { title: `${layer.name}: ${countOf(layer.parameters)} parameters`, why });
    }
    body.append(line);
  });
  /** @param {Layer[]} all @param {"parameters" | "macs"} name */
  const sum = (all, name) => all.reduce((whole, layer) => whole + layer[name], 0);
  /** @param {"parameters" | "macs"} name */
  const sums = (name) => bothCounts(sum(layers, name), former ? sum(former, name) : undefined);
  foot.append(row(["all layers", "", "", sums("parameters"), sums("macs"), countOf(instead)]));
  table.replaceChildren(
    element(
      "caption",
      "",
      "Batch left out; a multiply-add counts as one; receptive field in pixels of the 28×28 image.",
    ),
    head,
    body,
    foot,
  );
}

/**
 * Where a layer's parameters come from, with its numbers; "" for a layer without.
 * @param {Layer} layer
 * @param {number[]} input its shape
 */
function parametersOf({ kind, shape, window, groups, parameters }, input) {
  const outputs = shape[0];
  const total = countOf(parameters);
  if (kind === "Conv2d" && window) {
    const inputs = input[0] / groups;
    const [rows, columns] = window[0];
    const channels = inputs === 1 ? "1 input channel" : `${inputs} input channels`;
    const group = groups > 1 ? " of its group" : "";
    return (
      `${outputs} output channels × ${channels}${group} × ${rows}×${columns} weights + ${outputs} biases = ` +
      `${total}.\n` +
      "Each output channel has a kernel of its own for every input channel: the more maps come in, the more weights."
    );
  }
  if (kind === "Linear")
    return (
      `${countOf(product(input))} values in × ${outputs} values out + ${outputs} biases = ${total}.\nEvery ` +
      `output has a weight of its own for every input value.`
    );
  return parameters ? `2 for each of ${input[0]} channels = ${total}: a scale and a shift.` : "";
}

/**
 * @param {string[]} texts
 * @param {"td" | "th"} tag of all cells but the first, which is a heading
 * @param {"row" | "col"} scope of the headings
 */
function row(texts, tag = "td", scope = "row") {
  const line = element("tr");
  texts.forEach((text, at) => {
    const cell = element(at ? tag : "th", "", text);
    if (cell.tagName === "TH") cell.scope = scope;
    line.append(cell);
  });
  return line;
}
