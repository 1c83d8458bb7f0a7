// The whole picture: builds the parts once, then routes each update to them.

import { Card } from "./card.js";
import { Columns } from "./columns.js";
import { Depth } from "./depth.js";
import { imageOfStrokes, placementOf } from "./raster.js";
import { writeLayerTable } from "./layer_table.js";
import { ServerChannel } from "./server_channel.js";
import { cssGradient, paintImage } from "./painting.js";
import { Preview } from "./preview.js";
import { decode } from "./protocol.js";
import { Surface } from "./surface.js";
import { Training } from "./training.js";

const NARROW = 700; // below, the columns stack
const SEEN = 84; // CSS pixels of the 28×28 image: 3 each
const GALLERY = 30;
const CONFIRMED = 250; // ms between drawings sent while this browser's own maps follow the pen
const UNCONFIRMED = 80; // while only PyTorch's do
const LARGE = 500_000; // parameters of a network whose weights are asked for only once the page is at rest
const REST = 1500; // ms
const SOON = 100; // ms: the page is to have come to its end
const AGAIN = 250; // ms until the server is asked how far it is
const ABOUT = {
  s: "28×28 pixels, cropped, scaled and centred",
  d: "a digit from MNIST as it is; your pen starts a new one",
  p: "your picture, cropped, scaled and centred; your pen starts a new one",
};
const FRAME = 8; // ms; a movement sooner after the last one was followed waits for the next frame

/** A button with a line drawing on a 24 × 24 grid. */
const tool = (kind, name, title, path) =>
  `<button type="button" data-${kind}="${name}" title="${title}" aria-label="${title}"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="${path}"/></svg></button>`;

const MARKUP = `
<section class="draw" aria-label="Drawing">
  <div class="surface"><canvas class="paper" tabindex="0" role="img"></canvas><canvas class="outline"></canvas><p class="hint">Draw a digit here</p></div>
  <div class="tools" role="toolbar" aria-label="Drawing tools">
    ${tool("tool", "pen", "Pen", "M4 20l1-5L16 4l4 4L9 19z M14 6l4 4")}
    ${tool("tool", "eraser", "Eraser", "M9 20l-6-6L13 4l8 8-8 8z M8 9l8 8 M9 20h12")}
    ${tool("do", "undo", "Undo (Ctrl+Z)", "M9 5L4 10l5 5 M4 10h10a5 5 0 010 10h-3")}
    ${tool("do", "redo", "Redo (Ctrl+Y)", "M15 5l5 5-5 5 M20 10H10a5 5 0 000 10h3")}
    ${tool("do", "clear", "Clear", "M5 7h14 M10 7V4h4v3 M7 7l1 13h8l1-13")}
  </div>
  <div class="seen">
    <div class="tiles"><canvas class="image" role="img"></canvas><canvas class="outline"></canvas></div>
    <output class="short-answer" aria-hidden="true"></output>
    <div><p class="about"></p>
    <button type="button" class="more" aria-expanded="false" aria-controls="gallery">Pick a digit ▾</button></div>
  </div>
  <div class="gallery" id="gallery" role="group" aria-label="Digits from MNIST" hidden></div>
</section>
<div class="stage">
  <section class="layers" aria-label="Layers"></section>
  <section class="detail" aria-label="Opened map" hidden></section>
  <section class="detail kernels" aria-label="Kernels" hidden></section>
</div>
<footer>
  <div class="scale" role="group" aria-label="Colour scale">
    <span>Colours per</span>
    <button type="button" data-scale="map">map</button><button type="button" data-scale="layer">layer</button><button type="button" data-scale="network">network</button>
    <span class="legend"><span>−</span><i></i><span>+</span></span>
  </div>
  <p class="label"></p>
  <p class="training" hidden><button type="button"></button><label><input type="checkbox">after each change</label></p>
  <p class="agree" hidden></p>
  <details class="layer-table"><summary title="Shapes, parameters and multiply-adds, layer by layer">Layer table</summary><div class="scroll" tabindex="0"><table></table></div></details>
</footer>
<div class="spoken" role="status" aria-live="polite"></div>
<div class="card" hidden></div>`;

