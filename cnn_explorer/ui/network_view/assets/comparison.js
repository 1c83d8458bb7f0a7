// An opened map beside the pinned network's: both in one row, their difference where their sizes agree, and what became
// of the size.

import { laidOver, latticesOf, relationOf, sameCell } from "./alignment.js";
import { counterparts, shapeText } from "./compare.js";
import { element } from "./element.js";
import { tileOf } from "./explain_layers.js";
import { short, tidy } from "./numbers.js";
import { reachOf, sized } from "./painting.js";
import { FONT, drawTile, paintedTile, write } from "./picture.js";

/** @import { Former, Lattice, Look, Place, Relation, Scene, Tile, Update } from "../types.d.ts" */
/** @import { Box } from "./picture.js" */
/**
 * @typedef {{tile: Tile, first: number[], length: number[]}} Laid a map and where it lies, in values of the former map
 */
/**
 * @typedef {{maps: Laid[], relation: Relation, lines: string[]}} Compared the former map, the present one, and their
 *   difference where there
 *   is one; no maps for features
 */

const SIDE = 112; // of the largest map, CSS pixels
const BETWEEN = 18;
const HEAD = 19; // above the maps, for their labels
const DOT = 2.5; // side of a mark

// --- what there is to be seen, as data ---

/** @param {Update} update @param {Former} former @param {Place} place @returns {Compared} */
export function compared(update, former, place) {
  const { index, map } = place;
  const layer = update.layers[index];
  const before = counterparts(update.layers, former.layers)[index];
  if (before === null) return nothing(`The pinned network has no layer in the place of ${layer.name}.`);
  const other = former.layers[before];
  const values = former.pass?.values[before];
  if (!values) return nothing("This browser cannot compute the pinned network's maps.");
  if (other.shape.length !== layer.shape.length)
    return nothing(`The pinned network's ${other.name} is ${shapeText(other.shape)}.`);
  if (map >= other.shape[0])
    return nothing(`The pinned network's ${other.name} has ${other.shape[0]} maps: none corresponds to this one.`);
  const relation = relationOf(update.layers, index, former.layers, before);
  const now = tileOf("now", layer.shape, update.values[index], map);
  const was = tileOf("before", other.shape, values, map);
  const lattice = latticesOf(update.layers)[index];
  const formerLattice = latticesOf(former.layers)[before];
  const same = now.size.join() === was.size.join();
  const cell =
    lattice && formerLattice ? sameCell(lattice, [place.row, place.column], formerLattice, was.size) : [0, 0];
  const lines = [valueLine(now, was, place, cell), relationLine(relation, layer.shape, other.shape)].filter(Boolean);
  if (!lattice || !formerLattice) return { maps: [], relation, lines };
  now.cells = [[place.row, place.column]];
  if (cell) was.cells = [[cell[0], cell[1]]];
  const maps = [laid(was, formerLattice, formerLattice), laid(now, lattice, formerLattice)];
  if (same)
    maps.push(
      laid(
        { ...now, label: "now − before", values: now.values.map((value, at) => value - was.values[at]) },
        lattice,
        formerLattice,
      ),
    );
  return { maps, relation, lines };
}

/** @param {string} line @returns {Compared} */
const nothing = (line) => ({ maps: [], relation: { kind: "other" }, lines: [line] });

/** @param {Tile} tile @param {Lattice} lattice @param {Lattice} former @returns {Laid} */
function laid(tile, lattice, former) {
  const sides = laidOver(lattice, tile.size, former);
  return { tile, first: sides.map(({ first }) => first), length: sides.map(({ length }) => length) };
}

/**
 * @param {Tile} now
 * @param {Tile} was
 * @param {Place} place
 * @param {number[] | null} cell of the former map at the same place
 */
function valueLine(now, was, { row, column }, cell) {
  if (!cell) return "";
  const value = now.values[row * now.size[1] + column];
  const former = was.values[cell[0] * was.size[1] + cell[1]];
  const where = now.values.length > 1 ? `(${row}, ${column}): ` : "";
  return (
    `${where}before ${short(former)}, now ${short(value)}: ${tidy(`${short(value)} − ${short(former)}`)} = ` +
    `${short(value - former)}`
  );
}

/**
 * What became of the size, in a sentence.
 * @param {Relation} relation
 * @param {number[]} shape
 * @param {number[]} former
 */
function relationLine(relation, shape, former) {
  const sizes = `${shapeText(former.slice(1))} → ${shapeText(shape.slice(1))}`;
  const [coarse, fine] = relation.finer ? ["former", "present"] : ["present", "former"];
  if (relation.kind === "border") return `${borderText(relation.more)}: ${sizes}.`;
  if (relation.kind === "every")
    return `The ${coarse} map has ${everyText(relation.stride)} of the ${fine} one, marked on it: ${sizes}.`;
  if (relation.kind === "windows")
    return (
      `A value of the ${coarse} map stands for ${shapeText(relation.size)} values of the ${fine} one, framed on ` +
      `it: ${sizes}.`
    );
  return relation.kind === "other" ? `${sizes}: the values lie at other places of the image.` : "";
}

