/** The tagger of a bundle in JavaScript. Offsets are UTF-16 units, as in JavaScript's own strings, unless said. */

/** A word and where it stands in the text; `end` is exclusive. */
export interface Word {
  text: string;
  start: number;
  end: number;
}

/** An entity over words `startWord` to `endWord` (exclusive). */
export interface WordEntity {
  type: string;
  startWord: number;
  endWord: number;
  /** Mean probability of its words' tags, 0 to 1. */
  score: number;
}

/** An entity in the user's own string: `text.slice(start, end)`. Every end is exclusive. */
export interface TaggedEntity {
  type: string;
  text: string;
  start: number;
  end: number;
  /** Code points, as Python counts. */
  startCodePoint: number;
  endCodePoint: number;
  /** UTF-8 bytes. */
  startByte: number;
  endByte: number;
  /** Mean probability of its words' tags, 0 to 1. */
  score: number;
}

export interface TaggedSentence {
  start: number;
  end: number;
  entities: TaggedEntity[];
}

/** What the model makes of each word of a sentence. */
export interface Prediction {
  tags: string[];
  /** Probability of each tag, 0 to 1. */
  scores: number[];
  /** Per word one logit per label. */
  logits: Float32Array[];
}

/**
 * missing: a file cannot be read. incomplete: it has another size than the manifest says. changed: another digest.
 * damaged: it cannot be used. schema: a manifest of another version. unsupported: this device cannot do it.
 */
export type BundleErrorCode = "missing" | "incomplete" | "changed" | "damaged" | "schema" | "unsupported";

/** What is wrong and, in the same message and as `remedy`, what to do next. */
export class BundleError extends Error {
  constructor(code: BundleErrorCode, message: string, remedy: string, cause?: unknown);
  code: BundleErrorCode;
  remedy: string;
}

/** manifest.json, as far as this runtime reads it; manifest.schema.json has all of it. */
export interface Manifest {
  schema_version: 1;
  name: string;
  languages: string[];
  labels: string[];
  max_length: number;
  model: string;
  external_data: string[];
  session?: { threads: number; prepacking: boolean };
  confidence: { temperature: number };
  golden: { file: string; sentences: number; logit_tolerance: number };
  files: Record<string, { bytes: number; sha256: string }>;
  [key: string]: unknown;
}

type Bytes = ArrayBuffer | Uint8Array;

/** The URL of a bundle's folder, or a function that reads one of its files from the app's assets. */
export type Source = string | URL | ((name: string) => Bytes | Promise<Bytes>);

/** How far a download is, in bytes of the files themselves (compression aside). */
export interface Progress {
  file: string;
  loaded: number;
  total: number;
}

export interface ReadOptions {
  /** Check every file's sha256 (the default). Needs WebCrypto: https or localhost. Sizes are always checked. */
  verify?: boolean;
  onProgress?: (progress: Progress) => void;
  /** Stops the downloads. */
  signal?: AbortSignal;
  /** In place of the global one. */
  fetch?: typeof globalThis.fetch;
}

export interface LoadOptions extends ReadOptions {
  /** onnxruntime-web, onnxruntime-node or onnxruntime-react-native: the imported package. */
  ort: Ort;
  /** The imported package @huggingface/tokenizers; imported by this name when left out. */
  tokenizers?: Tokenizers;
  /** The model's path or URL, for onnxruntime to open by itself: memory-mapped, and without a check of its digest. */
  model?: string;
  /** Passed to InferenceSession.create, over the settings of the manifest. */
  sessionOptions?: Record<string, unknown>;
}

/** A bundle whose manifest has been read. */
export interface Bundle {
  manifest: Manifest;
  /** The bytes of these files, downloaded side by side and checked. */
  read(names: string[]): Promise<Uint8Array[]>;
}

/** Input ids of one window, <s> and </s> included, to logits: row by row, one row per id, one column per label. */
export type Logits = (inputIds: number[]) => Promise<Float32Array>;

/** One input of the model and which words it decides. */
export interface Window {
  inputIds: number[];
  /** Position in `inputIds` of the first sub-word of each word of the window. */
  first: number[];
  /** Index of those words in the sentence. */
  words: number[];
  /** Whether this window decides the word's tag. */
  keep: boolean[];
}

export interface Parts {
  logits: Logits;
  encoder: WordEncoder;
  /** In output order; label 0 is "O". */
  labels: string[];
  /** Divides the logits before the softmax. */
  temperature?: number;
  release?: () => Promise<void>;
}

export class Tagger {
  /** Opens a bundle. Throws BundleError. */
  static load(source: Source, options: LoadOptions): Promise<Tagger>;
  constructor(parts: Parts);
  labels: string[];
  temperature: number;
  encoder: WordEncoder;
  logits: Logits;
  /** Frees the model's memory. */
  release: () => Promise<void>;
  /** The entities of a text, in order. Any string gives an answer. `signal` stops it between two sentences. */
  tag(text: string, options?: { signal?: AbortSignal }): Promise<TaggedEntity[]>;
  /** The same sentence by sentence, for long text. */
  sentences(text: string, options?: { signal?: AbortSignal }): AsyncGenerator<TaggedSentence>;
  /** One tag per word of an already split sentence. */
  tagWords(words: string[]): Promise<string[]>;
  /** Tags, probabilities and logits of an already split sentence. */
  predict(words: string[]): Promise<Prediction>;
}

/** The tokenizer of a bundle, applied to words. */
export class WordEncoder {
  /** Takes the parsed tokenizer.json; `maxLength` is a window's, in sub-words. Throws BundleError. */
  constructor(specification: unknown, tokenizers: Tokenizers, maxLength: number);
  maxLength: number;
  bosId: number;
  eosId: number;
  /** Sub-word ids of a word; none for a word of invisible characters alone. */
  subWords(word: string): number[];
  /** Cuts a sentence into windows that overlap by half. */
  windows(words: string[]): Window[];
}

/** Opens a bundle: reads its manifest. Throws BundleError. */
export function openBundle(source: Source, options?: ReadOptions): Promise<Bundle>;
/** Checks bytes against a sha256 in hexadecimal. Throws BundleError. */
export function verifyFile(bytes: Uint8Array, sha256: string, name?: string): Promise<void>;
/** The words of a text; blank text has none. */
export function splitWords(text: string): Word[];
/** The words of a text (`splitWords(text)`), cut into sentences. */
export function splitSentences(text: string, words: Word[]): Word[][];
/** Entities in tags, as seqeval's default counts them. */
export function group(tags: string[], scores?: number[]): WordEntity[];
/** One row of logits per word: that of its first sub-word. */
export function wordLogits(
  logits: Logits,
  encoder: WordEncoder,
  words: string[],
  labels: number,
): Promise<Float32Array[]>;

/** Offsets of one text in other units, in constant time after one pass over it. */
export class TextOffsets {
  constructor(text: string);
  /** Of the UTF-16 unit at `position`, which begins a character or ends the text. */
  codePoint(position: number): number;
  byte(position: number): number;
}

/** What is used of onnxruntime's packages. */
export interface Ort {
  InferenceSession: {
    create(path: string, options?: object): Promise<Session>;
    create(bytes: Uint8Array, options?: object): Promise<Session>;
  };
  Tensor: new (type: "int64", data: BigInt64Array, dims: readonly number[]) => any;
}

export interface Session {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(feeds: Record<string, any>): Promise<Record<string, any>>;
  release(): Promise<void>;
}

/** What is used of @huggingface/tokenizers. */
export interface Tokenizers {
  Tokenizer: new (tokenizer: any, config: any) => { encode(text: string, options?: any): { ids: number[] } };
}
