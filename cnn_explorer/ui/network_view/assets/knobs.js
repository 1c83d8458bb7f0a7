// The page's widgets for the network, which stand below the view: their groups get their names from here, and the view learns which knob
// the visitor holds. Streamlit makes classes of the keys that `draw/controls.py` gives.

/** @typedef {{block: number, pooling: boolean, parameter: string}} Knob `block` counts from 1, `parameter` is "" for one that moves no window */

const FIELDS = 554; // CSS pixels of five fields side by side
const LINEAR = 104; // of the buttons for linear layers
const GROUP = "st-key-group_", GROUPS = `[class*="${GROUP}"]`, KNOBS = "[class*=st-key-block]";
const WINDOW = /st-key-block(\d+)_(pool-)?(?:(kernel_size|stride|padding|dilation)\b)?/;

export class Knobs {
  /** @type {Element | null} */
  #over = null;

  /** @type {Element | null} */
  #focused = null;

  #told = "";

  /** @type {number[] | null} where the groups are to begin, once the visitor has left them */
  #starts = null;

  /** @param {(knob: Knob | null) => void} hold told when the visitor takes or leaves a knob */
  constructor(hold) {
    this.hold = hold;
    this.observer = new MutationObserver(nameGroups);
    this.observer.observe(document.body, { childList: true, subtree: true });
    nameGroups();
    /** @param {Event} event */
    this.listen = ({ type, target }) => {
      const knob = target instanceof Element && type !== "focusout" ? target.closest(KNOBS) : null;
      if (type === "pointerover") this.#over = knob;
      else this.#focused = knob;
      this.#tell();
      this.#align();
    };
    for (const type of TYPES) document.addEventListener(type, this.listen);
  }

  close() {
    this.observer.disconnect();
    for (const name of ["--groups", "--groups-start"]) document.documentElement.style.removeProperty(name);
    for (const type of TYPES) document.removeEventListener(type, this.listen);
  }

  /** On a wide screen, have each group stand below its block. @param {number[]} starts see `Columns.starts` */
  align(starts) {
    this.#starts = starts;
    this.#align();
  }

  /** Not under the visitor's hand: the − and + that are pressed stay where they are. */
  #align() {
    if (!this.#starts || document.querySelector(".st-key-controls:is(:hover, :focus-within)")) return;
    const { style } = document.documentElement, end = window.innerWidth;
    const widths = this.#starts.map((start, at, all) => (all[at + 1] ?? end) - start);
    const least = Math.min(FIELDS, (end - this.#starts[0] - LINEAR) / (widths.length - 1) - 30);
    style.setProperty("--groups-start", `${Math.round(this.#starts[0])}px`);
    style.setProperty("--groups", widths.map((width, at) => `minmax(${Math.round(at < widths.length - 1 ? least : LINEAR)}px, ${Math.round(width)}fr)`).join(" "));
    this.#starts = null;
  }

  #tell() {
    const [found, block, pooling, parameter = ""] = WINDOW.exec((this.#over ?? this.#focused)?.className ?? "") ?? [""];
    if (found === this.#told) return;
    this.#told = found;
    this.hold(found ? { block: Number(block), pooling: Boolean(pooling), parameter } : null);
  }
}

const TYPES = ["pointerover", "focusin", "focusout"];

/** Each group of widgets is a group for a screen reader, and its fields are told from those of other groups. */
function nameGroups() {
  for (const group of document.querySelectorAll(GROUPS)) {
    const name = new RegExp(`${GROUP}(\\w+)`).exec(group.className)?.[1] ?? "";
    if (group.getAttribute("aria-label") !== name) {
      group.setAttribute("role", "group");
      group.setAttribute("aria-label", name);
    }
    for (const field of group.querySelectorAll("input[aria-label]")) {
      const label = field.getAttribute("aria-label") ?? "";
      if (!label.startsWith(`${name} `)) field.setAttribute("aria-label", `${name} ${label}`);
    }
  }
}

/** Lead the visitor to a group of widgets. @param {string} name */
export function showGroup(name) {
  const group = document.querySelector(`.${GROUP}${name}`);
  if (!(group instanceof HTMLElement)) return;
  group.tabIndex = -1;
  group.focus({ preventScroll: true });
  group.scrollIntoView({ block: "center" });
}
