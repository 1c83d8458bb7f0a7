// The picture view. Called again by Streamlit with every change of the data.

import { CoverTest } from "./cover_test.js";
import { Maps } from "./maps.js";

/** @import { CoverTestData, Data, MapsData, Pixel } from "../types.d.ts" */

/** @type {WeakMap<ShadowRoot, CoverTest | Maps>} */
const views = new WeakMap();

/**
 * @param
 *   {{data: [Data], parentElement: ShadowRoot, setTriggerValue: (name: "choose", value: Pixel & {layer: string})
 *   => void}} component
 */
export default function ({ data: [data], parentElement, setTriggerValue }) {
  const host = parentElement.querySelector(".picture-view");
  if (!(host instanceof HTMLElement)) return;
  const view = views.get(parentElement) ?? (data.kind === "maps" ? new Maps(host) : new CoverTest(host));
  views.set(parentElement, view);
  if (view instanceof Maps) {
    const { layer } = /** @type {MapsData} */ (data);
    view.choose = (pixel) => setTriggerValue("choose", { ...pixel, layer });
    view.update(/** @type {MapsData} */ (data));
  } else view.update(/** @type {CoverTestData} */ (data));
}
