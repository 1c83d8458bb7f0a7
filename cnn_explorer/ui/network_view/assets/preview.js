// The maps as this browser works them out by itself, within a frame; PyTorch's follow and stay on screen.

import { Forward, parametersOf, weightsIn } from "./forward.js";
import { kindOf } from "./layer_kinds.js";

/** @import { Parameters, Update } from "../types.d.ts" */

const LIMIT = 8; // ms that a forward pass may take: with painting it has to fit into a frame
const TRIES = 4; // the first passes are slow: the browser compiles them
const RETRIES = 6; // measurements of a network that was too slow: the machine may have been busy
const HEAVY = 20e6; // multiply-adds that no browser does in time: not even tried
const CLOSE = 1e-4; // of a layer's largest magnitude, by which float32 sums in another order may differ

export class Preview {
  /** The network and the weights that are here. */
  id = "";

  /** @type {Forward | null} null where the network has a kind of layer that this browser does not know */
  forward = null;

  /** @type {(Parameters | null)[]} of every layer */
  parameters = [];

  /** Whether the browser is quick enough, and right. */
  usable = false;

  /**
   * How often the time of a pass is still to be measured; 0 once it was short enough, or is taken to be too long for
   * good.
   */
  retries = 0;

  /**
   * @type {number | null} How far PyTorch's numbers and these are apart at most, as a share of a layer's scale; null
   *   until both have been compared.
   */
  difference = null;

  /**
   * True where the browser lacks the weights of this network, or has those of before a training.
   * @param {Update} update
   */
  lacks(update) {
    return !update.pending && this.id !== update.id;
  }

  /** The same network with the same weights, for another owner. */
  copy() {
    return Object.assign(new Preview(), this);
  }

  /**
   * Take a network's weights, and see how long a pass takes.
   * @param {Pick<Update, "id" | "layers" | "weights" | "image">} update
   */
  learn(update) {
    const { layers, weights } = update;
    const known = layers.every((layer) => kindOf(layer));
    this.id = update.id;
    this.difference = null;
    this.forward = known ? new Forward(layers, weights) : null;
    this.parameters =
      known || weightsIn(layers) === weights.length ? parametersOf(layers, weights) : layers.map(() => null);
    this.usable = false;
    this.retries = known && layers.reduce((sum, layer) => sum + layer.macs, 0) < HEAVY ? RETRIES : 0;
    this.measure(update.image);
  }

  /**
   * See whether a pass is quick enough, as long as there is hope.
   * @param {Uint8Array} image
   * @returns {boolean} whether it is usable
   */
  measure(image) {
    if (!this.retries) return this.usable;
    this.usable = this.#fast(image);
    this.retries = this.usable ? 0 : this.retries - 1;
    return this.usable;
  }

  /** @param {Uint8Array} image */
  #fast(image) {
    if (!this.forward) return false;
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const start = performance.now();
      this.forward.run(image);
      const took = performance.now() - start;
      if (took <= LIMIT) return true;
      if (took > 5 * LIMIT) return false;
    }
    return false;
  }

  /** @param {Update} update @returns {boolean} true if its network's maps can follow the pen here */
  follows(update) {
    return this.usable && this.id === update.id;
  }

  /** What an image gives; null where this browser cannot say. @param {Uint8Array} image */
  run(image) {
    return this.forward && { image, ...this.forward.run(image) };
  }

  /** Compare with PyTorch's numbers for the same image. @param {Update} update an exact one */
  check(update) {
    if (!this.follows(update) || !this.forward) return;
    const { values } = this.forward.run(update.image);
    this.difference = values.reduce((most, own, index) => Math.max(most, apart(own, update.values[index])), 0);
    if (!(this.difference <= CLOSE)) this.usable = false; // PyTorch is right
  }
}

/** Largest difference as a share of the largest magnitude. @param {Float32Array} own @param {Float32Array} theirs */
function apart(own, theirs) {
  let most = 0;
  let scale = 1;
  for (let index = 0; index < own.length; index++) {
    most = Math.max(most, Math.abs(own[index] - theirs[index]));
    scale = Math.max(scale, Math.abs(theirs[index]));
  }
  return most / scale;
}
