// The button that pins a network, and then its name: pointing at it, or holding the button or the key B, shows its
// maps.

import { part } from "./element.js";

const KEY = "b";
const PIN = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M9 4h6l-1 6 4 4H6l4-4z M12 14v6"/></svg>';

export class PinBar {
  /** @type {Set<string>} what holds at the moment: the name, the button, the key */
  #holding = new Set();

  #net = "";

  /**
   * @param {HTMLElement} bar
   * @param {{pin: () => void, unpin: () => void, hold: (held: boolean) => void}} on
   */
  constructor(bar, on) {
    this.element = bar;
    this.on = on;
    bar.innerHTML = `
      <button type="button" class="take"
        title="Keep this network: what you change can then be compared with it">${PIN}Pin this network</button>
      <p class="why">to compare before and after</p>
      <button type="button" class="hold" aria-pressed="false" hidden>Hold to see before <kbd>B</kbd></button>
      <p class="pinned" hidden>${PIN}<span class="name"></span><button type="button" class="unpin" title="Unpin"
        aria-label="Unpin">×</button></p>`;
    this.take = part(bar, ".take", HTMLButtonElement);
    this.pinned = part(bar, ".pinned", HTMLElement);
    this.name = part(bar, ".name", HTMLElement);
    this.button = part(bar, ".hold", HTMLButtonElement);
    this.take.onclick = () => {
      on.pin();
      this.button.focus({ preventScroll: true });
    };
    part(bar, ".unpin", HTMLElement).onclick = () => {
      on.unpin();
      this.take.focus({ preventScroll: true });
    };
    this.name.onpointerenter = ({ pointerType }) => this.#hold("name", pointerType === "mouse");
    this.name.onpointerleave = () => this.#hold("name", false);
    this.button.onpointerdown = (event) => {
      this.button.setPointerCapture(event.pointerId);
      this.#hold("button", true);
    };
    for (const end of /** @type {const} */ (["pointerup", "pointercancel", "lostpointercapture", "blur"])) {
      this.button.addEventListener(end, () => this.#hold("button", false));
    }
    this.button.onkeydown = (event) => this.#press(event, true);
    this.button.onkeyup = (event) => this.#press(event, false);
    this.button.oncontextmenu = (event) => event.preventDefault(); // of a long touch
    /** @param {KeyboardEvent} event */
    this.onkey = (event) => {
      if (event.key.toLowerCase() === KEY) this.#hold("key", event.type === "keydown" && isCommand(event));
    };
    this.onleave = () => this.#release();
    window.addEventListener("keydown", this.onkey);
    window.addEventListener("keyup", this.onkey);
    window.addEventListener("blur", this.onleave);
  }

  /** @param {{net: string, name: string} | null} pin null where nothing can be compared */
  show(pin) {
    const { net, name } = pin ?? { net: "", name: "" };
    this.element.hidden = !pin;
    this.name.textContent = name;
    this.pinned.title = `${name === net ? "" : `${name}: `}${net}`;
    if (net === this.#net) return;
    this.#net = net;
    for (const shown of [this.pinned, this.button]) shown.hidden = !net;
    for (const hidden of [this.take, part(this.element, ".why", HTMLElement)]) hidden.hidden = Boolean(net);
    if (!net) this.#release();
  }

  close() {
    window.removeEventListener("keydown", this.onkey);
    window.removeEventListener("keyup", this.onkey);
    window.removeEventListener("blur", this.onleave);
  }

  /** @param {KeyboardEvent} event @param {boolean} down */
  #press(event, down) {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    this.#hold("button", down);
  }

  #release() {
    for (const what of [...this.#holding]) this.#hold(what, false);
  }

  /** @param {string} what @param {boolean} on */
  #hold(what, on) {
    const before = this.#holding.size;
    if (on && this.#net) this.#holding.add(what);
    else this.#holding.delete(what);
    const held = this.#holding.size > 0;
    if (held === before > 0) return;
    this.button.setAttribute("aria-pressed", String(held));
    this.on.hold(held);
  }
}

/** Whether a key is not meant for a text field, or for the browser. @param {KeyboardEvent} event */
function isCommand(event) {
  const [target] = event.composedPath();
  const writes =
    target instanceof HTMLElement && (target.isContentEditable || target.matches("input, textarea, select"));
  return !writes && !event.ctrlKey && !event.metaKey && !event.altKey;
}
