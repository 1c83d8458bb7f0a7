// The types that several modules of the view share, for the JSDoc comments in `assets`. No browser loads this file.

// --- what the server sends ---

export type Pair = [height: number, width: number];
export type Window = [kernelSize: Pair, stride: Pair, padding: Pair, dilation: Pair];

export interface Layer {
  name: string;
  kind: string; // the nn class
  shape: number[]; // of the output: [C, H, W], or [F] for features
  formula: string;
  unused: number[]; // rows and columns of the input that no window reaches
  field: number[]; // receptive field in pixels of the image, [0, 0] for all of it
  parameters: number;
  macs: number;
  window: Window | null;
  groups: number;
}

/** An image, and what a network makes of it. */
export interface Maps {
  image: Uint8Array; // 784 pixels, 0 background to 255 ink
  values: Float32Array[]; // one a layer, in torch's order C, H, W
  logits: Float32Array;
  probabilities: Float32Array;
}

/** What PyTorch is asked for while the pen moves. */
export interface PenQuestion {
  net: string;
  version: string;
  id: string;
  drawing: string;
  length: number; // of the answer, in bytes
}

export interface Update extends Maps {
  seq: number; // of the last message that the server has seen
  drawing: string;
  net: string; // the architecture string
  version: string; // of the weights, which training changes
  id: string; // the network and its weights
  pending: boolean; // PyTorch is still loading: no values yet
  exact: boolean; // float32 at rest; float16 while the pen moves
  trained: boolean;
  measured: boolean;
  unlike: boolean; // the drawing is unlike all digits
  judging: boolean; // that is not known yet
  sentence: string;
  training: { going: boolean; has: number; to: number } | null; // seconds that it has had and is to have
  layers: Layer[];
  // Why the next layer cannot take its input.
  error: { layer: string; text: string; remedy: string; repairs: { label: string; net: string }[] } | null;
  classes: number;
  // see `Pinned` in `__init__.py`
  pin: { net: string; name: string; present: string; layers: Layer[] | null; classes: number; weights: number } | null;
  weights: Float32Array;
  pinWeights: Float32Array; // of the pinned network
}

/** What the server is told: see `ViewMessage` in `__init__.py`. */
export interface State {
  drawing: string;
  moving: boolean;
  lacking: string;
  train: string;
  seconds: number;
  pin: string | null;
  lacking_pin: boolean;
  numbers: string; // layer, map, row and column of a value whose page of numbers is to be opened, "" for none
  repair: string; // the network of the repair that was pressed, "" for none
}

export interface Message extends State {
  seq: number;
  final: boolean;
  drawn: boolean;
}

// --- what layers are made of ---

/** A part of the weights by its name in torch's state_dict, such as `weight`. */
export type Parameters = Record<string, Float32Array>;

/** A layer at work; its output is a new array. */
export type Step = (input: Float32Array) => Float32Array;

/** What the browser knows of one kind of layer: an entry of the table in `layer_kinds.js`. */
export interface LayerKind {
  /** Kinds of one family can take each other's place. */
  family?: "pooling" | "activation";
  /** Whether a value is made of all maps of the input (in a convolution: of its group), not of its own map alone. */
  mixes?: boolean;
  /** How many numbers each parameter has, in the order of torch's state_dict. */
  sizes?: (layer: Layer, input: number[]) => Record<string, number>;
  step: (layer: Layer, input: number[], parameters: Parameters) => Step;
  explain: (context: Context) => Told;
}

export interface Pass {
  values: Float32Array[];
  logits: Float32Array; // empty unless the last layer is linear; so are the probabilities
  probabilities: Float32Array;
}

// --- before and after ---

/** The network that the present one is compared with. */
export interface Former {
  net: string;
  name: string;
  layers: Layer[];
  pass: Pass | null; // for the image on screen; null where it is not known
  pinned: boolean; // by the visitor; otherwise the network before the last change
}

/** What has become of a layer. */
export interface Difference {
  index: number | null; // of the former layer that it corresponds to
  former: Layer | null;
  changes: string[]; // of its own settings
  follows: boolean; // another shape or other weights, because of layers before it
}

