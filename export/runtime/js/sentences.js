// Cuts a text's words into sentences: split_sentences in sentences.py tells the rule.

import { classes } from "./characters.js";

/** @typedef {import("./index.d.ts").Word} Word */

const FINAL = /^(?:[.!?…።፧፨؟।]|\.\.\.)$/;
const FINAL_WITHOUT_SPACE = /^(?:[።፧፨]|፡$)/;
const CLOSING = /^["'’”»›)\]}]$/;
const LINE_BREAK = /[\n\v\f\r\x85\u2028\u2029]/;

/**
 * The words of `text` (`splitWords(text)`), cut into sentences; together they are all words in order.
 * @param {string} text
 * @param {Word[]} words
 * @returns {Word[][]}
 */
export function splitSentences(text, words) {
  const sentences = [];
  let begin = 0;
  for (let index = 1; index <= words.length; index++) {
    if (index === words.length || ends(text, words, index)) {
      sentences.push(words.slice(begin, index));
      begin = index;
    }
  }
  return sentences;
}

/**
 * Whether a sentence ends between words[index - 1] and words[index].
 * @param {string} text
 * @param {Word[]} words
 * @param {number} index
 */
function ends(text, words, index) {
  const [last, following] = [words[index - 1], words[index]];
  const spaced = last.end < following.start;
  if (!spaced && !FINAL_WITHOUT_SPACE.test(last.text)) return false;
  if (/^A*l/.test(classes(following.text))) return false;
  if (spaced && LINE_BREAK.test(text.slice(last.end, following.start))) return true;
  const touches = (/** @type {number} */ position) => words[position - 1].end === words[position].start;
  let position = index - 1;
  while (position > 0 && CLOSING.test(words[position].text) && touches(position)) position--;
  const sign = words[position].text;
  if (sign === "፡") return position > 0 && words[position - 1].text === "፡" && touches(position);
  if (sign !== "." || position === 0 || !touches(position)) return FINAL.test(sign);
  return !isAbbreviation(words[position - 1].text);
}

/**
 * Whether a full stop after this word is that of an initial or a title.
 * @param {string} word
 */
const isAbbreviation = (word) => /^(?:[ulo]|u[^u]{0,2})$/.test(classes(word));
