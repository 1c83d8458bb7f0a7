// The whole picture: builds the parts once, then routes each update to them.

import { Card } from "./card.js";
import { Columns, PRESENTED, SEEN } from "./columns.js";
import { Depth } from "./depth.js";
import { around, part } from "./element.js";
import { Gallery } from "./gallery.js";
import { writeLayerTable } from "./layer_table.js";
import { MARKUP } from "./markup.js";
import { paintImage } from "./painting.js";
import { FONT } from "./picture.js";
import { PenMaps } from "./pen_maps.js";
import { Preview } from "./preview.js";
import { Pin } from "./pin.js";
import { PinBar } from "./pin_bar.js";
import { decode, decodeMaps, lengthOfMaps } from "./protocol.js";
import { imageOfStrokes, placementOf } from "./raster.js";
import { ServerChannel } from "./server_channel.js";
import { Surface } from "./surface.js";
import { Help } from "./help.js";
import { Knobs } from "./knobs.js";
import { Legend } from "./legend.js";
import { Terms } from "./terms.js";
import { Training } from "./training.js";
import { ViewAddress } from "./view_address.js";

/**
 * @import { Former, Layer, Look, Message, PenQuestion, Place } from "../types.d.ts"
 * @import { Placement, Scale, Scene, State, Update, ViewState } from "../types.d.ts"
 */
/** @import { Drawing } from "./surface.js" */

const NARROW = 900; // below, the columns stack
const TIGHT = 1000; // below, the label under the maps has a line of its own
const BESIDE = 700; // from here on, beside the drawing, which stays in sight
const BELOW = 170; // CSS pixels of the tools and the image under the drawing
const CONFIRMED = 250; // ms between drawings sent while this browser's own maps follow the pen
const UNCONFIRMED = 80; // while only PyTorch's do
const LARGE = 500_000; // parameters of a network whose weights are asked for only once the page is at rest
const REST = 1500; // ms
const JUDGING = 700; // ms until the server is asked again whether it can judge the drawing
const SOON = 100; // ms: the page is to have come to its end
const AGAIN = 250; // ms until the server is asked how far it is
const BUSY = 1000; // ms until the browser's own pass is timed again, if it took too long
const FRAME = 8; // ms; a movement sooner after the last one was followed waits for the next frame

/** @type {Record<string, string>} what the network sees, by the first letter of the drawing string */
const ABOUT = {
  s: "28×28 pixels, cropped, scaled and centred",
  d: "a digit from MNIST as it is; your pen starts a new one",
  p: "your picture, cropped, scaled and centred; your pen starts a new one",
};
// What a press is meant for, so that it closes nothing.
const OCCUPIED = `a, button, input, select, textarea, label, summary, table, canvas, .detail, .kernels, .gallery,
  [role=button], [role=combobox], [role=listbox], [role=option], [role=dialog], [data-baseweb], [data-testid=stAlert]`;

export class View {
  /** @type {(message: Message) => void} */
  send = () => {};

  /** @type {Update | null} the newest one of the server */
  #last = null;

  /** @type {Update | null} what this browser has worked out of a drawing that PyTorch has yet to see */
  #own = null;

  /** @type {{narrow: boolean, width: number, height: number} | null} CSS pixels for the columns */
  #room = null;

  /** @type {Look} */
  #look = { theme: "light", ink: "", soft: "rgb(128 128 128 / 0.35)", family: "", text: FONT };

  /**
   * @type {{drawing: Drawing, placement: Placement} | null} where the image lies on the drawing, worked out once a
   *   drawing
   */
  #placed = null;

  /** @type {Update | null} the newest one of the network before the last change */
  #former = null;

  /** @type {string | null} the network that the server is told to pin, "" for none; null once it knows */
  #pinning = null;

  /** @type {{net: string, former: Layer[] | null} | null} what the layer table shows */
  #table = null;

  #numbers = ""; // the value whose numbers are asked for
  #repair = ""; // the network of the repair that was pressed, until the server shows another one than the broken one

