// Bundles and packages for the tests, in Node.

import { readFileSync } from "node:fs";
import * as tokenizers from "@huggingface/tokenizers";
import * as ort from "onnxruntime-web/wasm";
import { Tagger } from "../../../../export/runtime/js/index.js";

ort.env.wasm.numThreads = 1;
export const packages = { ort, tokenizers };

/** The lines of a JSONL file, parsed. */
export const readLines = (path) =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

/** Files of a folder, as an app's own asset loader would give them. */
export const filesOf = (folder) => (name) => readFileSync(`${folder}/${name}`);

export const openTagger = (folder, options) => Tagger.load(filesOf(folder), { ...packages, ...options });
