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

/** What is to be used once, however often it is sent: the page to open now, or parameters for the present address. */
export interface Once {
  id: string;
  path: string;
  query: Query;
}

export interface Data {
  title: string;
  links: Link[];
  shared: string[];
  answer: Once | null;
  correction: Once;
}
