// The legend of the colour scales, with numbers: of values, and of weights where some are shown.

import { part } from "./element.js";
import { oneDecimal, short } from "./numbers.js";
import { cssGradient, reachOf } from "./painting.js";

/** @import { Parameters, Scale, Theme, Update } from "../types.d.ts" */

/** @type {WeakMap<Float32Array, number>} worked out once an update: the pointer asks with every movement */
const known = new WeakMap();

/** @param {Float32Array} values */
function reachIn(values) {
  const reach = known.get(values) ?? reachOf(values);
  known.set(values, reach);
  return reach;
}

export class Legend {
  /** @param {HTMLElement} element the group of the scale's buttons */
  constructor(element) {
    this.values = part(element, ".values", HTMLElement);
    this.weights = part(element, ".weights", HTMLElement);
  }

  /** @param {Theme} theme */
  paint(theme) {
    part(this.values, "i", HTMLElement).style.background = cssGradient(theme);
    part(this.weights, "i", HTMLElement).style.background = cssGradient(`${theme} weights`);
  }

  /**
   * @param {Update} update @param {number} index of the layer whose numbers are shown @param {Scale} scale
   * @param {(Parameters | null)[] | null} parameters where weights are on screen
   */
  show({ layers, values }, index, scale, parameters) {
    const { name } = layers[index];
    const reach = scale === "network" ? Math.max(...values.map(reachIn)) : reachIn(values[index]);
    const whose = { network: "all layers", layer: name, map: `largest map of ${name}` }[scale];
    write(
      this.values,
      oneDecimal(reach),
      `Colours of values, ${whose}: blue ${oneDecimal(-reach)}, zero in the middle, orange ${oneDecimal(reach)}`,
    );
    const weight = parameters?.[index]?.weight;
    this.weights.hidden = !weight;
    if (!weight) return;
    const most = short(reachIn(weight));
    write(this.weights, most, `Colours of the weights of ${name}: purple −${most}, zero in the middle, green ${most}`);
  }
}

/** @param {HTMLElement} legend @param {string} reach @param {string} title */
function write(legend, reach, title) {
  const [low, , high] = legend.children;
  if (high.textContent === reach && legend.title === title) return;
  low.textContent = `−${reach}`;
  high.textContent = reach;
  legend.title = title;
}
