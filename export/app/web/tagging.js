// Starting the tagger; which text is tagged when: the newest one, one at a time. And how long that took.

// The smallest WebAssembly module that uses a SIMD instruction.
const SIMD = "0061736d010000000105016000017b030201000a0a0108004100fd0ffd620b".match(/[0-9a-f]{2}/g) ?? [];

/** Whether onnxruntime can run here. */
export const hasSimd = () =>
  Boolean(globalThis.WebAssembly?.validate(Uint8Array.from(SIMD, (byte) => parseInt(byte, 16))));

/** Sends texts to a tagger that takes one at a time; of the texts that come meanwhile only the newest is kept. */
export class LatestText {
  /**
   * @param {(text: string) => void} send begins to tag
   * @param {() => void} stop asks for the end of what is under way; `finished` is called in any case
   */
  constructor(send, stop) {
    this.send = send;
    this.stop = stop;
    this.reset();
  }

  /** Forgets what is under way: another tagger answers from here on. */
  reset() {
    /** @type {string | null} */
    this.current = null;
    /** @type {string | null} */
    this.waiting = null;
  }

  /** @param {string} text */
  submit(text) {
    if (this.current === null) this.begin(text);
    else {
      this.waiting = text;
      this.stop();
    }
  }

  finished() {
    const next = this.waiting;
    this.reset();
    if (next !== null) this.begin(next);
  }

  /** @param {string} text */
  begin(text) {
    this.current = text;
    this.send(text);
  }
}

/**
 * A new worker. What ends it is told as a failure that advice.js knows.
 * @param {(answer: any) => void} answered
 * @param {(failure: { code: string, message: string }) => void} failed
 */
export function startWorker(answered, failed) {
  const worker = new Worker("worker.js", { type: "module" });
  let heard = false;
  worker.addEventListener("message", ({ data }) => {
    heard = true;
    answered(data);
  });
  worker.addEventListener("error", ({ message }) => {
    // A browser that cannot read a module tells it as a file that did not come, or before the worker says anything.
    if (!message) failed({ code: hasSimd() ? "app" : "unsupported", message: "worker.js cannot be loaded." });
    else failed({ code: heard ? "stopped" : "unsupported", message });
  });
  return worker;
}

/** The last so many latencies, in ms. */
export class Latencies {
  /** @param {number} [kept] */
  constructor(kept = 200) {
    this.kept = kept;
    /** @type {number[]} */
    this.values = [];
  }

  /** @param {number} milliseconds */
  add(milliseconds) {
    this.values.push(milliseconds);
    if (this.values.length > this.kept) this.values.shift();
  }

  /** The smallest value that 95 % of the values do not exceed (nearest rank). */
  get p95() {
    const sorted = [...this.values].sort((a, b) => a - b);
    return sorted[Math.ceil(sorted.length * 0.95) - 1];
  }
}

/**
 * Lets a tagger remember what it made of a sentence, so that a keystroke tags only the sentence it is in.
 * @template {{ predict(words: string[]): Promise<{ tags: string[], scores: number[] }> }} T
 * @param {T} tagger its `predict` is replaced
 * @param {number} kept sentences
 * @param {(words: number) => void} counted is told of every sentence's words
 * @returns {T}
 */
export function rememberSentences(tagger, kept, counted) {
  const predict = tagger.predict.bind(tagger);
  const known = new Map();
  tagger.predict = async (words) => {
    counted(words.length);
    const key = words.join(" "); // a word holds no space
    const { tags, scores } = known.get(key) ?? (await predict(words));
    known.delete(key); // the last used stands last
    known.set(key, { tags, scores });
    if (known.size > kept) known.delete(known.keys().next().value);
    return /** @type {any} */ ({ tags, scores });
  };
  return tagger;
}
