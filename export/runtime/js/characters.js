// What kind of character each code point is, and composition, by one version of Unicode on every device: see
// characters.py. No \p{…} anywhere: engines know different versions, and Hermes' answers cannot be relied on.

import { PACKED, REPLACEMENTS } from "./character_table.js";

const unpack = (/** @type {string} */ text, /** @type {string} */ [short, a, b]) => text.split(short).join(a + b);
const table = REPLACEMENTS.split(" ").reduceRight(unpack, PACKED);
const codes = new Uint8Array(0x110000);
let filled = 0;
for (const [, letter, count] of table.matchAll(/(\D)(\d*)/g)) {
  codes.fill(letter.charCodeAt(0), filled, (filled += Number(count || 1)));
}

/**
 * The class letters of a text's characters (see words.js), one per code point; a lone surrogate is one too.
 * @param {string} text
 */
export function classes(text) {
  let letters = "";
  for (const character of text)
    letters += String.fromCharCode(codes[/** @type {number} */ (character.codePointAt(0))]);
  return letters;
}

/**
 * `text` in a Unicode normalization form; unassigned characters stay and part what stands around them.
 * @param {string} form
 * @param {string} text
 */
export function normalize(form, text) {
  if (!classes(text).includes("c")) return text.normalize(form);
  let result = "";
  let piece = "";
  for (const character of text) {
    if (classes(character) !== "c") piece += character;
    else {
      result += piece.normalize(form) + character;
      piece = "";
    }
  }
  return result + piece.normalize(form);
}
