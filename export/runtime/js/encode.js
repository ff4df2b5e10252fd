// Words to sub-word windows, and window logits back to one row per word: encode.py tells why it is done so.

import { damaged, reasonOf } from "./errors.js";
import { readNormalizer } from "./normalization.js";

/** @typedef {import("./index.d.ts").Window} Window */

/** By how much "O" leads in the row of a word without sub-words: finite, and exp(-CERTAIN) is 0. */
export const CERTAIN = 1e4;
const LONGEST_WORD = 8192;
const KNOWN_WORDS = 4096;
const KNOWN_LENGTH = 64;
const SPECIAL = ["<s>", "</s>", "<pad>", "<unk>", "<mask>"];

/** The tokenizer of a bundle, applied to words. */
export class WordEncoder {
  /** @type {Map<string, number[]>} */
  #known = new Map();
  #normalize;
  #tokenizer;

  /**
   * @param {any} specification the parsed tokenizer.json
   * @param {import("./index.d.ts").Tokenizers} tokenizers the package @huggingface/tokenizers
   * @param {number} maxLength of a window in sub-words, <s> and </s> included
   */
  constructor(specification, tokenizers, maxLength) {
    this.maxLength = maxLength;
    try {
      const special = specialIds(specification);
      this.bosId = special["<s>"];
      this.eosId = special["</s>"];
      this.#normalize = readNormalizer(composing(specification.normalizer));
      this.#tokenizer = new tokenizers.Tokenizer(forSingleWords(specification, Object.values(special)), {});
    } catch (error) {
      throw damaged("tokenizer.json", reasonOf(error), error);
    }
  }

