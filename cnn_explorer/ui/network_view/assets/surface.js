// The drawing surface: pen, eraser, undo, redo, clear; mouse, finger and pen with pressure.

import { CANVAS, ERASER_RADIUS, PEN_WIDTH, decodeStrokes, encodeStrokes, erase, sentStrokes } from "./drawing.js";
import { contextOf, element } from "./element.js";
import { sized } from "./painting.js";

/** @import { Point, Stroke } from "./drawing.js" */
/** @typedef {"pen" | "eraser"} Tool */
/**
 * @typedef {{strokes: Stroke[], text: string | null}} Drawing
 * a picture ("d…", "p…") has no strokes; the text of strokes is made when it is asked for
 */

export class Surface {
  /** @type {Tool} */
  tool = "pen";

  /** @type {Drawing} */
  drawing = { strokes: [], text: "s" };

  /** @type {Drawing} as it was before the stroke that is being drawn */
  #before = this.drawing;

  /** @type {Uint8Array | null} 28×28 ink of a drawing without strokes */
  #picture = null;

  /** @type {Drawing[]} what undo and redo lead to */
  past = [];

  /** @type {Drawing[]} */
  future = [];

  /** @type {{id: number, erasing: boolean, last: Point} | null} the pointer that is held down */
  #pointer = null;

  /** @type {Point | null} where the eraser is */
  #hover = null;

  /** @type {DOMRect} of the canvas */
  #box = new DOMRect(0, 0, 1, 1);

  #frame = 0;
  size = 240; // CSS pixels

  /**
   * @param {HTMLCanvasElement} canvas
   * @param
   *   {{changed: (final: boolean) => void, pointed: (point: [number, number] | null) => void, tools: () => void,
   *   full: () => void}} on
   * `changed` during and at the end of each action, `pointed` to a place in CSS pixels without drawing, `tools` when
   * undo and redo may have
   *   become possible or not, `full` when no more fits
   */
  constructor(canvas, on) {
    this.canvas = canvas;
    this.on = on;
    canvas.onpointerdown = (event) => this.#down(event);
    canvas.onpointermove = (event) => this.#move(event);
    canvas.onpointerup = (event) => this.#up(event);
    canvas.onpointercancel = (event) => this.#up(event);
    canvas.onlostpointercapture = (event) => this.#up(event);
    canvas.onpointerleave = () => {
      if (this.#pointer) return;
      this.on.pointed(null);
      this.#hover = null;
      this.paint();
    };
    canvas.oncontextmenu = (event) => event.preventDefault();
  }

  /** True between pressing and releasing. */
  get drawingNow() {
    return this.#pointer !== null;
  }

  /** The drawing string; while more is drawn than fits, the one from before. */
  get text() {
    this.drawing.text ??= encodeStrokes(this.drawing.strokes);
    return this.drawing.text ?? this.#before.text ?? "s";
  }

  /** "s" for strokes, "d" for a bundled digit, "p" for a picture. */
  get kind() {
    return this.drawing.text?.[0] ?? "s";
  }

  /** The strokes as the server gets them; null for a picture, and where they are too many to be sent. */
  get sent() {
    return this.kind === "s" ? sentStrokes(this.drawing.strokes) : null;
  }

  get blank() {
    return this.drawing.text === "s" || (this.drawing.text === null && !this.drawing.strokes.length);
  }

  /**
   * Take over a drawing that was made elsewhere: the address, the gallery, another page. It can be undone.
   * @param {string} text
   */
  adopt(text) {
    if (text === this.text) return;
    this.#remember(this.drawing);
    this.#show(text);
  }

  /** The first drawing after the page has opened: nothing to undo. @param {string} text */
  start(text) {
    this.#show(text);
  }

  /** Ink of a drawing without strokes. @param {Uint8Array} image */
  showPicture(image) {
    this.#picture = image;
    this.paint();
  }

  /** Take a drawing of the gallery. @param {string} text */
  pick(text) {
    if (this.#pointer) return;
    this.adopt(text);
    this.on.changed(true);
  }

  clear() {
    this.pick("s");
  }

  undo() {
    this.#travel(this.past, this.future);
  }

  redo() {
    this.#travel(this.future, this.past);
  }

  /** @param {Tool} tool */
  setTool(tool) {
    this.tool = tool;
    this.canvas.dataset.tool = tool;
    this.on.tools();
  }

  /** @param {Drawing[]} from @param {Drawing[]} to */
  #travel(from, to) {
    const drawing = this.#pointer ? undefined : from.pop();
    if (!drawing) return;
    to.push(this.drawing);
    this.drawing = drawing;
    this.#picture = null;
    this.paint();
    this.on.tools();
    this.on.changed(true);
  }

  /** @param {Drawing} drawing */
  #remember(drawing) {
    this.past.push(drawing);
    if (this.past.length > 200) this.past.shift();
    this.future = [];
  }

