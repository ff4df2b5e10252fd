// index.d.ts against the modules it declares, and against the packages that are passed in: checked, never run.

import * as tokenizers from "@huggingface/tokenizers";
import * as ort from "onnxruntime-web";
import * as bundle from "../../../../export/runtime/js/bundle.js";
import * as encode from "../../../../export/runtime/js/encode.js";
import * as entities from "../../../../export/runtime/js/entities.js";
import * as errors from "../../../../export/runtime/js/errors.js";
import type * as declared from "../../../../export/runtime/js/index.js";
import * as offsets from "../../../../export/runtime/js/offsets.js";
import * as sentences from "../../../../export/runtime/js/sentences.js";
import * as tagger from "../../../../export/runtime/js/tagger.js";
import * as words from "../../../../export/runtime/js/words.js";

type Declared = typeof declared;

const made = { ...bundle, ...encode, ...entities, ...errors, ...offsets, ...sentences, ...tagger, ...words };
export const asDeclared: Declared = made;

export const asNeeded: [declared.Ort, declared.Tokenizers] = [ort, tokenizers];
