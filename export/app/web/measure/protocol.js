// How long and how often to measure, and how long that will take: protocol.py, profiler.py and progress.py.

/**
 * @typedef {object} Protocol
 * @property {number[]} lengths sub-words per text, with <s> and </s>
 * @property {number} rounds
 * @property {number} runs of one turn
 * @property {number} seconds of all turns at one length
 * @property {number} warm_runs
 * @property {number} warm_seconds
 * @property {number} cold_starts
 * @property {number} cold_seconds
 * @property {number} timeout
 */

/** @type {Protocol} 500 runs or 60 s at each length, after at least 5 runs and 1 s of warming up. */
export const PROTOCOL = {
  lengths: [16, 32, 64, 128],
  rounds: 10,
  runs: 50,
  seconds: 60,
  warm_runs: 5,
  warm_seconds: 1,
  cold_starts: 5,
  cold_seconds: 5,
  timeout: 120,
};

/** Sub-words of a long sentence: where settings are compared and sustained work is done. */
export const LENGTH = 64;
const TYPICAL_SENTENCE = 32; // sub-words, to foresee how long sentences will take
const SLICE_SECONDS = 5;
const MOST_SLICES = 240; // a longer run has longer slices
const CONFIDENCE = 5; // seconds of the expected that count like seconds already passed

/**
 * A tenth of all runs and seconds, at least one run of each kind.
 * @param {Protocol} protocol
 * @returns {Protocol}
 */
export function tenth(protocol) {
  const few = (/** @type {number} */ count) => Math.max(1, Math.floor(count / 10));
  const { runs, seconds, warm_runs, warm_seconds, cold_starts, cold_seconds } = protocol;
  return {
    ...protocol,
    runs: few(runs),
    seconds: seconds / 10,
    warm_runs: few(warm_runs),
    warm_seconds: warm_seconds / 10,
    cold_starts: few(cold_starts),
    cold_seconds: cold_seconds / 10,
  };
}

/**
 * About how many seconds the rounds and the cold starts take.
 * @param {Protocol} protocol
 * @param {number} start seconds from starting a worker to a model that can answer
 * @param {number} subWord seconds per sub-word
 * @param {number} least seconds that a coarse clock makes of any one sample
 */
export function expectedSeconds(protocol, start, subWord, least) {
  const { lengths, rounds, runs, seconds, warm_runs, warm_seconds, cold_starts, cold_seconds } = protocol;
  const timed = [...lengths, TYPICAL_SENTENCE].map((length) =>
    Math.min(seconds, rounds * runs * (Math.max(length * subWord, least) + least)),
  );
  const warm = warm_runs * Math.max(...lengths) * subWord + warm_seconds;
  const cold = Math.min(cold_starts, Math.ceil(cold_seconds / start)) * start;
  return warm + timed.reduce((all, one) => all + one, 0) + Math.max(cold, start);
}

/**
 * How many slices minutes of work are cut into.
 * @param {number} minutes
 */
export const slicesOf = (minutes) => Math.min(MOST_SLICES, Math.max(1, Math.round((minutes * 60) / SLICE_SECONDS)));

/**
 * Joins the progress of phases of known length into one.
 * @param {Record<string, number>} seconds how long each phase will take, in the order they run
 * @param {(done: number, total: number, what: string) => void} progress told seconds done and in all, and what comes
 *   next
 */
export function phases(seconds, progress) {
  const names = Object.keys(seconds);
  const whole = Object.values(seconds).reduce((all, one) => all + one, 0);
  return (/** @type {string} */ name) => {
    const before = names.slice(0, names.indexOf(name)).reduce((all, one) => all + seconds[one], 0);
    return (/** @type {number} */ done, /** @type {number} */ total, /** @type {string} */ what) =>
      progress(before + seconds[name] * Math.min(1, done / total), whole, what);
  };
}

/**
 * How long the rest takes when what is `done` of the expected `total` seconds took `passed` seconds.
 * @param {number} passed
 * @param {number} done
 * @param {number} total
 */
export const remainingSeconds = (passed, done, total) =>
  (Math.max(0, total - done) * (passed + CONFIDENCE)) / (done + CONFIDENCE);

/**
 * 40 s, 3 min.
 * @param {number} seconds
 */
export const spokenSeconds = (seconds) =>
  seconds < 90 ? `${Math.max(1, Math.round(seconds))} s` : `${Math.round(seconds / 60)} min`;
