// A measured worker that hangs, fails or is stopped.

import assert from "node:assert/strict";
import test from "node:test";
import { readGolden } from "../../../../export/app/web/measure/answers.js";
import { MeasuredWorker } from "../../../../export/app/web/measure/client.js";

/** A worker that answers as `reply` says. */
class StandIn {
  terminated = false;

  constructor(reply) {
    this.reply = reply;
    setTimeout(() => this.onmessage?.({ data: { ready: true } }));
  }

  postMessage(message) {
    const data = this.reply(message);
    if (data) setTimeout(() => this.onmessage({ data: { id: message.id, ...data } }));
  }

  terminate() {
    this.terminated = true;
  }
}

const open = (reply, stop = new AbortController()) => {
  const standIn = new StandIn(reply);
  return { standIn, stop, worker: new MeasuredWorker(stop.signal, () => standIn) };
};

test("what it is asked is answered, and its trouble is told", async () => {
  const { worker } = open(({ command, words }) => (command === "fail" ? { error: "No. Do so." } : { reply: words }));
  await worker.ready();
  assert.deepEqual(await worker.ask("answer", 5, { words: ["a"] }), ["a"]);
  await assert.rejects(worker.ask("fail", 5), { message: "No. Do so." });
  worker.stop();
});

test("one that hangs is given up", async () => {
  const { worker, standIn } = open(() => null);
  await assert.rejects(worker.ask("answer", 0.02), /No answer within 0.02 s \(answer\). Close other tabs/);
  assert.ok(standIn.terminated);
});

test("cancelling ends it and what it was asked", async () => {
  const { worker, standIn, stop } = open(() => null);
  const asked = worker.ask("answer", 5);
  stop.abort("Cancelled.");
  await assert.rejects(asked, (reason) => reason === "Cancelled.");
  assert.ok(standIn.terminated);
  assert.throws(() => new MeasuredWorker(stop.signal, () => assert.fail("started")));
});

test("one whose files are missing says so", async () => {
  const { worker, standIn } = open(() => null);
  const asked = worker.ask("load", 5);
  standIn.onerror({ message: "" });
  await assert.rejects(asked, /does not start: its files are missing. Load the page again./);
});

test("a golden file that is damaged is refused by line", () => {
  const line = { text: "", words: [], code_points: [], utf16: [], bytes: [], windows: [] };
  const whole = JSON.stringify({ ...line, tags: [], entities: [], logits: [], margins: [] });
  assert.equal(readGolden(`${whole}\n${whole}\n`).length, 2);
  for (const bad of ["{", "null", JSON.stringify(line)]) {
    assert.throws(() => readGolden(`${whole}\n${bad}\n`), /line 2 is not of its form/);
  }
});
