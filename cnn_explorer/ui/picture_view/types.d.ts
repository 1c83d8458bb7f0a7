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
