// The copies of bundles on the device (Cache API). A bundle's files enter only after all of them were verified.

// Codes of BundleError that a fresh copy may cure: the browser keeps what it got under a bundle's address for good.
const WORTH_AGAIN = ["incomplete", "changed", "damaged", "schema"];
const PREFIX = "bundle-";

/** @typedef {"stored" | "full" | "unavailable"} Kept whether the bundle now opens offline */

/**
 * Loads a bundle from the device or the network, whichever has it. When a file turns out to be broken, the copy on
 * the device is dropped and everything is fetched once more past all caches.
 * @template T
 * @param {string} id of the bundle
 * @param {(fetch: typeof globalThis.fetch) => Promise<T>} load reads and verifies the files with this `fetch`
 * @param {CacheStorage | undefined} storage
 * @returns {Promise<{ value: T, again: boolean, keep: () => Promise<Kept> }>} `keep` stores what was fetched. An
 *   error after the second attempt has `again: true`.
 */
export async function loadThroughCache(id, load, storage = globalThis.caches) {
  const name = PREFIX + id;
  const first = new Files(await open(storage, name), "default");
  try {
    return { value: await load(first.fetch), again: false, keep: () => first.keep(storage, name) };
  } catch (error) {
    if (!WORTH_AGAIN.includes(/** @type {any} */ (error).code)) throw error;
  }
  await drop(storage, name);
  const second = new Files(await open(storage, name), "reload");
  try {
    return { value: await load(second.fetch), again: true, keep: () => second.keep(storage, name) };
  } catch (error) {
    throw Object.assign(/** @type {Error} */ (error), { again: true });
  }
}

/**
 * Keeps a further file of a bundle that is on the device: one that tagging does without, verified by who reads it.
 * @param {string} id of the bundle
 * @param {string} url
 * @param {CacheStorage | undefined} storage
 */
export async function keepToo(id, url, storage = globalThis.caches) {
  try {
    const cache = await storage?.open(PREFIX + id);
    if (cache && !(await cache.match(url, { ignoreVary: true }))) await cache.add(url);
  } catch {
    // it is asked for again when it is needed
  }
}

/**
 * Deletes this app's copies of bundles that it no longer offers.
 * @param {string[]} ids the bundles to keep
 * @param {string} base URL under which this app's bundles lie: other apps may share the address
 * @param {CacheStorage | undefined} storage
 */
export async function dropOthers(ids, base, storage = globalThis.caches) {
  try {
    for (const name of (await storage?.keys()) ?? []) {
      if (!name.startsWith(PREFIX) || ids.includes(name.slice(PREFIX.length))) continue;
      const files = await (await storage.open(name)).keys();
      if (files.every(({ url }) => url.startsWith(base))) await storage.delete(name);
    }
  } catch {
    // a copy too many does no harm
  }
}

/** Files of one bundle on their way in. */
class Files {
  /**
   * @param {Cache | undefined} cache
   * @param {RequestCache} mode "reload" never looks at copies
   */
  constructor(cache, mode) {
    /** @type {Map<string, Response>} */
    const arrived = new Map();
    this.cache = cache;
    this.arrived = arrived;
    /** @type {typeof globalThis.fetch} */
    this.fetch = async (address, options) => {
      const url = String(address);
      const held = mode === "default" && (await cache?.match(url, { ignoreVary: true }).catch(() => undefined));
      if (held) return held;
      const response = await fetch(url, { ...options, cache: mode });
      if (response.ok && cache) arrived.set(url, response.clone());
      return response;
    };
  }

  /**
   * @param {CacheStorage | undefined} storage
   * @param {string} name
   * @returns {Promise<Kept>}
   */
  async keep(storage, name) {
    if (!this.cache) return "unavailable";
    try {
      for (const [url, response] of this.arrived) await this.cache.put(url, response);
      return "stored";
    } catch (error) {
      await drop(storage, name);
      return /** @type {any} */ (error)?.name === "QuotaExceededError" ? "full" : "unavailable";
    } finally {
      this.arrived.clear();
    }
  }
}

/**
 * @param {CacheStorage | undefined} storage
 * @param {string} name
 */
async function open(storage, name) {
  try {
    return await storage?.open(name);
  } catch {
    return undefined; // storage is off in this browser's mode
  }
}

/**
 * @param {CacheStorage | undefined} storage
 * @param {string} name
 */
async function drop(storage, name) {
  await storage?.delete(name).catch(() => false);
}
