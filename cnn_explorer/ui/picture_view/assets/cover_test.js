// Heat maps and their test: a grey square follows the pointer over the picture, and the probability of the class says
// what it took away.

import { element, figureOf, imageOf, lay } from "./element.js";
import { arrowOf, follow } from "./pointing.js";

/** @import { Covered, CoverGrid, CoverTestData, Figure, Place } from "../types.d.ts" */

const WITH_NUMBERS = 7; // the most places in a row that have room for a number each
const ALL_PLACES = {
  title: "Every place, covered in turn",
  image: "",
  caption:
    "Red where covering a place lowers the probability, blue where it raises it. A number is the probability then, " +
    "in percent.",
};

export class CoverTest {
  /** @type {CoverTestData | undefined} */
  #data;
  /** @type {Place | undefined} where the visitor points */
  #place;
  /** @type {HTMLElement[]} the square, on every picture */
  #squares = [];
  #spoken = element("p", "said");
  #number = element("span", "number");
  #bar = element("i");
  #before = element("u");
  #cells = element("div", "frame cells");

  /** @param {HTMLElement} host */
  constructor(host) {
    this.host = host;
    this.#spoken.setAttribute("role", "status");
    follow(
      host,
      (_, place) => this.#point(place),
      () => this.#point(undefined),
    );
    host.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {CoverTestData} data */
  update(data) {
    const before = this.#data;
    this.#data = data;
    if (!before || pictures(before) !== pictures(data)) this.#build(data);
    this.#fillCells(data);
    this.#show();
  }

  /** @param {CoverTestData} data */
  #build(data) {
    this.#squares = [];
    const heatMaps = data.heatMaps.map((figure) => figureOf(figure, this.#frame(figure, "outlined")));
    const frame = this.#frame(data.test, "grey");
    frame.tabIndex = 0;
    frame.setAttribute("role", "application");
    frame.setAttribute("aria-label", "Cover a place of the picture: arrow keys move the square, Escape takes it away");
    const answer = element("p", "answer", element("span", "", data.label), this.#number);
    const bar = element("div", "bar", this.#bar, this.#before);
    this.#cells = this.#frame(undefined, "outlined");
    this.#cells.setAttribute("role", "img");
    this.host.replaceChildren(
      ...heatMaps,
      figureOf(data.test, frame, answer, bar, this.#spoken),
      figureOf(ALL_PLACES, this.#cells),
    );
  }

  /**
   * A picture to point at, with the square on it.
   * @param {Figure | undefined} figure undefined for the cells
   * @param {string} look of the square
   */
  #frame(figure, look) {
    const frame = element("div", figure ? "frame" : "frame cells");
    frame.dataset.point = "";
    if (figure) frame.append(imageOf(figure.image, figure.title));
    const square = element("i", `square ${look}`);
    this.#squares.push(square);
    frame.append(square);
    return frame;
  }

  /** @param {CoverTestData} data */
  #fillCells(data) {
    const finest = data.grids.findLast((grid) => grid.values.some((value) => value !== null)) ?? data.grids[0];
    const places = finest.places;
    const cells = Array.from({ length: places * places }, (_, place) => {
      const at = { x: ((place % places) + 0.5) / places, y: (Math.floor(place / places) + 0.5) / places };
      return cellOf(coveredAt(data.grids, at)?.value, data.probability, places <= WITH_NUMBERS);
    });
    const square = this.#cells.lastElementChild;
    this.#cells.replaceChildren(...cells, ...(square ? [square] : []));
    this.#cells.style.gridTemplate = `repeat(${places}, 1fr) / repeat(${places}, 1fr)`;
    const values = data.grids.flatMap((grid) => grid.values.filter((value) => value !== null));
    this.#cells.setAttribute(
      "aria-label",
      values.length
        ? `From ${percent(Math.min(...values))} to ${percent(Math.max(...values))}`
        : "Nothing is computed yet",
    );
    this.host.dataset.covered = String(data.grids.at(-1)?.values.filter((value) => value !== null).length ?? 0);
  }

  /** @param {Place | undefined} place */
  #point(place) {
    this.#place = place;
    this.#show();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const arrow = arrowOf(event);
    if (!this.#data || (!arrow && event.key !== "Escape")) return;
    event.preventDefault();
    if (!arrow) return this.#point(undefined);
    const { places } = complete(this.#data.grids);
    /** @param {number} fraction @param {number} step */
    const moved = (fraction, step) =>
      (Math.min(places - 1, Math.max(0, Math.floor(fraction * places) + step)) + 0.5) / places;
    const { x, y } = this.#place ?? { x: 0.5, y: 0.5 };
    this.#point(this.#place ? { x: moved(x, arrow[1]), y: moved(y, arrow[0]) } : { x: moved(x, 0), y: moved(y, 0) });
  }

  /** The square where the visitor points, and what becomes of the probability. */
  #show() {
    const data = this.#data;
    if (!data) return;
    const covered = this.#place && coveredAt(data.grids, this.#place);
    for (const square of this.#squares) {
      square.hidden = !covered;
      if (!covered) continue;
      const [top, bottom] = reach(covered.row, covered.places, data.cover);
      const [left, right] = reach(covered.column, covered.places, data.cover);
      lay(square, top, bottom, left, right);
    }
    const value = covered ? covered.value : data.probability;
    this.#number.textContent = percent(value);
    this.#bar.style.width = `${100 * value}%`;
    this.#before.style.left = `${100 * data.probability}%`;
    this.#spoken.textContent = sentence(this.#place, covered, data);
    this.host.dataset.shown = covered ? `${covered.places} ${covered.row} ${covered.column}` : "";
  }
}

/**
 * What has been computed for the finest grid at a place.
 * @param {CoverGrid[]} grids
 * @param {Place} place
 * @returns {Covered | undefined}
 */
export function coveredAt(grids, { x, y }) {
  for (const { places, values } of grids.toReversed()) {
    const row = Math.floor(y * places);
    const column = Math.floor(x * places);
    const value = values[row * places + column];
    if (value !== null && value !== undefined) return { places, row, column, value };
  }
  return undefined;
}

/** The finest grid that is complete; the coarsest if none is. @param {CoverGrid[]} grids */
function complete(grids) {
  return grids.findLast((grid) => !grid.values.includes(null)) ?? grids[0];
}

/**
 * From where to where the square around a place of a grid reaches, within the picture.
 * @param {number} place
 * @param {number} places
 * @param {number} cover
 */
function reach(place, places, cover) {
  const middle = (place + 0.5) / places;
  return [Math.max(0, middle - cover / 2), Math.min(1, middle + cover / 2)];
}

/** @param {Place | undefined} place @param {Covered | undefined} covered @param {CoverTestData} data */
function sentence(place, covered, { probability }) {
  if (!place) return "Point at a place of a picture, or walk with the arrow keys.";
  if (!covered) return "This place is still to be computed.";
  return (
    `Row ${covered.row + 1}, column ${covered.column + 1} of ${covered.places}. Without the square: ` +
    `${percent(probability)}.`
  );
}

/**
 * White where covering changes nothing, red where it takes all of the probability, blue where it adds to it.
 * @param {number | undefined} value
 * @param {number} uncovered
 * @param {boolean} withNumber
 */
function cellOf(value, uncovered, withNumber) {
  const cell = element("span", value === undefined ? "missing" : "");
  if (value === undefined) return cell;
  const lost = (uncovered - value) / Math.max(uncovered, 1e-6);
  const share = Math.min(1, Math.abs(lost));
  const full = lost > 0 ? [240, 110, 90] : [120, 165, 235];
  cell.style.background = `rgb(${full.map((channel) => Math.round(246 + share * (channel - 246))).join(", ")})`;
  if (withNumber) cell.textContent = (100 * value).toFixed(0);
  return cell;
}

/** Two digits of what is less than a thousandth. @param {number} share */
function percent(share) {
  return `${share >= 0.001 ? (100 * share).toFixed(1) : Number((100 * share).toPrecision(2))} %`;
}

/** What is built anew when it changes. @param {CoverTestData} data */
function pictures({ heatMaps, test, label }) {
  return JSON.stringify([heatMaps, test, label]);
}