  /** @param {string} text */
  #show(text) {
    this.drawing = { text, strokes: text[0] === "s" ? decodeStrokes(text) : [] };
    this.#picture = null;
    this.paint();
    this.on.tools();
  }

  // --- pointer ---

  /** The page may have been laid out anew, also in the middle of a stroke. */
  moved() {
    this.#box = this.canvas.getBoundingClientRect();
  }

  /** @param {PointerEvent} event */
  #point(event) {
    const box = this.#box;
    /** @param {number} value */
    const place = (value) => Math.min(CANVAS, Math.max(0, value));
    const x = place(((event.clientX - box.left) / box.width) * CANVAS);
    const y = place(((event.clientY - box.top) / box.height) * CANVAS);
    return /** @type {Point} */ (event.pointerType === "pen" ? [x, y, event.pressure] : [x, y]);
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (this.#pointer || (event.button !== 0 && event.button !== 5)) return;
    event.preventDefault();
    this.moved(); // asked once a stroke: it makes the browser lay the page out
    this.on.pointed(null);
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    const point = this.#point(event);
    const erasing = this.tool === "eraser" || event.button === 5; // 5: the other end of a pen
    this.#pointer = { id: event.pointerId, erasing, last: point };
    this.#before = this.drawing;
    this.#before.text ??= encodeStrokes(this.#before.strokes);
    if (erasing) {
      this.#erase(point, point);
    } else {
      this.#change([...this.drawing.strokes, [point]]);
    }
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (!this.#pointer) this.moved();
    this.#hover = this.tool === "eraser" && event.pointerType !== "touch" ? this.#point(event) : null;
    if (!this.#pointer || event.pointerId !== this.#pointer.id) {
      if (this.#hover) this.#soon();
      if (!this.#pointer && event.pointerType !== "touch")
        this.on.pointed([event.clientX - this.#box.left, event.clientY - this.#box.top]);
      return;
    }
    const fine = event.getCoalescedEvents?.() ?? [];
    for (const each of fine.length ? fine : [event]) {
      const next = this.#point(each);
      if (this.#pointer.erasing) this.#erase(this.#pointer.last, next);
      else this.drawing.strokes[this.drawing.strokes.length - 1].push(next);
      this.#pointer.last = next;
    }
    if (!this.#pointer.erasing) this.#change(this.drawing.strokes);
  }

  /** @param {PointerEvent} event */
  #up(event) {
    if (!this.#pointer || event.pointerId !== this.#pointer.id) return;
    this.#pointer = null;
    if (this.#hover && event.pointerType === "touch") this.#hover = null;
    this.#soon();
    if (this.drawing === this.#before) return; // the eraser has met nothing
    this.drawing.text = encodeStrokes(this.drawing.strokes);
    if (this.drawing.text === null) {
      this.drawing = this.#before;
      this.on.full();
    } else {
      this.#remember(this.#before);
    }
    this.on.tools();
    this.on.changed(true);
  }

  /** @param {Point} from @param {Point} to */
  #erase(from, to) {
    const strokes = erase(this.drawing.strokes, from, to);
    const same =
      strokes.length === this.drawing.strokes.length &&
      strokes.every((stroke, index) => stroke === this.drawing.strokes[index]);
    if (same) this.#soon();
    else this.#change(strokes);
  }

  /** @param {Stroke[]} strokes */
  #change(strokes) {
    this.drawing = { strokes, text: null };
    this.#picture = null;
    this.on.changed(false); // first the message, then the ink: the server can work while the browser paints
    this.#soon();
  }

  // --- ink ---

  /** Paint before the next frame, however often it is asked for. */
  #soon() {
    this.#frame ||= requestAnimationFrame(() => this.paint());
  }

  paint() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const context = sized(this.canvas, this.size, this.size);
    const colour = getComputedStyle(this.canvas).color;
    const scale = this.size / CANVAS;
    if (this.#picture) {
      const box = element("canvas");
      box.width = box.height = 28;
      const data = new ImageData(28, 28);
      const [red, green, blue] = (colour.match(/\d+/g) ?? []).map(Number);
      this.#picture.forEach((ink, index) => data.data.set([red, green, blue, ink], 4 * index));
      contextOf(box).putImageData(data, 0, 0);
      context.imageSmoothingEnabled = false;
      context.drawImage(box, 0, 0, this.size, this.size);
    }
    context.setTransform(context.getTransform().scale(scale, scale));
    context.lineCap = context.lineJoin = "round";
    context.strokeStyle = context.fillStyle = colour;
    for (const stroke of this.drawing.strokes) inkStroke(context, stroke);
    if (this.#hover && this.tool === "eraser") {
      context.lineWidth = 1.5;
      context.beginPath();
      context.arc(this.#hover[0], this.#hover[1], ERASER_RADIUS, 0, 2 * Math.PI);
      context.stroke();
    }
  }
}

const BEND = 6; // canvas pixels around a recorded point that are rounded off: few, so that a corner stays one

/**
 * Smooth ink: straight lines with rounded corners; with pressure, piece by piece as wide as the pen was pressed.
 * @param {CanvasRenderingContext2D} context
 * @param {Stroke} stroke
 */
function inkStroke(context, stroke) {
  const [x, y, pressure] = stroke[0];
  /** @param {number | undefined} press */
  const width = (press) => (press === undefined ? PEN_WIDTH : PEN_WIDTH * (0.4 + 1.1 * press));
  if (stroke.length === 1) {
    context.beginPath();
    context.arc(x, y, width(pressure) / 2, 0, 2 * Math.PI); // a line of no length would draw nothing
    context.fill();
    return;
  }
  /** @param {Point} from @param {Point} to @returns {[number, number]} */
  const towards = (from, to) => {
    const share = Math.min(0.5, BEND / (Math.hypot(to[0] - from[0], to[1] - from[1]) || 1));
    return [from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share];
  };
  context.lineWidth = width(pressure);
  context.beginPath();
  context.moveTo(x, y);
  for (let index = 1; index < stroke.length - 1; index++) {
    const point = stroke[index];
    const end = towards(point, stroke[index + 1]);
    context.lineTo(...towards(point, stroke[index - 1]));
    context.quadraticCurveTo(point[0], point[1], ...end);
    if (pressure !== undefined) {
      context.stroke();
      context.beginPath();
      context.moveTo(...end);
      context.lineWidth = width(point[2]);
    }
  }
  const last = stroke[stroke.length - 1];
  context.lineTo(last[0], last[1]);
  context.stroke();
}
