// What is remembered between visits. Storage may be off, full or forbidden: the app then remembers nothing.

const PREFIX = `tagger ${new URL("./", import.meta.url).pathname} `; // several apps may share an address

/** @param {string} name */
export function recall(name) {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
export function remember(name, value) {
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // nothing is lost but convenience
  }
}