  #pinningSince = Infinity; // number of the message that told it
  #held = false; // the pinned network's maps are shown

  #presenting = false;

  #themed = false; // the page's colours are known
  #confirmed = 0; // answers of PyTorch that were painted
  #measuring = 0; // timer
  #following = 0; // the next frame in which maps follow the pen
  #followed = 0; // how often they did
  #followedAt = -Infinity;
  #cost = 0; // ms that it took the last time: the pen gets as much for itself
  #wished = ""; // the network whose weights are asked for
  #wishedAt = 0;
  #told = ""; // the answer that was read out last
  #kind = ""; // of the drawing that the page tells about

  /** @type {boolean | null} whether the paper was empty */
  #blank = null;

  /** @param {HTMLElement} host */
  constructor(host) {
    this.host = host;
    host.innerHTML = MARKUP;
    this.preview = new Preview();
    this.server = new ServerChannel(
      () => this.#state(),
      (message) => this.#send(message),
    );
    this.penMaps = new PenMaps(() => this.#penQuestion(), {
      answered: (bytes, question) => this.#showPenMaps(bytes, question),
      refused: () => {
        if (this.surface.drawingNow) this.server.push(false);
      },
    });
    this.surface = new Surface(part(host, ".paper", HTMLCanvasElement), {
      changed: (final) => {
        this.#follow();
        this.#tell(final);
        this.#hint();
      },
      pointed: (point) => this.#point(point),
      tools: () => this.#tools(),
      full: () => this.#say("The drawing is full. Undo or clear to go on."),
    });
    this.card = new Card(this.#find(".card"), host);
    /** @param {string} sentence */
    const say = (sentence) => this.#say(sentence);
    this.terms = new Terms(host, this.card, say);
    this.help = new Help(host);
    this.legend = new Legend(this.#find(".scale"));
    this.columns = new Columns(this.#find(".layers"), this.card, part(host, ".seen .marks", HTMLCanvasElement), {
      say,
      looked: (place) => {
        this.depth.look(place);
        this.#writeLegend(place?.index);
      },
      opened: (place) => this.depth.open(place),
      kernels: (index) => this.depth.openKernels(index),
      repaired: (net) => {
        this.#repair = net;
        this.surface.canvas.focus({ preventScroll: true }); // the button goes with the break
        this.server.ask();
      },
    });
    this.depth = new Depth(
      host,
      this.columns,
      () => this.#scene(),
      say,
      (place) => this.#askNumbers(place),
    );
    this.pin = new Pin();
    this.pinBar = new PinBar(this.#find(".pin"), {
      pin: () => this.#setPin(this.#last?.net ?? ""),
      unpin: () => this.#setPin(""),
      hold: (held) => this.#hold(held),
    });
    this.knobs = new Knobs((knob) => this.columns.hold(knob));
    this.training = new Training(this.#find(".training"), () => this.server.ask());
    this.gallery = new Gallery(host);
    this.image = part(host, ".image", HTMLCanvasElement);
    this.image.setAttribute("aria-label", "The 28 by 28 pixel image that the network sees");
    this.address = new ViewAddress(
      () => this.#viewed(),
      (wanted) => this.#restore(wanted),
    );
    this.#listen();
    this.#layout();
    this.observer = new ResizeObserver(() => this.#layout());
    this.observer.observe(host);
    // Columns stand elsewhere once style.css is there.
    this.alignment = new ResizeObserver(() => this.knobs.align(this.columns.starts));
    this.alignment.observe(this.#find(".layers"));
    this.onresize = () => this.#layout();
    window.addEventListener("resize", this.onresize);
    // Streamlit may pass a change of theme on before the page has its colours.
    host.ontransitionend = ({ target, propertyName }) => {
      if (target === host && propertyName === "background-color") {
        this.#theme();
        this.#paint();
      }
    };
    // Escape closes a map from wherever the focus is; inside the view, the view hears it first.
    /** @param {KeyboardEvent} event */
    this.onescape = (event) => {
      if (event.key !== "Escape" || event.composedPath().includes(host)) return;
      this.#back();
      this.address.touched();
    };
    window.addEventListener("keydown", this.onescape);
    // So does a press on any empty part of the page.
    /** @param {MouseEvent} event */
    this.onempty = (event) => {
      if (
        this.depth.index < 0 ||
        event.composedPath().some((part) => part instanceof Element && part.matches(OCCUPIED))
      )
        return;
      this.depth.close();
      this.address.touched();
    };
    window.addEventListener("click", this.onempty);
    this.path = location.pathname;
    this.onleave = () => {
      this.server.flush();
      this.address.flush();
    };
    this.onpopstate = () => {
      this.server.drop();
      this.#pinning = null;
    };
    window.addEventListener("cnn-explorer-leave", this.onleave); // from the top bar
    window.addEventListener("popstate", this.onpopstate);
  }

  /**
   * To the server, unless another page is on its way: Streamlit would come back to this one.
   * @param {Message} message
   */
  #send(message) {
    if (location.pathname === this.path) this.send(message);
  }

  /** @param {Uint8Array} data one update of the server, or the same again after a change of theme */
  update(data) {
    const update = decode(data);
    const before = this.#last;
    this.#last = update;
    if (!before || before.seq === update.seq) this.#theme();
    if (update.weights.length || !update.layers.some((layer) => layer.parameters)) this.#learn(update);
    this.#askEvery(this.preview.follows(update) ? CONFIRMED : UNCONFIRMED);
    if (this.#wished !== update.id) {
      this.#wished = update.id;
      this.#wishedAt = performance.now();
    }
    // What stays on screen is PyTorch's.
    if (this.#own?.id !== update.id || !this.server.outdates(update.seq)) this.#own = null;
    this.#comparePin(update);
    const changed = before !== null && !before.pending && before.net !== update.net;
    if (changed) this.#former = before;
    if (changed) this.#repair = "";
    this.#paint();
    if (changed && update.pin) this.columns.tellChange();
    this.host.dataset.paintedNet = update.pending ? "" : update.net;
    this.host.dataset.paintedSeq = String(update.seq);
    this.host.dataset.confirmed = String(++this.#confirmed);
    const answered = before !== null && before.seq !== update.seq;
    this.server.acknowledge(update.seq);
    this.#adopt(update, !before);
    if (!before) this.help.greet(update.pin !== null);
    // Not asked for from here: the page has been opened or the network changed. A message of our own makes the last run
    // one of the live view, which is what Streamlit asks a restarted server for, leaves no older drawing behind in the
    // component's state, and asks for the weights.
    if (!answered && !this.server.busy) this.server.retry(SOON);
    else if (update.pending || update.training?.going || !update.measured) this.server.retry(AGAIN);
    else if (this.preview.lacks(update) || this.pin.lacking) this.server.retry(isLarge(update) ? REST : AGAIN);
    else if (update.judging && !this.surface.drawingNow) this.server.retry(JUDGING);
    this.#writeTable(update);
    if (before?.sentence !== update.sentence) this.#find(".label").textContent = update.sentence;
    this.host.dataset.trained = String(update.trained);
    this.host.dataset.judging = String(update.judging);
    this.training.show(update);
    if (update.pending) return;
    if (this.#room) this.address.updated(update.net);
    this.#agree(update);
    // The error is mended: it is told no longer.
    if (before?.error && !update.error && update.training?.going) this.#say(update.sentence);
    if (this.surface.drawingNow || update.training?.going) return;
    const news = [before?.training?.going ? update.sentence : "", changed && update.pin ? this.columns.change : ""];
    const answer = [...news, this.columns.answer(update)].filter(Boolean).join(" ");
    // Once: what has been said since, such as that the drawing is full, is to be heard.
    if (answer !== this.#told) this.#say(answer);
    this.#told = answer;
  }

  close() {
    delete document.documentElement.dataset.present;
    this.observer.disconnect();
    this.alignment.disconnect();
    window.removeEventListener("resize", this.onresize);
    window.removeEventListener("keydown", this.onescape);
    window.removeEventListener("click", this.onempty);
    window.removeEventListener("cnn-explorer-leave", this.onleave);
    window.removeEventListener("popstate", this.onpopstate);
    cancelAnimationFrame(this.#following);
    clearTimeout(this.#measuring);
    this.pinBar.close();
    this.knobs.close();
    this.columns.close();
    this.server.close();
    this.penMaps.close();
    this.address.close();
  }

  /** @param {string} selector */
  #find(selector) {
    return part(this.host, selector, HTMLElement);
  }

  /** @param {string} sentence */
  #say(sentence) {
    const spoken = this.#find(".spoken");
    if (spoken.textContent !== sentence) spoken.textContent = sentence;
  }

  // --- the browser's own maps ---

  /** What the server is told. @returns {State} */
  #state() {
    if (this.#pinning !== null) this.#pinningSince = Math.min(this.#pinningSince, this.server.seq);
    return {
      drawing: this.surface.text,
      moving: this.surface.drawingNow,
      lacking: this.#lacking,
      pin: this.#pinning,
      lacking_pin: this.pin.lacking,
      numbers: this.#numbers,
      repair: this.#repair,
      ...this.training.asked,
    };
  }

  /** Have the server open the page with a value's numbers. @param {Place} place */
  #askNumbers({ index, map, row, column }) {
    const update = this.#own ?? this.#last;
    if (!update) return;
    this.address.flush(); // the way back leads here
    this.#numbers = [update.layers[index].name, map, row, column].join(".");
    this.server.ask();
  }

  // --- PyTorch's maps while the pen moves ---

  /** How often the server is asked at most. @param {number} interval ms */
  #askEvery(interval) {
    this.server.pace.interval = this.penMaps.pace.interval = interval;
  }

  /**
   * The drawing has changed: ask for its maps, and have the page know it at the end of a stroke.
   * @param {boolean} final
   */
  #tell(final) {
    const served = !final && this.#last !== null && this.#isServed(this.#last);
    this.server.push(final, served);
    if (served) this.penMaps.ask();
    else this.penMaps.close();
  }

  /** Whether the server may have maps over HTTP, and nothing else is wanted of it. @param {Update} last */
  #isServed(last) {
    const changing = last.pending || last.error || last.training?.going;
    return !changing && !this.#lacking && !this.pin.lacking && this.penMaps.serves(last.id);
  }

  /** @returns {PenQuestion | null} */
  #penQuestion() {
    const last = this.#last;
    if (!last || last.pending || !this.surface.drawingNow) return null;
    return {
      net: last.net,
      version: last.version,
      id: last.id,
      drawing: this.surface.text,
      length: lengthOfMaps(last.layers, last.classes, false),
    };
  }

