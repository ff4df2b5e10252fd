// Takes the profile of a bundle in this browser, by the protocol of profiler.py and rounds.py.

import { compare } from "./answers.js";
import { MeasuredWorker } from "./client.js";
import { LENGTH, PROTOCOL, expectedSeconds, phases, slicesOf, tenth } from "./protocol.js";
import { makeProfile, sustainedOf } from "./record.js";
import { median, sum } from "./statistics.js";
import { SENTENCES, sentencesToMeasure } from "./texts.js";
import { group } from "../runtime/index.js";

const PROBE = { runs: 20, seconds: 1 };
const TIMEOUT = PROTOCOL.timeout;

/**
 * Measures a bundle.
 * @param {object} options
 * @param {string} options.url absolute, of the bundle's folder
 * @param {boolean} [options.quick] a tenth of everything: shows that all works, decides nothing
 * @param {number} [options.minutes] of work without a pause at the end
 * @param {AbortSignal} [options.signal] stops it
 * @param {(done: number, total: number, what: string) => void} [options.progress] told expected seconds done and in
 *   all, and what comes next
 * @returns {Promise<any>} the profile, of export/profile.schema.json
 */
export async function takeProfile({ url, quick = false, minutes = 0, signal, progress = () => {} }) {
  const stopped = signal ?? new AbortController().signal;
  const protocol = quick ? tenth(PROTOCOL) : PROTOCOL;
  progress(0, 1, "trying the model");
  const worker = new MeasuredWorker(stopped);
  try {
    const { manifest, versions } = await worker.ask("load", TIMEOUT, { url });
    const start = worker.seconds;
    const golden = await worker.ask("readGolden", TIMEOUT);
    const sentences = sentencesToMeasure(golden, manifest.languages);
    const { sentence } = await worker.ask("texts", TIMEOUT, { sentences, protocol });
    const probe = await worker.ask("time", TIMEOUT, { bucket: SENTENCES, start: 0, ...PROBE });
    const perSubWord = probe.total_ms.map(
      (/** @type {number} */ ms, /** @type {number} */ at) => ms / probe.tokens[at],
    );
    const subWord = median(perSubWord) / 1000; // the first runs are slow, until the browser has compiled all
    const expected = {
      answers: golden.length * Math.max(0.01, 2 * LENGTH * subWord),
      measurement: expectedSeconds(protocol, start, subWord, probe.leastMs / 1000),
      sustained: minutes * 60,
    };
    const phase = phases(expected, progress);
    const agreement = await replayGolden(worker, golden, manifest, phase("answers"));
    const samples = await measure(worker, protocol, phase("measurement"));
    worker.stop(); // a phone may not have the memory for two
    const cold = await coldStarts(url, sentence, protocol, stopped, phase("measurement"));
    const sustained = minutes ? await work(url, sentences, minutes, stopped, phase("sustained")) : null;
    return await makeProfile({ manifest, versions, quick, protocol, samples, cold, agreement, sustained });
  } finally {
    worker.stop();
  }
}

/**
 * @param {MeasuredWorker} worker
 * @param {import("./answers.js").Answer[]} golden
 * @param {any} manifest
 * @param {(done: number, total: number, what: string) => void} progress
 */
async function replayGolden(worker, golden, { golden: { logit_tolerance } }, progress) {
  /** @type {[import("./answers.js").Answer, import("./answers.js").Answer][]} */
  const pairs = [];
  for (const [done, stored] of golden.entries()) {
    progress(done, golden.length, "replaying the golden sentences");
    pairs.push([stored, await worker.ask("golden", TIMEOUT, { text: stored.text })]);
  }
  return compare(pairs, logit_tolerance, group);
}

/**
 * Warms up and times every bucket in turns.
 * @param {MeasuredWorker} worker
 * @param {import("./protocol.js").Protocol} protocol
 * @param {(done: number, total: number, what: string) => void} progress
 */
