// The grid player: input, kernels and output of one small layer, number by number. Called again by Streamlit with every
// change of the data.

import { onceGone, part } from "./element.js";
import { PicturePlayer } from "./picture_player.js";
import { Player } from "./player.js";

/** @import { Message, PictureScene, Scene } from "../types.d.ts" */

/** @type {WeakMap<ShadowRoot, Player | PicturePlayer>} */
const players = new WeakMap();

/**
 * @param
 *   {{data: [Scene | PictureScene], parentElement: ShadowRoot, setStateValue: (name: "edits", value: Message) => void}}
 *   component
 */
export default function ({ data: [data], parentElement, setStateValue }) {
  const mounted = players.get(parentElement) ?? playerFor(data, part(parentElement, ".grid-player", HTMLElement));
  players.set(parentElement, mounted);
  mounted.send = (message) => setStateValue("edits", message);
  if (data.layout === "picture" && mounted instanceof PicturePlayer) mounted.update(data);
  if (data.layout !== "picture" && mounted instanceof Player) mounted.update(data);
  return () =>
    onceGone(parentElement.host, () => {
      if (players.delete(parentElement)) mounted.close();
    });
}

/**
 * A component shows scenes of one step, all of the same kind.
 * @param {Scene | PictureScene} scene
 * @param {HTMLElement} host
 */
const playerFor = ({ layout }, host) => (layout === "picture" ? new PicturePlayer(host) : new Player(host));
