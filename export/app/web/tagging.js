// Which text is tagged when: the newest one, one at a time. And how long that took.

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
