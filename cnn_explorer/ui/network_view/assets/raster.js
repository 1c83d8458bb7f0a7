// Pen strokes → the 28×28 image that the network sees, by the rules of cnn_explorer/digits/preprocessing.py. No DOM.
//
// strokes ─► drop specks ─► redraw in a 20×20 box with a fixed pen, at ten times the resolution ─► centre of mass to
// (14, 14) ─► average
//
// A pixel of the redrawn strokes is 0 or 1. Where pixels of a disc or of a line begin and end follows Pillow, which
// draws them in Python.

import { PEN_WIDTH, distanceToSegment } from "./drawing.js";

/** @typedef {import("./drawing.js").Point} Point @typedef {import("./drawing.js").Stroke} Stroke */
/** @typedef {{width: number, height: number, pixels: Uint8Array}} Plane row by row, 0 or 1 */

const SIZE = 28; // pixels on a side of the network's image
const BOX = 20; // the longer side of the digit in it
const CENTRE = 14; // index of the pixel that holds the centre of mass
const PEN = 2.6; // width of the redrawn pen in pixels of the image
const DETAIL = 10; // strokes are drawn at ten times the resolution, then averaged
const SPECK = 0.06; // a stroke this much shorter than the longest, lying apart, is a slip of the pen
const RADIUS = (PEN * DETAIL) / 2;
const DISC = 1.0321; // radius of a disc where the centres of its outermost pixels are 1 away from its middle
const NEAR = 0.499; // of a pixel: with its centre no farther outside a line than this it is 1

/**
 * @param {Stroke[]} strokes as the drawing string carries them, so that Python sees the same ones; pressure does not
 *   matter
 * @returns {Uint8Array} 784 pixels, 0 background to 255 stroke
 */
export function imageOfStrokes(strokes) {
  const kept = withoutSpecks(strokes.filter((stroke) => stroke.length));
  return kept.length ? centred(redrawn(kept)) : new Uint8Array(SIZE * SIZE);
}

/**
 * Where the image lies on the drawing: its corner and the side of its pixels, in canvas pixels.
 * @param {Stroke[]} strokes @returns {{left: number, top: number, scale: number}}
 */
export function placementOf(strokes) {
  const kept = withoutSpecks(strokes.filter((stroke) => stroke.length));
  const { left, top } = boundsOf(kept.flat());
  const scale = scaleOf(boundsOf(kept.flat()));
  const moved = shiftOf(redrawn(kept));
  return { left: left - (RADIUS + moved[0]) / scale, top: top - (RADIUS + moved[1]) / scale, scale: DETAIL / scale };
}

/** @param {Stroke[]} strokes @returns those not tiny beside the longest one, or touching another */
function withoutSpecks(strokes) {
  const extents = strokes.map((stroke) => extent(boundsOf(stroke)));
  const longest = Math.max(...extents);
  if (longest <= 2 * PEN_WIDTH) return strokes; // a drawing of dots is a drawing
  const small = Math.max(PEN_WIDTH / 2, SPECK * longest);
  const body = strokes.filter((_, index) => extents[index] >= small);
  /** @param {Stroke} stroke */
  const touches = ([point]) =>
    body.some((stroke) =>
      stroke.some((end, at) => at > 0 && distanceToSegment(point, stroke[at - 1], end) <= PEN_WIDTH),
    );
  return strokes.filter((stroke, index) => extents[index] >= small || touches(stroke));
}

/** @typedef {{left: number, top: number, right: number, bottom: number}} Bounds */

/** @param {Point[]} points @returns {Bounds} */
function boundsOf(points) {
  let left = Infinity;
  let top = Infinity;
  let right = -Infinity;
  let bottom = -Infinity;
  for (const [x, y] of points) {
    left = Math.min(left, x);
    top = Math.min(top, y);
    right = Math.max(right, x);
    bottom = Math.max(bottom, y);
  }
  return { left, top, right, bottom };
}

/** @param {Bounds} bounds */
const extent = ({ left, top, right, bottom }) => Math.max(right - left, bottom - top);

// --- redrawing ---

/** The strokes with the usual pen, their longer side filling the box. @param {Stroke[]} strokes @returns {Plane} */
function redrawn(strokes) {
  const bounds = boundsOf(strokes.flat());
  const scale = scaleOf(bounds);
  /** @param {number} length */
  const side = (length) => Math.ceil(length * scale + 2 * RADIUS);
  const plane = planeOf(side(bounds.right - bounds.left), side(bounds.bottom - bounds.top));
  /** @param {Point} point @returns {[number, number]} */
  const place = ([x, y]) => [pixelOf((x - bounds.left) * scale), pixelOf((y - bounds.top) * scale)];
  for (const stroke of strokes) draw(plane, stroke.map(place));
  return plane;
}

/** Pixels of the plane to one of the canvas; a dot stays a dot. @param {Bounds} bounds */
const scaleOf = (bounds) => ((BOX - PEN) / Math.max(extent(bounds), PEN_WIDTH)) * DETAIL;

/** Pillow begins and ends everything on whole pixels, counted from their centres. @param {number} length */
const pixelOf = (length) => Math.floor(length + RADIUS - 0.5);

/** @param {number} width @param {number} height @returns {Plane} */
const planeOf = (width, height) => ({ width, height, pixels: new Uint8Array(width * height) });

