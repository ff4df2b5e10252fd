// The tagger of a bundle in JavaScript: README.md tells how to use it.

export { openBundle, verifyFile } from "./bundle.js";
export { WordEncoder, wordLogits } from "./encode.js";
export { group } from "./entities.js";
export { BundleError } from "./errors.js";
export { TextOffsets } from "./offsets.js";
export { splitSentences } from "./sentences.js";
export { Tagger } from "./tagger.js";
export { splitWords } from "./words.js";
