// What the picture view is sent: see the functions in `__init__.py`.

export interface Figure {
  title: string;
  image: string; // its address
  caption: string;
}

/** Probabilities with each of `places` × `places` covered, row by row; null for what is not computed yet. */
export interface CoverGrid {
  places: number;
  values: (number | null)[];
}

export interface CoverTestData {
  kind: "cover test";
  heatMaps: Figure[];
  test: Figure;
  cover: number; // the square's share of a side
  label: string;
  probability: number;
  grids: CoverGrid[]; // the finest is the last
}

/** A place of a grid that has been covered, and the probability then. */
export interface Covered {
  places: number;
  row: number;
  column: number;
  value: number;
}

/** A place on a picture, in fractions of its sides. */
export interface Place {
  x: number;
  y: number;
}

/** The first and the last pixel, both included; nothing if the last one is before the first. */
export type Span = [number, number];

/** What each row and each column of a map sees of the picture. */
export interface Field {
  rows: Span[];
  columns: Span[];
}

export interface FeatureMap {
  title: string;
  image: string; // its address
  field: number; // which of the fields
}

/** The maps of one channel: its own, behind what was added to make it, if anything was. */
export interface Tile {
  channel: number;
  maps: FeatureMap[];
  kernel: string; // address of a picture, "" for none
  caption: string;
}

export interface Pixel {
  channel: number;
  row: number;
  column: number;
}

export interface MapsData {
  kind: "maps";
  layer: string;
  picture: Figure;
  side: number; // pixels of the picture
  fields: Field[];
  tiles: Tile[];
  chosen: Pixel | null; // of a tile's own map
}

export type Data = CoverTestData | MapsData;
