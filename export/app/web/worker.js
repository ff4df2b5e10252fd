// The tagger, off the page's thread. Takes one message after another; "stop" ends what is under way.

import * as ort from "./vendor/ort.wasm.min.mjs";
import * as tokenizers from "./vendor/tokenizers.min.mjs";
import { BundleError, Tagger } from "./runtime/index.js";
import { dropOthers, keepToo, loadThroughCache } from "./bundle-cache.js";
import { hasSimd, rememberSentences } from "./tagging.js";

/** @typedef {import("./marks.js").Entity} Entity */
/**
 * @typedef {{ type: "load", id: string, url: string, ids: string[] }
 *   | { type: "tag", text: string } | { type: "stop" }} Question `ids`: the bundles that are kept on the device
 */
/**
 * @typedef {{ type: "progress", loaded: number, total: number }
 *   | { type: "ready", id: string, again: boolean }
 *   | { type: "kept", id: string, kept: import("./bundle-cache.js").Kept }
 *   | { type: "refused", id: string, code: string, message: string, again: boolean }
 *   | { type: "part", entities: Entity[], upTo: number }
 *   | { type: "tagged", complete: boolean, words: number, ms: number }} Answer
 *   "part" carries the entities since the last one; every "tag" ends with one "tagged" (or "refused")
 */

const VENDOR = new URL("vendor/", import.meta.url).href;
const BREATH = 50; // ms of tagging between two parts: then a "stop" is heard
const SENTENCES_KEPT = 3000;

/** @type {Tagger | undefined} */
let tagger;
let bundle = ""; // whose turn it is: the id that `load` was asked for last
let words = 0;
let controller = new AbortController();
let work = Promise.resolve();
let keeping = Promise.resolve();

// Both begin to come while the bundle does. A failure is met where the runtime is waited for.
ort.env.wasm.wasmPaths = VENDOR;
ort.env.wasm.numThreads = 1;
ort.env.wasm.proxy = false;
const runtime = download(`${VENDOR}ort-wasm-simd-threaded.wasm`);
runtime.catch(() => {});

/** @param {Answer} answer */
const post = (answer) => postMessage(answer);

addEventListener("message", ({ data }) => {
  const question = /** @type {Question} */ (data);
  if (question.type !== "tag") controller.abort();
  if (question.type === "stop") return;
  controller = new AbortController();
  const { signal } = controller;
  work = work.then(() => (question.type === "load" ? load(question, signal) : tag(question.text, signal)));
});

/**
 * @param {{ id: string, url: string, ids: string[] }} question
 * @param {AbortSignal} signal
 */
async function load({ id, url, ids }, signal) {
  if (signal.aborted) return; // another one was asked for meanwhile
  bundle = id;
  try {
    await tagger?.release(); // two models at a time may be one too many for a phone
    tagger = undefined;
    if (!hasSimd()) {
      throw new BundleError("unsupported", "There is no WebAssembly with SIMD here.", "Use a newer browser.");
    }
    if (!("throwIfAborted" in signal)) throw new BundleError("unsupported", "This browser is too old.", "Update it.");
    const onProgress = (/** @type {{ loaded: number, total: number }} */ { loaded, total }) =>
      post({ type: "progress", loaded, total });
    const opened = await loadThroughCache(id, async (fetch) => {
      const options = { ort: /** @type {any} */ (withRuntime), tokenizers, fetch, signal, onProgress };
      return Tagger.load(url, options);
    });
    const fresh = opened.value;
    if (signal.aborted) return await fresh.release();
    await fresh.logits([fresh.encoder.bosId, fresh.encoder.eosId]); // the first run is the slowest
    tagger = rememberSentences(fresh, SENTENCES_KEPT, (more) => (words += more));
    post({ type: "ready", id, again: opened.again });
    keeping = keeping.then(() => keep(opened.keep, { id, url, ids })); // no text waits for it
  } catch (error) {
    if (!signal.aborted) refuse(error, "damaged");
  }
}

/**
 * Stores a bundle that was opened.
 * @param {() => Promise<import("./bundle-cache.js").Kept>} store
 * @param {{ id: string, url: string, ids: string[] }} question
 */
async function keep(store, { id, url, ids }) {
  const kept = await store();
  if (kept === "stored") await keepToo(id, `${url}/golden.jsonl`); // so that phones are measured offline too
  post({ type: "kept", id, kept });
  await dropOthers(ids, new URL("bundles/", import.meta.url).href);
}

/** onnxruntime with its WebAssembly waited for: so a download that fails is not taken for a browser that cannot. */
const withRuntime = {
  Tensor: ort.Tensor,
  InferenceSession: {
    /** @type {(...model: any[]) => Promise<any>} */
    async create(...model) {
      ort.env.wasm.wasmBinary ??= await runtime;
      return ort.InferenceSession.create(.../** @type {[any]} */ (model));
    },
  },
};

/**
 * @param {string} text
 * @param {AbortSignal} signal
 */
async function tag(text, signal) {
  const begun = performance.now();
  let [breath, upTo, complete] = [begun, 0, true];
  /** @type {Entity[]} */
  let entities = [];
  words = 0;
  try {
    for await (const sentence of tagger?.sentences(text, { signal }) ?? []) {
      for (const { type, text, start, end, score } of sentence.entities) {
        entities.push({ type, text, start, end, score });
      }
      upTo = sentence.end;
      if (performance.now() - breath < BREATH) continue;
      post({ type: "part", entities, upTo });
      entities = [];
      await new Promise((resolve) => setTimeout(resolve));
      breath = performance.now();
    }
    post({ type: "part", entities, upTo: text.length });
  } catch (error) {
    if (!signal.aborted) return refuse(error, "stopped");
    complete = false;
  }
  post({ type: "tagged", complete, words, ms: performance.now() - begun });
}

/**
 * @param {unknown} error
 * @param {string} otherwise the code of what is no BundleError
 */
function refuse(error, otherwise) {
  const { again = false, cause } = /** @type {any} */ (error);
  const { code = otherwise, message } = cause?.code === "app" ? cause : /** @type {any} */ (error);
  const known = typeof code === "string" ? code : otherwise;
  post({ type: "refused", id: bundle, code: known, message: message ?? `${error}`, again });
}

/** @param {string} url of a WebAssembly file */
async function download(url) {
  let trouble = "it is not whole";
  for (const cache of /** @type {RequestCache[]} */ (["default", "reload"])) {
    const response = await fetch(url, { cache }).catch((reason) => ({ ok: false, status: reason.message }));
    const bytes = "arrayBuffer" in response && response.ok ? await response.arrayBuffer().catch(() => null) : null;
    if (bytes && isWhole(new Uint8Array(bytes))) return bytes;
    if (!response.ok) trouble = `${response.status}`;
  }
  throw Object.assign(new Error(`${url} cannot be read: ${trouble}.`), { code: "app" });
}

/**
 * Whether the sections of a WebAssembly file end where it does: half of one would look like a browser that cannot.
 * @param {Uint8Array} bytes
 */
function isWhole(bytes) {
  let at = 8; // behind the magic number and the version
  while (at < bytes.length) {
    let [size, shift] = [0, 0];
    do size += (bytes[++at] & 127) * 2 ** shift;
    while (bytes[at] > 127 && (shift += 7) < 35);
    at += 1 + size;
  }
  return at === bytes.length;
}
