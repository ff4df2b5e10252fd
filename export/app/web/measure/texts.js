// Real text cut to the lengths that latency is measured at: texts.py and rounds.py tell the rule.

import { MeasureError } from "./errors.js";

const MARKS = 2; // <s> and </s>
const FULL_ENOUGH = 0.75;
/** The bucket of sentences as they are. */
export const SENTENCES = "sentences";

/**
 * Words of the golden sentences in the bundle's own languages, where it has some; else of all.
 * @param {{ words: string[], why: string }[]} golden
 * @param {string[]} languages
 */
export function sentencesToMeasure(golden, languages) {
  const some = golden.filter(({ words }) => words.length > 0);
  const own = some.filter(({ why }) => languages.includes(why));
  return (own.length ? own : some).map(({ words }) => words);
}

/**
 * The texts of each length of a protocol, and under SENTENCES those that stay as they are.
 * @param {string[][]} sentences words of each, none empty
 * @param {(word: string) => number} subWords how many sub-words a word becomes
 * @param {{ lengths: number[], rounds: number, runs: number }} protocol
 * @returns {Record<string, string[][]>}
 */
export function textsOf(sentences, subWords, { lengths, rounds, runs }) {
  const count = rounds * runs;
  const buckets = lengths.map((length) => [`${length}`, textsOfLength(sentences, subWords, length, count)]);
  return { ...Object.fromEntries(buckets), [SENTENCES]: spread(count, sentences).map((index) => sentences[index]) };
}

/**
 * At most `count` texts of just under `length` sub-words, with <s> and </s>.
 * @param {string[][]} sentences
 * @param {(word: string) => number} subWords
 * @param {number} length
 * @param {number} count no more than there are sentences come back
 */
export function textsOfLength(sentences, subWords, length, count) {
  const texts = spread(count, sentences).map((start) => fill(sentences, subWords, start, length));
  const filled = texts.filter((text) => text.length > 0);
  if (!filled.length) {
    throw new MeasureError(`There is no text to measure ${length} sub-words with.`, "Use another bundle.");
  }
  return filled;
}

/**
 * Indices of at most `count` sentences, evenly apart.
 * @param {number} count
 * @param {string[][]} sentences
 */
function spread(count, { length }) {
  const size = Math.min(count, length);
  return Array.from({ length: size }, (_, index) => Math.floor((index * length) / size));
}

/**
 * @param {string[][]} sentences
 * @param {(word: string) => number} subWords
 * @param {number} start
 * @param {number} length
 */
function fill(sentences, subWords, start, length) {
  /** @type {string[]} */
  const text = [];
  let used = MARKS;
  while (used < length) {
    const before = used;
    // One round over all sentences; a round that adds nothing never will.
    for (let offset = 0; offset < sentences.length; offset++) {
      for (const word of sentences[(start + offset) % sentences.length]) {
        const size = subWords(word);
        if (used + size <= length) {
          text.push(word);
          used += size;
        } else if (used >= FULL_ENOUGH * length) return text;
      }
      if (used === length) return text;
    }
    if (used === before) break;
  }
  return used > MARKS ? text : [];
}