export class View {
  /** @param {ShadowRoot} root */
  constructor(root) {
    this.host = root.querySelector(".network-view");
    this.host.innerHTML = MARKUP;
    const find = (selector) => this.host.querySelector(selector);
    this.send = () => {};
    this.own = null; // what this browser has worked out of a drawing that PyTorch has yet to see
    this.followed = 0;
    this.followedAt = -Infinity;
    this.cost = 0; // ms that it took the last time: the pen gets as much for itself
    this.preview = new Preview();
    this.server = new ServerChannel(() => this.#state(), (message) => this.send(message));
    this.surface = new Surface(find(".paper"), {
      changed: (final) => { this.#follow(); this.server.push(final); this.#hint(); },
      pointed: (point) => this.#point(point),
      tools: () => this.#tools(),
      full: () => this.#say("The drawing is full. Undo or clear to go on."),
    });
    this.card = new Card(find(".card"), this.host);
    const say = (sentence) => this.#say(sentence);
    this.columns = new Columns(find(".layers"), this.card, {
      say,
      looked: (place) => this.depth.look(place),
      opened: (place) => this.depth.open(place),
      kernels: (index) => this.depth.openKernels(index),
    });
    this.depth = new Depth(this.host, this.columns, () => this.#scene(), say);
    this.training = new Training(find(".training"), () => this.server.push(false));
    this.image = find(".image");
    this.image.setAttribute("aria-label", "The 28 by 28 pixel image that the network sees");
    this.#listen();
    this.#layout();
    this.observer = new ResizeObserver(() => this.#layout());
    this.observer.observe(this.host);
    this.onresize = () => this.#layout();
    window.addEventListener("resize", this.onresize);
    // Escape closes a map from wherever the focus is; inside the view, the view hears it first.
    this.onescape = (event) => { if (event.key === "Escape" && !event.composedPath().includes(this.host)) this.depth.back(); };
    window.addEventListener("keydown", this.onescape);
  }

  /** @param {Uint8Array} data one update of the server, or the same again after a change of theme */
  update(data) {
    const update = decode(data);
    const before = this.last;
    this.last = update;
    if (!before || before.seq === update.seq) this.#theme();
    if (update.weights.length || !update.layers.some((layer) => layer.parameters)) this.#learn(update);
    this.server.interval = this.preview.follows(update) ? CONFIRMED : UNCONFIRMED;
    if (this.wished !== update.id) { this.wished = update.id; this.wishedAt = performance.now(); }
    if (this.own?.id !== update.id || !this.server.outdates(update.seq)) this.own = null; // what stays on screen is PyTorch's
    this.#paint();
    this.host.dataset.paintedNet = update.pending ? "" : update.net;
    this.host.dataset.paintedSeq = String(update.seq);
    const answered = before !== undefined && before.seq !== update.seq;
    this.server.acknowledge(update.seq);
    this.#adopt(update, !before);
    // Not asked for from here: the page has been opened or the network changed. A message of our own makes the last run one of the
    // live view, which is what Streamlit asks a restarted server for, leaves no older drawing behind in the component's state, and
    // asks for the weights.
    if (!answered && !this.server.busy) this.server.retry(SOON);
    else if (update.pending || update.training?.going || !update.measured) this.server.retry(AGAIN);
    else if (this.preview.lacks(update)) this.server.retry(this.#large ? REST : AGAIN);
    if (before?.net !== update.net) writeLayerTable(this.#find("table"), update);
    if (before?.sentence !== update.sentence) this.#find(".label").textContent = update.sentence;
    this.host.dataset.trained = String(update.trained);
    this.training.show(update);
    if (update.pending) return;
    this.#agree();
    if (this.surface.drawingNow || update.training?.going) return;
    const answer = before?.training?.going ? `${update.sentence} ${this.columns.answer(update)}` : this.columns.answer(update);
    if (answer !== this.told) this.#say(answer); // once: what has been said since, such as that the drawing is full, is to be heard
    this.told = answer;
  }

  /** What there is to look into. @returns {import("./depth.js").Scene} */
  #scene() {
    const update = this.own ?? this.last;
    const { size } = this.surface;
    const { left, top, scale } = this.#placement;
    const share = size / 280;
    return {
      update,
      parameters: this.preview.id === update.id ? this.preview.forward.parameters : null,
      look: this.look,
      narrow: this.room.narrow,
      placement: { left: left * share, top: top * share, scale: scale * share },
      surface: size,
      seen: SEEN,
    };
  }

  /** Where the image lies on the drawing, in canvas pixels; a picture fills the canvas. */
  get #placement() {
    const { drawing } = this.surface;
    if (this.placed?.drawing !== drawing) {
      const strokes = this.surface.sent;
      this.placed = { drawing, placement: strokes?.length ? placementOf(strokes) : { left: 0, top: 0, scale: 10 } };
    }
    return this.placed.placement;
  }

  /** What the server is told. */
  #state() {
    return { drawing: this.surface.text, moving: this.surface.drawingNow, lacking: this.#lacking, ...this.training.asked };
  }

  /** The network whose weights are to come with the next update, "" for none. While it is trained, they change with every update. */
  get #lacking() {
    const { last, preview } = this;
    const changing = Boolean(last?.training?.going);
    if (!last || !(changing || preview.lacks(last))) return "";
    return this.#large && (changing || performance.now() - this.wishedAt < REST) ? "" : last.net;
  }

  /** True for a network with so many weights that they are worth waiting with. */
  get #large() {
    return this.last.layers.reduce((sum, layer) => sum + layer.parameters, 0) > LARGE;
  }

  #learn(update) {
    if (!this.preview.lacks(update)) return;
    this.preview.learn(update);
    this.host.dataset.follows = String(this.preview.usable);
  }

  /** Let the maps follow the drawing at once, where this browser can work them out: at most once a frame. */
  #follow() {
    cancelAnimationFrame(this.following);
    if (!this.last || !this.preview.follows(this.last)) { this.own = null; return; }
    const began = performance.now();
    if (began - this.followedAt < Math.max(FRAME, this.cost)) { this.following = requestAnimationFrame(() => this.#follow()); return; }
    const strokes = this.surface.sent;
    if (strokes) {
      this.own = { ...this.last, ...this.preview.run(imageOfStrokes(strokes)), exact: false }; // PyTorch has yet to say its numbers
      this.#find(".agree").hidden = true;
      this.#paint();
      this.host.dataset.followed = String(++this.followed);
    } else {
      this.own = null; // too full to be sent
    }
    this.followedAt = performance.now();
    this.cost = this.followedAt - began;
  }

  /** Say quietly that both came to the same numbers. */
  #agree() {
    const { last, preview } = this;
    if (last.exact && !this.own) preview.check(last);
    const mark = this.#find(".agree");
    const checked = !this.own && preview.id === last.id && preview.difference !== null;
    mark.hidden = !checked;
    if (!checked) return;
    mark.textContent = preview.usable ? "✓ PyTorch agrees" : "These are PyTorch's numbers; this browser's own differ";
    mark.title = `PyTorch's numbers are shown. This browser works them out as well; largest difference: ${preview.difference.toExponential(0)} of a layer's largest value`;
  }

  /** A point of the drawing under the pointer, in CSS pixels, or none: highlight what it reaches. */
  #point(point) {
    if (!this.last || !this.room) return;
    const { placement: { left, top, scale } } = this.#scene();
    const pixel = point && [Math.floor((point[1] - top) / scale), Math.floor((point[0] - left) / scale)];
    this.depth.reach(pixel?.every((side) => side >= 0 && side < 28) ? pixel : null);
  }

