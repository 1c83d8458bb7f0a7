// Elements of the page: made, and found.

/**
 * An element with a class and a text.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

/**
 * The first element that a selector names.
 * @template {Element} Type
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => Type} type of the element, such as HTMLCanvasElement
 * @returns {Type}
 */
export function part(root, selector, type) {
  const found = root.querySelector(selector);
  if (!(found instanceof type)) throw new TypeError(`${selector} must be a ${type.name}`);
  return found;
}

/**
 * The nearest element around the target of an event that a selector names, itself included.
 * @param {Event} event
 * @param {string} selector
 */
export function around({ target }, selector) {
  const found = target instanceof Element ? target.closest(selector) : null;
  return found instanceof HTMLElement ? found : null;
}

/**
 * What has the focus in the part of the page that an element belongs to.
 * @param {Element} inside
 * @returns {HTMLElement | null}
 */
export function focused(inside) {
  const root = inside.getRootNode();
  const found = root instanceof ShadowRoot || root instanceof Document ? root.activeElement : null;
  return found instanceof HTMLElement ? found : null;
}

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
