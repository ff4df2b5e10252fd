// A loaded bundle: text in, entities out.

import { openBundle, parseJson } from "./bundle.js";
import { WordEncoder, wordLogits } from "./encode.js";
import { group } from "./entities.js";
import { BundleError, damaged, reasonOf } from "./errors.js";
import { TextOffsets } from "./offsets.js";
import { splitSentences } from "./sentences.js";
import { splitWords } from "./words.js";

/** @typedef {import("./index.d.ts").TaggedEntity} TaggedEntity */

const INPUTS = ["input_ids", "attention_mask"];
const OUTPUT = "logits";
const LONGEST_WINDOW = 512; // sub-words, with <s> and </s>: where AfriBERTa's position table ends

/** Tags text with one bundle. */
export class Tagger {
  /**
   * @param {import("./index.d.ts").Parts} parts `Tagger.load` reads them from a bundle
   */
  constructor({ logits, encoder, labels, temperature = 1, release = async () => {} }) {
    this.labels = labels;
    this.encoder = encoder;
    this.temperature = temperature;
    this.logits = logits;
    this.release = release;
  }

  /**
   * Opens a bundle.
   * @param {import("./index.d.ts").Source} source
   * @param {import("./index.d.ts").LoadOptions} options
   * @throws {BundleError} a file is missing, damaged or incomplete, or the device cannot run it
   */
  static async load(source, options) {
    const { ort, tokenizers = await import("@huggingface/tokenizers") } = options;
    const { manifest, read } = await openBundle(source, options);
    const parts = options.model ? [] : [manifest.model, ...manifest.external_data];
    const [tokenizer, ...model] = await read(["tokenizer.json", ...parts]);
    const maxLength = Math.min(manifest.max_length, LONGEST_WINDOW);
    const encoder = new WordEncoder(parseJson(tokenizer, "tokenizer.json"), tokenizers, maxLength);
    const session = await openSession(manifest, options.model ?? model, options);
    return new Tagger({
      logits: sessionLogits(ort, session, manifest.labels.length),
      encoder,
      labels: manifest.labels,
      temperature: manifest.confidence.temperature,
      release: async () => session.release(),
    });
  }

  /**
   * The entities of `text`, in order. Any string gives an answer; blank text gives none.
   * @param {string} text
   * @param {{ signal?: AbortSignal }} [options] `signal` stops it between two sentences
   */
  async tag(text, options) {
    /** @type {TaggedEntity[]} */
    const found = [];
    for await (const { entities } of this.sentences(text, options)) found.push(...entities);
    return found;
  }

  /**
   * The same sentence by sentence, for long text: where each sentence stands (UTF-16 units) and its entities.
   * @param {string} text
   * @param {{ signal?: AbortSignal }} [options]
   * @returns {AsyncGenerator<import("./index.d.ts").TaggedSentence>}
   */
  async *sentences(text, { signal } = {}) {
    const offsets = new TextOffsets(text);
    for (const words of splitSentences(text, splitWords(text))) {
      signal?.throwIfAborted();
      const { tags, scores } = await this.predict(words.map((word) => word.text));
      const entities = group(tags, scores).map(({ type, startWord, endWord, score }) => {
        const [{ start }, { end }] = [words[startWord], words[endWord - 1]];
        return {
          type,
          text: text.slice(start, end),
          start,
          end,
          startCodePoint: offsets.codePoint(start),
          endCodePoint: offsets.codePoint(end),
          startByte: offsets.byte(start),
          endByte: offsets.byte(end),
          score,
        };
      });
      yield { start: words[0].start, end: words[words.length - 1].end, entities };
    }
  }

  /**
   * One tag per word of an already split sentence.
   * @param {string[]} words
   */
  async tagWords(words) {
    return (await this.predict(words)).tags;
  }

  /**
   * Per word the tag, its probability (0 to 1) and the logits, of an already split sentence.
   * @param {string[]} words
   */
  async predict(words) {
    const rows = await wordLogits(this.logits, this.encoder, words, this.labels.length);
    const best = rows.map((row) => row.indexOf(Math.max(...row)));
    return {
      tags: best.map((label) => this.labels[label]),
      scores: rows.map((row, index) => probability(row, best[index], this.temperature)),
      logits: rows,
    };
  }
}

/**
 * Probability of a label: softmax over logits divided by the temperature, in single precision as in Python.
 * @param {Float32Array} row
 * @param {number} label
 * @param {number} temperature
 */
function probability(row, label, temperature) {
  const scaled = row.map((logit) => logit / Math.fround(temperature));
  const powers = Array.from(scaled, (logit) => Math.exp(logit - Math.max(...scaled)));
  return powers[label] / powers.reduce((sum, power) => sum + power, 0);
}

/**
 * @param {import("./index.d.ts").Manifest} manifest
 * @param {string | Uint8Array[]} model a path, or the bytes of the model and of its external data
 * @param {import("./index.d.ts").LoadOptions} options
 */
async function openSession(manifest, model, { ort, sessionOptions }) {
  const folder = manifest.model.lastIndexOf("/") + 1;
  const settings = {
    enableMemPattern: false,
    logSeverityLevel: 3,
    extra: { session: { disable_prepacking: manifest.session?.prepacking === false ? "1" : "0" } },
    ...sessionOptions,
  };
  let session;
  try {
    if (typeof model === "string") session = await ort.InferenceSession.create(model, settings);
    else {
      const [bytes, ...data] = model;
      // The model names its data relative to itself.
      const paths = manifest.external_data.map((name) => name.slice(folder));
      const external = data.length ? { externalData: paths.map((path, index) => ({ path, data: data[index] })) } : {};
      session = await ort.InferenceSession.create(bytes, { ...settings, ...external });
    }
  } catch (error) {
    const message = `onnxruntime cannot open ${manifest.model}: ${reasonOf(error)}.`;
    const remedy = "A browser needs WebAssembly with SIMD; otherwise check the version of onnxruntime.";
    throw new BundleError("unsupported", message, remedy, error);
  }
  const inputs = [...session.inputNames].sort().reverse();
  if (inputs.join() !== INPUTS.join() || !session.outputNames.includes(OUTPUT)) {
    throw damaged(manifest.model, `it takes ${inputs} and gives ${session.outputNames}`);
  }
  return session;
}

/**
 * @param {import("./index.d.ts").Ort} ort
 * @param {import("./index.d.ts").Session} session
 * @param {number} labels
 * @returns {import("./index.d.ts").Logits}
 */
function sessionLogits(ort, session, labels) {
  return async (inputIds) => {
    const dims = [1, inputIds.length];
    const feed = {
      input_ids: new ort.Tensor("int64", BigInt64Array.from(inputIds, BigInt), dims),
      attention_mask: new ort.Tensor("int64", new BigInt64Array(inputIds.length).fill(1n), dims),
    };
    const { type, data } = (await session.run(feed))[OUTPUT];
    if (type !== "float32" || data.length !== inputIds.length * labels) {
      throw damaged("The model", `its answer is not float32 of ${inputIds.length} by ${labels}`);
    }
    return data;
  };
}
