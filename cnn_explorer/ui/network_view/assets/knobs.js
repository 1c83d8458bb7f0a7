// The page's widgets for the network: their groups get their names and their places from here, and the view learns
// which knob the visitor holds. Streamlit owns these elements, which follow the view. On a wide screen they stand below
// their columns. Where columns stack, the view leaves room below each block's maps, and a style sheet lays the block's
// group over that room. Streamlit makes classes of the keys that `draw/controls.py` gives.

/**
 * @typedef {{block: number, pooling: boolean, parameter: string}} Knob `block` counts from 1, `parameter` is "" for one
 *   that moves no window
 */

const FIELDS = 554; // CSS pixels of five fields side by side
const LINEAR = 104; // of the buttons for linear layers
// CSS pixels above and below a group between maps.
const ABOVE = 4;
const BELOW = 14;
const GROUP = "st-key-group_";
const GROUPS = `[class*="${GROUP}"]`;
const KNOBS = "[class*=st-key-block]";
const WINDOW = /st-key-block(\d+)_(pool-)?(?:(kernel_size|stride|padding|dilation)\b)?/;

export class Knobs {
  /** @type {Element | null} */
  #over = null;

  /** @type {Element | null} */
  #focused = null;

  #told = "";

  #touched = ""; // name of the group that has the pointer or the focus

  /** @type {HTMLElement[]} room for groups between maps, see `Columns.places` */
  #places = [];

  #rules = "";

  /** @type {Element[]} whose size is watched */
  #watched = [];

  /** @type {number[] | null} where the groups are to begin, once the visitor has left them */
  #starts = null;

  /** @param {(knob: Knob | null) => void} hold told when the visitor takes or leaves a knob */
  constructor(hold) {
    this.hold = hold;
    this.sheet = new CSSStyleSheet();
    document.adoptedStyleSheets.push(this.sheet);
    this.sizes = new ResizeObserver(() => this.#place());
    this.observer = new MutationObserver(() => {
      nameGroups();
      this.#watch();
    });
    this.observer.observe(document.body, { childList: true, subtree: true });
    nameGroups();
    /** @param {Event} event */
    this.listen = ({ type, target }) => {
      const knob = target instanceof Element && type !== "focusout" ? target.closest(KNOBS) : null;
      if (type === "pointerover") this.#over = knob;
      else this.#focused = knob;
      const group = target instanceof Element && type !== "focusout" ? nameOf(target.closest(GROUPS)) : "";
      this.#touched = group || nameOf(document.activeElement?.closest(GROUPS));
      this.#tell();
      this.#align();
    };
    for (const type of TYPES) document.addEventListener(type, this.listen);
  }

  close() {
    this.observer.disconnect();
    this.sizes.disconnect();
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((sheet) => sheet !== this.sheet);
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
    const { style } = document.documentElement;
    const end = window.innerWidth;
    const widths = this.#starts.map((start, at, all) => (all[at + 1] ?? end) - start);
    const least = Math.min(FIELDS, (end - this.#starts[0] - LINEAR) / (widths.length - 1) - 30);
    style.setProperty("--groups-start", `${Math.round(this.#starts[0])}px`);
    style.setProperty(
      "--groups",
      widths
        .map((width, at) => `minmax(${Math.round(at < widths.length - 1 ? least : LINEAR)}px, ${Math.round(width)}fr)`)
        .join(" "),
    );
    this.#starts = null;
  }

  /**
   * Where columns stack, have groups stand below the maps of their blocks.
   * @param {HTMLElement[]} places room for them, none on a wide screen
   */
  place(places) {
    this.#places = places;
    this.#watch();
    this.#place();
  }

  /** Their sizes, and that of all that may move them. */
  #watch() {
    const groups = this.#places.map((place) => groupOf(place)).filter((group) => group !== null);
    const watched = groups.length ? [...groups, ...document.querySelectorAll(AROUND)] : [];
    if (watched.length === this.#watched.length && watched.every((each, at) => each === this.#watched[at])) return;
    this.#watched = watched;
    this.sizes.disconnect();
    for (const each of watched) this.sizes.observe(each);
    if (!watched.length) this.#write("");
  }

  #place() {
    const around = document.querySelector(AROUND);
    const places = this.#places.filter((place) => groupOf(place));
    if (!around || !places.length) {
      this.#write("");
      return;
    }
    const held = document.querySelector(`.${GROUP}${this.#touched || "none"}`);
    const before = held?.getBoundingClientRect();
    /** @param {(place: HTMLElement, group: Element) => string} rule */
    const each = (rule) => places.map((place) => rule(place, /** @type {Element} */ (groupOf(place)))).join("\n");
    const edge = around.getBoundingClientRect().left;
    const widths = each(
      (place) =>
        `${ruleOf(place)} { position: absolute; left: ${place.getBoundingClientRect().left - edge}px; width: ` +
        `${place.offsetWidth}px; }`,
    );
    const base = `${AROUND} { position: relative; }\n[data-testid=stMain] { overflow-anchor: none; }\n${widths}\n`;
    if (!this.#rules.startsWith(base)) this.#write(base); // a group is as high as its width has it
    const heights = each((place, group) => {
      const { height } = group.getBoundingClientRect(); // 0 while presenting
      return `:root { --room-${nameAt(place)}: ${height && height + ABOVE + BELOW}px; }`;
    });
    if (!this.#rules.startsWith(`${base}${heights}\n`)) this.#write(`${base}${heights}\n`);
    const { top } = around.getBoundingClientRect();
    const tops = each((place) => {
      return `${ruleOf(place)} { top: ${place.getBoundingClientRect().top - top + ABOVE}px; }`;
    });
    this.#write(`${base}${heights}\n${tops}`);
    if (!held || !before || before.bottom < 0 || before.top > window.innerHeight) return;
    held
      .closest("[data-testid=stMain]")
      // It stays under the finger.
      ?.scrollBy({ top: held.getBoundingClientRect().top - before.top, behavior: "instant" });
  }

  /** @param {string} rules */
  #write(rules) {
    if (rules === this.#rules) return;
    this.#rules = rules;
    this.sheet.replaceSync(rules);
  }

  #tell() {
    const [found, block, pooling, parameter = ""] = WINDOW.exec((this.#over ?? this.#focused)?.className ?? "") ?? [""];
    if (found === this.#told) return;
    this.#told = found;
    this.hold(found ? { block: Number(block), pooling: Boolean(pooling), parameter } : null);
  }
}

const AROUND = "[data-testid=stVerticalBlock]:has(> * > .st-key-controls)"; // the view and the groups

/** @param {HTMLElement} place */
const nameAt = (place) => place.dataset.group ?? "";

/** The element that Streamlit lays a group out with. @param {HTMLElement} place */
const ruleOf = (place) => `.st-key-controls > :has(> .${GROUP}${nameAt(place)})`;

/** @param {HTMLElement} place */
const groupOf = (place) => document.querySelector(ruleOf(place));

/** @param {Element | null | undefined} group */
const nameOf = (group) => new RegExp(`${GROUP}(\\w+)`).exec(group?.className ?? "")?.[1] ?? "";

const TYPES = ["pointerover", "focusin", "focusout"];

/** Each group of widgets is a group for a screen reader, and its fields are told from those of other groups. */
function nameGroups() {
  for (const group of document.querySelectorAll(GROUPS)) {
    const name = nameOf(group);
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
  group.focus();
}
