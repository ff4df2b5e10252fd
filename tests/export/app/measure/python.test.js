// The profiler's rules in JavaScript against what Python makes of the same cases: test_measure_in_browser.py.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { compare, rounded } from "../../../../export/app/web/measure/answers.js";
import { PROTOCOL, phases, remainingSeconds, slicesOf, tenth } from "../../../../export/app/web/measure/protocol.js";
import { fileName, sustainedOf } from "../../../../export/app/web/measure/record.js";
import { median, summarize } from "../../../../export/app/web/measure/statistics.js";
import { sentencesToMeasure, textsOf } from "../../../../export/app/web/measure/texts.js";
import { group } from "../../../../export/runtime/js/entities.js";

const cases = JSON.parse(readFileSync(process.env.CASES, "utf8"));

test("the same texts are made of the same sentences", () => {
  assert.ok(cases.texts.length > 20);
  for (const { sentences, sizes, protocol, texts } of cases.texts) {
    assert.deepEqual(
      textsOf(sentences, (word) => sizes[word], protocol),
      texts,
    );
  }
});

test("text without a word that fits is refused", () => {
  const protocol = { lengths: [16], rounds: 1, runs: 1 };
  assert.throws(() => textsOf([["long"]], () => 99, protocol), /no text to measure 16 sub-words with/);
});

test("the same sentences are measured", () => {
  for (const { golden, languages, sentences } of cases.sentences) {
    assert.deepEqual(sentencesToMeasure(golden, languages), sentences);
  }
});

test("percentiles are numpy's and the mean is near it", () => {
  for (const { samples, summary } of cases.summaries) {
    const { mean, ...found } = summarize(samples);
    assert.deepEqual(found, without(summary, "mean"));
    assert.ok(Math.abs(mean - summary.mean) < 1e-9);
  }
});

test("medians are those of the statistics module", () => {
  for (const { samples, median: expected } of cases.medians) assert.equal(median(samples), expected);
});

test("logits are rounded as numpy rounds them", () => {
  for (const { value, rounded: expected } of cases.roundings) assert.equal(rounded(value), expected);
});

test("answers are compared by the same rule", () => {
  assert.ok(cases.comparisons.some(({ agreement }) => agreement.flips.length && agreement.ok));
  assert.ok(cases.comparisons.some(({ agreement }) => !agreement.ok));
  for (const { pairs, tolerance, agreement } of cases.comparisons) {
    assert.deepEqual(compare(pairs, tolerance, group), agreement);
  }
});

test("the protocol is the profiler's, and quick is a tenth of it", () => {
  assert.deepEqual(PROTOCOL, cases.protocol);
  assert.deepEqual(tenth(PROTOCOL), cases.tenth);
});

test("a profile's file has the same name", () => {
  for (const { profile, name } of cases.names) assert.equal(fileName(profile), name);
});

test("a sustained run is told alike", () => {
  const slices = cases.slices.map((total_ms, index) => ({ at_s: 6 * (index + 1), total_ms }));
  const { slowdown, minutes, slices: made } = sustainedOf(slices);
  assert.equal(slowdown, cases.slowdown);
  assert.equal(minutes, cases.slices.length / 10);
  assert.deepEqual(
    made.map(({ p50_ms, runs }) => [p50_ms, runs]),
    cases.slices.map((ms) => [median(ms), ms.length]),
  );
});

test("slices last five seconds, and there are never more than 240", () => {
  assert.deepEqual([0.01, 2, 10, 60].map(slicesOf), [1, 24, 120, 240]);
});

test("progress of several phases is one, and tells what is left", () => {
  const told = [];
  const phase = phases({ first: 10, second: 30 }, (...args) => told.push(args));
  phase("first")(1, 2, "a");
  phase("second")(3, 2, "b");
  assert.deepEqual(told, [
    [5, 40, "a"],
    [40, 40, "b"],
  ]);
  assert.equal(remainingSeconds(5, 5, 40), cases.remaining);
});

function without({ ...kept }, key) {
  delete kept[key];
  return kept;
}
