// The network view: a drawing surface, every layer's maps, ten probabilities. Called again by Streamlit with every update.

import { View } from "./view.js";

/** @type {WeakMap<Node, View>} */
const views = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  let view = views.get(parentElement);
  if (!view) {
    view = new View(parentElement);
    views.set(parentElement, view);
  }
  view.send = (message) => setStateValue("message", message);
  view.update(data);
  return () => {
    view.close();
    views.delete(parentElement);
  };
}
