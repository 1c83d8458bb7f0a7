// One level of the map as elements: boxes with arrows between them, branches above each other.

/** @import { Part, Row, Step } from "../types.d.ts" */

/** How large a box of the first row stands for its output: in pixels a doubling. */
const UP = 7;
const ACROSS = 5;

/**
 * @param {Row} row
 * @param {number} depth 0 for the whole network
 * @param {string} selected id of the innermost part that is open
 */
export function rowOf(row, depth, selected) {
  const section = element("section", depth ? "row" : "row whole");
  section.setAttribute("aria-label", row.title);
  if (depth) section.append(element("h3", "", row.title));
  const flow = flowOf(row.parts, row.id, depth, selected);
  if (row.entry) flow.prepend(item("entry", arrow(row.entry)));
  section.append(flow);
  return section;
}

/** @param {Part[]} parts @param {string} above @param {number} depth @param {string} selected @returns {HTMLElement} */
function flowOf(parts, above, depth, selected) {
  const list = element("ol", "flow");
  for (const part of parts) {
    if ("step" in part) list.append(stepItem(part.step, above, depth, selected));
    else if ("dense" in part) list.append(item("dense", denseOf(part.dense, above, depth, selected)));
    else list.append(item("fork", forkOf(part.fork, above, depth, selected)));
  }
  return list;
}

/** @param {Part[][]} branches @param {string} above @param {number} depth @param {string} selected */
function forkOf(branches, above, depth, selected) {
  const fork = element("ul", "branches");
  for (const branch of branches) {
    fork.append(
      branch.length
        ? item("branch", flowOf(branch, above, depth, selected))
        : item("branch shortcut", element("span", "", "unchanged")),
    );
  }
  return fork;
}

/** @param {Step[]} steps @param {string} above @param {number} depth @param {string} selected */
function denseOf(steps, above, depth, selected) {
  const list = element("ol", "flow");
  for (const step of steps) list.append(stepItem(step, above, depth, selected));
  return element("div", "", element("p", "bus", "each reads the input and the maps of all before it"), list);
}

/** @param {Step} step @param {string} above @param {number} depth @param {string} selected */
function stepItem(step, above, depth, selected) {
  return item("", boxOf(step, above, depth, selected), arrow(step.shape || step.problem));
}

/** @param {Step} step @param {string} above @param {number} depth @param {string} selected */
function boxOf(step, above, depth, selected) {
  const box = element("button", `box ${step.look}`);
  box.type = "button";
  box.dataset.id = step.id;
  box.dataset.above = above;
  if (step.opened) box.dataset.opened = "";
  if (step.problem) box.dataset.problem = step.problem;
  box.setAttribute(
    step.unfolds ? "aria-expanded" : "aria-pressed",
    String(step.unfolds ? step.opened : step.id === selected),
  );
  if (!depth && step.size.length) box.append(figureOf(step.size));
  box.append(element("b", "", step.title));
  if (step.name) box.append(element("span", "name", step.name));
  if (step.summary) box.append(element("span", "summary", step.summary));
  for (const number of step.numbers) box.append(element("span", "number", number));
  return box;
}

/** An output as a block: its height grows with its sides, its width with its channels. @param {number[]} size */
function figureOf([channels, height]) {
  const figure = element("i", "figure");
  figure.style.height = `${4 + UP * Math.log2(Math.max(1, height))}px`;
  figure.style.width = `${4 + ACROSS * Math.log2(channels)}px`;
  return element("span", "place", figure);
}

/** An edge with the shape that passes along it. @param {string} text */
function arrow(text) {
  return element("span", "edge", text.replaceAll(" × ", "×"));
}

/** @param {string} className @param {HTMLElement[]} children */
function item(className, ...children) {
  return element("li", className, ...children);
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag @param {string} className @param {(Node | string)[]} children @returns {HTMLElementTagNameMap[Tag]}
 */
function element(tag, className = "", ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}
