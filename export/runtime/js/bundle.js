// A bundle's files: read from a URL or from the app's own assets, checked against the manifest.

import { BundleError, damaged, reasonOf } from "./errors.js";

/** @typedef {import("./index.d.ts").Manifest} Manifest */

const MANIFEST = "manifest.json";
const SCHEMA_VERSION = 1;
const AGAIN = "Download the bundle again.";
const PATH = /^\w[\w.+-]*(\/\w[\w.+-]*)*$/;

/**
 * Checks bytes against a digest.
 * @param {Uint8Array} bytes
 * @param {string} sha256 in hexadecimal
 * @param {string} [name] of the file, for the error
 * @throws {BundleError} "changed", or "unsupported" where there is no WebCrypto
 */
export async function verifyFile(bytes, sha256, name = "The file") {
  const subtle = globalThis.crypto?.subtle;
  if (!subtle) {
    const remedy = "Serve the page over https, or pass verify: false for files that are part of the app.";
    throw new BundleError("unsupported", "Digests cannot be checked: there is no WebCrypto here.", remedy);
  }
  const digest = new Uint8Array(await subtle.digest("SHA-256", /** @type {BufferSource} */ (bytes)));
  const found = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (found !== sha256) throw new BundleError("changed", `${name} is not the file of the manifest (sha256).`, AGAIN);
}

/**
 * Opens a bundle: reads its manifest.
 * @param {import("./index.d.ts").Source} source
 * @param {import("./index.d.ts").ReadOptions} [options]
 * @returns {Promise<import("./index.d.ts").Bundle>}
 */
export async function openBundle(source, options = {}) {
  const { onProgress, signal, verify = true } = options;

  /** @param {string} name @param {(more: number) => void} [arrived] is told of every so many bytes */
  const get = async (name, arrived) => {
    try {
      const read = typeof source === "function" ? source(name) : download(`${source}`, name, options, arrived);
      const data = await read;
      return data instanceof Uint8Array ? data : new Uint8Array(data);
    } catch (error) {
      if (signal?.aborted) throw error;
      const remedy = "Check the connection and the address, or the app's assets, and try again.";
      throw new BundleError("missing", `${name} cannot be read: ${reasonOf(error)}.`, remedy, error);
    }
  };
  const manifest = readManifest(await get(MANIFEST));

  /** @param {string[]} names */
  const read = (names) => {
    let loaded = 0;
    const total = names.reduce((sum, name) => sum + manifest.files[name]?.bytes, 0);
    return Promise.all(
      names.map(async (name) => {
        const entry = manifest.files[name];
        if (!entry) throw damaged(MANIFEST, `it does not list ${name}`);
        const data = await get(name, (more) => onProgress?.({ file: name, loaded: (loaded += more), total }));
        if (data.length !== entry.bytes) {
          throw new BundleError("incomplete", `${name} has ${data.length} bytes instead of ${entry.bytes}.`, AGAIN);
        }
        if (verify) await verifyFile(data, entry.sha256, name);
        return data;
      }),
    );
  };
  return { manifest, read };
}

/**
 * A file below a base URL.
 * @param {string} base
 * @param {string} name
 * @param {import("./index.d.ts").ReadOptions} options
 * @param {(more: number) => void} [arrived]
 */
async function download(base, name, { fetch = globalThis.fetch, signal }, arrived) {
  const response = await fetch(base.replace(/\/?$/, `/${name}`), { signal });
  if (!response.ok) throw new Error(`the server answers ${response.status}`);
  const body = response.body?.getReader?.(); // React Native has none
  if (!body) return response.arrayBuffer();
  const chunks = [];
  for (let part = await body.read(); !part.done; part = await body.read()) {
    chunks.push(part.value);
    arrived?.(part.value.length);
  }
  return new Blob(chunks).arrayBuffer();
}

/**
 * Parses manifest.json and checks what this runtime relies on.
 * @param {Uint8Array} bytes
 * @returns {Manifest}
 */
function readManifest(bytes) {
  const manifest = parseJson(bytes, MANIFEST);
  if (manifest?.schema_version !== SCHEMA_VERSION) {
    throw new BundleError(
      "schema",
      `${MANIFEST} has schema version ${manifest?.schema_version}; this runtime reads version ${SCHEMA_VERSION}.`,
      "Use the runtime that came with the bundle (runtime/js).",
    );
  }
  const { task, labels, max_length, model, external_data, confidence, files } = manifest;
  const named = [model, ...(external_data ?? [])];
  const temperature = confidence?.temperature;
  const wrong = [
    [task !== "token-classification", "its task is another one"],
    [!Array.isArray(labels) || labels[0] !== "O", "label 0 is not O"],
    [!(max_length >= 3), "max_length is below 3"],
    [!(temperature > 0 && temperature < Infinity), "the confidence temperature is no positive number"],
    [typeof files !== "object" || named.some((name) => !PATH.test(name) || !files[name]), "its model is not listed"],
  ].find(([is]) => is);
  if (wrong) throw damaged(MANIFEST, String(wrong[1]));
  return manifest;
}

/**
 * @param {Uint8Array} bytes
 * @param {string} name
 */
export function parseJson(bytes, name) {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw damaged(name, reasonOf(error), error);
  }
}
