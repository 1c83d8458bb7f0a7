// The picture view. Called again by Streamlit with every change of the data.

import { CoverTest } from "./cover_test.js";

/** @import { CoverTestData } from "../types.d.ts" */

/** @type {WeakMap<ShadowRoot, CoverTest>} */
const views = new WeakMap();

/** @param {{data: [CoverTestData], parentElement: ShadowRoot}} component */
export default function ({ data: [data], parentElement }) {
  const host = parentElement.querySelector(".picture-view");
  if (!(host instanceof HTMLElement)) return;
  let view = views.get(parentElement);
  if (!view) {
    view = new CoverTest(host);
    views.set(parentElement, view);
  }
  view.update(data);
}
