// Timing with the clock of a browser, which is coarse on purpose: steps of 5 µs in an isolated page, of 100 µs
// elsewhere in Chromium, of 1 ms in Safari and Firefox.
//
// A run shorter than that reads as 0 ms, or as a whole step. So a sample is not one run but as many runs of the same
// text in a row as take STEPS steps of the clock, divided by their number: never 0, and at most 5 % off. Where the
// clock is fine enough that is one run, as in profiles of other devices. Where it is not, single slow runs are evened
// out. For the same reason tokenization is not what the model's time leaves over of a run, but timed by itself.

const STEPS = 20;
const LOOKS = 12;

/**
 * Milliseconds between two readings of the clock that differ, at the least.
 * @param {() => number} [now]
 */
export function clockStep(now = () => performance.now()) {
  let least = Infinity;
  for (let look = 0, last = now(); look < LOOKS; look++) {
    let next = now();
    while (next === last) next = now();
    // The first one began in the middle of a step.
    if (look) least = Math.min(least, next - last);
    last = next;
  }
  return least;
}

/** Milliseconds that a sample takes at least. */
export const sampleMs = (/** @type {number} */ step) => STEPS * step;

/**
 * One sample: mean milliseconds of a run, and how many runs that is the mean of.
 * @param {() => unknown} run
 * @param {number} step of the clock in milliseconds
 * @param {() => number} [now]
 */
export async function sample(run, step, now = () => performance.now()) {
  const begun = now();
  let [runs, passed] = [0, 0];
  do {
    await run();
    runs += 1;
    passed = now() - begun;
  } while (passed < sampleMs(step));
  return { ms: passed / runs, runs };
}
