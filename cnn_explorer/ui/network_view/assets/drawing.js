// Pen strokes as data: the drawing string of cnn_explorer/digits/drawing.py, simplification, the eraser. No DOM.

/**
 * @typedef {[number, number] | [number, number, number]} Point x, y in canvas pixels (280 × 280, y down) and, from a
 *   pen, pressure in [0, 1]
 */
/** @typedef {Point[]} Stroke */

export const CANVAS = 280;
export const PEN_WIDTH = 16;
export const ERASER_RADIUS = 14;
const DEPTH = 12; // canvas pixels: how much pressure counts beside place when a stroke is simplified
const TOLERANCE = 0.6; // canvas pixels that a simplified stroke may differ
const MAX_TEXT = 4000; // characters: with the rest of the address well below what browsers and proxies pass on

/**
 * The shortest drawing string of these strokes, simplified as little as the bound allows.
 * @param {Stroke[]} strokes
 * @returns {string | null} null if even a coarse version is too long
 */
export function encodeStrokes(strokes) {
  const sent = fitting(strokes);
  return sent && sent.text;
}

/**
 * The strokes that their drawing string carries, as `decodeStrokes` reads them: simplified, and rounded to whole
 * pixels.
 * @param {Stroke[]} strokes
 * @returns {Stroke[] | null} null if even a coarse version is too long
 */
export function sentStrokes(strokes) {
  const sent = fitting(strokes);
  return sent && sent.strokes;
}

/** @param {Stroke[]} strokes */
function fitting(strokes) {
  for (let tolerance = TOLERANCE; tolerance < 30; tolerance *= 2) {
    const sent = strokes.map((stroke) => rounded(simplified(stroke, tolerance)));
    const text = "s" + toBase64(pack(sent));
    if (text.length <= MAX_TEXT) return { text, strokes: sent };
  }
  return null;
}

/**
 * Whole pixels and percents; every point has pressure if the first one has.
 * @param {Stroke} stroke
 * @returns {Stroke}
 */
function rounded(stroke) {
  const withPressure = stroke[0].length === 3;
  return stroke.map(([x, y, pressure = 0]) =>
    withPressure ? [Math.round(x), Math.round(y), Math.round(100 * pressure) / 100] : [Math.round(x), Math.round(y)],
  );
}

/**
 * @param {string} text a drawing string that starts with "s"
 * @returns {Stroke[]}
 */
export function decodeStrokes(text) {
  const numbers = unpack(fromBase64(text.slice(1)));
  /** @type {Stroke[]} */
  const strokes = [];
  for (let at = 0; at < numbers.length;) {
    const head = numbers[at++];
    const withPressure = head & 1;
    /** @type {Stroke} */
    const stroke = [];
    let x = 0;
    let y = 0;
    let pressure = 0;
    for (let left = head >> 1; left > 0; left--) {
      x += unzigzag(numbers[at++]);
      y += unzigzag(numbers[at++]);
      if (withPressure) pressure += unzigzag(numbers[at++]);
      stroke.push(withPressure ? [x, y, pressure / 100] : [x, y]);
    }
    if (stroke.length) strokes.push(stroke);
  }
  return strokes;
}

/**
 * Cut away what an eraser covers while it moves from `from` to `to`. Untouched strokes are returned as they are.
 * @param {Stroke[]} strokes @param {Point} from @param {Point} to
 */
export function erase(strokes, from, to, radius = ERASER_RADIUS) {
  return strokes.flatMap((stroke) => {
    const dense = densify(stroke, 2);
    const gone = dense.map((point) => distanceToSegment(point, from, to) <= radius);
    if (!gone.includes(true)) return [stroke];
    /** @type {Stroke[]} */
    const pieces = [];
    /** @type {Stroke} */
    let piece = [];
    dense.forEach((point, index) => {
      if (!gone[index]) piece.push(point);
      else if (piece.length) {
        pieces.push(piece);
        piece = [];
      }
    });
    if (piece.length) pieces.push(piece);
    return pieces.map((part) => simplify(part, 0.3));
  });
}

/**
 * @type {WeakMap<Stroke, {length: number, stroke: Stroke}>} finished strokes need not be simplified again with every
 *   message
 */
const finished = new WeakMap();

