// Marks in the grids what belongs to the selected output value.

import { reachedBy, windowCells } from "./scene.js";
import { productsOf } from "./sums.js";

/** @import { Cell, Look, OutputCell, Scene } from "../types.d.ts" */
/** @import { Stage } from "./stage.js" */

/** @param {Stage} stage @param {Scene} scene @param {Look} look */
export function mark(stage, scene, { selected, cell, at: chosen, term, done }) {
  const output = scene.outputs[selected.map];
  const windows = scene.windows[output.windows];
  const cells = windowCells(windows, selected.row, selected.column);
  const reached = cell ? reachedBy(windows, ...cell) : [];
  /** @type {Cell[]} */
  const here = [[selected.row, selected.column]];
  /** @param {number} map */
  const linked = (map) => scene.outputs[map].windows === output.windows;
  stage.inputs.forEach((grid, channel) => {
    const read = output.rule !== "conv" || scene.seen[selected.map].includes(channel);
    grid.mark("window", read ? cells : []);
    grid.mark("term", read && term >= 0 ? [cells[term]] : []);
    grid.mark("winner", winners(scene, channel, output.windows, selected));
  });
  stage.outputs.forEach((grid, map) => {
    grid.mark("current", map === selected.map ? here : []);
    grid.mark("peer", linked(map) && map !== selected.map ? here : []);
    grid.mark("reached", linked(map) ? reached : []);
    grid.mark(
      "done",
      done.filter((made) => made.map === map).map(({ row, column }) => /** @type {Cell} */ ([row, column])),
    );
  });
  stage.partials.forEach((grid) => grid.mark("current", here));
  stage.kernels.forEach((kernel, out) =>
    kernel.forEach((grid) => {
      grid.element.classList.toggle("active", out === selected.map);
      grid.mark(
        "term",
        out === selected.map && term >= 0 ? [[Math.floor(term / grid.columns), term % grid.columns]] : [],
      );
    }),
  );
  stage.lines.forEach((line, at) => line.classList.toggle("chosen", stage.shared && at === chosen));
  stage.products.forEach((products, at) => {
    const kernel = stage.shared ? chosen : at;
    products.update(
      productsOf(scene, selected, kernel),
      stage.shared ? `products of ${scene.inputs[kernel].title}` : "",
    );
    products.mark(term);
  });
}

/**
 * Cells of an input that are the maximum of the selected window.
 * @param {Scene} scene
 * @param {number} channel
 * @param {number} windows
 * @param {OutputCell} selected
 */
function winners(scene, channel, windows, { row, column }) {
  return scene.outputs.flatMap((output, map) =>
    output.rule === "max" && output.input === channel && output.windows === windows
      ? [scene.winners[map][row][column]]
      : [],
  );
}

/**
 * How much of the kernel tensor is seen: of each axis all indices, or the first alone.
 * @param {Stage} stage
 * @param {boolean[]} whole by axis
 */
export function showAxes(stage, whole) {
  stage.kernels.forEach((kernel, out) =>
    kernel.forEach((grid, at) => {
      grid.cells.forEach((line, row) =>
        line.forEach((cell, column) => {
          const hidden = [out, at, row, column].some((index, axis) => index > 0 && !whole[axis]);
          cell.classList.toggle("later", hidden);
        }),
      );
    }),
  );
}