  /**
   * Sub-word ids of a word; none for a word of invisible characters alone.
   * @param {string} word
   * @returns {number[]}
   */
  subWords(word) {
    const known = this.#known.get(word);
    if (known) return known;
    const read = word.length > LONGEST_WORD ? [...word].slice(0, LONGEST_WORD).join("") : word;
    // With the u flag only lone surrogates are found.
    const text = this.#normalize(read.replace(/[\ud800-\udfff]/gu, "\ufffd")).replaceAll(" ", "▁");
    const ids = [];
    if (text) {
      for (const piece of (text.startsWith("▁") ? text : `▁${text}`).split(/(?=▁)/)) {
        ids.push(...this.#tokenizer.encode(piece, { add_special_tokens: false }).ids);
      }
    }
    if (this.#known.size >= KNOWN_WORDS) this.#known.clear();
    if (word.length <= KNOWN_LENGTH) this.#known.set(word, ids);
    return ids;
  }

  /**
   * Cuts a sentence into windows of at most `maxLength` sub-words, which overlap by half; every word with sub-words
   * is kept in exactly one window.
   * @param {string[]} words
   * @returns {Window[]}
   */
  windows(words) {
    const room = this.maxLength - 2;
    const encoded = words
      .map((word, index) => ({ index, ids: this.subWords(word).slice(0, room) }))
      .filter(({ ids }) => ids.length > 0);
    const counts = encoded.map(({ ids }) => ids.length);
    const ranges = windowRanges(counts, room);
    const keeper = keepers(counts, ranges);
    return ranges.map(([start, end], number) => {
      const inputIds = [this.bosId];
      const first = [];
      for (const { ids } of encoded.slice(start, end)) {
        first.push(inputIds.length);
        inputIds.push(...ids);
      }
      inputIds.push(this.eosId);
      return {
        inputIds,
        first,
        words: encoded.slice(start, end).map(({ index }) => index),
        keep: keeper.slice(start, end).map((window) => window === number),
      };
    });
  }
}

/**
 * One row of logits per word: that of the word's first sub-word. A word without sub-words is certain to be label 0.
 * @param {import("./index.d.ts").Logits} logits
 * @param {import("./index.d.ts").WordEncoder} encoder
 * @param {string[]} words
 * @param {number} labels
 * @returns {Promise<Float32Array[]>}
 */
export async function wordLogits(logits, encoder, words, labels) {
  const rows = words.map(() => new Float32Array(labels).fill(-CERTAIN, 1));
  for (const { inputIds, first, words: indices, keep } of encoder.windows(words)) {
    const output = await logits(inputIds);
    indices.forEach((index, position) => {
      const at = first[position] * labels;
      if (keep[position]) rows[index] = output.slice(at, at + labels);
    });
  }
  return rows;
}

/**
 * `composing` of the Python runtime: NFC before a SentencePiece character map.
 * @param {any} normalizer
 */
function composing(normalizer) {
  const steps = normalizer?.type === "Sequence" ? normalizer.normalizers : [normalizer];
  const kinds = steps.map((/** @type {any} */ step) => step?.type);
  if (!kinds.includes("Precompiled") || /^NFK?C$/.test(kinds[0])) return normalizer;
  return { type: "Sequence", normalizers: [{ type: "NFC" }, ...steps] };
}

/**
 * Half-overlapping word ranges [start, end] whose sub-words fit in `room`; each ends beyond the last.
 * @param {number[]} counts
 * @param {number} room
 */
function windowRanges(counts, room) {
  /** @type {[number, number][]} */
  const ranges = [];
  let [start, end, used] = [0, 0, 0];
  while (end < counts.length) {
    while (end < counts.length && used + counts[end] <= room) used += counts[end++];
    ranges.push([start, end]);
    if (end < counts.length) {
      // Step back for context, but leave room for the next word, or no window would ever reach it.
      const context = Math.min(Math.floor(room / 2), room - counts[end]);
      [start, used] = [end, 0];
      while (start > 0 && used + counts[start - 1] <= context) used += counts[--start];
    }
  }
  return ranges;
}

/**
 * For each word the number of the window where its nearer cut is farthest away; the text's ends are no cuts.
 * @param {number[]} counts
 * @param {[number, number][]} ranges
 */
function keepers(counts, ranges) {
  const before = [0];
  for (const count of counts) before.push(before[before.length - 1] + count);
  const best = counts.map(() => -1);
  const keeper = counts.map(() => 0);
  ranges.forEach(([start, end], number) => {
    for (let word = start; word < end; word++) {
      const left = start ? before[word] - before[start] : Infinity;
      const right = end < counts.length ? before[end] - before[word + 1] : Infinity;
      const context = Math.min(left, right);
      if (context > best[word]) [best[word], keeper[word]] = [context, number];
    }
  });
  return keeper;
}

/**
 * Id of each of XLM-R's special tokens; <mask> may be absent.
 * @param {any} specification
 * @returns {Record<string, number>}
 */
function specialIds(specification) {
  const vocabulary = specification?.model?.vocab;
  if (specification?.model?.type !== "Unigram" || !Array.isArray(vocabulary)) {
    throw new Error("it holds no unigram model");
  }
  /** @type {Record<string, number>} */
  const ids = {};
  for (const { content, id } of specification.added_tokens ?? []) if (SPECIAL.includes(content)) ids[content] = id;
  vocabulary.forEach(([piece], index) => {
    if (SPECIAL.includes(piece)) ids[piece] = index;
  });
  const missing = SPECIAL.slice(0, 4).filter((token) => !(token in ids));
  if (missing.length) throw new Error(`it lacks ${missing.join(" ")}`);
  return ids;
}

/**
 * The tokenizer without normalizer, word splitter, post-processor and what reads text as special tokens.
 * @param {any} specification
 * @param {number[]} special
 */
function forSingleWords(specification, special) {
  const vocab = specification.model.vocab.slice();
  for (const id of special) {
    // A piece that holds spaces matches no text: every space has become ▁.
    if (id < vocab.length) vocab[id] = [` special ${id} `, vocab[id][1]];
  }
  return {
    model: { ...specification.model, vocab },
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    added_tokens: [],
  };
}
