// Makes and finds elements of the page.

/**
 * An element with a class, and what is in it.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag @param {string} className @param {(Node | string)[]} children @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, className = "", ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/**
 * The first element that a selector names.
 * @template {Element} Type
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => Type} type of the element, such as HTMLTableElement
 * @returns {Type}
 */
export function part(root, selector, type) {
  const found = root.querySelector(selector);
  if (!(found instanceof type)) throw new TypeError(`${selector} must be a ${type.name}`);
  return found;
}

/**
 * The part of the page, a shadow tree, that an element belongs to.
 * @param {Element} inside
 * @returns {ShadowRoot | Document}
 */
export function rootOf(inside) {
  const root = inside.getRootNode();
  return root instanceof ShadowRoot ? root : document;
}

/** The nearest element around a component, outside of its own tree. @param {Element} inside @param {string} selector */
export function outside(inside, selector) {
  const root = rootOf(inside);
  return root instanceof ShadowRoot ? root.host.closest(selector) : null;
}

/** CSS pixels of the smallest letters in the grids, as style.css has them: more on wide screens. */
export const smallest = () => (matchMedia("(min-width: 1700px)").matches ? 14 : 12);

/** @param {HTMLCanvasElement} canvas */
export function contextOf(canvas) {
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser has no 2-d canvas");
  return context;
}

/**
 * Call `close` once a component's element is out of the page. Streamlit calls a clean-up when that has happened; but
 * also when newer data arrive during `import()`, and then perhaps not again.
 * @param {Element} host @param {() => void} close
 */
export function onceGone(host, close) {
  if (!host.isConnected) {
    close();
    return;
  }
  const observer = new ResizeObserver(() => {
    if (host.isConnected) return;
    observer.disconnect();
    close();
  });
  observer.observe(host);
}
