// The side of a measured worker that asks.

import { MeasureError } from "./errors.js";

const startWorker = () => new Worker(new URL("worker.js", import.meta.url), { type: "module" });

/** A worker of its own; the clock runs from its start. */
export class MeasuredWorker {
  /** @type {Map<number, { done: (reply: any) => void, fail: (error: unknown) => void }>} */
  #asked = new Map();
  #begun = performance.now();
  #last = 0;
  #signal;
  #worker;
  #stop = () => this.stop(this.#signal.reason);

  /**
   * @param {AbortSignal} signal ends it
   * @param {() => Worker} [create]
   */
  constructor(signal, create = startWorker) {
    signal.throwIfAborted();
    this.#signal = signal;
    signal.addEventListener("abort", this.#stop);
    this.#worker = create();
    this.#worker.onmessage = ({ data }) => this.#hear(data);
    this.#worker.onerror = ({ message }) => {
      this.stop(
        new MeasureError(
          `The measuring part does not start: ${message || "its files are missing"}.`,
          "Load the page again.",
        ),
      );
    };
  }

  /** Seconds since it was started. */
  get seconds() {
    return (performance.now() - this.#begun) / 1000;
  }

  /** Resolves when it runs and has loaded nothing yet. */
  ready() {
    return new Promise((done, fail) => this.#asked.set(0, { done, fail }));
  }

  /**
   * @param {string} command
   * @param {number} timeout seconds
   * @param {object} [request]
   * @returns {Promise<any>}
   */
  ask(command, timeout, request) {
    const id = ++this.#last;
    return new Promise((done, fail) => {
      const remedy = "Close other tabs and programs, and measure again.";
      const late = () => this.stop(new MeasureError(`No answer within ${timeout} s (${command}).`, remedy));
      const timer = setTimeout(late, 1000 * timeout);
      const ends = (/** @type {(value: any) => void} */ tell) => (/** @type {any} */ value) => {
        clearTimeout(timer);
        tell(value);
      };
      this.#asked.set(id, { done: ends(done), fail: ends(fail) });
      this.#worker.postMessage({ id, command, ...request });
    });
  }

  /**
   * Ends the worker, and with it whatever it was asked.
   * @param {unknown} [reason]
   */
  stop(reason) {
    this.#signal.removeEventListener("abort", this.#stop);
    this.#worker.terminate();
    for (const { fail } of this.#asked.values()) fail(reason);
    this.#asked.clear();
  }

  /** @param {any} data */
  #hear({ id = 0, reply, error }) {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    if (error === undefined) asked?.done(reply);
    else asked?.fail(new Error(error));
  }
}
