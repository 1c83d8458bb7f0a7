// What is looked at, as text for the address: the open map and its pixel, or the open kernels, the colour scale, the
// layer table. No DOM.
//
//     map.conv2.7.3.4          map 7 of conv2 with the pixel in row 3, column 4, all counted from 0
//     map.conv2.7.3.4.1        the same with the products of input channel 1
//     map.conv2.7.3.4.pinned   the same pixel, held
//     kernels.conv2            the kernels of conv2
//     scale.network            colours per network; per map with scale.map
//     toscale                  a map half as high drawn half as high
//     present                  larger, without what a lecture can do without
//     table                    the layer table
//
// Parts are joined by "_". What is as the page opens is left out.

/** @import { ViewState } from "../types.d.ts" */

/** @type {ViewState} as the page opens */
const DEFAULT = { map: null, kernels: null, scale: "layer", toScale: false, present: false, table: false };

const NUMBER = "(0|[1-9]\\d{0,3})";
const MAP = new RegExp(`^map\\.([a-z]+\\d*)\\.${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:\\.${NUMBER})?(\\.pinned)?$`);
const KERNELS = /^kernels\.([a-z]+\d*)$/;
const SCALE = /^scale\.(map|network)$/;

/** @param {ViewState} state @returns {string} "" where all is as the page opens */
export function encodeView({ map, kernels, scale, toScale, present, table }) {
  const parts = [];
  if (map) {
    const channel = map.channel === null ? [] : [map.channel];
    parts.push(
      ["map", map.layer, map.map, map.row, map.column, ...channel, ...(map.pinned ? ["pinned"] : [])].join("."),
    );
  }
  if (kernels) parts.push(`kernels.${kernels}`);
  if (scale !== DEFAULT.scale) parts.push(`scale.${scale}`);
  if (toScale) parts.push("toscale");
  if (present) parts.push("present");
  if (table) parts.push("table");
  return parts.join("_");
}

/** @param {string} text @returns {ViewState | null} null for what `encodeView` does not write */
export function decodeView(text) {
  const state = { ...DEFAULT };
  for (const each of text ? text.split("_") : []) {
    const map = MAP.exec(each);
    const kernels = KERNELS.exec(each);
    const scale = SCALE.exec(each);
    if (map) {
      const [, layer, ...rest] = map;
      const [number, row, column] = rest.map(Number);
      state.map = {
        layer,
        map: number,
        row,
        column,
        channel: rest[3] === undefined ? null : Number(rest[3]),
        pinned: Boolean(rest[4]),
      };
    } else if (kernels) {
      state.kernels = kernels[1];
    } else if (scale) {
      state.scale = scale[1] === "map" ? "map" : "network";
    } else if (each === "toscale") {
      state.toScale = true;
    } else if (each === "present") {
      state.present = true;
    } else if (each === "table") {
      state.table = true;
    } else {
      return null;
    }
  }
  return encodeView(state) === text && !(state.map && state.kernels) ? state : null;
}
