// Timing with a coarse clock, told by a made-up one.

import assert from "node:assert/strict";
import test from "node:test";
import { clockStep, sample } from "../../../../export/app/web/measure/clock.js";

/** A clock that shows whole steps of a time which passes as the test says. */
function coarse(step) {
  let time = 0.37;
  return {
    pass: (milliseconds) => (time += milliseconds),
    now: () => {
      time += 0.001;
      return Math.floor(time / step) * step;
    },
  };
}

test("the step of a clock is found", () => {
  for (const step of [0.005, 0.1, 1]) assert.ok(Math.abs(clockStep(coarse(step).now) - step) < 1e-9);
});

test("runs far shorter than a step are measured to 5 %, and never as 0", async () => {
  for (const [step, took] of [
    [0.1, 0.03],
    [1, 0.3],
    [1, 0.04],
  ]) {
    const clock = coarse(step);
    const { ms, runs } = await sample(() => clock.pass(took), step, clock.now);
    assert.ok(runs >= (19 * step) / (took + 0.001));
    assert.ok(Math.abs(ms - took - 0.001) <= 0.055 * took + 0.001, `${ms} instead of ${took}`);
  }
});

test("with a fine clock a sample is one run", async () => {
  const clock = coarse(0.005);
  const { ms, runs } = await sample(() => clock.pass(0.4), 0.005, clock.now);
  assert.equal(runs, 1);
  assert.ok(Math.abs(ms - 0.4) < 0.01);
});
