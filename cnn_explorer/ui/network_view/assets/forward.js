// The forward pass of a network in the browser: layer by layer the numbers that PyTorch computes. No DOM.

import { kindOf } from "./layer_kinds.js";
import { inputOf } from "./windows.js";

/** @import { Layer, Parameters, Pass, Step } from "../types.d.ts" */

// Of MNIST's training images.
const MEAN = 0.1307;
const STD = 0.3081;

/** A network ready to run: its weights taken apart, its windows worked out. */
export class Forward {
  /** @type {Step[]} */
  #steps;

  /**
   * @param {Layer[]} layers as in an update, all of kinds that are known
   * @param {Float32Array} weights all of them, as `pack_weights` in network_view/__init__.py puts them in a row
   */
  constructor(layers, weights) {
    this.parameters = parametersOf(layers, weights);
    this.#steps = layers.map((layer, index) => {
      const kind = kindOf(layer);
      if (!kind) throw new TypeError(`${layer.kind} is not in LAYER_KINDS`);
      return kind.step(layer, inputOf(layers, index), this.parameters[index] ?? {});
    });
    const last = layers.at(-1);
    this.classifies = Boolean(last && last.shape.length === 1 && kindOf(last)?.mixes);
  }

  /** @param {Uint8Array} image 28 × 28, 0 background to 255 ink @returns {Pass} */
  run(image) {
    let value = normalized(image);
    const values = this.#steps.map((step) => (value = step(value)));
    const logits = this.classifies ? value.slice() : new Float32Array(0);
    return { values, logits, probabilities: softmax(logits) };
  }
}

/**
 * What the first layer gets of an image.
 * @param {Uint8Array} image 0 to 255
 * @returns {Float32Array} about −0.42 to 2.82
 */
export const normalized = (image) => Float32Array.from(image, (ink) => (ink / 255 - MEAN) / STD);

// --- the weights taken apart ---

/**
 * How many numbers each parameter of each layer has. Those of a kind that the browser does not know cannot be told
 * apart; they are as many
 * as its parameters unless it has buffers as well.
 * @param {Layer[]} layers @returns {Record<string, number>[]}
 */
function sizesOf(layers) {
  return layers.map((layer, index) => {
    const kind = kindOf(layer);
    return kind ? (kind.sizes?.(layer, inputOf(layers, index)) ?? {}) : { parameters: layer.parameters };
  });
}

/** How many weights there are to be. @param {Layer[]} layers */
export const weightsIn = (layers) =>
  sizesOf(layers)
    .flatMap(Object.values)
    .reduce((all, size) => all + size, 0);

/**
 * The parameters of every layer, null where it has none: views into the weights.
 * @param {Layer[]} layers @param {Float32Array} weights @returns {(Parameters | null)[]}
 */
export function parametersOf(layers, weights) {
  const expected = weightsIn(layers);
  if (expected !== weights.length)
    throw new RangeError(`weights (${weights.length}) must be as many as the layers have parameters (${expected})`);
  let at = 0;
  return sizesOf(layers).map((sizes) => {
    const views = Object.entries(sizes).map(([name, size]) => [name, weights.subarray(at, (at += size))]);
    return views.length ? Object.fromEntries(views) : null;
  });
}

/** exp(x)/Σ exp(x); the largest is taken off first, so that none overflows. @param {Float32Array} logits */
function softmax(logits) {
  const most = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - most));
  const sum = powers.reduce((whole, power) => whole + power, 0);
  return Float32Array.from(powers, (power) => power / sum);
}
