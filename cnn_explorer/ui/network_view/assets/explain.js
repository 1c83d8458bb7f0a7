// What an opened map is made of, as data: its layer's part, then what becomes of it. No DOM.

import { explainNothing, tileOf } from "./explain_layers.js";
import { normalized } from "./forward.js";
import { mapsOf } from "./geometry.js";
import { kindOf } from "./layer_kinds.js";
import { short } from "./numbers.js";
import { mixes } from "./reach.js";
import { inputOf } from "./windows.js";

/** @import { Context, Explanation, Parameters, Place, Softmax, Tile, Update } from "../types.d.ts" */

const NORMALIZED =
  "Black counts as −0.42 and white as 2.82: (grey − 0.1307) / 0.3081, MNIST's mean and standard deviation.";

/**
 * @param {Update} update @param {(Parameters | null)[]} parameters of every layer @param {Place} place
 * @param {number | null} channel whose products are written out; null for the strongest
 * @returns {Explanation}
 */
export function explain(update, parameters, place, channel) {
  const { index, map } = place;
  const layer = update.layers[index];
  const [maps] = mapsOf(layer.shape);
  const answers = update.classes && index === update.layers.length - 1;
  const feature = answers ? `output for digit ${map}` : `feature ${map + 1} of ${maps}`;
  const kind = kindOf(layer);
  // The weights behind an unknown layer can be out of reach.
  const computed = kind && (parameters[index] || !kind.sizes);
  /** @type {Context} */
  const context = {
    update,
    layer,
    place,
    channel,
    input: inputOf(update.layers, index),
    from: index ? update.layers[index - 1].name : "image",
    values: index ? update.values[index - 1] : normalized(update.image),
    output: update.values[index],
    parameters: parameters[index] ?? {},
  };
  const told = (computed ? kind.explain : explainNothing)(context);
  return {
    title: `${layer.name} · ${layer.shape.length === 3 ? `map ${map + 1} of ${maps}` : feature}`,
    parts: [],
    numbers: null,
    agrees: null,
    ...told,
    how: index || !told.parts?.length ? told.how : `${told.how} ${NORMALIZED}`,
    softmax: answers ? softmaxOf(update, map) : null,
    chain: [...told.chain, ...after(update, index, map)],
  };
}

/**
 * The unchanged rest of the way until other maps come in: activation, pooling.
 * @param {Update} update
 * @param {number} index
 * @param {number} map
 * @returns {Tile[]}
 */
function after({ layers, values }, index, map) {
  /** @type {Tile[]} */
  const tiles = [];
  if (layers[index].shape.length !== 3) return tiles;
  for (let at = index + 1; at < layers.length && tiles.length < 3; at++) {
    if (layers[at].shape.length !== 3 || mixes(layers[at], inputOf(layers, at))) break;
    tiles.push(tileOf(layers[at].name, layers[at].shape, values[at], map));
  }
  return tiles;
}

/** From logits to one probability. @param {Update} update @param {number} digit @returns {Softmax} */
function softmaxOf({ logits, probabilities }, digit) {
  const sum = logits.reduce((whole, logit) => whole + Math.exp(logit), 0);
  return {
    digit,
    terms: Array.from(logits, short),
    quotient: `${short(Math.exp(logits[digit]))} / ${short(sum)}`,
    probability: `${short(100 * probabilities[digit])} %`,
  };
}
