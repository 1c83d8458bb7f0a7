// The layer table: what every layer is, sees and costs, and what a fully connected one in its place would.

import { product } from "./geometry.js";
import { inputOf } from "./reach.js";
import { element } from "./element.js";

const HEADINGS = ["layer", "output shape", "receptive field", "parameters", "multiply-adds", "fully connected instead"];
const count = (number) => (number ? number.toLocaleString("en") : "–");

/** Parameters of a fully connected layer with a layer's input and output: a weight for every pair, a bias for every output. */
export const connected = (input, output) => product(output) * (product(input) + 1);

/** @param {HTMLTableElement} table @param {import("./protocol.js").Update} update */
export function writeLayerTable(table, { layers }) {
  const head = element("thead"), body = element("tbody"), foot = element("tfoot");
  head.append(row(HEADINGS, "th", "col"));
  let instead = 0;
  layers.forEach((layer, index) => {
    const mixes = layer.window || layer.kind === "Linear";
    const other = mixes ? connected(inputOf(layers, index), layer.shape) : 0;
    instead += other;
    const field = layer.field[0] ? layer.field.join("×") : "all";
    body.append(row([layer.name, layer.shape.join("×"), field, count(layer.parameters), count(layer.macs), count(other)]));
  });
  const sum = (name) => layers.reduce((all, layer) => all + layer[name], 0);
  foot.append(row(["all layers", "", "", count(sum("parameters")), count(sum("macs")), count(instead)]));
  table.replaceChildren(element("caption", "", "Batch left out; a multiply-add counts as one; receptive field in pixels of the 28×28 image."), head, body, foot);
}

function row(texts, tag = "td", scope = "row") {
  const line = element("tr");
  texts.forEach((text, at) => {
    const cell = element(at ? tag : "th", "", text);
    if (cell.tagName === "TH") cell.scope = scope;
    line.append(cell);
  });
  return line;
}
