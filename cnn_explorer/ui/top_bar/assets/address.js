// Addresses of pages: pure functions of the present address.

/** @import { Query } from "../types.d.ts" */

/**
 * The address of another page.
 * @param {string} here the present address
 * @param {string} from path of the present page below the app's address, "" for the first page
 * @param {string} to path of the other page
 * @param {Query} query its parameters
 */
export function pageAddress(here, from, to, query) {
  const url = new URL(here);
  const base = from && url.pathname.endsWith(`/${from}`) ? url.pathname.slice(0, -from.length) : url.pathname;
  url.pathname = `${base.endsWith("/") ? base : `${base}/`}${to}`;
  url.search = new URLSearchParams(query).toString();
  url.hash = "";
  return url.href;
}

/**
 * The parameters of a link: what all pages share as it is now, the rest as the page's last visit left it.
 * @param {string} search the present query
 * @param {string[]} shared names
 * @param {Query} last
 * @returns {Query}
 */
export function linkQuery(search, shared, last) {
  const present = new URLSearchParams(search);
  const query = { ...last };
  for (const name of shared) {
    const value = present.get(name);
    if (value === null) delete query[name];
    else query[name] = value;
  }
  return query;
}

/**
 * The address to give away. Streamlit Community Cloud runs an app in a frame whose path begins with "/~/+".
 * @param {string} here
 */
export function publicAddress(here) {
  const url = new URL(here);
  url.pathname = url.pathname.replace(/^\/~\/\+(?=\/|$)/, "");
  return url.href;
}
