// The top bar. Streamlit calls the default export again with every update.

import { TopBar } from "./bar.js";
import { isStep } from "./history.js";

/** @import { Data } from "../types.d.ts" */

// Streamlit makes a step of the history of every address that the server writes.
const push = history.pushState.bind(history);
history.pushState = (state, unused, url) => {
  if (isStep(new URL(location.href), new URL(url ?? "", location.href))) push(state, unused, url);
  else history.replaceState(state, unused, url);
};

/** @type {WeakMap<ShadowRoot, TopBar>} */
const bars = new WeakMap();

/**
 * @param {{data: [Data], parentElement: ShadowRoot, setTriggerValue: (name: "go", value: {path: string}) => void}}
 *   component
 */
export default function ({ data: [data], parentElement, setTriggerValue }) {
  const host = parentElement.querySelector(".top-bar");
  if (!(host instanceof HTMLElement)) return;
  let bar = bars.get(parentElement);
  if (!bar) {
    bar = new TopBar(host);
    bars.set(parentElement, bar);
  }
  bar.ask = (path) => setTriggerValue("go", { path });
  bar.update(data);
}
