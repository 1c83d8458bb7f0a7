// What the network map is sent: see `mount` in `__init__.py`.

/** A box: a layer, or a group of layers that unfolds. */
export interface Step {
  id: string;
  title: string;
  name: string;
  summary: string;
  look: "weights" | "pooling" | "add" | "join" | "input" | "group" | "plain";
  shape: string; // of the output, "" where it is not reached
  size: number[]; // channels, height and width of the output, empty where it is not reached
  numbers: string[];
  opened: boolean;
  unfolds: boolean;
  problem: string; // why it has no shape
}

/** A box, branches that read the same, or boxes that each read all before them. */
export type Part = { step: Step } | { fork: Part[][] } | { dense: Step[] };

/** One level: the inside of the part `id`; `entry` is the shape that comes in. */
export interface Row {
  id: string;
  title: string;
  entry: string;
  parts: Part[];
}

export interface Data {
  rows: Row[];
  selected: string;
}
