// Numbers to colours: diverging scales centred on zero, told apart by every common kind of colour vision. Values are
// blue below zero and orange above, weights purple and green.

import { contextOf } from "./element.js";
import { mapsOf, tileAt } from "./geometry.js";

/** @import { Colours, Grid } from "../types.d.ts" */

/** @type {Record<Colours, number[][]>} from −1 over 0 to 1 */
const SCALES = {
  light: [
    [16, 78, 155],
    [120, 172, 220],
    [246, 246, 246],
    [240, 163, 94],
    [166, 70, 0],
  ],
  dark: [
    [120, 190, 255],
    [45, 105, 175],
    [24, 30, 40],
    [185, 98, 25],
    [255, 190, 110],
  ],
  "light weights": [
    [90, 30, 130],
    [175, 140, 205],
    [246, 246, 246],
    [125, 190, 135],
    [10, 100, 50],
  ],
  "dark weights": [
    [205, 160, 240],
    [120, 70, 160],
    [24, 30, 40],
    [45, 130, 75],
    [150, 225, 165],
  ],
};
const SHADES = 255; // odd, so that zero has a colour of its own

/** Little-endian RGBA words from −1 to 1. @param {number[][]} stops */
const tableOf = (stops) =>
  Uint32Array.from({ length: SHADES }, (_, shade) => {
    const place = (shade / (SHADES - 1)) * (stops.length - 1);
    const lower = Math.min(stops.length - 2, Math.floor(place));
    const [red, green, blue] = stops[lower].map((value, channel) =>
      Math.round(value + (stops[lower + 1][channel] - value) * (place - lower)),
    );
    return (255 << 24) | (blue << 16) | (green << 8) | red;
  });
const TABLES = {
  light: tableOf(SCALES.light),
  dark: tableOf(SCALES.dark),
  "light weights": tableOf(SCALES["light weights"]),
  "dark weights": tableOf(SCALES["dark weights"]),
};

/** @param {Colours} colours */
export function cssGradient(colours) {
  return `linear-gradient(to right, ${SCALES[colours].map((stop) => `rgb(${stop})`).join(", ")})`;
}

/**
 * Colour of one value as CSS.
 * @param {number} value
 * @param {number} reach the magnitude with full colour
 * @param {Colours} colours
 */
export function cssColour(value, reach, colours) {
  const [red, green, blue] = rgb(value, reach, colours);
  return `rgb(${red}, ${green}, ${blue})`;
}

/** @param {number} value @param {number} reach @param {Colours} colours */
function rgb(value, reach, colours) {
  const share = reach ? Math.min(1, Math.max(-1, value / reach)) : 0;
  const word = TABLES[colours][Math.round((share + 1) * ((SHADES - 1) / 2))];
  return [word & 255, (word >> 8) & 255, (word >> 16) & 255];
}

/**
 * Black or white, whichever reads better on a value's colour.
 * @param {number} value
 * @param {number} reach
 * @param {Colours} colours
 */
export function inkOn(value, reach, colours) {
  const [red, green, blue] = rgb(value, reach, colours);
  return 0.3 * red + 0.59 * green + 0.11 * blue > 130 ? "#000" : "#fff";
}

/** Largest magnitude in a run of values. @param {ArrayLike<number>} values */
export function reachOf(values, start = 0, end = values.length) {
  let reach = 0;
  for (let index = start; index < end; index++) reach = Math.max(reach, Math.abs(values[index]));
  return reach;
}

/** @type {WeakMap<HTMLCanvasElement, ImageData>} the dots of each canvas, kept from paint to paint */
const dots = new WeakMap();

/**
 * Paint all maps of a layer, dot by dot; CSS enlarges the canvas.
 * @param {HTMLCanvasElement} canvas @param {Grid} grid @param {number[]} shape @param {Float32Array} values
 * @param {(map: number) => number} reach the magnitude with full colour @param {Colours} colours
 */
export function paintLayer(canvas, grid, shape, values, reach, colours) {
  const [channels, rows, columns] = mapsOf(shape);
  const image = dotsOf(canvas, grid.dotsWide, grid.dotsHigh, grid.width, grid.height);
  const words = new Uint32Array(image.data.buffer);
  const table = TABLES[colours];
  const { unit, dotsWide } = grid;
  const half = (SHADES - 1) / 2;
  for (let map = 0, index = 0; map < channels; map++) {
    const [left, top] = tileAt(grid, map);
    const full = reach(map);
    const gain = full ? half / full : 0;
    for (let row = 0; row < rows; row++) {
      const line = (top + row * unit) * dotsWide + left;
      for (let column = 0; column < columns; column++, index++) {
        const colour = table[(half + Math.min(half, Math.max(-half, values[index] * gain)) + 0.5) | 0];
        const start = line + column * unit;
        for (let down = 0; down < unit; down++)
          words.fill(colour, start + down * dotsWide, start + down * dotsWide + unit);
      }
    }
  }
  contextOf(canvas).putImageData(image, 0, 0);
}

/**
 * Paint the 28×28 image, white ink on black as MNIST has it.
 * @param {HTMLCanvasElement} canvas
 * @param {Uint8Array} image
 * @param {number} side CSS pixels
 */
export function paintImage(canvas, image, side) {
  const data = dotsOf(canvas, 28, 28, side, side);
  const words = new Uint32Array(data.data.buffer);
  for (let index = 0; index < 784; index++) words[index] = (255 << 24) | (image[index] * 0x10101);
  contextOf(canvas).putImageData(data, 0, 0);
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {number} dotsWide
 * @param {number} dotsHigh
 * @param {number} width CSS pixels
 * @param {number} height
 */
function dotsOf(canvas, dotsWide, dotsHigh, width, height) {
  const kept = dots.get(canvas);
  if (kept && kept.width === dotsWide && kept.height === dotsHigh && canvas.style.width === `${width}px`) return kept;
  canvas.width = dotsWide;
  canvas.height = dotsHigh;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const image = new ImageData(dotsWide, dotsHigh);
  dots.set(canvas, image);
  return image;
}

/**
 * A 2-d context for CSS pixels, cleared.
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {number} height
 */
export function sized(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = contextOf(canvas);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}