/** @param {Stroke} stroke @param {number} tolerance canvas pixels */
function simplified(stroke, tolerance) {
  if (tolerance !== TOLERANCE) return simplify(stroke, tolerance);
  const known = finished.get(stroke);
  if (known?.length === stroke.length) return known.stroke;
  const result = { length: stroke.length, stroke: simplify(stroke, tolerance) };
  finished.set(stroke, result);
  return result.stroke;
}

/**
 * Ramer–Douglas–Peucker: leave out points closer than `tolerance` to the line between those kept.
 * @param {Stroke} stroke
 * @param {number} tolerance
 * @returns {Stroke}
 */
export function simplify(stroke, tolerance) {
  if (stroke.length < 3) return stroke;
  const keep = new Uint8Array(stroke.length);
  keep[0] = keep[stroke.length - 1] = 1;
  const spans = [[0, stroke.length - 1]];
  while (spans.length) {
    const [first, last] = /** @type {number[]} */ (spans.pop());
    let farthest = -1;
    let distance = tolerance;
    for (let index = first + 1; index < last; index++) {
      const gap = distanceToSegment(stroke[index], stroke[first], stroke[last], DEPTH);
      if (gap > distance) {
        distance = gap;
        farthest = index;
      }
    }
    if (farthest > 0) {
      keep[farthest] = 1;
      spans.push([first, farthest], [farthest, last]);
    }
  }
  return stroke.filter((_, index) => keep[index]);
}

/** More points on the same lines, at most `step` apart. @param {Stroke} stroke @param {number} step */
function densify(stroke, step) {
  /** @type {Stroke} */
  const dense = [];
  stroke.forEach((point, index) => {
    const before = stroke[index - 1];
    if (before) {
      const pieces = Math.ceil(Math.hypot(point[0] - before[0], point[1] - before[1]) / step);
      for (let piece = 1; piece < pieces; piece++) {
        dense.push(
          /** @type {Point} */ (
            before.map((value, axis) => value + ((point[axis] ?? value) - value) * (piece / pieces))
          ),
        );
      }
    }
    dense.push(point);
  });
  return dense;
}

/**
 * @param {Point} point
 * @param {Point} start
 * @param {Point} end
 * @param {number} depth canvas pixels that full pressure counts as, a third coordinate
 */
export function distanceToSegment([x, y, p = 0], [x0, y0, p0 = 0], [x1, y1, p1 = 0], depth = 0) {
  const dx = x1 - x0;
  const dy = y1 - y0;
  const dz = depth * (p1 - p0);
  const length2 = dx * dx + dy * dy + dz * dz;
  const along = length2
    ? Math.min(1, Math.max(0, ((x - x0) * dx + (y - y0) * dy + depth * (p - p0) * dz) / length2))
    : 0;
  return Math.hypot(x - x0 - along * dx, y - y0 - along * dy, depth * (p - p0) - along * dz);
}

// --- numbers as text: zigzag varints in base64url ---

/** @param {Stroke[]} strokes */
function pack(strokes) {
  /** @type {number[]} */
  const bytes = [];
  /** @param {number} number */
  const put = (number) => {
    for (; number > 127; number >>= 7) bytes.push((number & 127) | 128);
    bytes.push(number);
  };
  for (const stroke of strokes) {
    const withPressure = stroke[0].length === 3 ? 1 : 0;
    put(2 * stroke.length + withPressure);
    let before = [0, 0, 0];
    for (const [x, y, pressure = 0] of stroke) {
      const now = [x, y, Math.round(100 * pressure)];
      for (let axis = 0; axis < 2 + withPressure; axis++) put(zigzag(now[axis] - before[axis]));
      before = now;
    }
  }
  return bytes;
}

/** @param {Uint8Array} bytes */
function unpack(bytes) {
  /** @type {number[]} */
  const numbers = [];
  let number = 0;
  let shift = 0;
  for (const byte of bytes) {
    number |= (byte & 127) << shift;
    shift += 7;
    if (byte < 128) {
      numbers.push(number);
      number = shift = 0;
    }
  }
  return numbers;
}

/** Small numbers of either sign as small ones without. @param {number} number */
const zigzag = (number) => (number >= 0 ? 2 * number : -2 * number - 1);

/** @param {number} number */
const unzigzag = (number) => (number % 2 ? -(number + 1) / 2 : number / 2);

/** @param {number[]} bytes */
const toBase64 = (bytes) =>
  btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");

/** @param {string} text */
const fromBase64 = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
