// How two networks differ, layer by layer. No DOM.

import { familyOf, hasKernels } from "./layer_kinds.js";
import { mixes } from "./reach.js";
import { inputOf } from "./windows.js";

/** @import { Difference, Layer, Window } from "../types.d.ts" */

const WINDOW = ["kernel_size", "stride", "padding", "dilation"];

/** A shape as it is written. @param {number[]} shape */
export const shapeText = (shape) => shape.join("×");

/**
 * What has become of each layer of a former network.
 * @param {Layer[]} layers the present ones @param {Layer[]} former
 * @returns {Difference[]} one for each present layer
 */
export function differences(layers, former) {
  const matched = counterparts(layers, former);
  const gone = goneBefore(matched, former);
  return layers.map((layer, at) => {
    const index = matched[at];
    const before = index === null ? null : former[index];
    const changes = [...gone[at], ...(before ? changesOf(layer, before) : [`${layer.name} is new`])];
    const other =
      before !== null && (shapeText(layer.shape) !== shapeText(before.shape) || layer.parameters !== before.parameters);
    return { index, former: before, changes, follows: other && !changes.length };
  });
}

/**
 * Which former layer each layer corresponds to. A block is a convolution or linear layer with what follows it. First
 * come layers of the
 * same name in the same block, then layers of the same family in the same block, such as max1 and avg1, then layers of
 * the same name
 * anywhere.
 * @param {Layer[]} layers @param {Layer[]} former @returns {(number | null)[]}
 */
export function counterparts(layers, former) {
  const blocks = blocksOf(layers);
  const formerBlocks = blocksOf(former);
  /** @type {((at: number, other: number) => boolean)[]} */
  const rules = [
    (at, other) => layers[at].name === former[other].name && blocks[at] === formerBlocks[other],
    (at, other) => familyOf(layers[at]) === familyOf(former[other]) && blocks[at] === formerBlocks[other],
    (at, other) => layers[at].name === former[other].name,
  ];
  /** @type {(number | null)[]} */
  const found = layers.map(() => null);
  const free = new Set(former.keys());
  for (const rule of rules) {
    layers.forEach((_, at) => {
      const match = found[at] === null ? [...free].find((other) => rule(at, other)) : undefined;
      if (match === undefined) return;
      found[at] = match;
      free.delete(match);
    });
  }
  return found;
}

/**
 * The former layers without a counterpart, each told at the layer that now stands in its place: the next one that was
 * there, else the last.
 * @param {(number | null)[]} matched former layer of each present one
 * @param {Layer[]} former
 * @returns {string[][]} one list a present layer
 */
function goneBefore(matched, former) {
  /** @type {string[][]} */
  const gone = matched.map(() => []);
  former.forEach(({ name }, index) => {
    if (matched.includes(index)) return;
    const next = matched.findIndex((other) => other !== null && other > index);
    gone.at(next)?.push(`${name} is gone`);
  });
  return gone;
}

/** The block of each layer: how many layers up to it mix channels. @param {Layer[]} layers */
function blocksOf(layers) {
  let block = 0;
  return layers.map((layer, index) => (block += mixes(layer, inputOf(layers, index)) ? 1 : 0));
}

/**
 * The settings of a layer that differ, such as "stride 1 → 2".
 * @param {Layer} layer
 * @param {Layer} former
 * @returns {string[]}
 */
function changesOf(layer, former) {
  if (layer.kind !== former.kind) return [`${former.name} → ${layer.name}`];
  const present = settingsOf(layer);
  const earlier = settingsOf(former);
  return Object.keys(present)
    .filter((name) => present[name] !== earlier[name])
    .map((name) => `${name} ${earlier[name]} → ${present[name]}`);
}

/** The settings of a layer by torch's names. @param {Layer} layer @returns {Record<string, string>} */
function settingsOf(layer) {
  /** @type {Record<string, string>} */
  const outputs = {};
  if (hasKernels(layer)) Object.assign(outputs, { out_channels: String(layer.shape[0]), groups: String(layer.groups) });
  else if (layer.kind === "Linear") outputs.out_features = String(layer.shape[0]);
  return { ...outputs, ...windowSettings(layer.window) };
}

/** @param {Window | null} window @returns {Record<string, string>} */
const windowSettings = (window) =>
  Object.fromEntries(
    (window ?? []).map(([rows, columns], at) => [WINDOW[at], rows === columns ? String(rows) : `${rows}×${columns}`]),
  );

/**
 * What has changed, in one sentence, for a screen reader; "" for nothing.
 * @param {Layer[]} layers
 * @param {Difference[]} all
 */
export function changeSentence(layers, all) {
  const told = all.flatMap(({ changes, former }, at) => {
    if (!changes.length) return [];
    const was = former ? `${shapeText(former.shape)} → ` : "";
    return [`${layers[at].name}: ${changes.join(", ")}, ${was}${shapeText(layers[at].shape)}.`];
  });
  return told.join(" ");
}