async function measure(worker, protocol, progress) {
  const { lengths, rounds, runs, seconds, warm_runs, warm_seconds, cold_starts, timeout } = protocol;
  const longest = { bucket: `${Math.max(...lengths)}`, start: 0, apart: false };
  progress(0, 1, "warming up");
  await worker.ask("time", 2 * timeout, { ...longest, runs: warm_runs, seconds: timeout });
  await worker.ask("time", timeout + warm_seconds, { ...longest, runs: Infinity, seconds: warm_seconds });
  const buckets = [...lengths.map(String), SENTENCES];
  const steps = rounds * buckets.length + cold_starts;
  /** @type {Record<string, import("./record.js").Samples>} */
  const samples = {};
  let done = 0;
  for (let turn = 0; turn < rounds; turn++) {
    for (const bucket of buckets) {
      progress(done++, steps, `timing ${bucket === SENTENCES ? bucket : `${bucket} sub-words`}`);
      const request = { bucket, start: turn * runs, runs, seconds: seconds / rounds, apart: bucket !== SENTENCES };
      const { leastMs: _, ...found } = await worker.ask("time", timeout + request.seconds, request);
      samples[bucket] = joined(samples[bucket], found);
    }
  }
  return samples;
}

/**
 * @param {import("./record.js").Samples | undefined} before
 * @param {import("./record.js").Samples} found
 */
const joined = (before, found) =>
  /** @type {import("./record.js").Samples} */ (
    Object.fromEntries(
      Object.entries(found).map(([name, values]) => [
        name,
        [...(before?.[/** @type {"tokens"} */ (name)] ?? []), ...values],
      ]),
    )
  );

/**
 * Seconds of each part, of one fresh worker after another.
 * @param {string} url
 * @param {string[]} words of the first sentence
 * @param {import("./protocol.js").Protocol} protocol
 * @param {AbortSignal} signal
 * @param {(done: number, total: number, what: string) => void} progress
 */
async function coldStarts(url, words, protocol, signal, progress) {
  const { lengths, rounds, cold_starts, cold_seconds } = protocol;
  const before = rounds * (lengths.length + 1);
  /** @type {Record<string, number>[]} */
  const found = [];
  for (let turn = 0; turn < cold_starts; turn++) {
    if (turn && sum(found.map(({ total }) => total)) >= cold_seconds) break;
    progress(before + turn, before + cold_starts, "starting afresh");
    const worker = new MeasuredWorker(signal);
    try {
      await worker.ready();
      const interpreter = worker.seconds;
      const { seconds, clockMs } = await worker.ask("load", TIMEOUT, { url });
      const first_answer = await worker.ask("answer", TIMEOUT, { words });
      // What took less than a step of the clock took no more than that step.
      const parts = Object.entries({ interpreter, ...seconds, first_answer, total: worker.seconds });
      found.push(Object.fromEntries(parts.map(([part, took]) => [part, Math.max(took, clockMs / 1000)])));
    } finally {
      worker.stop();
    }
  }
  return found;
}

/**
 * Minutes of work without a pause.
 * @param {string} url
 * @param {string[][]} sentences
 * @param {number} minutes
 * @param {AbortSignal} signal
 * @param {(done: number, total: number, what: string) => void} progress
 */
async function work(url, sentences, minutes, signal, progress) {
  const count = slicesOf(minutes);
  const worker = new MeasuredWorker(signal);
  try {
    await worker.ask("load", TIMEOUT, { url });
    await worker.ask("texts", TIMEOUT, { sentences, protocol: { ...PROTOCOL, lengths: [LENGTH] } });
    const slices = [];
    const begun = performance.now();
    let passed = 0;
    for (let index = 0; index < count; index++) {
      progress(index, count, "working without a pause");
      const seconds = Math.max(0, (60 * minutes * (index + 1)) / count - passed);
      const request = { bucket: `${LENGTH}`, start: index, runs: Infinity, seconds, apart: false };
      const { total_ms } = await worker.ask("time", TIMEOUT + seconds, request);
      passed = (performance.now() - begun) / 1000;
      slices.push({ at_s: passed, total_ms });
    }
    return sustainedOf(slices);
  } finally {
    worker.stop();
  }
}
