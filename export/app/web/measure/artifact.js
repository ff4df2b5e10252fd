// A bundle opened in the measured worker, and the questions it answers.

import * as tokenizers from "../vendor/tokenizers.min.mjs";
import * as ort from "../vendor/ort.wasm.min.mjs";
import * as runtime from "../runtime/index.js";
import { answer, readGolden } from "./answers.js";
import { clockStep, sample, sampleMs } from "./clock.js";
import { MeasureError } from "./errors.js";
import { SENTENCES, textsOf } from "./texts.js";

// The smallest ONNX model there is: an Identity node. onnxruntime compiles its WebAssembly for the first session,
// whatever that is; done with this one, it counts as an import and not as time that the bundle's model needs.
const SMALLEST = "CAg6NwoQCgFhEgFiIghJZGVudGl0eRIBZ1oPCgFhEgoKCAgBEgQKAggBYg8KAWISCgoICAESBAoCCAFCBAoAEBE=";
const SETTINGS = { logSeverityLevel: /** @type {3} */ (3) };

/** Compiles the WebAssembly. */
export async function start() {
  Object.assign(ort.env.wasm, {
    wasmPaths: new URL("../vendor/", import.meta.url).href,
    numThreads: 1,
    proxy: false,
  });
  const bytes = Uint8Array.from(atob(SMALLEST), (character) => character.charCodeAt(0));
  try {
    await (await ort.InferenceSession.create(bytes, SETTINGS)).release();
  } catch (error) {
    const reason = error instanceof Error ? error.message : error;
    const remedy = "It needs WebAssembly with SIMD: bring the browser up to date.";
    throw new MeasureError(`onnxruntime cannot start here: ${reason}.`, remedy);
  }
}

/**
 * A file from the page's cache, so that it can be measured offline, or from the network.
 * @param {string} url
 * @param {RequestInit} [options]
 */
const fetchCached = async (url, options) =>
  (await globalThis.caches?.match(url, { ignoreVary: true })) ?? fetch(url, options);

/**
 * Reads and opens a bundle, its tokenizer and its model timed apart.
 * @param {string} url of its folder
 */
export async function openArtifact(url) {
  const begun = performance.now();
  const { manifest, read } = await runtime.openBundle(url, { fetch: /** @type {typeof fetch} */ (fetchCached) });
  const names = [manifest.model, ...manifest.external_data];
  const [tokenizer] = await read(["tokenizer.json"]);
  const tokenizerRead = performance.now();
  const model = await read(names);
  const modelRead = performance.now();
  const files = new Map([
    ["manifest.json", new TextEncoder().encode(JSON.stringify(manifest))],
    ["tokenizer.json", tokenizer],
    ...model.map((bytes, index) => /** @type {[string, Uint8Array]} */ ([names[index], bytes])),
  ]);
  let creating = NaN;
  const create = (/** @type {any[]} */ ...asked) => {
    creating = performance.now();
    return /** @type {any} */ (ort.InferenceSession).create(...asked);
  };
  const tagger = await runtime.Tagger.load((name) => /** @type {Uint8Array} */ (files.get(name)), {
    ort: /** @type {any} */ ({ Tensor: ort.Tensor, InferenceSession: { create } }),
    tokenizers: /** @type {any} */ (tokenizers),
    verify: false, // done while reading
  });
  const reading = tokenizerRead - begun + creating - modelRead;
  const opening = modelRead - tokenizerRead + performance.now() - creating;
  return new Artifact(tagger, manifest, read, { tokenizer: reading / 1000, session: opening / 1000 });
}

class Artifact {
  versions = { "onnxruntime-web": ort.env.versions.web ?? ort.env.versions.common };
  clockMs = clockStep();
  /** @type {Record<string, string[][]>} */
  #texts = {};
  #blank;
  #read;

  /**
   * @param {any} tagger
   * @param {any} manifest
   * @param {(names: string[]) => Promise<Uint8Array[]>} read
   * @param {{ tokenizer: number, session: number }} seconds
   */
  constructor(tagger, manifest, read, seconds) {
    this.tagger = tagger;
    this.manifest = manifest;
    this.seconds = seconds;
    this.#read = read;
    this.#blank = new Float32Array(tagger.encoder.maxLength * tagger.labels.length);
  }

  /** The lines of golden.jsonl. */
  async readGolden() {
    const [bytes] = await this.#read([this.manifest.golden.file]);
    return readGolden(new TextDecoder().decode(bytes));
  }

  /** @param {{ text: string }} request */
  golden({ text }) {
    return answer(text, this.tagger, runtime);
  }

  /**
   * Makes the texts that `time` takes; the first sentence is what cold starts answer.
   * @param {{ sentences: string[][], protocol: import("./protocol.js").Protocol }} request
   */
  texts({ sentences, protocol }) {
    this.#texts = textsOf(sentences, (word) => this.tagger.encoder.subWords(word).length, protocol);
    return { sentence: this.#texts[SENTENCES][0] };
  }

  /**
   * Seconds of one sentence.
   * @param {{ words: string[] }} request
   */
  async answer({ words }) {
    const begun = performance.now();
    await this.#run(words, this.tagger.logits);
    return (performance.now() - begun) / 1000;
  }

  /**
   * Timed samples from text `start` on, until `runs` or `seconds` is reached, and at least one.
   * @param {{ bucket: string, start: number, runs: number, seconds: number, apart?: boolean }} request `apart`: also
   *   tokenization by itself
   */
  async time({ bucket, start: first, runs, seconds, apart = true }) {
    const texts = this.#texts[bucket];
    const at = (/** @type {number} */ index) => texts[(index + texts.length) % texts.length];
    await this.#run(at(first - 1), this.tagger.logits); // unrecorded: something else had the caches
    /** @type {{ total_ms: number[], inference_ms: number[], tokenization_ms: number[], tokens: number[] }} */
    const found = { total_ms: [], inference_ms: [], tokenization_ms: [], tokens: [] };
    const deadline = performance.now() + 1000 * seconds;
    while (found.total_ms.length < runs && (!found.total_ms.length || performance.now() < deadline)) {
      const words = at(first + found.total_ms.length);
      const { ms: total, runs: repeats } = await sample(() => this.#run(words, this.tagger.logits), this.clockMs);
      found.total_ms.push(total);
      found.tokens.push(this.#tokens(words));
      if (!apart) continue;
      const { ms } = await sample(() => this.#run(words, () => this.#blank), this.clockMs);
      // The collector may have paused the second sample and not the first; the model still took some time.
      const model = Math.max(total - ms, this.clockMs / repeats);
      found.inference_ms.push(Math.min(model, total));
      found.tokenization_ms.push(ms);
    }
    return { ...found, leastMs: sampleMs(this.clockMs) };
  }

  /**
   * Sub-words that reach the model, over all windows.
   * @param {string[]} words
   */
  #tokens(words) {
    /** @type {{ inputIds: number[] }[]} */
    const windows = this.tagger.encoder.windows(words);
    return windows.reduce((count, { inputIds }) => count + inputIds.length, 0);
  }

  /**
   * One sentence, from words to one row of logits per word.
   * @param {string[]} words
   * @param {(ids: number[]) => unknown} logits
   */
  #run(words, logits) {
    return runtime.wordLogits(/** @type {any} */ (logits), this.tagger.encoder, words, this.tagger.labels.length);
  }
}
