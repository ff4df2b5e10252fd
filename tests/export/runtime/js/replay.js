// Replays golden.jsonl by the rule of export/golden.py. Runs in Node and in a browser, so it imports nothing.

const DECIMALS = 1e-4;

/**
 * What differs from a bundle's golden.jsonl, one line each; and how far the logits are off.
 * @param {object} runtime export/runtime/js/index.js
 * @param {object} tagger
 * @param {object[]} lines parsed
 * @param {number} tolerance
 */
export async function replayGolden(runtime, tagger, lines, tolerance) {
  const problems = [];
  const report = { problems, sentences: lines.length, words: 0, flips: 0, largest: 0 };
  for (const [number, golden] of lines.entries()) {
    const differ = (what, found) =>
      problems.push(`golden.jsonl:${number + 1}: other ${what}: ${JSON.stringify(found)}`);
    const same = (what, found) => JSON.stringify(found) === JSON.stringify(golden[what]) || differ(what, found);
    const words = runtime.splitWords(golden.text);
    const texts = words.map((word) => word.text);
    const offsets = new runtime.TextOffsets(golden.text);
    same("words", texts);
    same(
      "utf16",
      words.map(({ start, end }) => [start, end]),
    );
    same(
      "code_points",
      words.map(({ start, end }) => [offsets.codePoint(start), offsets.codePoint(end)]),
    );
    same(
      "bytes",
      words.map(({ start, end }) => [offsets.byte(start), offsets.byte(end)]),
    );
    same("windows", tagger.encoder.windows(texts).map(asGolden));
    same(
      "entities",
      runtime.group(golden.tags).map(({ type, startWord, endWord }) => [type, startWord, endWord]),
    );
    const { tags, logits } = await tagger.predict(texts);
    report.words += tags.length;
    tags.forEach((tag, word) => {
      if (tag === golden.tags[word]) return;
      report.flips += 1;
      if (golden.margins[word] >= tolerance) differ(`tag of word ${word}`, tag);
    });
    golden.logits.forEach((row, word) => {
      row.forEach((logit, label) => {
        report.largest = Math.max(report.largest, Math.abs(logit - logits[word][label]));
      });
    });
    if (report.largest > tolerance + DECIMALS) differ("logits", report.largest);
    golden.margins.forEach((margin, word) => {
      const [best, second] = [...logits[word]].sort((a, b) => b - a);
      if (Math.abs(best - second - margin) > 2 * (tolerance + DECIMALS))
        differ(`margin of word ${word}`, best - second);
    });
  }
  return report;
}

/** A window as golden.jsonl has it: its keys in alphabetical order, truth as 0 and 1. */
const asGolden = ({ inputIds, first, words, keep }) => ({ first, ids: inputIds, keep: keep.map(Number), words });
