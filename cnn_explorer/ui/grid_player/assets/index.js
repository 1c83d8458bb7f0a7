// The grid player: input, kernels and output of one small layer, number by number. Called again by Streamlit with every change of the data.

import { Player } from "./player.js";

/** @type {WeakMap<Node, Player>} */
const players = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  let player = players.get(parentElement);
  if (!player) {
    player = new Player(parentElement.querySelector(".grid-player"));
    players.set(parentElement, player);
  }
  player.send = (message) => setStateValue("edits", message);
  player.update(data);
  return () => {
    player.close();
    players.delete(parentElement);
  };
}
