// A profile for people, and as a file to keep or send.

import { element, table } from "./dom.js";
import { fileName } from "./record.js";

const SHOWN_FLIPS = 10;

/**
 * @param {any} profile
 * @param {string} address of the profile as a file
 * @returns {HTMLElement}
 */
export function resultOf(profile, address) {
  const { measurement, agreement, sustained, quick } = profile;
  const { machine, packages, buckets } = measurement;
  const device = [machine.board, machine.os, Object.fromEntries(packages).browser].filter(Boolean).join(", ");
  const lengths = buckets.map((/** @type {any} */ { length, total }) => [
    `${length} sub-words`,
    milliseconds(total.p50),
    milliseconds(total.p95),
  ]);
  const flips = agreement.flips
    .slice(0, SHOWN_FLIPS)
    .map((/** @type {any} */ { line, word, expected, found }) =>
      element("li", {}, `Line ${line}, “${word}”: ${found} instead of ${expected}`),
    );
  return element(
    "div",
    {},
    element("h2", { tabIndex: -1 }, "What this phone does"),
    element("p", {}, `${measurement.name} on ${device}`),
    quick ? element("p", {}, "Quick: shows that all works. To compare phones, measure in full.") : null,
    agreement.ok ? null : element("p", { role: "alert" }, "Wrong answers: do not use this bundle on this phone."),
    table("Time for a text", ["Length", "p50", "p95"], lengths),
    table("Cold start, to the first answer", [], coldRows(measurement.cold_start)),
    table("Work and answers", [], otherRows(measurement, agreement, sustained)),
    flips.length ? element("p", {}, "Words tagged otherwise than the golden file says:") : null,
    flips.length ? element("ul", {}, ...flips) : null,
    actions(profile, address),
  );
}

/** @param {any} cold */
function coldRows({ interpreter, imports, session, tokenizer, first_answer, total, samples }) {
  const parts = { worker: interpreter, runtime: imports, model: session, tokenizer, "first answer": first_answer };
  const rows = Object.entries(parts).map(([name, seconds]) => [name, milliseconds(1000 * seconds)]);
  return [...rows, [samples > 1 ? `in all (median of ${samples})` : "in all", milliseconds(1000 * total)]];
}

/**
 * @param {any} measurement
 * @param {any} agreement
 * @param {any} sustained
 */
function otherRows({ throughput, sizes }, agreement, sustained) {
  const { same_tags, words, same_ids, sentences, flips, ok } = agreement;
  const rows = [
    ["sentences per second", `${throughput.sentences_per_s.toPrecision(3)}`],
    ["answers", ok ? "right" : "wrong"],
    ["words with the golden tag", `${same_tags} of ${words}, ${flips.length} flipped`],
    ["texts with the golden sub-words", `${same_ids} of ${sentences}`],
    ["model", `${(sizes.model / 1e6).toFixed(2)} MB`],
  ];
  if (!sustained) return rows;
  return [
    ...rows,
    [`after ${sustained.minutes.toFixed(0)} minutes of work`, `${sustained.slowdown.toFixed(2)} × as long`],
  ];
}

/**
 * @param {any} profile
 * @param {string} address
 */
function actions(profile, address) {
  const name = fileName(profile);
  const file = shareable(profile, name);
  const told = element("p", { role: "status" });
  const share = async () => {
    try {
      await navigator.share({ files: [/** @type {File} */ (file)], title: name });
    } catch (error) {
      if (/** @type {Error} */ (error).name !== "AbortError")
        told.textContent = "It cannot be shared from here. Download it instead.";
    }
  };
  return element(
    "div",
    {},
    element(
      "p",
      { className: "buttons" },
      element("a", { href: address, download: name }, "Download JSON"),
      file && element("button", { type: "button", onclick: share }, "Share"),
    ),
    told,
    element("p", {}, "On a computer with the toolkit: ", element("code", {}, `make profile BUNDLE=… FILE=${name}`)),
  );
}

/**
 * The profile as a file that this browser can share; several take no JSON, and all of them text.
 * @param {any} profile
 * @param {string} name
 */
function shareable(profile, name) {
  const files = [
    new File([profileText(profile)], name, { type: "application/json" }),
    new File([profileText(profile)], `${name}.txt`, { type: "text/plain" }),
  ];
  return files.find((file) => navigator.canShare?.({ files: [file] })) ?? null;
}

/**
 * The JSON as `make profile` writes it.
 * @param {any} profile
 */
export const profileText = (profile) => `${JSON.stringify(profile, null, 1)}\n`;

/** @param {number} value */
const milliseconds = (value) => `${value < 100 ? value.toPrecision(3) : Math.round(value)} ms`;
