// node answer.js BUNDLE [FILE]: what the runtime answers, for Python to compare.
// Without FILE replays golden.jsonl and prints a report. With it answers each line, one line of JSON each:
// {text} with entities, {words} with tags and scores, {tags, scores} with entities over words.

import { group, openBundle } from "../../../../export/runtime/js/index.js";
import * as runtime from "../../../../export/runtime/js/index.js";
import { filesOf, openTagger, readLines } from "./common.js";
import { replayGolden } from "./replay.js";

const [folder, file] = process.argv.slice(2);
const tagger = await openTagger(folder);

async function answer({ text, words, tags, scores }) {
  if (tags)
    return group(tags, scores).map(({ type, startWord, endWord, score }) => [type, startWord, endWord, score]);
  if (text !== undefined) return tagger.tag(text);
  const { logits: _, ...found } = await tagger.predict(words);
  return found;
}

if (file) for (const line of readLines(file)) console.log(JSON.stringify(await answer(line)));
else {
  const { manifest } = await openBundle(filesOf(folder));
  const lines = readLines(`${folder}/${manifest.golden.file}`);
  console.log(JSON.stringify(await replayGolden(runtime, tagger, lines, manifest.golden.logit_tolerance)));
}
await tagger.release();
