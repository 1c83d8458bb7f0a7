// The types that several modules of the grid player share, for the JSDoc comments in `assets`. No browser loads this
// file.

export type Cell = [row: number, column: number];

/** For each output row and column the input indices that its window covers; those outside lie on the padding. */
export interface Windows {
  rows: number[][];
  columns: number[][];
}

export interface Input {
  title: string;
  values: number[][];
  tint: string;
  editable: boolean;
  corner: Cell; // row and column of the first number in the layer that it comes from
  note?: string; // its size if there is none
}

export interface Output {
  title: string;
  note: string;
  values: number[][];
  input: number; // the grid that a pooling reads
  windows: number; // an index into the scene's windows
  rule: "conv" | "max" | "avg" | "none";
  changed: Cell[] | null;
  corner: Cell;
}

/** Rows and columns of padding around a grid. */
export interface Border {
  top: number;
  bottom: number;
  left: number;
  right: number;
}

/** What the server sends: one small layer with all its numbers. */
export interface Scene {
  name: string;
  editable: boolean; // kernels and biases
  start: OutputCell | null; // the value to open with; null to play from the first one
  rest: { count: number; values: number[][] } | null; // input channels that are not shown, and what they add
  ack: number; // of the last message that the server has seen
  layout: "rows" | "matrix" | "pool";
  lead: string;
  lines: string[];
  inputs: Input[];
  padding: Border;
  padText: string;
  windows: Windows[];
  kernels: number[][][][]; // by output, then by input channel as in `seen`
  kernelTitles: string[];
  seen: number[][]; // input channels that each output reads
  biases: number[];
  partials: number[][][][];
  outputs: Output[];
  winners: Cell[][][];
  agrees: boolean;
  axes: string[];
  formula: string; // of one output value, with the scene's stride, padding and dilation
  about: string;
}

/** What the server sends of a picture: its pixels, a kernel, and PyTorch's result. */
export interface PictureScene {
  name: string;
  layout: "picture";
  ack: number; // of the last message that the server has seen
  size: Cell; // rows and columns of the picture
  pixels: string; // a byte each, from black to white, in base64
  kernel: number[][];
  pixel: Cell; // of the result, the one that is looked at
  signed: boolean; // the result is shown in two colours in any case
  result: string; // float32, in base64
  about: string;
}

/** A picture from 0 (black) to 1 (white), row by row. */
export interface Picture {
  values: Float64Array;
  rows: number;
  columns: number;
}

/** An output value: its map, and row and column there. */
export interface OutputCell {
  map: number;
  row: number;
  column: number;
}

/** Which numbers a grid holds; its `index` is [channel], [out, in], [out], [map] or [at]. */
export type GridPart = "input" | "weight" | "bias" | "output" | "partial";

export interface Edit {
  part: GridPart | "pixel"; // a pixel is chosen, not changed
  index: number[]; // of the number in its part
  value: number;
}

export interface Message {
  seq: number;
  edits: (Edit & { seq: number })[];
}

/** What is marked in the grids. */
export interface Look {
  selected: OutputCell;
  cell?: Cell; // of an input that the pointer is on
  at: number; // the kernel whose products are shown where there is room for one only
  term: number; // the number of one product, or −1
  done: OutputCell[]; // the values that the animation has made
}

/** One product of a window and a kernel. */
export interface Product {
  value: number;
  weight: number;
  product: number;
  padding: boolean;
}
