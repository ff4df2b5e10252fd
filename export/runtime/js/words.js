// Cuts a text into words as MasakhaNER does: words.py tells the rule and its classes of characters.

import { classes } from "./characters.js";

const RUN = "(?:[a-zM]+|D+(?:[FN]D+)*)(?:[XV]*(?:[a-zM]+|D+(?:[FN]D+)*))*";
/** words.RULE of the Python runtime; a test compares the two. */
export const RULE = `A?${RUN}(?:A${RUN})*(?:A(?!A))?|AA+|FFF|[PAFN][MV]*`;

const rule = new RegExp(RULE, "g");

/**
 * The words of `text` in order, with offsets in UTF-16 units, `end` exclusive. Any string is fine, lone surrogates
 * included; blank text has none.
 * @param {string} text
 * @returns {import("./index.d.ts").Word[]}
 */
export function splitWords(text) {
  const at = unitOffsets(text);
  return Array.from(classes(text).matchAll(rule), (match) => {
    const first = match.index;
    const [start, end] = [first, first + match[0].length].map((position) => at?.[position] ?? position);
    return { text: text.slice(start, end), start, end };
  });
}

/**
 * Offset in UTF-16 units of each code point and of the end; null where the two are the same.
 * @param {string} text
 */
function unitOffsets(text) {
  if (!/[\ud800-\udbff]/.test(text)) return null;
  const offsets = [];
  let at = 0;
  for (const character of text) {
    offsets.push(at);
    at += character.length;
  }
  return [...offsets, at];
}
