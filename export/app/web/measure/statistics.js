// The statistics of export/runtime/measurement.py.

/**
 * A percentile by linear interpolation between the two nearest samples, as numpy's default.
 * @param {number[]} rising sorted
 * @param {number} percent
 */
export function percentile(rising, percent) {
  const at = (rising.length - 1) * (percent / 100);
  const below = rising[Math.floor(at)];
  const above = rising[Math.ceil(at)];
  const part = at - Math.floor(at);
  // From the nearer end, as numpy does it: else rounding could let p95 fall below p90.
  return part < 0.5 ? below + (above - below) * part : above - (above - below) * (1 - part);
}

/** @param {number[]} values at least one */
export const sum = (values) => values.reduce((total, value) => total + value, 0);

/** @param {number[]} values at least one */
export const median = (values) => percentile(sorted(values), 50);

/**
 * Percentiles, minimum and mean of at least one sample.
 * @param {number[]} milliseconds
 */
export function summarize(milliseconds) {
  const rising = sorted(milliseconds);
  const [p50, p90, p95, p99] = [50, 90, 95, 99].map((percent) => percentile(rising, percent));
  return { p50, p90, p95, p99, minimum: rising[0], mean: sum(rising) / rising.length, samples: rising.length };
}

const sorted = (/** @type {number[]} */ values) => [...values].sort((a, b) => a - b);
