// What the browser knows of each kind of layer, in one table. A new kind is one entry; for one without an entry,
// PyTorch's numbers are shown as they come, and nothing else fails.

import {
  explainAveragePooling,
  explainBatchNorm,
  explainConvolution,
  explainIdentity,
  explainLinear,
  explainMaxPooling,
  explainValueByValue,
} from "./explain_layers.js";
import { product } from "./geometry.js";
import { exact } from "./numbers.js";
import { SLOPE, averagePooling, batchNorm, convolution, copy, erf, linear, maxPooling, valueByValue } from "./steps.js";
import { geometryOf } from "./windows.js";

/** @import { Layer, LayerKind } from "../types.d.ts" */

/** @type {Record<string, LayerKind>} by the nn class */
export const LAYER_KINDS = {
  Conv2d: {
    mixes: true,
    sizes: (layer, [inputs]) => {
      const [[rows, columns]] = geometryOf(layer);
      return { weight: layer.shape[0] * (inputs / layer.groups) * rows * columns, bias: layer.shape[0] };
    },
    step: convolution,
    explain: explainConvolution,
  },
  Linear: {
    mixes: true,
    sizes: ({ shape: [features] }, input) => ({ weight: features * product(input), bias: features }),
    step: linear,
    explain: explainLinear,
  },
  BatchNorm2d: {
    sizes: ({ shape: [channels] }) => ({ weight: channels, bias: channels, mean: channels, variance: channels }),
    step: batchNorm,
    explain: explainBatchNorm,
  },
  MaxPool2d: { family: "pooling", step: maxPooling, explain: explainMaxPooling },
  AvgPool2d: { family: "pooling", step: averagePooling, explain: explainAveragePooling },
  ReLU: activation(
    (x) => Math.max(0, x),
    "What is below zero becomes zero; the rest stays.",
    (x) => `max(0, ${exact(x)})`,
  ),
  LeakyReLU: activation(
    (x) => (x > 0 ? x : SLOPE * x),
    `What is below zero is multiplied by ${SLOPE}; the rest stays.`,
    (x) => (x > 0 ? `${exact(x)} stays` : `${SLOPE} · ${exact(x)}`),
  ),
  Tanh: activation(Math.tanh, "Squeezed between −1 and 1.", (x) => `tanh(${exact(x)})`),
  Sigmoid: activation(
    (x) => 1 / (1 + Math.exp(-x)),
    "Squeezed between 0 and 1.",
    (x) => `1 / (1 + exp(${exact(-x)}))`,
  ),
  GELU: activation(
    (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
    "x times the share of a normal distribution below x.",
    (x) => `${exact(x)} · Φ(${exact(x)})`,
  ),
  Dropout: { step: copy, explain: explainIdentity("Acts only while training: here every value is handed on.") },
  Flatten: { step: copy, explain: explainIdentity("The same values in one row.") },
};

/** The entry of a layer's kind; null where this browser knows none. @param {Layer} layer */
export const kindOf = (layer) => LAYER_KINDS[layer.kind] ?? null;

/**
 * Layers of one family can take each other's place, such as maximum and average pooling.
 * @param {Layer} layer
 * @returns {string}
 */
export const familyOf = (layer) => kindOf(layer)?.family ?? layer.kind;

/** Whether a layer has a kernel for each pair of channels. @param {Layer} layer */
export const hasKernels = (layer) => Boolean(layer.window && kindOf(layer)?.mixes);

/**
 * A layer that makes each value of the one at the same place.
 * @param {(x: number) => number} formula
 * @param {string} how what it does, in a sentence
 * @param {(x: number) => string} worked the formula
 *   with a number in it
 * @returns {LayerKind}
 */
function activation(formula, how, worked) {
  return {
    family: "activation",
    step: valueByValue(formula),
    explain: explainValueByValue(`${how} Every value by itself.`, worked),
  };
}