/** Where the values of a layer lie on the image, along each axis: value i at start + i · step, in pixels. */
export interface Lattice {
  start: number[];
  step: number[];
}

/** How a map follows from the former one. Numbers come in pairs: down, across. */
export type Relation = { finer?: boolean } & (
  | { kind: "same" | "features" | "other" }
  // values before the former map's first and behind its last one; below 0 for fewer
  | { kind: "border"; more: number[][] }
  // The values that stay, counted in the former map; in the present one if finer.
  | { kind: "every"; stride: number[]; first: number[] }
  | { kind: "windows"; stride: number[]; first: number[]; size: number[] }
);

// --- places ---

/** A value in a layer. */
export interface Place {
  index: number;
  map: number;
  row: number;
  column: number;
}

export type Pixel = Omit<Place, "index">;

/** The same rows and columns of some maps of a layer; `maps` null for all of them. */
export interface Region {
  maps: number[] | null;
  rows: number[];
  columns: number[];
}

// --- what an opened map says ---

export interface Context {
  update: Update;
  layer: Layer;
  input: number[]; // its shape
  from: string; // name of the layer before it, or "image"
  values: Float32Array; // of the input
  output: Float32Array;
  parameters: Parameters;
  place: Place;
  channel: number | null; // whose products are written out; null for the strongest
}

export interface Tile {
  label: string;
  size: [rows: number, columns: number];
  values: Float32Array;
  weights?: boolean;
  cells?: [row: number, column: number][]; // outlined; those on the padding lie outside
  output?: boolean; // pointing at it chooses the pixel
}

/** What one input channel adds: x, w and their product as tiles. */
export interface Part {
  channel: number;
  tiles: Tile[];
  sum: number;
}

export interface Numbers {
  columns: number;
  cells: { lines: string[]; value: number; faint?: boolean; ring?: boolean }[];
}

export interface Told {
  how: string;
  parts?: Part[]; // strongest first, empty where a value has one input map
  chain: Tile[];
  numbers?: Numbers | null;
  lines: string[];
  agrees?: boolean | null; // whether PyTorch's own value was met; null if there is nothing to compare
}

export interface Softmax {
  digit: number;
  terms: string[]; // the logits
  quotient: string;
  probability: string;
}

export interface Explanation extends Required<Told> {
  title: string;
  softmax: Softmax | null;
}

// --- what is looked at: the part of the address that the view writes ---

export interface ViewState {
  map: { layer: string; map: number; row: number; column: number; channel: number | null; pinned: boolean } | null;
  kernels: string | null; // name of the layer whose kernels are open
  scale: Scale;
  toScale: boolean; // whether a map half as high is drawn half as high
  present: boolean; // larger, without what a lecture can do without
  table: boolean; // whether the layer table is open
}

// --- how it looks ---

export type Theme = "light" | "dark";
export type Colours = Theme | `${Theme} weights`;
export type Scale = "map" | "layer" | "network"; // what the colours of a map are relative to

/** Colours and font of the page. */
export interface Look {
  theme: Theme;
  ink: string;
  soft: string;
  family: string;
  text: number; // size of the letters in CSS pixels
}

/**
 * How the maps of one layer are laid out. A canvas holds `unit` × `unit` dots a map pixel and is enlarged by CSS, `dot`
 * CSS
 * pixels a dot: so a paint touches few dots, and the browser does the scaling.
 */
export interface Grid {
  columns: number;
  rows: number;
  tileWidth: number; // dots
  tileHeight: number;
  gap: number; // dots between tiles
  unit: number;
  dot: number;
  dotsWide: number;
  dotsHigh: number;
  width: number; // CSS pixels
  height: number;
  byRow?: boolean; // tiles fill row by row, not column by column
}

/** Where the image lies on the drawing: its corner and the side of its pixels. */
export interface Placement {
  left: number;
  top: number;
  scale: number;
}

/** What there is to look into. */
export interface Scene {
  update: Update;
  parameters: (Parameters | null)[] | null; // null until the weights are here
  pinned: Former | null;
  look: Look;
  narrow: boolean;
  placement: Placement; // CSS pixels
  surface: number; // side of the drawing, CSS pixels
  seen: number; // side of the 28×28 image, CSS pixels
}
