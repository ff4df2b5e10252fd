// node compare.js BUNDLE MAX_LENGTH FILE: reads texts as this runtime does and holds them against what Python made
// of them (tests/export/runtime/hard_texts.py). Prints one JSON object: counts of mismatches, and the first ones.

import { readFileSync } from "node:fs";
import * as tokenizers from "@huggingface/tokenizers";
import { TextOffsets, WordEncoder, splitSentences, splitWords } from "../../../../export/runtime/js/index.js";
import { readLines } from "./common.js";

const [folder, maxLength, file] = process.argv.slice(2);
const specification = JSON.parse(readFileSync(`${folder}/tokenizer.json`, "utf8"));
const encoder = new WordEncoder(specification, tokenizers, Number(maxLength));
const report = { texts: 0, words: 0, subWords: 0, offsets: 0, sentences: 0, ids: 0, examples: [] };

for (const { text, given, ...expected } of readLines(file)) {
  const offsets = new TextOffsets(text);
  const words = splitWords(text);
  const units = [(at) => offsets.codePoint(at), (at) => offsets.byte(at), (at) => at];
  const texts = given ?? words.map((word) => word.text);
  const windows = encoder.windows(texts);
  const found = {
    words: words.map(({ start, end }) => units.flatMap((unit) => [unit(start), unit(end)])),
    sentences: splitSentences(text, words).map((sentence) => sentence.length),
    windows: windows.map((window) => [window.inputIds, window.first, window.words, window.keep.map(Number)]),
  };
  report.texts += 1;
  report.words += texts.length;
  report.subWords += windows.reduce((sum, { inputIds }) => sum + inputIds.length - 2, 0);
  for (const [what, counter] of [
    ["words", "offsets"],
    ["sentences", "sentences"],
    ["windows", "ids"],
  ]) {
    if (JSON.stringify(found[what]) === JSON.stringify(expected[what])) continue;
    report[counter] += 1;
    if (report.examples.length < 5) {
      report.examples.push({ what, text: escape(text), found: found[what], expected: expected[what] });
    }
  }
}
console.log(JSON.stringify(report));

/** ASCII only, whatever the text holds. */
function escape(text) {
  return text.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`).slice(0, 300);
}
