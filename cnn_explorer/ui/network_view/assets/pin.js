// The pinned network, as this browser has it: its layers and weights, and its pass for the image on screen. No DOM.

import { Preview } from "./preview.js";

/** @import { Layer, Pass, Update } from "../types.d.ts" */

export class Pin {
  /** Architecture string; "" while nothing is pinned. */
  net = "";

  /** How the page calls it. */
  name = "";

  /** @type {Layer[]} none until they are here */
  layers = [];

  #preview = new Preview();

  /** @type {Uint8Array | null} the image that was passed through last */
  #image = null;

  /** @type {Pass | null} */
  #pass = null;

  /** True where layers and weights have yet to come. */
  get lacking() {
    return this.net !== "" && !this.layers.length;
  }

  /** Whether a pass takes so little time that its maps can follow the pen. */
  get follows() {
    return this.#preview.usable;
  }

  /** Pin another network, or none, of which nothing is known yet. @param {string} net @param {string} name */
  take(net, name) {
    this.name = name;
    if (net === this.net) return;
    this.net = net;
    this.#become([], new Preview());
  }

  /**
   * Pin the network on screen with its weights, as far as they are here.
   * @param {Update} update
   * @param {string} name
   * @param {Preview} preview
   */
  keep(update, name, preview) {
    this.take(update.net, name);
    if (preview.id === update.id) this.#become(update.layers, preview.copy());
  }

  /** Take the layers and weights of the pinned network that an update has brought. @param {Update} update */
  learn({ pin, pinWeights, image }) {
    if (!pin?.layers || pin.net !== this.net) return;
    const preview = new Preview();
    preview.learn({ id: pin.net, layers: pin.layers, weights: pinWeights, image });
    this.#become(pin.layers, preview);
  }

  /** @param {Layer[]} layers @param {Preview} preview */
  #become(layers, preview) {
    this.layers = layers;
    this.#preview = preview;
    this.#image = this.#pass = null;
  }

  /** What an image gives, worked out once; null where this browser cannot say. @param {Uint8Array} image */
  run(image) {
    if (this.#image !== image) {
      this.#image = image;
      this.#pass = this.#preview.run(image);
    }
    return this.#pass;
  }

  /** The pass for an image if it is already worked out. @param {Uint8Array} image */
  known(image) {
    return this.#image === image ? this.#pass : null;
  }
}