/** @param {number[]} stride */
function everyText([down, across]) {
  if (down === across) return `every ${ordinal(down)} row and column`;
  return `every ${ordinal(down)} row and every ${ordinal(across)} column`.replaceAll("every 1st", "each");
}

/** @param {number} number */
const ordinal = (number) => `${number}${["th", "st", "nd", "rd"][number < 4 ? number : 0]}`;

/** @param {number[][]} more */
function borderText(more) {
  const sides = [...new Set(more.flat())];
  const values = Math.abs(sides[0]) === 1 ? "1 value" : `${Math.abs(sides[0])} values`;
  if (sides.length > 1) return "One map reaches further than the other, outside the dashed frame";
  const [larger, smaller] = sides[0] > 0 ? ["present", "former"] : ["former", "present"];
  return `The ${larger} map reaches ${values} further on each side than the ${smaller} one, outside the dashed frame`;
}

// --- painting ---

/** The row in the panel of an opened map. */
export class Comparison {
  #canvas = element("canvas");
  #text = element("p");

  /** @param {HTMLElement} host */
  constructor(host) {
    this.host = host;
    this.#canvas.setAttribute("role", "img");
  }

  /** @param {Scene} scene @param {Place} place */
  show({ update, pinned, look }, place) {
    const found = pinned && pinned.net !== update.net ? compared(update, pinned, place) : null;
    this.host.hidden = !found;
    this.host.replaceChildren(...(found?.maps.length ? [this.#canvas] : []), ...(found ? [this.#text] : []));
    if (!found) return;
    this.#text.textContent = found.lines.join("\n");
    if (!found.maps.length) return;
    const room = this.host.clientWidth || 3 * (SIDE + BETWEEN);
    paint(this.#canvas, found, Math.min(SIDE, room / found.maps.length - BETWEEN), look);
    this.#canvas.setAttribute(
      "aria-label",
      `${found.maps.map(({ tile }) => tile.label).join(", ")}. ${found.lines.join(" ")}`,
    );
  }
}

/** @param {HTMLCanvasElement} canvas @param {Compared} found @param {number} side CSS pixels @param {Look} look */
function paint(canvas, { maps, relation }, side, look) {
  const [start, end] = [
    Math.min(...maps.flatMap(({ first }) => first)),
    Math.max(...maps.flatMap(({ first, length }) => first.map((at, axis) => at + length[axis]))),
  ];
  const scale = side / (end - start); // CSS pixels a value of the former map
  const high = Math.max(...maps.map(({ first, length }) => first[0] + length[0])) - start;
  const head = (HEAD * look.text) / FONT;
  const context = sized(canvas, maps.length * (side + BETWEEN), head + high * scale + 2);
  // One scale for both, and for what lies between them.
  const reach = Math.max(...maps.slice(0, 2).map(({ tile }) => reachOf(tile.values)));
  const boxes = maps.map(({ tile, first, length }, at) => {
    const x = at * (side + BETWEEN) + 1 + (first[1] - start) * scale;
    const y = head + (first[0] - start) * scale;
    const box = { x, y, width: length[1] * scale, height: length[0] * scale, dot: (length[1] * scale) / tile.size[1] };
    drawTile(context, box, tile, paintedTile(tile, reach, look.theme), look.theme);
    write(context, tile.label, at * (side + BETWEEN) + 1, (8 * look.text) / FONT, look);
    return box;
  });
  mark(context, relation, boxes, maps, look);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Relation} relation
 * @param {Box[]} boxes
 * @param {Laid[]} maps
 * @param {Look} look
 */
function mark(context, relation, boxes, maps, look) {
  const [former, present] = relation.finer ? [1, 0] : [0, 1];
  context.strokeStyle = context.fillStyle = look.ink;
  context.lineWidth = 1;
  if (relation.kind === "border") {
    const larger = relation.more.flat().some((more) => more > 0) ? 1 : 0;
    const { y, width, height } = boxes[1 - larger];
    const inset = (maps[1 - larger].first[1] - maps[larger].first[1]) * (width / maps[1 - larger].length[1]);
    context.setLineDash([4, 3]);
    context.strokeRect(boxes[larger].x + inset, y, width, height);
    context.setLineDash([]);
  }
  if (relation.kind !== "every" && relation.kind !== "windows") return;
  const { x, y, dot } = boxes[former];
  const [rows, columns] = maps[present].tile.size;
  const { stride, first } = relation;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const top = y + (first[0] + row * stride[0]) * dot;
      const left = x + (first[1] + column * stride[1]) * dot;
      if (relation.kind === "windows") context.strokeRect(left, top, relation.size[1] * dot, relation.size[0] * dot);
      else context.fillRect(left + (dot - DOT) / 2, top + (dot - DOT) / 2, DOT, DOT);
    }
  }
}