/** A round-ended line through whole pixels. @param {Plane} plane @param {[number, number][]} points */
function draw(plane, points) {
  points.forEach((point, index) => {
    drawDisc(plane, point);
    if (index) drawBar(plane, points[index - 1], point);
  });
}

/** @param {Plane} plane @param {[number, number]} centre */
function drawDisc(plane, [x, y]) {
  const [centreX, reachX] = across(x);
  const [centreY, reachY] = across(y);
  for (let row = Math.ceil(centreY - reachY); row <= centreY + reachY; row++) {
    const half = reachX * Math.sqrt(1 - ((row - centreY) / reachY) ** 2);
    fillRow(plane, row, centreX - half, centreX + half);
  }
}

/**
 * Middle and reach of a disc: from 13 pixels before to 13 behind, but at the plane's edge it is squeezed, not cut off,
 * by one.
 * @param {number} at
 */
function across(at) {
  const first = Math.max(0, at - RADIUS);
  const last = at + RADIUS;
  return [(first + last) / 2, (DISC * (last - first)) / 2];
}

/**
 * The pixels beside a segment: row by row, where the two slabs overlap that bound them. A line of even width cannot lie
 * evenly about the
 * middle of a pixel, so its corners, which are whole pixels as well, are RADIUS away on one side and one less on the
 * other.
 * @param {Plane} plane @param {[number, number]} start @param {[number, number]} end
 */
function drawBar(plane, [x0, y0], [x1, y1]) {
  const dx = x1 - x0;
  const dy = y1 - y0;
  const length = Math.hypot(dx, dy);
  if (!length) return;
  /** @param {number} reachX @param {number} reachY */
  const side = (reachX, reachY) => Math.round((reachX * dy) / length) * dy + Math.round((reachY * dx) / length) * dx;
  const low = -side(RADIUS - 1, RADIUS);
  const high = side(RADIUS, RADIUS - 1);
  const top = Math.ceil(Math.min(y0, y1) - RADIUS);
  const bottom = Math.floor(Math.max(y0, y1) + RADIUS);
  for (let y = top; y <= bottom; y++) {
    const [start, end] = between(dy * (y - y0), dx, 0, length * length); // along the segment
    const [left, right] = between(-dx * (y - y0), dy, low, high); // across it
    fillRow(plane, y, x0 + Math.max(start, left) - NEAR, x0 + Math.min(end, right) + NEAR);
  }
}

/**
 * Where low ≤ offset + slope·x ≤ high: the first and the last x, the first one larger if there is none.
 * @param {number} offset
 * @param {number} slope
 * @param {number} low
 * @param {number} high
 */
function between(offset, slope, low, high) {
  if (slope === 0) return low <= offset && offset <= high ? [-Infinity, Infinity] : [Infinity, -Infinity];
  const first = (low - offset) / slope;
  const last = (high - offset) / slope;
  return slope > 0 ? [first, last] : [last, first];
}

/**
 * Sets the pixels of a row from `left` to `right`, as far as they are on the plane.
 * @param {Plane} plane
 * @param {number} y
 * @param {number} left
 * @param {number} right
 */
function fillRow({ width, height, pixels }, y, left, right) {
  if (y < 0 || y >= height) return;
  const last = y * width + Math.min(width - 1, Math.floor(right));
  for (let at = y * width + Math.max(0, Math.ceil(left)); at <= last; at++) pixels[at] = 1;
}

// --- centring ---

/**
 * Shifts the strokes until their centre of mass is on pixel (14, 14), and no part outside, and averages.
 * @param {Plane} plane
 */
const centred = (plane) => averaged(plane, ...shiftOf(plane));

/** @param {Plane} plane @returns {[number, number]} pixels of the plane to the right and down */
function shiftOf({ width, height, pixels }) {
  let mass = 0;
  let momentX = 0;
  let momentY = 0;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      if (!pixels[at]) continue;
      mass++;
      momentX += x;
      momentY += y;
    }
  }
  return [shift(momentX / mass, width), shift(momentY / mass, height)];
}

/** From where the centre of mass is to the middle of pixel 14. @param {number} centre @param {number} side */
function shift(centre, side) {
  const target = (CENTRE + 0.5) * DETAIL - 0.5;
  return Math.min(Math.max(roundedToEven(target - centre), 0), SIZE * DETAIL - side);
}

/** As Python rounds: a half goes to the even neighbour. @param {number} number */
function roundedToEven(number) {
  const below = Math.floor(number);
  return number - below === 0.5 ? below + (below % 2) : Math.round(number);
}

/**
 * Each pixel of the image is the average of 10 × 10 of the plane, whose corner lies at (`left`, `top`).
 * @param {Plane} plane
 * @param {number} left
 * @param {number} top
 */
function averaged({ width, height, pixels }, left, top) {
  const counts = new Uint8Array(SIZE * SIZE);
  for (let y = 0, at = 0; y < height; y++) {
    const row = SIZE * Math.floor((top + y) / DETAIL);
    for (let x = 0; x < width; x++, at++) counts[row + Math.floor((left + x) / DETAIL)] += pixels[at];
  }
  return counts.map((count) => Math.ceil((255 * count) / DETAIL ** 2 - 0.5)); // a half goes down, as in Pillow
}
