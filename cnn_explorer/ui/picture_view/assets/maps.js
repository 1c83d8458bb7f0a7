// Maps beside the picture: a pixel of a map outlines what it sees of the picture, and a place of the picture the pixels
// of every map that see it.

import { element, figureOf, imageOf, lay } from "./element.js";
import { arrowOf, follow } from "./pointing.js";

/** @import { Field, MapsData, Pixel, Place, Span, Tile } from "../types.d.ts" */

/** @typedef {{tile: number, map: number, row: number, column: number}} MapPixel a pixel of one of the maps of a tile */
/** @typedef {{frame: HTMLElement, mark: HTMLElement, tile: number, map: number}} MapFrame */

const STEP = 8; // pixels of the picture that an arrow key moves
const LEAST = 7 / 92; // of a map's side: a smaller mark could not be seen
const SIGNS = ["", "+", "="];
const HELP = "Point at a pixel of a map, or at a place of the picture. A press keeps the pixel.";
const KEYS =
  "arrow keys move the pixel, Page Up and Page Down change the map, Enter keeps the pixel, Escape goes back to the " +
  "kept one";

export class Maps {
  /** @type {MapsData | undefined} */
  #data;
  /** @type {MapPixel | undefined} where the visitor points */
  #pixel;
  /** @type {Place | undefined} where the visitor points on the picture */
  #place;
  /** @type {MapFrame[]} */
  #frames = [];
  #mark = element("i", "square outlined");
  #picture = element("div", "frame");
  #spoken = element("p", "said");
  /** Tells the server which pixel is chosen. @type {(pixel: Pixel) => void} */
  choose = () => undefined;

