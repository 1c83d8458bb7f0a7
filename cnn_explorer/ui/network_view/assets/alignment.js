// Where the values of two networks' layers lie on the image, and how the one map lies over the other. Pure functions on
// numbers.
//
// A layer's value i lies at start + i · step, in pixels of the image, along each axis (0 down, 1 across): the middle of
// its receptive field. The formula is that of `spec/shapes.py`.

import { counterparts } from "./compare.js";
import { familyOf } from "./layer_kinds.js";

/** @import { Layer, Lattice, Relation } from "../types.d.ts" */

const AXES = [0, 1];
/** @type {Lattice} */
const IMAGE = { start: [0, 0], step: [1, 1] };

/**
 * Where the values of every layer lie; null where a layer has features instead of maps.
 * @param {Layer[]} layers
 * @returns {(Lattice | null)[]}
 */
export function latticesOf(layers) {
  /** @type {Lattice} */
  let lattice = IMAGE;
  return layers.map((layer) => {
    lattice = through(lattice, layer);
    return layer.shape.length === 3 ? lattice : null;
  });
}

/** @param {Lattice} from where the input's values lie @param {Layer} layer @returns {Lattice} */
function through({ start, step }, { window }) {
  if (!window) return { start, step };
  const [kernel, stride, padding, dilation] = window;
  const first = (/** @type {number} */ axis) =>
    start[axis] + ((dilation[axis] * (kernel[axis] - 1)) / 2 - padding[axis]) * step[axis];
  return { start: [first(0), first(1)], step: [step[0] * stride[0], step[1] * stride[1]] };
}

/**
 * A map laid over another one, so that both show the same part of the image: its first edge and its length, along each
 * axis, counted in
 * values of the other.
 * @param {Lattice} lattice of the map @param {number[]} size its rows and columns @param {Lattice} other
 * @returns {{first: number, length: number}[]}
 */
export const laidOver = (lattice, size, other) =>
  AXES.map((axis) => {
    const ratio = lattice.step[axis] / other.step[axis];
    return {
      first: (lattice.start[axis] - other.start[axis]) / other.step[axis] + 0.5 - ratio / 2,
      length: size[axis] * ratio,
    };
  });

/**
 * The value of another map at the same place of the image; null for none.
 * @param {Lattice} lattice
 * @param {number[]} cell
 * @param {Lattice} other
 * @param {number[]} size of the other
 */
export function sameCell(lattice, cell, other, size) {
  const found = AXES.map(
    (axis) => (lattice.start[axis] + cell[axis] * lattice.step[axis] - other.start[axis]) / other.step[axis],
  );
  return found.every((at, axis) => Number.isInteger(at) && at >= 0 && at < size[axis]) ? found : null;
}

/**
 * How a layer's maps follow from the former network's: what is to be marked on them.
 * @param {Layer[]} layers
 * @param {number} index
 * @param {Layer[]} former
 * @param {number} before index of the former layer
 * @returns {Relation}
 */
export function relationOf(layers, index, former, before) {
  const now = latticesOf(layers)[index];
  const was = latticesOf(former)[before];
  if (!now || !was) return { kind: "features" };
  const ratio = AXES.map((axis) => now.step[axis] / was.step[axis]);
  if (ratio.every((each) => each === 1)) return shifted(now, layers[index].shape, was, former[before].shape);
  if (ratio.every((each) => each >= 1)) return coarser(layers, index, now, former, was);
  if (ratio.every((each) => each <= 1)) return { ...coarser(former, before, was, layers, now), finer: true };
  return { kind: "other" };
}

/**
 * The same step: one map may reach further.
 * @param {Lattice} now
 * @param {number[]} shape
 * @param {Lattice} was
 * @param {number[]} before
 * @returns {Relation}
 */
function shifted(now, [, ...size], was, [, ...formerSize]) {
  const first = AXES.map((axis) => (was.start[axis] - now.start[axis]) / now.step[axis]);
  if (!first.every(Number.isInteger)) return { kind: "other" };
  const more = AXES.map((axis) => [first[axis], size[axis] - formerSize[axis] - first[axis]]);
  if (more.flat().every((each) => each === 0)) return { kind: "same" };
  return { kind: "border", more };
}

/**
 * A larger step.
 * @param {Layer[]} layers
 * @param {number} index
 * @param {Lattice} now
 * @param {Layer[]} former
 * @param {Lattice} was
 * @returns {Relation}
 */
function coarser(layers, index, now, former, was) {
  const stride = AXES.map((axis) => now.step[axis] / was.step[axis]);
  const windows = poolingOver(layers, index, former, was);
  if (windows) return { kind: "windows", stride, ...windows };
  const first = AXES.map((axis) => (now.start[axis] - was.start[axis]) / was.step[axis]);
  return [...stride, ...first].every(Number.isInteger) ? { kind: "every", stride, first } : { kind: "other" };
}

/**
 * The windows of a new or changed pooling, counted in values of the former map; null where another layer makes the step
 * larger.
 * @param {Layer[]} layers @param {number} index @param {Layer[]} former @param {Lattice} was
 */
function poolingOver(layers, index, former, was) {
  let at = index;
  while (at >= 0 && !layers[at].window) at--;
  const pooling = layers[at];
  if (!pooling?.window || familyOf(pooling) !== "pooling") return null;
  const before = counterparts(layers, former)[at];
  if (before !== null && String(former[before].window) === String(pooling.window)) return null;
  const [kernel, , padding] = pooling.window;
  const input = (at ? latticesOf(layers)[at - 1] : IMAGE) ?? IMAGE;
  const share = AXES.map((axis) => input.step[axis] / was.step[axis]);
  const size = AXES.map((axis) => (kernel[axis] - 1) * share[axis] + 1);
  const first = AXES.map(
    (axis) => (input.start[axis] - padding[axis] * input.step[axis] - was.start[axis]) / was.step[axis],
  );
  return [...size, ...first].every(Number.isInteger) ? { size, first } : null;
}
