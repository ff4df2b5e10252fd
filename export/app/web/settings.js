// What is remembered between visits. Storage may be off, full or forbidden: the app then remembers nothing.

const PREFIX = `tagger ${new URL("./", import.meta.url).pathname} `; // several apps may share an address

/** @param {string} name */
export function recall(name) {
  try {
    return sessionStorage.getItem(PREFIX + name) ?? localStorage.getItem(PREFIX + name); // this tab's own first
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
    for (const storage of [sessionStorage, localStorage]) storage.setItem(PREFIX + name, value);
  } catch {
    // nothing is lost but convenience
  }
}
