// The top bar. Streamlit calls the default export again with every update.

import { TopBar } from "./bar.js";

/** @import { Data } from "../types.d.ts" */

/** @type {WeakMap<ShadowRoot, TopBar>} */
const bars = new WeakMap();

/** @param {{data: Data, parentElement: ShadowRoot, setTriggerValue: (name: "go", value: {path: string}) => void}} component */
export default function ({ data, parentElement, setTriggerValue }) {
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
