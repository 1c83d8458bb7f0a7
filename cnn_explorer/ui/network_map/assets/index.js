// The network map. Called again by Streamlit with every change of the data.

import { NetworkMap } from "./map.js";

/** @import { Data } from "../types.d.ts" */

/** @type {WeakMap<ShadowRoot, NetworkMap>} */
const maps = new WeakMap();

/**
 * @param {{data: [Data], parentElement: ShadowRoot, setTriggerValue: (name: "press", value: {id: string}) => void}}
 *   component
 */
export default function ({ data: [data], parentElement, setTriggerValue }) {
  const host = parentElement.querySelector(".network-map");
  if (!(host instanceof HTMLElement)) return;
  let map = maps.get(parentElement);
  if (!map) {
    map = new NetworkMap(host);
    maps.set(parentElement, map);
  }
  map.press = (id) => setTriggerValue("press", { id });
  map.update(data);
}
