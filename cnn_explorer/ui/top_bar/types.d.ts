// What the top bar is sent: see `mount` in `__init__.py`.

/** Query parameters by name. */
export type Query = Record<string, string>;

/** A page in the navigation. */
export interface Link {
  path: string;
  label: string;
  current: boolean;
  query: Query;
}

/** The page to open now. */
export interface Answer {
  number: number;
  path: string;
  query: Query;
}

export interface Data {
  title: string;
  links: Link[];
  shared: string[];
  answer: Answer | null;
}
