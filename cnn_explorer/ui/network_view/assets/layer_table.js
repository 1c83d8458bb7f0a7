// The layer table: what every layer is, sees and costs, and what a fully connected one in its place would.

import { element } from "./element.js";
import { product } from "./geometry.js";
import { mixes } from "./reach.js";
import { inputOf } from "./windows.js";

/** @import { Update } from "../types.d.ts" */

const HEADINGS = ["layer", "output shape", "receptive field", "parameters", "multiply-adds", "fully connected instead"];

/** @param {number} number */
const countOf = (number) => (number ? number.toLocaleString("en") : "–");

/** Parameters of a fully connected layer with a layer's input and output: a weight for every pair, a bias for every output. @param {number[]} input @param {number[]} output shapes */
export const connected = (input, output) => product(output) * (product(input) + 1);

/** @param {HTMLTableElement} table @param {Update} update */
export function writeLayerTable(table, { layers }) {
  const head = element("thead"), body = element("tbody"), foot = element("tfoot");
  head.append(row(HEADINGS, "th", "col"));
  let instead = 0;
  layers.forEach((layer, index) => {
    const input = inputOf(layers, index);
    const other = layer.window || mixes(layer, input) ? connected(input, layer.shape) : 0;
    instead += other;
    const field = layer.field[0] ? layer.field.join("×") : "all";
    body.append(row([layer.name, layer.shape.join("×"), field, countOf(layer.parameters), countOf(layer.macs), countOf(other)]));
  });
  /** @param {"parameters" | "macs"} name */
  const sum = (name) => layers.reduce((all, layer) => all + layer[name], 0);
  foot.append(row(["all layers", "", "", countOf(sum("parameters")), countOf(sum("macs")), countOf(instead)]));
  table.replaceChildren(element("caption", "", "Batch left out; a multiply-add counts as one; receptive field in pixels of the 28×28 image."), head, body, foot);
}

/** @param {string[]} texts @param {"td" | "th"} tag of all cells but the first, which is a heading @param {"row" | "col"} scope of the headings */
function row(texts, tag = "td", scope = "row") {
  const line = element("tr");
  texts.forEach((text, at) => {
    const cell = element(at ? tag : "th", "", text);
    if (cell.tagName === "TH") cell.scope = scope;
    line.append(cell);
  });
  return line;
}
