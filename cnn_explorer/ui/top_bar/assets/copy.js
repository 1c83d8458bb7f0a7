// Text to the clipboard.

/**
 * @param {string} text
 * @param {HTMLElement} root where the focus may go for a moment
 * @returns {Promise<boolean>} true if it was copied
 */
export async function copyText(text, root) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // No HTTPS, or a frame without the permission.
    return copySelected(text, root);
  }
}

/** The older way, which every browser allows during a click. @param {string} text @param {HTMLElement} root */
function copySelected(text, root) {
  const tree = root.getRootNode();
  const focused = tree instanceof ShadowRoot ? tree.activeElement : null;
  const field = document.createElement("textarea");
  field.value = text;
  field.style.cssText = "position: fixed; opacity: 0";
  root.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return copied;
}
