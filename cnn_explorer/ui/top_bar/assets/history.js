// Which addresses are steps of the browser's history. Pure functions.

const PLACE = ["at", "until"]; // how far a training is, and how far it goes on
const VIEW = "view"; // what is looked at: the network view writes it, and the server knows only an older one

/**
 * False for an address that only says how far a training is that is going on, or where it has come to its end: that
 * takes the place of
 * the address before it.
 * @param {URL} before the present address
 * @param {URL} after the next one
 */
export function isStep(before, after) {
  return before.pathname !== after.pathname || !before.searchParams.has("until") || rest(before) !== rest(after);
}

/** All parameters but those of the place and the view. @param {URL} url */
function rest({ search }) {
  const query = new URLSearchParams(search);
  for (const name of [...PLACE, VIEW]) query.delete(name);
  query.sort();
  return query.toString();
}
