// One text at a time, the newest next; and sentences that are not tagged twice.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Latencies, LatestText, rememberSentences, startWorker } from "../../../../export/app/web/tagging.js";

test("a worker that fails is told from files that did not come and from a browser that is too old", (t) => {
  t.after(() => delete globalThis.Worker);
  globalThis.Worker = EventTarget;
  const failure = ({ message, heard = false, simd = true }) => {
    const validate = t.mock.method(WebAssembly, "validate", () => simd);
    let told;
    const worker = startWorker(
      () => {},
      ({ code }) => (told = code),
    );
    if (heard) worker.dispatchEvent(new Event("message"));
    worker.dispatchEvent(Object.assign(new Event("error"), { message }));
    validate.mock.restore();
    return told;
  };
  assert.equal(failure({ message: undefined }), "app");
  assert.equal(failure({ message: undefined, simd: false }), "unsupported");
  assert.equal(failure({ message: "SyntaxError: import declarations" }), "unsupported");
  assert.equal(failure({ message: "RangeError", heard: true }), "stopped");
});

test("a text goes out at once when nothing is under way", () => {
  const sent = [];
  const queue = new LatestText((text) => sent.push(text), assert.fail);
  queue.submit("a");
  queue.finished();
  queue.submit("b");
  assert.deepEqual(sent, ["a", "b"]);
});

test("of the texts that come meanwhile only the newest is tagged, and the old one is asked to stop", () => {
  const sent = [];
  let stops = 0;
  const queue = new LatestText(
    (text) => sent.push(text),
    () => stops++,
  );
  for (const text of ["a", "ab", "abc", ""]) queue.submit(text);
  assert.deepEqual([sent, stops], [["a"], 3]);
  queue.finished();
  assert.deepEqual(sent, ["a", ""]); // an emptied text counts too
  queue.finished();
  assert.deepEqual([sent.length, queue.current], [2, null]);
});

test("after a reset the next text goes out at once", () => {
  const sent = [];
  const queue = new LatestText((text) => sent.push(text), () => {});
  queue.submit("a");
  queue.submit("b");
  queue.reset();
  queue.submit("c");
  assert.deepEqual(sent, ["a", "c"]);
});

test("p95 is the nearest rank of the values that are kept", () => {
  const latencies = new Latencies(100);
  latencies.add(7);
  assert.equal(latencies.p95, 7);
  for (let value = 1; value <= 200; value++) latencies.add(value);
  assert.equal(latencies.p95, 195); // of 101 to 200
});

test("a sentence is tagged once while it is remembered, and its words are counted every time", async () => {
  const asked = [];
  let words = 0;
  const tagger = {
    async predict(sentence) {
      asked.push(sentence.join(" "));
      return { tags: sentence.map(() => "O"), scores: sentence.map(() => 1), logits: [] };
    },
  };
  rememberSentences(tagger, 2, (more) => (words += more));
  for (const sentence of ["a b", "c", "a b", "d", "a b", "c"]) {
    const { tags } = await tagger.predict(sentence.split(" "));
    assert.equal(tags.length, sentence.split(" ").length);
  }
  assert.deepEqual(asked, ["a b", "c", "d", "c"]); // "c" was the longest unused when "d" came
  assert.equal(words, 9);
});
