// The line of the first visit, and the help behind "?".

import { part } from "./element.js";
import { listTerms } from "./terms.js";

const SEEN = "cnn-explorer-welcomed"; // in localStorage: the line was closed

export class Help {
  /** @param {HTMLElement} host */
  constructor(host) {
    const welcome = (this.welcome = part(host, ".welcome", HTMLElement));
    const help = part(host, ".help", HTMLElement);
    const ask = part(host, ".ask", HTMLButtonElement);
    part(welcome, "button", HTMLButtonElement).onclick = () => {
      welcome.hidden = true;
      remember();
      ask.focus({ preventScroll: true });
    };
    ask.onclick = () => {
      help.hidden = !help.hidden;
      ask.setAttribute("aria-expanded", String(!help.hidden));
      if (help.hidden) return;
      listTerms(part(help, "dl", HTMLElement));
      help.scrollIntoView({ block: "nearest" });
    };
  }

  /** @param {boolean} first whether this is the page on which visitors begin */
  greet(first) {
    this.welcome.hidden = !first || welcomed();
  }
}

/** A browser may forbid a page to remember anything. */
function welcomed() {
  try {
    return localStorage.getItem(SEEN) !== null;
  } catch {
    return false;
  }
}

function remember() {
  try {
    localStorage.setItem(SEEN, "1");
  } catch {
    // it will be shown again
  }
}
