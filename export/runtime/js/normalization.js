// The normalizer of a tokenizer.json, applied here and not by a tokenizer library: normalization.py tells why.

import { classes, normalize } from "./characters.js";

/** @typedef {(text: string) => string} Normalizer */

/**
 * The normalizer that `specification` describes, of the kinds that XLM-R's tokenizers are made of.
 * @param {any} specification
 * @returns {Normalizer}
 */
export function readNormalizer(specification) {
  if (!specification) return (text) => text;
  const kind = specification.type;
  if (kind === "Sequence") {
    const steps = specification.normalizers.map(readNormalizer);
    return (text) => steps.reduce((/** @type {string} */ now, /** @type {Normalizer} */ step) => step(now), text);
  }
  if (/^NFK?[CD]$/.test(kind)) return (text) => normalize(kind, text);
  if (kind === "Precompiled") return readCharacterMap(specification.precompiled_charsmap);
  if (kind === "Strip") return (text) => strip(specification.strip_left, specification.strip_right, text);
  if (kind === "Replace" && specification.pattern?.Regex === " {2,}") {
    return (text) => text.replace(/ {2,}/g, () => specification.content);
  }
  throw new Error(`its normalizer ${kind} is none this runtime knows`);
}

/**
 * SentencePiece's map from strings to strings: a double-array trie over UTF-8 (darts-clone), then the strings. The
 * longest entry at each position is replaced.
 * @param {string} encoded base64, as tokenizer.json has it
 * @returns {Normalizer}
 */
function readCharacterMap(encoded) {
  const data = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
  const size = data.length < 4 ? 0 : new DataView(data.buffer).getUint32(0, true);
  if (size < 4 || size % 4 || 4 + size > data.length) throw new Error("its character map is damaged");
  const units = new Uint32Array(data.buffer.slice(4, 4 + size));
  const strings = data.subarray(4 + size);
  const toBytes = new TextEncoder();
  const toText = new TextDecoder("utf-8", { ignoreBOM: true });
  // Where the children of a node begin.
  const offset = (/** @type {number} */ unit) => (unit >>> 10) << ((unit & 0x200) >> 6);

  return (text) => {
    const bytes = toBytes.encode(text);
    const written = [];
    for (let start = 0; start < bytes.length; ) {
      let [node, end, found] = [offset(units[0]), start, -1];
      for (let position = start; position < bytes.length && bytes[position]; position++) {
        node ^= bytes[position];
        const unit = units[node] ?? 0;
        if ((unit & 0x800000ff) !== bytes[position]) break;
        node ^= offset(unit);
        if (unit & 0x100) [end, found] = [position + 1, units[node] & 0x7fffffff];
      }
      if (found < 0) {
        do written.push(bytes[end++]);
        while ((bytes[end] & 0xc0) === 0x80);
      } else while (strings[found]) written.push(strings[found++]);
      start = end;
    }
    return toText.decode(Uint8Array.from(written));
  };
}

/**
 * `text` without white space at its edges.
 * @param {boolean} left
 * @param {boolean} right
 * @param {string} text
 */
function strip(left, right, text) {
  const characters = [...text];
  const letters = classes(text);
  const start = left ? letters.search(/[^S]|$/) : 0;
  const end = right ? letters.replace(/S+$/, "").length : letters.length;
  return characters.slice(start, end).join("");
}
