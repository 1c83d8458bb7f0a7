// The network view: a drawing surface, every layer's maps, ten probabilities. Called again by Streamlit with every
// update.

import { onceGone, part } from "./element.js";
import { View } from "./view.js";

/** @import { Message } from "../types.d.ts" */

/** @type {WeakMap<ShadowRoot, View>} */
const views = new WeakMap();

/**
 * @param {{data: Uint8Array, parentElement: ShadowRoot, setStateValue: (name: "message", value: Message) => void}}
 *   component
 */
export default function ({ data, parentElement, setStateValue }) {
  let view = views.get(parentElement);
  if (!view) {
    view = new View(part(parentElement, ".network-view", HTMLElement));
    views.set(parentElement, view);
  }
  const mounted = view;
  mounted.send = (message) => setStateValue("message", message);
  mounted.update(data);
  return () =>
    onceGone(parentElement.host, () => {
      if (views.delete(parentElement)) mounted.close();
    });
}
