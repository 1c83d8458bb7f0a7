// The grid player: input, kernels and output of one small layer, number by number. Called again by Streamlit with every change of the data.

import { part } from "./element.js";
import { Player } from "./player.js";

/** @import { Message, Scene } from "../types.d.ts" */

/** @type {WeakMap<ShadowRoot, Player>} */
const players = new WeakMap();

/** @param {{data: [Scene], parentElement: ShadowRoot, setStateValue: (name: "edits", value: Message) => void}} component */
export default function ({ data: [data], parentElement, setStateValue }) {
  let player = players.get(parentElement);
  if (!player) {
    player = new Player(part(parentElement, ".grid-player", HTMLElement));
    players.set(parentElement, player);
  }
  const mounted = player;
  mounted.send = (message) => setStateValue("edits", message);
  mounted.update(data);
  return () => {
    mounted.close();
    players.delete(parentElement);
  };
}