  /** The drawing may have been made elsewhere: by the address, an upload, another page. */
  #adopt(update, first) {
    if (this.surface.drawingNow || this.server.busy || !update.exact) return;
    if (first) this.surface.start(update.drawing);
    else this.surface.adopt(update.drawing);
    if (update.drawing[0] !== "s" && update.drawing === this.surface.text) this.surface.showPicture(update.image);
    this.#hint();
  }

  close() {
    this.observer.disconnect();
    window.removeEventListener("resize", this.onresize);
    window.removeEventListener("keydown", this.onescape);
    cancelAnimationFrame(this.following);
    this.server.close();
  }

  #find(selector) {
    return this.host.querySelector(selector);
  }

  #say(sentence) {
    const spoken = this.#find(".spoken");
    if (spoken.textContent !== sentence) spoken.textContent = sentence;
  }

  #hint() {
    const { blank, kind } = this.surface;
    if (this.about !== kind) {
      this.about = kind;
      this.#find(".about").textContent = `What the network sees: ${ABOUT[kind]}.`;
    }
    if (this.hinted === blank) return;
    this.hinted = blank;
    this.#find(".hint").hidden = !blank;
    this.#find(".paper").setAttribute("aria-label", blank ? "Empty drawing surface" : "Your drawing");
  }

  #theme() {
    const [red, green, blue, alpha = 1] = getComputedStyle(this.host).backgroundColor.match(/[\d.]+/g).map(Number);
    if (!alpha) { // a page that was just switched to has its colours a moment later
      if (this.host.isConnected) requestAnimationFrame(() => { this.#theme(); this.#paint(); });
      if (this.theme) return;
    }
    this.theme = red + green + blue < 380 ? "dark" : "light";
    this.surface.paint();
    this.host.dataset.theme = this.theme;
    const { color, fontFamily } = getComputedStyle(this.host);
    this.look = { theme: this.theme, ink: color, soft: "rgb(128 128 128 / 0.35)", family: fontFamily };
    this.#find(".legend i").style.background = cssGradient(this.theme);
  }

  /** Measure the room, which changes with the window only, and draw everything into it. */
  #layout() {
    const width = this.host.clientWidth;
    if (!width) return;
    const narrow = width < NARROW;
    this.host.classList.toggle("narrow", narrow);
    // What the page keeps below the view (controls) stays on the first screen where there is room.
    const height = Math.min(720, Math.max(340, window.innerHeight - 338));
    const size = narrow ? Math.min(360, width - 2) : Math.min(360, height - SEEN - 46);
    this.host.style.setProperty("--height", `${height}px`);
    this.host.style.setProperty("--surface", `${size}px`);
    this.surface.size = size;
    this.surface.paint();
    this.room = { narrow, width: narrow ? width : width - size - 24, height };
    this.#paint();
  }

  #paint() {
    if (!this.last || !this.room) return;
    const shown = this.own ?? this.last;
    paintImage(this.image, shown.image, SEEN);
    this.depth.refresh(this.columns.show(shown, { ...this.room, theme: this.theme }));
    if (!shown.pending) this.#find(".short-answer").textContent = this.columns.verdict(shown); // where the columns stack, the answer is far from the pen
  }

  #tools() {
    const { surface } = this;
    for (const button of this.host.querySelectorAll("[data-tool]")) button.setAttribute("aria-pressed", String(button.dataset.tool === surface.tool));
    this.#find("[data-do=undo]").disabled = !surface.past.length;
    this.#find("[data-do=redo]").disabled = !surface.future.length;
    this.#find("[data-do=clear]").disabled = surface.blank;
    this.#find("[data-tool=eraser]").disabled = surface.text[0] !== "s";
    if (surface.text[0] !== "s" && surface.tool === "eraser") surface.setTool("pen");
    for (const button of this.host.querySelectorAll("[data-digit]")) button.setAttribute("aria-pressed", String(button.dataset.digit === surface.text));
  }

  #listen() {
    const gallery = this.#find(".gallery"), more = this.#find(".more");
    const sprite = `url("${new URL("./gallery.png", import.meta.url)}")`;
    for (let index = 0; index < GALLERY; index++) {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.digit = `d${index}`;
      button.setAttribute("aria-label", `A ${index % 10}, number ${1 + Math.floor(index / 10)}`);
      button.style.backgroundImage = sprite;
      button.style.backgroundPosition = `${-28 * (index % 10)}px ${-28 * Math.floor(index / 10)}px`;
      gallery.append(button);
    }
    const open = (wanted) => {
      if (gallery.hidden === !wanted) return;
      if (gallery.contains(gallery.getRootNode().activeElement)) more.focus();
      gallery.hidden = !wanted;
      more.setAttribute("aria-expanded", String(wanted));
    };
    gallery.onfocusout = (event) => { if (event.relatedTarget !== more && !gallery.contains(event.relatedTarget)) open(false); };
    this.host.onclick = (event) => {
      const button = event.target.closest("button");
      if (!button) {
        if (!event.target.closest(".gallery")) open(false);
        if (event.target.closest(".stage")) this.depth.close(); // a click on empty space
        return;
      }
      const { tool, scale, digit } = button.dataset;
      if (button === more) open(gallery.hidden);
      else if (tool) this.surface.setTool(tool);
      else if (button.dataset.do) this.surface[button.dataset.do]();
      else if (digit) { this.surface.pick(digit); open(false); }
      else if (scale) this.#setScale(scale);
    };
    const seen = (event) => {
      const box = this.image.getBoundingClientRect();
      this.depth.reach([Math.floor(((event.clientY - box.top) / SEEN) * 28), Math.floor(((event.clientX - box.left) / SEEN) * 28)].map((side) => Math.min(27, Math.max(0, side))));
    };
    this.image.onpointermove = this.image.onpointerdown = seen;
    this.image.onpointerleave = () => this.depth.reach(null);
    this.host.onpointerdown = (event) => { if (!event.target.closest("canvas, .joint")) this.card.hide(); };
    this.host.onkeydown = (event) => {
      const key = event.key.toLowerCase();
      if (key === "escape") { if (gallery.hidden && !this.depth.back()) this.card.hide(); open(false); }
      if (!(event.ctrlKey || event.metaKey) || !["z", "y"].includes(key)) return;
      event.preventDefault();
      if (key === "y" || event.shiftKey) this.surface.redo();
      else this.surface.undo();
    };
    this.#setScale("layer");
    this.#tools();
  }

  #setScale(scale) {
    this.columns.scale = scale;
    for (const button of this.host.querySelectorAll("[data-scale]")) button.setAttribute("aria-pressed", String(button.dataset.scale === scale));
    this.#paint();
  }
}