  /** @param {Uint8Array} bytes @param {PenQuestion} question */
  #showPenMaps(bytes, question) {
    const last = this.#last;
    if (!last || last.id !== question.id || !this.surface.drawingNow) return;
    this.#last = {
      ...last,
      ...decodeMaps(bytes, last.layers, last.classes, false),
      drawing: "",
      exact: false,
      unlike: false,
    };
    if (this.surface.text === question.drawing) this.#own = null; // what stays on screen is PyTorch's
    this.#paint();
    this.host.dataset.confirmed = String(++this.#confirmed);
  }

  /**
   * The network whose weights are to come with the next update, "" for none. While it is trained, they change with
   * every update.
   */
  get #lacking() {
    const last = this.#last;
    const changing = Boolean(last?.training?.going);
    if (!last || !(changing || this.preview.lacks(last))) return "";
    return isLarge(last) && (changing || performance.now() - this.#wishedAt < REST) ? "" : last.net;
  }

  /** @param {Update} update that has brought the network's weights, or is of one without */
  #learn(update) {
    if (!this.preview.lacks(update)) return;
    this.preview.learn(update);
    this.host.dataset.follows = String(this.preview.usable);
    this.#measureLater();
  }

  /** The machine may have been busy while the pass was timed: measure again at rest, a few times. */
  #measureLater() {
    clearTimeout(this.#measuring);
    if (!this.preview.retries) return;
    this.#measuring = setTimeout(() => {
      const last = this.#last;
      if (last && !this.surface.drawingNow && this.preview.measure(last.image)) {
        this.host.dataset.follows = "true";
        this.#askEvery(CONFIRMED);
        this.#agree(last);
      }
      this.#measureLater();
    }, BUSY);
  }

  /** Let the maps follow the drawing at once, where this browser can work them out: at most once a frame. */
  #follow() {
    cancelAnimationFrame(this.#following);
    if (!this.#last || !this.preview.follows(this.#last)) {
      this.#own = null;
      return;
    }
    const began = performance.now();
    if (began - this.#followedAt < Math.max(FRAME, this.#cost)) {
      this.#following = requestAnimationFrame(() => this.#follow());
      return;
    }
    const strokes = this.surface.sent;
    const found = strokes && this.preview.run(imageOfStrokes(strokes));
    if (found) {
      this.#own = { ...this.#last, ...found, exact: false }; // PyTorch has yet to say its numbers
      this.#find(".agree").hidden = true;
      this.#paint();
      this.host.dataset.followed = String(++this.#followed);
    } else {
      this.#own = null; // too full to be sent
    }
    this.#followedAt = performance.now();
    this.#cost = this.#followedAt - began;
  }

  /** Say quietly that both came to the same numbers. @param {Update} last */
  #agree(last) {
    const { preview } = this;
    if (last.exact && !this.#own) preview.check(last);
    const mark = this.#find(".agree");
    const difference = !this.#own && preview.id === last.id ? preview.difference : null;
    mark.hidden = difference === null;
    if (difference === null) return;
    const words = part(mark, "button", HTMLButtonElement);
    words.textContent = preview.usable ? "✓ PyTorch agrees" : "These are PyTorch's numbers; this browser's own differ";
    words.dataset.more =
      `At rest all numbers are PyTorch's; while the pen moves, the maps are this browser's own. ` +
      `Largest difference: ${difference.toExponential(0)} of a layer's largest value`;
    words.dataset.title = words.textContent;
    words.dataset.why = preview.usable
      ? ""
      : `Your browser and PyTorch came to numbers that differ by ${difference.toExponential(0)} of a layer's largest ` +
        `value. PyTorch's are shown, also while the pen moves.`;
  }

  // --- before and after ---

  /** Pin the network on screen, or none. @param {string} net its architecture string, "" for none */
  #setPin(net) {
    const { pin } = this.#last ?? {};
    if (!this.#last || !pin) return;
    if (net) this.pin.keep(this.#last, pin.present, this.preview);
    else this.pin.take("", "");
    this.#pinning = net;
    this.#pinningSince = Infinity;
    this.pinBar.show(this.pin);
    this.#say(net ? "Pinned. Hold the button, or the key B, to see this network again." : "Unpinned.");
    this.#paint();
    this.#writeTable(this.#last);
    this.server.ask();
  }

  /** The server says what is pinned, unless it has yet to hear of a press. @param {Update} update */
  #comparePin(update) {
    if (update.seq >= this.#pinningSince) {
      this.#pinning = null;
      this.#pinningSince = Infinity;
    }
    if (this.#pinning === null) {
      this.pin.take(update.pin?.net ?? "", update.pin?.name ?? "");
      this.pin.learn(update);
    }
    this.pinBar.show(update.pin && this.pin);
    this.host.dataset.pinned = this.pin.lacking ? "" : this.pin.net;
  }

  /** @param {boolean} held */
  #hold(held) {
    this.#held = held;
    this.#paint(); // works out the pass
    this.columns.showFormer(held);
    this.host.dataset.held = String(held);
  }

  /**
   * The network that the present one is compared with: the pinned one, else the one before the last change.
   * @param {Update} shown
   * @returns {Former | null}
   */
  #comparedWith(shown) {
    const { pin } = this;
    if (!shown.pin || shown.pending) return null;
    if (pin.net) {
      const needed = pin.follows || shown.exact || this.#held;
      return pin.lacking
        ? null
        : {
            net: pin.net,
            name: pin.name,
            layers: pin.layers,
            pass: needed ? pin.run(shown.image) : pin.known(shown.image),
            pinned: true,
          };
    }
    const former = this.#former;
    if (!former) return null;
    const same = former.image.every((ink, at) => ink === shown.image[at]);
    return { net: former.net, name: former.net, layers: former.layers, pass: same ? former : null, pinned: false };
  }

  /** @param {Update} update */
  #writeTable(update) {
    const former = this.#comparedWith(update)?.layers ?? null;
    if (this.#table?.net === update.net && this.#table.former === former) return;
    this.#table = { net: update.net, former };
    writeLayerTable(part(this.host, "table", HTMLTableElement), update, former);
  }

  // --- the drawing ---

  /** What there is to look into. @returns {Scene} */
  #scene() {
    const update = this.#own ?? this.#last;
    if (!update || !this.#room) throw new Error("nothing is shown yet");
    const { size } = this.surface;
    const { left, top, scale } = this.#placement;
    const share = size / 280;
    return {
      update,
      parameters: this.preview.id === update.id ? this.preview.parameters : null,
      pinned: this.pin.net ? this.#comparedWith(update) : null,
      look: this.#look,
      narrow: this.#room.narrow,
      placement: { left: left * share, top: top * share, scale: scale * share },
      surface: size,
      seen: SEEN,
    };
  }

  /** Where the image lies on the drawing, in canvas pixels; a picture fills the canvas. */
  get #placement() {
    const { drawing } = this.surface;
    if (this.#placed?.drawing !== drawing) {
      const strokes = this.surface.sent;
      this.#placed = { drawing, placement: strokes?.length ? placementOf(strokes) : { left: 0, top: 0, scale: 10 } };
    }
    return this.#placed.placement;
  }

  /**
   * A point of the drawing under the pointer, or none: highlight what it reaches.
   * @param {[number, number] | null} point CSS pixels
   */
  #point(point) {
    if (!this.#last || !this.#room) return;
    const {
      placement: { left, top, scale },
    } = this.#scene();
    const row = point ? Math.floor((point[1] - top) / scale) : -1;
    const column = point ? Math.floor((point[0] - left) / scale) : -1;
    this.depth.reach([row, column].every((side) => side >= 0 && side < 28) ? [row, column] : null);
  }

  /**
   * The drawing may have been made elsewhere: by the address, an upload, another page.
   * @param {Update} update
   * @param {boolean} first
   */
  #adopt(update, first) {
    if (this.surface.drawingNow || this.server.drawn || !update.exact) return;
    if (first) this.surface.start(update.drawing);
    else this.surface.adopt(update.drawing);
    if (update.drawing[0] !== "s" && update.drawing === this.surface.text) this.surface.showPicture(update.image);
    this.#hint();
  }

  #hint() {
    const { blank, kind } = this.surface;
    if (this.#kind !== kind) {
      this.#kind = kind;
      this.#find(".about").textContent = `What the network sees: ${ABOUT[kind]}.`;
    }
    if (this.#blank === blank) return;
    this.#blank = blank;
    this.#find(".hint").hidden = !blank;
    this.#find(".paper").setAttribute(
      "aria-label",
      blank
        ? "Empty: draw a digit with mouse or finger, or pick one below"
        : "Your drawing. Control Z undoes, Control Y redoes",
    );
  }

  // --- the address ---

  /** What is looked at; null while it is being restored. @returns {ViewState | null} */
  #viewed() {
    const open = this.#last && this.#room && this.depth.state;
    return (
      open && {
        ...open,
        scale: this.columns.scale,
        toScale: this.columns.toScale,
        present: this.#presenting,
        table: part(this.host, "details", HTMLDetailsElement).open,
      }
    );
  }

  /** @param {ViewState} wanted */
  #restore(wanted) {
    if (!this.#last || this.#last.pending || !this.#room) return;
    part(this.host, "details", HTMLDetailsElement).open = wanted.table;
    this.#setScale(wanted.scale);
    this.#setSizes(wanted.toScale);
    this.#present(wanted.present);
    this.depth.restore(wanted);
  }

  // --- painting ---

  #theme() {
    const { backgroundColor, color, fontFamily } = getComputedStyle(this.host);
    const [red, green, blue, alpha = 1] = (backgroundColor.match(/[\d.]+/g) ?? []).map(Number);
    if (!alpha) {
      // A page that was just switched to has its colours a moment later.
      if (this.host.isConnected)
        requestAnimationFrame(() => {
          this.#theme();
          this.#paint();
        });
      if (this.#themed) return;
    }
    this.#themed = true;
    const theme = red + green + blue < 380 ? "dark" : "light";
    this.surface.paint();
    this.host.dataset.theme = theme;
    this.#look = { ...this.#look, theme, ink: color, family: fontFamily };
    this.legend.paint(theme);
  }

  /** Measure the room, which changes with the window only, and draw everything into it. */
  #layout() {
    const width = this.host.clientWidth;
    if (!width) return;
    const narrow = width < NARROW;
    const beside = narrow && width >= BESIDE;
    this.host.classList.toggle("narrow", narrow);
    this.host.classList.toggle("beside", beside);
    this.host.classList.toggle("tight", !narrow && width < TIGHT);
    // What the page keeps below the view (controls) stays on the first screen where there is room.
    const kept = this.#presenting ? 28 : 316;
    const height = Math.min(1100 + 316 - kept, Math.max(340, window.innerHeight - kept));
    const stacked = beside ? Math.min(280, Math.max(200, window.innerHeight - BELOW)) : Math.min(360, width - 2);
    const wide = this.#presenting
      ? Math.min(Math.round(width / 5), height - 2 * SEEN)
      : Math.min(360, height - SEEN - 68);
    const size = narrow ? stacked : wide;
    this.host.style.setProperty("--height", `${height}px`);
    this.host.style.setProperty("--surface", `${size}px`);
    this.surface.size = size;
    this.surface.paint();
    this.surface.moved();
    this.#room = { narrow, width: narrow && !beside ? width : width - size - 24, height };
    this.#paint();
  }

  #paint() {
    const shown = this.#own ?? this.#last;
    if (!shown || !this.#room) return;
    paintImage(this.image, shown.image, SEEN);
    const rebuilt = this.columns.show(shown, { ...this.#room, theme: this.#look.theme }, this.#comparedWith(shown));
    if (rebuilt) {
      this.knobs.align(this.columns.starts);
      this.knobs.place(this.columns.places);
    }
    this.depth.refresh(rebuilt);
    if (shown.pending) return;
    if (shown.exact) this.#writeLegend();
    // Where the columns stack, the answer is far from the pen.
    this.#find(".short-answer strong").textContent = this.columns.verdict(shown);
    this.#find(".short-answer span").textContent = this.columns.doubt(shown);
  }

  /** The numbers of the colour scales: of a layer, else of the opened one, else of the first. @param {number} index */
  #writeLegend(index = this.depth.index) {
    const { update, parameters } = this.#scene();
    if (!update.pending && update.layers.length)
      this.legend.show(update, Math.max(0, index), this.columns.scale, this.depth.index < 0 ? null : parameters);
  }

  // --- tools and keys ---

  /** The buttons with a data attribute. @param {string} name @returns {HTMLButtonElement[]} */
  #buttons(name) {
    return [...this.host.querySelectorAll(`[data-${name}]`)].filter((each) => each instanceof HTMLButtonElement);
  }

  #tools() {
    const { surface } = this;
    const strokes = surface.text[0] === "s";
    const impossible = { undo: !surface.past.length, redo: !surface.future.length, clear: surface.blank };
    for (const [action, disabled] of Object.entries(impossible))
      part(this.host, `button[data-do=${action}]`, HTMLButtonElement).disabled = disabled;
    part(this.host, "button[data-tool=eraser]", HTMLButtonElement).disabled = !strokes;
    this.#press("tool", surface.tool);
    if (!strokes && surface.tool === "eraser") surface.setTool("pen");
    this.#press("digit", surface.text);
  }

  /**
   * Show which button of several is chosen.
   * @param {string} name of their data attribute
   * @param {string} chosen its value
   */
  #press(name, chosen) {
    for (const button of this.#buttons(name))
      button.setAttribute("aria-pressed", String(button.dataset[name] === chosen));
  }

  #listen() {
    const { gallery, surface } = this;
    this.host.onclick = (event) => {
      const button = around(event, "button");
      if (!button) {
        if (!around(event, ".gallery")) gallery.open(false);
        return;
      }
      const { tool, scale, sizes, digit, do: action } = button.dataset;
      if (button.matches(".present-button")) this.#present(!this.#presenting);
      else if (button === gallery.button) gallery.open(!gallery.isOpen);
      else if (tool === "pen" || tool === "eraser") surface.setTool(tool);
      else if (action === "undo" || action === "redo" || action === "clear") surface[action]();
      else if (digit) {
        surface.pick(digit);
        gallery.open(false);
      } else if (scale === "map" || scale === "layer" || scale === "network") this.#setScale(scale);
      else if (sizes) this.#setSizes(sizes === "toscale");
    };
    /** @param {PointerEvent} event */
    const seen = (event) => {
      const box = this.image.getBoundingClientRect();
      /** @param {number} length CSS pixels */
      const pixel = (length) => Math.min(27, Math.max(0, Math.floor((length / SEEN) * 28)));
      this.depth.reach([pixel(event.clientY - box.top), pixel(event.clientX - box.left)]);
    };
    this.image.onpointermove = this.image.onpointerdown = seen;
    this.image.onpointerleave = () => this.depth.reach(null);
    this.host.onpointerdown = (event) => {
      if (!around(event, "canvas, .joint")) this.card.hide();
    };
    this.host.onkeydown = (event) => {
      const key = event.key.toLowerCase();
      if (key === "escape") {
        if (gallery.isOpen) gallery.open(false);
        else this.#back();
      }
      if (!(event.ctrlKey || event.metaKey) || !["z", "y"].includes(key)) return;
      event.preventDefault();
      if (key === "y" || event.shiftKey) surface.redo();
      else surface.undo();
    };
    // A key may take the focus out of the view, which then does not hear it come up.
    for (const event of ["click", "keydown", "keyup"]) {
      this.host.addEventListener(event, () => this.address.touched(), true);
    }
    this.#setScale("layer");
    this.#setSizes(false);
    this.#tools();
  }

  /** Close what is open; where nothing is, leave the lecture. */
  #back() {
    if (this.depth.back()) return;
    this.card.hide();
    this.#present(false);
  }

  /** Larger, without what a lecture can do without. @param {boolean} on */
  #present(on) {
    if (on === this.#presenting) return;
    this.#presenting = on;
    this.host.classList.toggle("presenting", on);
    document.documentElement.toggleAttribute("data-present", on); // the page leaves out the rest
    const button = part(this.host, ".present-button", HTMLButtonElement);
    button.textContent = on ? "Back (Esc)" : "Present";
    button.setAttribute("aria-pressed", String(on));
    this.columns.presenting = on;
    this.#look = { ...this.#look, text: on ? PRESENTED : FONT };
    this.#layout();
  }

  /** @param {boolean} toScale */
  #setSizes(toScale) {
    this.columns.toScale = toScale;
    this.#press("sizes", toScale ? "toscale" : "large");
    this.#paint();
  }

  /** @param {Scale} scale */
  #setScale(scale) {
    this.columns.scale = scale;
    this.#press("scale", scale);
    this.#paint();
  }
}

/** Whether a network has so many weights that they are worth waiting with. @param {Update} update */
const isLarge = ({ layers }) => layers.reduce((sum, layer) => sum + layer.parameters, 0) > LARGE;
