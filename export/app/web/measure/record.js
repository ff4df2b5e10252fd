// The profile object that export/profile.schema.json describes.

import { describeDevice } from "./device.js";
import { LENGTH } from "./protocol.js";
import { median, sum, summarize } from "./statistics.js";
import { SENTENCES } from "./texts.js";

const SCHEMA = 1;
const KIND = "device profile";
const BACKEND = "onnxruntime-web";
const TOKENIZER_FILES = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "sentencepiece.bpe.model",
];
const LABEL_FILES = ["config.json"];
const UNTOLD = { temperature_c: null, frequency_mhz: null, frequency_max_mhz: null, governor: null, throttled: null };
const NO_MEMORY = { peak: null, resident: null, anonymous: null, file_backed: null };
const DIGITS = 1e6;

/** @typedef {{ total_ms: number[], inference_ms: number[], tokenization_ms: number[], tokens: number[] }} Samples */

/**
 * What was measured, as a profile. A page that is not cross-origin isolated can have one setting only: one thread.
 * @param {object} found
 * @param {any} found.manifest
 * @param {Record<string, string>} found.versions
 * @param {boolean} found.quick
 * @param {import("./protocol.js").Protocol} found.protocol
 * @param {Record<string, Samples>} found.samples by bucket
 * @param {Record<string, number>[]} found.cold parts of each cold start, in seconds
 * @param {object} found.agreement
 * @param {object | null} found.sustained
 * @param {Navigator} [navigator]
 */
export async function makeProfile(
  { manifest, versions, quick, protocol, samples, cold, agreement, sustained },
  navigator = globalThis.navigator,
) {
  const { machine, browser } = await describeDevice(navigator, versions[BACKEND]);
  const digest = await modelDigest(manifest);
  const now = new Date().toISOString().replace(/\.\d+Z$/, "+00:00");
  const setting = { threads: 1, prepacking: manifest.session?.prepacking ?? true };
  const buckets = protocol.lengths.map((length) => bucketOf(length, samples[length]));
  const compared = buckets.find(({ length }) => length === LENGTH) ?? buckets[0];
  const profile = {
    schema: SCHEMA,
    kind: KIND,
    model_sha256: digest,
    measured_at: now,
    host: null,
    quick,
    protocol,
    sweep_protocol: protocol,
    setting,
    measurement: {
      name: manifest.name,
      backend: BACKEND,
      basis: "measured here",
      model_sha256: digest,
      measured_at: now,
      threads: setting.threads,
      machine,
      packages: [["browser", browser], ...Object.entries(versions)],
      sizes: sizesOf(manifest),
      cold_start: { ...mediansOf(cold), samples: cold.length },
      buckets,
      throughput: throughputOf(samples[SENTENCES]),
      memory: NO_MEMORY,
      memory_imported: NO_MEMORY,
      reference: null,
      speedups: [],
    },
    settings: [resultOf(setting, compared.total)],
    recommended: setting,
    agreement,
    before: UNTOLD,
    after: UNTOLD,
    energy: null,
    sustained,
  };
  return trimmed(profile);
}

/**
 * What the file is called: Profile.file_name of the Python runtime.
 * @param {any} profile
 */
export function fileName({ model_sha256: digest, measurement: { machine, packages } }) {
  const browser = Object.fromEntries(packages).browser.replace(/ [\d.]+$/, "");
  const slug = `${machine.board ?? machine.os}, ${browser}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  const name = slug.replaceAll(/^-|-$/g, "").slice(0, 100) || "unknown";
  return `profile-${name}-${digest.slice(0, 8)}.json`;
}

/**
 * The throttling curve.
 * @param {{ at_s: number, total_ms: number[] }[]} slices
 */
export function sustainedOf(slices) {
  const made = slices.map(({ at_s, total_ms }) => ({
    at_s,
    p50_ms: median(total_ms),
    runs: total_ms.length,
    temperature_c: null,
    frequency_mhz: null,
    throttled: null,
  }));
  const tenth = Math.max(1, Math.floor(made.length / 10));
  const [first, last] = [made.slice(0, tenth), made.slice(-tenth)].map((part) =>
    median(part.map((one) => one.p50_ms)),
  );
  return { minutes: made[made.length - 1].at_s / 60, length: LENGTH, slices: made, slowdown: last / first };
}

/**
 * @param {number} length
 * @param {Samples} samples
 */
function bucketOf(length, { total_ms, inference_ms, tokenization_ms, tokens }) {
  return {
    length,
    tokens: sum(tokens) / tokens.length,
    total: summarize(total_ms),
    inference: summarize(inference_ms),
    tokenization: summarize(tokenization_ms),
    tokens_per_s: (1000 * sum(tokens)) / sum(total_ms),
    waiting: null,
  };
}

/** @param {Samples} samples */
function throughputOf({ total_ms, tokens }) {
  const seconds = sum(total_ms) / 1000;
  return {
    latency: summarize(total_ms),
    sentences_per_s: total_ms.length / seconds,
    tokens_per_s: sum(tokens) / seconds,
  };
}

/** @param {Record<string, number>[]} samples */
const mediansOf = (samples) =>
  Object.fromEntries(Object.keys(samples[0]).map((part) => [part, median(samples.map((one) => one[part]))]));

/**
 * @param {object} setting
 * @param {ReturnType<typeof summarize>} total
 */
const resultOf = (setting, { p50, p95, samples }) => ({
  setting,
  p50_ms: p50,
  p95_ms: p95,
  samples,
  ratio: 1,
  ratio_low: 1,
  ratio_high: 1,
  peak: null,
  anonymous: null,
});

/** @param {any} manifest */
function sizesOf({ model, external_data, files }) {
  const bytes = (/** @type {string[]} */ names) => sum([0, ...names.map((name) => files[name]?.bytes ?? 0)]);
  const models = bytes([model, ...external_data]);
  return { model: models, tokenizer: bytes(TOKENIZER_FILES), labels: bytes(LABEL_FILES), zipped: null };
}

/**
 * One digest for the model, external data included: model_digest of export/manifest.py.
 * @param {any} manifest
 */
async function modelDigest({ model, external_data, files }) {
  if (!external_data.length) return files[model].sha256;
  const names = [model, ...external_data].sort();
  const lines = names.map((name) => `${files[name].sha256}  ${name}\n`).join("");
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(lines)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The same with numbers of six decimals, beyond which no clock goes.
 * @param {any} value
 * @returns {any}
 */
function trimmed(value) {
  if (typeof value === "number") return Math.round(value * DIGITS) / DIGITS;
  if (typeof value !== "object" || !value) return value;
  if (Array.isArray(value)) return value.map(trimmed);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, trimmed(inner)]));
}
