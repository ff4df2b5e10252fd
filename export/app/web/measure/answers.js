// What a bundle answers to one text, and how that compares with its golden answer: answers.py tells the rule.

import { MeasureError } from "./errors.js";

const LOGIT_WORDS = 4;
const DECIMALS = 1e4;
const ROUNDING = 1 / DECIMALS;
const TEXT_FIELDS = ["words", "code_points", "utf16", "bytes", "windows"];
const AGAIN = "Load the bundle again; if that changes nothing, export its model again.";

/**
 * @typedef {object} Answer a line of golden.jsonl
 * @property {string} why
 * @property {string} text
 * @property {string[]} words
 * @property {number[][]} code_points
 * @property {number[][]} utf16
 * @property {number[][]} bytes
 * @property {object[]} windows
 * @property {string[]} tags
 * @property {any[]} entities
 * @property {number[][]} logits
 * @property {number[]} margins
 */

/**
 * @param {string} text
 * @param {any} tagger
 * @param {any} runtime the module runtime/index.js
 * @returns {Promise<Answer>}
 */
export async function answer(text, tagger, { splitWords, TextOffsets, group, wordLogits }) {
  const words = splitWords(text);
  const texts = words.map((/** @type {any} */ word) => word.text);
  const offsets = new TextOffsets(text);
  const ends = (/** @type {(unit: number) => number} */ of) =>
    words.map((/** @type {any} */ { start, end }) => [of(start), of(end)]);
  const rows = await wordLogits(tagger.logits, tagger.encoder, texts, tagger.labels.length);
  if (!rows.every((/** @type {Float32Array} */ row) => row.every(Number.isFinite))) {
    throw new MeasureError(`The model answers NaN or infinity to ${JSON.stringify(text.slice(0, 40))}.`, AGAIN);
  }
  const tags = rows.map((/** @type {Float32Array} */ row) => tagger.labels[row.indexOf(Math.max(...row))]);
  return {
    why: "",
    text,
    words: texts,
    code_points: ends((unit) => offsets.codePoint(unit)),
    utf16: ends((unit) => unit),
    bytes: ends((unit) => offsets.byte(unit)),
    windows: tagger.encoder.windows(texts).map((/** @type {any} */ { inputIds, first, words: held, keep }) => ({
      ids: inputIds,
      first,
      words: held,
      keep: keep.map(Number),
    })),
    tags,
    entities: entities(tags, group),
    logits: rows.slice(0, LOGIT_WORDS).map((/** @type {Float32Array} */ row) => Array.from(row, rounded)),
    margins: rows.map((/** @type {Float32Array} */ row) => {
      const [second, best] = [...row].sort((a, b) => a - b).slice(-2);
      return rounded(Math.fround(best - second));
    }),
  };
}

/**
 * What tells two answers to one text apart, beyond what int8 kernels of different processors may.
 * @param {Answer} stored
 * @param {Answer} found
 * @param {number} tolerance
 * @param {any} group of the runtime
 * @returns {string[]}
 */
export function differences(stored, found, tolerance, group) {
  const other = TEXT_FIELDS.find((name) => !sameField(stored, found, name));
  if (other) return [`has other ${other} than the bundle says`];
  if (!sameShapes(stored, found)) return ["has another number of tags, logits or margins than the bundle says"];
  const told = stored.tags
    .map((expected, index) => ({ expected, index, tag: found.tags[index] }))
    .filter(({ expected, index, tag }) => expected !== tag && !(stored.margins[index] < tolerance))
    .map(({ expected, index, tag }) => `tags word ${index} ${tag}, the bundle says ${expected}`);
  if (!same(entities(stored.tags, group), stored.entities))
    told.push("has entities that do not follow from its tags");
  if (largest(stored.logits, found.logits) > tolerance + ROUNDING) told.push("has logits that differ too much");
  // Two logits that move apart change their margin by twice as much.
  if (largest(stored.margins, found.margins) > 2 * (tolerance + ROUNDING))
    told.push("has margins that differ too much");
  return told;
}

/**
 * Counts over (golden, found) pairs what is equal, and lists each word with another tag.
 * @param {[Answer, Answer][]} pairs
 * @param {number} tolerance
 * @param {any} group of the runtime
 */
export function compare(pairs, tolerance, group) {
  const counts = { sentences: pairs.length, words: 0, same_ids: 0, same_tags: 0 };
  /** @type {number | null} */
  let most = null;
  const flips = [];
  let ok = true;
  for (const [line, [stored, found]] of pairs.entries()) {
    counts.words += stored.words.length;
    ok = differences(stored, found, tolerance, group).length === 0 && ok;
    counts.same_ids += Number(TEXT_FIELDS.every((name) => sameField(stored, found, name)));
    if (!same(stored.words, found.words) || !sameShapes(stored, found)) continue;
    if (stored.logits.length) most = Math.max(most ?? 0, largest(stored.logits, found.logits));
    for (const [index, expected] of stored.tags.entries()) {
      const tag = found.tags[index];
      if (tag === expected) counts.same_tags += 1;
      else {
        const [word, margin] = [stored.words[index], stored.margins[index]];
        flips.push({ line: line + 1, index, word, expected, found: tag, margin });
      }
    }
  }
  return { ...counts, largest_logit_difference: most, tolerance, flips, ok };
}

/**
 * The lines of golden.jsonl.
 * @param {string} text
 * @returns {Answer[]}
 */
export function readGolden(text) {
  return text
    .replace(/\n$/, "")
    .split("\n")
    .map((line, index) => {
      try {
        const found = JSON.parse(line);
        const lists = [...TEXT_FIELDS, "tags", "entities", "logits", "margins"].map((name) => found[name]);
        if (typeof found.text === "string" && lists.every(Array.isArray)) return found;
      } catch {
        // Told below, with the number of the line.
      }
      throw new MeasureError(`golden.jsonl cannot be used: line ${index + 1} is not of its form.`, AGAIN);
    });
}

/**
 * @param {string[]} tags
 * @param {any} group
 */
const entities = (tags, group) =>
  group(tags).map((/** @type {any} */ { type, startWord, endWord }) => [type, startWord, endWord]);

/**
 * @param {any} stored
 * @param {any} found
 * @param {string} name
 */
const sameField = (stored, found, name) => same(stored[name], found[name]);

/**
 * @param {Answer} one
 * @param {Answer} other
 */
const sameShapes = (one, other) => same(shape(one), shape(other));

/** @param {Answer} one */
const shape = ({ tags, margins, logits }) => [tags.length, margins.length, logits.map((row) => row.length)];

/**
 * Equal as JSON, whatever the order of keys.
 * @param {any} one
 * @param {any} other
 * @returns {boolean}
 */
function same(one, other) {
  if (typeof one !== "object" || typeof other !== "object" || !one || !other) return one === other;
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => same(one[key], other[key]));
}

/**
 * @param {any[]} one
 * @param {any[]} other of the same shape
 */
function largest(one, other) {
  const rest = other.flat();
  return Math.max(0, ...one.flat().map((value, index) => Math.abs(value - rest[index])));
}

/**
 * To four decimals, halves to even, as numpy rounds.
 * @param {number} value
 */
export function rounded(value) {
  const scaled = value * DECIMALS;
  const near = Math.round(scaled);
  const even = Math.abs(scaled % 1) === 0.5 && near % 2 !== 0 ? near - 1 : near;
  return even / DECIMALS;
}
