// Title, "Copy link" and the links to all pages.

import { linkQuery, pageAddress, publicAddress } from "./address.js";
import { copyText } from "./copy.js";

/** @import { Data, Link, Once } from "../types.d.ts" */

const LEAVE = "cnn-explorer-leave"; // event on `window`: whoever has something to send sends it now
const TOLD = 4000; // ms that "Copied" stands beside the button
const HELP = "The address holds your drawing, your network and all settings: whoever opens the link sees what you see.";
const CHAIN = "M10 13a5 5 0 007 0l3-3a5 5 0 00-7-7l-1 1 M14 11a5 5 0 00-7 0l-3 3a5 5 0 007 7l1-1";

const MARKUP = `
<h1></h1>
<div class="copy">
  <button type="button" title="${HELP}"><svg viewBox="0 0 24 24" aria-hidden="true"><path
    d="${CHAIN}"/></svg>Copy link</button>
  <output role="status" aria-live="polite"></output>
</div>
<nav aria-label="Pages"><ul></ul></nav>`;

// Every page has a bar of its own. These outlast it.
// Ids of the last answer and of the last correction.
let answered = "";
let corrected = "";
/** @type {string | null} path of the page whose bar gets the focus when it comes: the link was followed by keyboard */
let focused = null;

export class TopBar {
  /** @type {(path: string) => void} has the server answer with a page's address */
  ask = () => {};

  /** @type {Data} */
  #data = { title: "", links: [], shared: [], answer: null, correction: { id: "", path: "", query: {} } };

  #timer = 0;

  /** @param {HTMLElement} host */
  constructor(host) {
    this.host = host;
    host.style.cssText = "opacity: 0; height: 32px"; // until style.css is there, which says otherwise
    host.innerHTML = MARKUP;
    const button = this.#find("button");
    button.onpointerdown = flush;
    button.onclick = () => this.#copy();
  }

  /** @param {Data} data */
  update(data) {
    this.#data = data;
    this.#find("h1").textContent = data.title;
    const list = this.#find("ul");
    while (list.children.length < data.links.length) list.append(item());
    const anchors = [...list.querySelectorAll("a")];
    data.links.forEach((link, index) => this.#show(anchors[index], link));
    if (focused !== null && focused === this.#current) {
      // Until then the bar of the page before may be drawn again.
      focused = null;
      this.#find("[aria-current]").focus();
    }
    if (data.correction.id !== corrected) this.#correct(data.correction);
    if (data.answer && data.answer.id !== answered) this.#follow(data.answer);
  }

  /** Path of the page that is shown. */
  get #current() {
    return this.#data.links.find((link) => link.current)?.path ?? "";
  }

  /** @param {string} selector @returns {HTMLElement} */
  #find(selector) {
    const found = this.host.querySelector(selector);
    if (!(found instanceof HTMLElement)) throw new TypeError(`no ${selector}`);
    return found;
  }

  /** @param {HTMLAnchorElement} anchor @param {Link} link */
  #show(anchor, link) {
    anchor.textContent = link.label;
    if (link.current) anchor.setAttribute("aria-current", "page");
    else anchor.removeAttribute("aria-current");
    const renew = () => {
      const query = linkQuery(location.search, this.#data.shared, link.query);
      anchor.href = pageAddress(location.href, this.#current, link.path, query);
    };
    renew();
    anchor.onfocus = anchor.onpointerenter = renew; // the address may have changed since
    anchor.onpointerdown = () => {
      flush();
      renew();
    };
    anchor.onclick = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return; // in another tab, or saved
      event.preventDefault();
      if (link.current) return;
      flush();
      this.ask(link.path);
    };
  }

  /**
   * Open a page as one step of the history: Streamlit takes what `popstate` leads to from the address.
   * @param {Once} answer
   */
  #follow(answer) {
    answered = answer.id;
    focused = this.host.querySelector("a:focus-visible") ? answer.path : null;
    history.pushState({}, "", pageAddress(location.href, this.#current, answer.path, answer.query));
    dispatchEvent(new PopStateEvent("popstate", { state: {} }));
  }

  /** Complete the present address, which is no step of the history. @param {Once} correction */
  #correct({ id, query }) {
    corrected = id;
    const url = new URL(location.href);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    if (url.href !== location.href) history.replaceState(history.state, "", url);
    this.host.dataset.address = "complete";
  }

  async #copy() {
    const copied = await copyText(publicAddress(location.href), this.host);
    const told = this.#find("output");
    told.textContent = copied ? "Copied" : "Not allowed here: copy the address from the browser's address bar";
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      told.textContent = "";
    }, TOLD);
  }
}

function item() {
  const made = document.createElement("li");
  made.append(document.createElement("a"));
  return made;
}

function flush() {
  dispatchEvent(new Event(LEAVE));
}
