// What is looked at, in the address: written by the browser alone, without a message to the server or a step of the
// history.
//
// Streamlit writes the address as well, and knows this part of it only as it was when the server last heard from the
// page. So it is written again after every update.

import { decodeView, encodeView } from "./view_state.js";

/** @import { ViewState } from "../types.d.ts" */

const NAME = "view"; // of the query parameter
const ACT = 50; // ms until what a press does can be seen
const PAUSE = 400; // ms: some browsers refuse more than a hundred changes of the address in half a minute

/** The query's parameters as they are written, without the view's. */
const others = () =>
  location.search
    .slice(1)
    .split("&")
    .filter((each) => each && !each.startsWith(`${NAME}=`));

export class ViewAddress {
  #timer = 0;
  #writtenAt = -Infinity;

  /** @type {ViewState | null} what is to be shown: of the address that the browser has come to */
  #wanted;

  #net = ""; // the network that it was shown for
  #shown = false; // whether it was shown at all
  #path = location.pathname;

  /**
   * @param {() => ViewState | null} state as it is; null while it is being restored
   * @param {(wanted: ViewState) => void} show as much of it as the network on screen has
   */
  constructor(state, show) {
    this.state = state;
    this.show = show;
    this.#wanted = read();
    this.onpopstate = () => {
      if (location.pathname !== this.#path) return; // another page comes, with a view of its own
      this.#wanted = read();
      this.#restore();
    };
    window.addEventListener("popstate", this.onpopstate);
  }

  /** There are maps to look at. @param {string} net of which network */
  updated(net) {
    // Behind a step of the history another network may follow a moment later: what it has is shown then.
    if (!this.#shown || net !== this.#net) this.#restore();
    this.#net = net;
    this.#soon(0);
  }

  /** Somebody has acted in the view: the address follows, not the other way round. */
  touched() {
    if (this.#shown) this.#wanted = null;
    this.#soon(ACT);
  }

  /** Write now what waits: the address is about to be copied or left. */
  flush() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#write();
  }

  close() {
    clearTimeout(this.#timer);
    window.removeEventListener("popstate", this.onpopstate);
  }

  #restore() {
    if (this.#wanted) this.show(this.#wanted);
    this.#shown = true;
  }

  /** @param {number} least ms until it is written */
  #soon(least) {
    const pause = Math.max(least, this.#writtenAt + PAUSE - performance.now());
    this.#timer ||= window.setTimeout(() => this.flush(), pause);
  }

  #write() {
    const state = this.#shown && location.pathname === this.#path && this.state();
    if (!state) return;
    const text = encodeView(state);
    const search = [...others(), ...(text ? [`${NAME}=${text}`] : [])].join("&");
    if (search === location.search.slice(1)) return;
    this.#writtenAt = performance.now();
    history.replaceState(history.state, "", `${location.pathname}${search && `?${search}`}${location.hash}`);
  }
}

/** What the address says; null for nonsense. */
const read = () => decodeView(new URLSearchParams(location.search).get(NAME) ?? "");
