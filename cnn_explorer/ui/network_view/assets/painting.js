// Numbers to colours: one diverging scale centred on zero, blue below and orange above, told apart by every common kind of colour vision.

import { mapsOf, tileAt } from "./geometry.js";

const SCALES = {
  light: [[16, 78, 155], [120, 172, 220], [246, 246, 246], [240, 163, 94], [166, 70, 0]],
  dark: [[120, 190, 255], [45, 105, 175], [24, 30, 40], [185, 98, 25], [255, 190, 110]],
};
const STEPS = 255; // odd, so that zero has a colour of its own

/** Little-endian RGBA words from −1 to 1. */
const TABLES = Object.fromEntries(Object.entries(SCALES).map(([theme, stops]) => [theme, Uint32Array.from({ length: STEPS }, (_, step) => {
  const place = (step / (STEPS - 1)) * (stops.length - 1);
  const lower = Math.min(stops.length - 2, Math.floor(place));
  const [red, green, blue] = stops[lower].map((value, channel) => Math.round(value + (stops[lower + 1][channel] - value) * (place - lower)));
  return (255 << 24) | (blue << 16) | (green << 8) | red;
})]));

/** @param {"light" | "dark"} theme */
export function cssGradient(theme) {
  return `linear-gradient(to right, ${SCALES[theme].map((stop) => `rgb(${stop})`).join(", ")})`;
}

/** Colour of one value as CSS. */
export function cssColour(value, reach, theme) {
  const word = TABLES[theme][stepOf(value, reach)];
  return `rgb(${word & 255}, ${(word >> 8) & 255}, ${(word >> 16) & 255})`;
}

const stepOf = (value, reach) => Math.round((Math.min(1, Math.max(-1, reach ? value / reach : 0)) + 1) * ((STEPS - 1) / 2));

/** Largest magnitude in a run of values. @param {Float32Array} values */
export function reachOf(values, start = 0, end = values.length) {
  let reach = 0;
  for (let index = start; index < end; index++) reach = Math.max(reach, Math.abs(values[index]));
  return reach;
}

const scratch = document.createElement("canvas");

/**
 * Paint all maps of a layer.
 * @param {HTMLCanvasElement} canvas @param {import("./geometry.js").Grid} grid @param {number[]} shape @param {Float32Array} values
 * @param {(map: number) => number} reach the magnitude with full colour @param {"light" | "dark"} theme
 */
export function paintLayer(canvas, grid, shape, values, reach, theme) {
  const [channels, rows, columns] = mapsOf(shape);
  const pixels = channels * rows * columns;
  scratch.width = columns;
  scratch.height = rows * channels;
  const image = new ImageData(columns, rows * channels);
  const words = new Uint32Array(image.data.buffer);
  const table = TABLES[theme];
  for (let map = 0, index = 0; map < channels; map++) {
    const half = (STEPS - 1) / 2, full = reach(map), gain = full ? half / full : 0;
    for (const end = index + rows * columns; index < end; index++) words[index] = table[Math.round(half + Math.min(half, Math.max(-half, values[index] * gain)))];
  }
  if (pixels) scratch.getContext("2d").putImageData(image, 0, 0);
  const ratio = window.devicePixelRatio || 1;
  const context = sized(canvas, grid.width, grid.height, ratio);
  for (let map = 0; map < channels; map++) {
    const [x, y] = tileAt(grid, map);
    context.drawImage(scratch, 0, map * rows, columns, rows, x, y, grid.tileWidth, grid.tileHeight);
  }
}

/** A 2-d context for CSS pixels, cleared, with hard pixel edges. */
export function sized(canvas, width, height, ratio = window.devicePixelRatio || 1) {
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.imageSmoothingEnabled = false;
  return context;
}

/** Paint the 28×28 image, white ink on black as MNIST has it. @param {HTMLCanvasElement} canvas @param {Uint8Array} image */
export function paintImage(canvas, image, size) {
  const data = new ImageData(28, 28);
  const words = new Uint32Array(data.data.buffer);
  for (let index = 0; index < 784; index++) words[index] = (255 << 24) | (image[index] * 0x10101);
  scratch.width = scratch.height = 28;
  scratch.getContext("2d").putImageData(data, 0, 0);
  sized(canvas, size, size).drawImage(scratch, 0, 0, size, size);
}
