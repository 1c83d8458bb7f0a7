// Every term of the page in one sentence, some with a picture. Data; `terms.js` shows it.

/**
 * @typedef {{term: string, says: string, picture?: string[], curve?: [number, number][]}} Entry `picture` is a grid of
 *   cells:
 * "#" the window or what comes out, "+" padding, "o" a position of the window's corner, "." any other cell, " " none;
 * `curve` has points
 *   from −1 to 1
 */

/** @type {Record<string, Entry>} in the order in which they are listed */
export const GLOSSARY = {
  "feature map": {
    term: "feature map",
    says: "What one filter finds in its input: each value says how strongly the filter's pattern is there.",
  },
  channel: {
    term: "channel",
    says:
      "One of the maps that lie one behind the other in a layer: 10×24×24 is 10 channels of 24 rows and 24 " +
      "columns.",
  },
  kernel: {
    term: "kernel, or filter",
    says:
      "A small grid of weights that slides over the input; at each position the products are added up to one " +
      "value.",
    picture: ["###... ....", "###... .#..", "###... ....", "...... ....", "......     "],
  },
  convolution: {
    term: "convolution",
    says:
      "Each map that comes out is the sum of all maps that go in, each seen through its own kernel, plus a bias: " +
      "the same weights at every position.",
  },
  stride: {
    term: "stride",
    says:
      "How many cells the window moves on at a time: with 2, every second row and column is left out, and the " +
      "map is half as large.",
    picture: ["o.o.o.", "......", "o.o.o.", "......", "o.o.o."],
  },
  padding: {
    term: "padding",
    says: "Zeros around the input, so that the window can stand on the edge, too, and the map does not shrink.",
    picture: ["++++++", "+....+", "+....+", "+....+", "++++++"],
  },
  pooling: {
    term: "pooling",
    says:
      "Each window becomes one number, its largest or its average: the map gets smaller, and a small shift " +
      "matters less.",
    picture: ["##.. #.", "##.. ..", "....   ", "....   "],
  },
  activation: {
    term: "activation function",
    says: "Bends every value by itself; without it, several layers could do no more than one.",
    curve: [
      [-1, -0.8],
      [-0.5, -0.7],
      [0, 0],
      [0.5, 0.7],
      [1, 0.8],
    ],
  },
  relu: {
    term: "ReLU",
    says: "Values below zero become zero, the others stay: max(0, x).",
    curve: [
      [-1, 0],
      [0, 0],
      [1, 1],
    ],
  },
  "batch norm": {
    term: "batch norm",
    says: "Shifts and scales each channel to a usual mean and spread, which training has measured.",
  },
  dropout: {
    term: "dropout",
    says: "Switches off a share of the values at random, and only while training; here it changes nothing.",
  },
  flatten: { term: "flatten", says: "Lays all maps out in one long row of numbers, for the linear layer." },
  linear: {
    term: "linear, or fully connected, layer",
    says: "Each value that comes out is a weighted sum of all that go in, plus a bias.",
  },
  logit: { term: "logit", says: "The score of one digit, any number: the higher, the more speaks for it." },
  softmax: {
    term: "softmax",
    says:
      "Turns the ten scores into probabilities that add up to 100 %: e to the power of each, divided by the sum " +
      "of all.",
  },
  parameter: {
    term: "parameter",
    says: "A number that training has set: a weight or a bias. Your drawing changes none of them.",
  },
  "multiply-add": {
    term: "multiply-add",
    says: "One product of a value and a weight, added to a sum: the unit in which a network's work is counted.",
  },
  "receptive field": {
    term: "receptive field",
    says: "The part of the drawing that one value depends on; it grows from layer to layer.",
    picture: [".......", ".#####.", ".#####. ### #", ".#####. ###", ".#####. ###", "......."],
  },
  "fully connected": {
    term: "fully connected instead",
    says:
      "The parameters that a layer with a weight for every pair of input and output value would need for the " +
      "same shapes.",
  },
  agrees: {
    term: "PyTorch agrees",
    says:
      "Your browser and PyTorch have computed this drawing independently of each other, and have come to the " +
      "same numbers.",
  },
};

/** @type {Record<string, string>} the entry for a layer, by its nn class; any other class is an activation */
const LAYERS = {
  Conv2d: "convolution",
  MaxPool2d: "pooling",
  AvgPool2d: "pooling",
  ReLU: "relu",
  BatchNorm2d: "batch norm",
  Dropout: "dropout",
  Flatten: "flatten",
  Linear: "linear",
};

/** @param {string} kind nn class of a layer */
export const termOf = (kind) => LAYERS[kind] ?? "activation";