  /** @param {HTMLElement} host */
  constructor(host) {
    this.host = host;
    this.#spoken.setAttribute("role", "status");
    follow(
      host,
      (target, place) => this.#point(target, place),
      () => this.#show(undefined, undefined),
    );
    host.addEventListener("click", () => this.#keep());
    host.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {MapsData} data */
  update(data) {
    const before = this.#data;
    this.#data = data;
    if (!before || content(before) !== content(data)) {
      this.#build(data);
      this.#pixel = this.#place = undefined;
    }
    this.#show(this.#pixel, this.#place);
  }

  /** @param {MapsData} data */
  #build(data) {
    this.#frames = [];
    this.#picture = element("div", "frame", imageOf(data.picture.image, data.picture.title), this.#mark);
    this.#picture.dataset.point = "";
    this.#picture.tabIndex = 0;
    this.#picture.setAttribute("role", "application");
    this.#picture.setAttribute("aria-label", "A place of the picture: arrow keys move it, Escape removes it");
    const beside = figureOf(data.picture, this.#picture, this.#spoken);
    beside.className = "beside";
    const tiles = element("div", "tiles", ...data.tiles.map((tile, at) => this.#tile(tile, at)));
    this.host.replaceChildren(beside, tiles);
  }

  /** @param {Tile} tile @param {number} at */
  #tile(tile, at) {
    const shown = tile.maps.flatMap(({ title, image }, map) => {
      const mark = element("i", "square outlined");
      const frame = element("div", "frame map", imageOf(image, title), mark);
      frame.dataset.point = String(this.#frames.length);
      frame.tabIndex = this.#frames.length ? -1 : 0;
      frame.setAttribute("role", "application");
      frame.setAttribute("aria-label", `${title}: ${KEYS}`);
      this.#frames.push({ frame, mark, tile: at, map });
      return map ? [element("b", "sign", SIGNS[Math.max(map, map === tile.maps.length - 1 ? 2 : 1)]), frame] : [frame];
    });
    const kernel = tile.kernel ? [imageOf(tile.kernel, `kernel ${tile.channel}`)] : [];
    return element("figure", "", element("div", "sum", ...shown), ...kernel, element("figcaption", "", tile.caption));
  }

  /** @param {HTMLElement} target @param {Place} place */
  #point(target, place) {
    if (target === this.#picture) return this.#show(undefined, place);
    const { tile, map } = this.#frames[Number(target.dataset.point)];
    const { rows, columns } = this.#fieldOf(tile, map);
    this.#show(
      { tile, map, row: Math.floor(place.y * rows.length), column: Math.floor(place.x * columns.length) },
      undefined,
    );
  }

  /** @param {number} tile @param {number} map */
  #fieldOf(tile, map) {
    const { fields, tiles } = /** @type {MapsData} */ (this.#data);
    return fields[tiles[tile].maps[map].field];
  }

  /** A pixel of a map that is one of several added belongs to the sum. */
  #keep() {
    if (!this.#data || !this.#pixel) return;
    const { tile, row, column } = this.#pixel;
    this.choose({ channel: this.#data.tiles[tile].channel, row, column });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const data = this.#data;
    const focused = event.composedPath()[0];
    if (!data || event.altKey || event.ctrlKey || event.metaKey) return;
    const arrow = arrowOf(event);
    const at = this.#frames.findIndex(({ frame }) => frame === focused);
    if (event.key === "Escape") this.#show(undefined, undefined);
    else if (at < 0 && arrow) this.#movePlace(arrow, data.side);
    else if (arrow) this.#movePixel(at, arrow);
    else if (at >= 0 && event.key === "Enter") this.#keep();
    else if (at >= 0 && event.key === "PageDown") this.#go(at + 1);
    else if (at >= 0 && event.key === "PageUp") this.#go(at - 1);
    else return;
    event.preventDefault();
  }

  /** @param {[number, number]} arrow @param {number} side */
  #movePlace([down, right], side) {
    const { x, y } = this.#place ?? { x: 0.5, y: 0.5 };
    const step = this.#place ? STEP : 0;
    /** @param {number} fraction @param {number} way */
    const moved = (fraction, way) => (clamp(Math.floor(fraction * side) + way * step, side) + 0.5) / side;
    this.#show(undefined, { x: moved(x, right), y: moved(y, down) });
  }

  /**
   * From the pixel where the visitor points, else from the one that is kept, else from the middle.
   * @param {number} at
   * @param {[number, number]} arrow
   */
  #movePixel(at, [down, right]) {
    const { tile, map } = this.#frames[at];
    const { rows, columns } = this.#fieldOf(tile, map);
    const before = this.#pixel ?? this.#kept();
    const from = before ?? { row: Math.floor(rows.length / 2), column: Math.floor(columns.length / 2) };
    const moved = before?.tile === tile && before.map === map;
    const row = clamp(from.row + (moved ? down : 0), rows.length);
    const column = clamp(from.column + (moved ? right : 0), columns.length);
    this.#show({ tile, map, row, column }, undefined);
  }

  /** Go to another map, at the same pixel. @param {number} at */
  #go(at) {
    const there = this.#frames[clamp(at, this.#frames.length)];
    for (const { frame } of this.#frames) frame.tabIndex = frame === there.frame ? 0 : -1;
    there.frame.focus();
    if (this.#pixel) this.#show({ ...this.#pixel, tile: there.tile, map: there.map }, undefined);
  }

  /** The pixel that is kept, if it is on this page. @returns {MapPixel | undefined} */
  #kept() {
    const chosen = this.#data?.chosen;
    const tiles = this.#data?.tiles ?? [];
    const tile = tiles.findIndex(({ channel }) => channel === chosen?.channel);
    if (!chosen || tile < 0) return undefined;
    return { tile, map: tiles[tile].maps.length - 1, row: chosen.row, column: chosen.column };
  }

  /**
   * Outline what belongs together: for where the visitor points, else for the pixel that is kept.
   * @param {MapPixel | undefined} pixel
   * @param {Place | undefined} place
   */
  #show(pixel, place) {
    const data = this.#data;
    if (!data) return;
    this.#pixel = pixel;
    this.#place = place;
    for (const { mark } of this.#frames) mark.hidden = true;
    const shown = pixel ?? (place ? undefined : this.#kept());
    this.#mark.hidden = !shown && !place;
    if (shown) this.#showPixel(data, shown);
    else if (place) this.#showPlace(data, place);
    else this.#spoken.textContent = HELP;
    this.host.dataset.shown = shown ? `map ${data.tiles[shown.tile].channel} ${shown.row} ${shown.column}` : "";
    if (place)
      this.host.dataset.shown = `picture ${Math.floor(place.y * data.side)} ${Math.floor(place.x * data.side)}`;
  }

  /** @param {MapsData} data @param {MapPixel} pixel */
  #showPixel(data, { tile, map, row, column }) {
    const field = this.#fieldOf(tile, map);
    const { title } = data.tiles[tile].maps[map];
    const rows = field.rows[row];
    const columns = field.columns[column];
    const found = this.#frames.find((one) => one.tile === tile && one.map === map);
    if (found) layPixels(found.mark, field, [row, row], [column, column]);
    const nothing = rows[0] > rows[1] || columns[0] > columns[1];
    this.#mark.hidden = nothing;
    if (!nothing) lay(this.#mark, ...share(rows, data.side), ...share(columns, data.side));
    const seen = nothing
      ? "nothing of the picture: it is padding"
      : `rows ${words(rows)} and columns ${words(columns)} of the picture`;
    this.#spoken.textContent = `Row ${row}, column ${column} of ${title} sees ${seen}.`;
  }

  /** @param {MapsData} data @param {Place} place */
  #showPlace(data, { x, y }) {
    const row = Math.floor(y * data.side);
    const column = Math.floor(x * data.side);
    lay(this.#mark, ...grown(share([row, row], data.side), 0.03), ...grown(share([column, column], data.side), 0.03));
    for (const { mark, tile, map } of this.#frames) {
      const field = this.#fieldOf(tile, map);
      const rows = seeing(field.rows, row);
      const columns = seeing(field.columns, column);
      mark.hidden = !rows || !columns;
      if (rows && columns) layPixels(mark, field, rows, columns);
    }
    const first = data.tiles[0].maps.length - 1;
    const field = this.#fieldOf(0, first);
    const title = data.tiles[0].maps[first].title;
    const rows = seeing(field.rows, row);
    const columns = seeing(field.columns, column);
    const seen = rows && columns ? `rows ${words(rows)} and columns ${words(columns)}` : "no pixel";
    this.#spoken.textContent = `Row ${row}, column ${column} of the picture is seen by ${seen} of ${title}.`;
  }
}

/**
 * The first and the last of the values that see a pixel, undefined if none does.
 * @param {Span[]} spans what each value sees
 * @param {number} pixel
 * @returns {Span | undefined}
 */
export function seeing(spans, pixel) {
  const first = spans.findIndex(([start, end]) => start <= pixel && pixel <= end);
  return first < 0 ? undefined : [first, spans.findLastIndex(([start, end]) => start <= pixel && pixel <= end)];
}

/** Pixels as fractions of a side. @param {Span} span @param {number} side @returns {[number, number]} */
function share([first, last], side) {
  return [first / side, (last + 1) / side];
}

/**
 * At least so large, around the same middle.
 * @param {[number, number]} fractions
 * @param {number} least
 * @returns {[number, number]}
 */
function grown([start, end], least) {
  const more = Math.max(0, least - (end - start)) / 2;
  return [start - more, end + more];
}

/** @param {HTMLElement} mark @param {Field} field @param {Span} rows @param {Span} columns */
function layPixels(mark, field, rows, columns) {
  mark.hidden = false;
  lay(mark, ...grown(share(rows, field.rows.length), LEAST), ...grown(share(columns, field.columns.length), LEAST));
}

/** @param {Span} span */
function words([first, last]) {
  return first === last ? String(first) : `${first} to ${last}`;
}

/** @param {number} at @param {number} count */
function clamp(at, count) {
  return Math.min(count - 1, Math.max(0, at));
}

/** What is built anew when it changes: all but the pixel that is kept. @param {MapsData} data */
function content(data) {
  return JSON.stringify({ ...data, chosen: null });
}
