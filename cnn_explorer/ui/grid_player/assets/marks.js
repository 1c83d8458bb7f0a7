// What is marked in the grids while one output value is looked at.

import { reachedBy, windowCells } from "./scene.js";
import { productsOf } from "./sums.js";

/** @import { Cell, Look, Place, Scene } from "../types.d.ts" */
/** @import { Stage } from "./stage.js" */

/** @param {Stage} stage @param {Scene} scene @param {Look} look */
export function mark(stage, scene, { place, cell, term, done }) {
  const output = scene.outputs[place.map];
  const windows = scene.windows[output.windows];
  const cells = windowCells(windows, place.row, place.column);
  const reached = cell ? reachedBy(windows, ...cell) : [];
  /** @type {Cell[]} */
  const here = [[place.row, place.column]];
  /** @param {number} map */
  const linked = (map) => scene.outputs[map].windows === output.windows;
  stage.inputs.forEach((grid, channel) => {
    const read = output.rule !== "conv" || scene.seen[place.map].includes(channel);
    grid.mark("window", read ? cells : []);
    grid.mark("term", read && term >= 0 ? [cells[term]] : []);
    grid.mark("winner", winners(scene, channel, output.windows, place));
  });
  stage.outputs.forEach((grid, map) => {
    grid.mark("current", map === place.map ? here : []);
    grid.mark("peer", linked(map) && map !== place.map ? here : []);
    grid.mark("reached", linked(map) ? reached : []);
    grid.mark("done", done.filter((made) => made.map === map).map(({ row, column }) => /** @type {Cell} */ ([row, column])));
  });
  stage.partials.forEach((grid) => grid.mark("current", here));
  stage.kernels.forEach((kernel, out) => kernel.forEach((grid) => {
    grid.element.classList.toggle("active", out === place.map);
    grid.mark("term", out === place.map && term >= 0 ? [[Math.floor(term / grid.columns), term % grid.columns]] : []);
  }));
  stage.products.forEach((products, at) => {
    products.update(productsOf(scene, place, at));
    products.mark(term);
  });
}

/** Cells of an input that win a maximum of the window that is looked at. @param {Scene} scene @param {number} channel @param {number} windows @param {Place} place */
function winners(scene, channel, windows, { row, column }) {
  return scene.outputs.flatMap((output, map) =>
    output.rule === "max" && output.input === channel && output.windows === windows ? [scene.winners[map][row][column]] : []);
}

/** How much of the kernel tensor is seen: 1 a row, 2 a kernel, 3 all input channels, 4 all output channels. @param {Stage} stage @param {number} axes of them @param {number} count */
export function showAxes(stage, axes, count) {
  stage.kernels.forEach((kernel, out) => kernel.forEach((grid, at) => {
    grid.cells.forEach((line, row) => line.forEach((cell) => {
      const shown = count >= axes || (out === 0 && (count === 3 || (at === 0 && (count === 2 || row === 0))));
      cell.classList.toggle("later", !shown);
    }));
  }));
}
