// The page: one worker, one text, one state ("loading", "ready" or "error", in <html data-state>).

import { adviceFor } from "./advice.js";
import { EntityList } from "./entity-list.js";
import { Highlight } from "./highlight.js";
import { looksOf, summary } from "./kinds.js";
import { baseLanguage, bundleNames, firstBundle, languageName } from "./languages.js";
import { moved } from "./marks.js";
import { exampleItem, legendItem, megabytes, milliseconds, storageNote } from "./pieces.js";
import { recall, remember } from "./settings.js";
import { Latencies, LatestText, startWorker } from "./tagging.js";
import { lookForUpdate, offerInstall, startOffline } from "./updates.js";

/** @typedef {import("./marks.js").Entity} Entity */

const REDRAW = 250; // ms between two drawings of a long text that is being tagged
const QUIET = 1000; // ms without typing before screen readers are told what was found

/** @param {string} id */
const $ = (id) => /** @type {any} */ (document.getElementById(id));
/** @type {HTMLTextAreaElement} */
const text = $("text");
const highlight = new Highlight(text, $("backdrop"));
const list = new EntityList($("entities"), $("more"));
const latencies = new Latencies();

/** @type {import("./languages.js").Bundle[]} */
let bundles = [];
/** @type {any} the bundle of the picker, of type Bundle as soon as the catalog is read */
let bundle;
/** @type {Worker | undefined} */
let worker;
let failure = "";
/** @type {Promise<boolean> | undefined} */
let shellStored;
/** @type {number | undefined} */
let quiet;
let [typedAt, drawnAt] = [0, 0];

// What is known of `knownText`; `found` is its part from the answers so far.
/** @type {Entity[]} */
let known = [];
/** @type {Entity[]} */
let found = [];
let knownText = "";

const queue = new LatestText(
  (sent) => {
    known = moved(known, knownText, sent);
    knownText = sent;
    found = [];
    ask({ type: "tag", text: sent });
  },
  () => ask({ type: "stop" }),
);

/** @param {import("./worker.js").Question} question */
const ask = (question) => worker?.postMessage(question);

/** @param {"loading" | "ready" | "error"} state */
function enter(state) {
  document.documentElement.dataset.state = state;
  $("error").hidden = state !== "error";
  $("progress").hidden = state !== "loading";
  $("progress").removeAttribute("value");
  $("progress-text").textContent = state === "loading" ? "Loading…" : "";
}
const bundleUrl = () => new URL(bundle.path, document.baseURI).href;
const isReady = () => document.documentElement.dataset.state === "ready";

/** From nothing, or again after an error: a worker whose onnxruntime failed once cannot be used any more. */
async function begin() {
  enter("loading");
  worker?.terminate();
  worker = startWorker(answered, fail);
  try {
    const response = await fetch("catalog.json");
    if (!response.ok) throw new Error(`the server answers ${response.status}`);
    bundles = (await response.json()).bundles;
  } catch (error) {
    return fail({ code: "app", message: `catalog.json cannot be read: ${/** @type {Error} */ (error).message}.` });
  }
  bundle = firstBundle(bundles, bundle?.id ?? recall("bundle"), navigator.languages);
  const names = bundleNames(bundles);
  const options = bundles.map(({ id }, index) => new Option(names[index], id, false, id === bundle.id));
  $("language").replaceChildren(...options);
  $("picker").hidden = bundles.length < 2;
  load();
}

/** Has the worker open `bundle`. */
function load() {
  enter("loading");
  queue.reset();
  [known, found, knownText] = [[], [], ""];
  list.looks = highlight.looks = looksOf(bundle.entity_types);
  latencies.values = [];
  list.show(draw());
  const language = baseLanguage(bundle.languages[0] ?? "");
  text.lang = $("backdrop").lang = language;
  $("language-name").textContent = bundle.languages.map(languageName).join(", ");
  $("model-size").textContent = `${megabytes(bundle.model_bytes)} (download ${megabytes(bundle.download_bytes)})`;
  $("licence").textContent = bundle.licence;
  for (const figure of ["latency", "p95", "words", "storage"]) $(figure).textContent = "–";
  $("found").textContent = "0";
  $("status").textContent = "Loading the model.";
  $("legend").replaceChildren(...Array.from(highlight.looks, ([type, look]) => legendItem(type, look)));
  $("examples").replaceChildren(
    ...bundle.examples.map((/** @type {string} */ example) => exampleItem(example, language, write)),
  );
  ask({ type: "load", id: bundle.id, url: bundleUrl(), ids: bundles.map(({ id }) => id) });
  if ($("measure-details").open) measure();
}

/** @param {import("./worker.js").Answer} answer */
function answered(answer) {
  if ("id" in answer && answer.id !== bundle.id) return;
  else if (answer.type === "refused") fail(answer);
  else if (answer.type === "progress") loading(answer);
  else if (answer.type === "ready") ready(answer.again);
  else if (answer.type === "kept") stored(answer.kept);
  else if (!isReady()) return;
  else if (answer.type === "part") part(answer.entities, answer.upTo);
  else tagged(answer);
}

/** @param {{ loaded: number, total: number }} progress in bytes */
function loading({ loaded, total }) {
  if (document.documentElement.dataset.state !== "loading") return; // other files still come in after one failed
  if (loaded < total) $("progress").value = loaded / total;
  else $("progress").removeAttribute("value");
  const done = `${megabytes(loaded)} of ${megabytes(total)}`;
  $("progress-text").textContent = loaded < total ? done : `${done}. Starting…`;
}

/** @param {boolean} again */
function ready(again) {
  enter("ready");
  $("status").textContent = again ? "A broken copy of the model was replaced by a fresh download. Ready." : "Ready.";
  if (text.value) queue.submit(text.value);
  offline();
}

/** Only now: the shell's download does not hold up the model's, and what was loaded is known to run. */
function offline() {
  shellStored ??= startOffline((update) => {
    $("update").hidden = false;
    $("update-now").onclick = update;
  });
  return shellStored;
}

/** @param {import("./bundle-cache.js").Kept} kept */
async function stored(kept) {
  const told = bundle;
  const shell = await shellStored;
  if (told !== bundle) return;
  $("storage").textContent = storageNote(kept, shell);
  if (kept !== "stored" || recall("asked to persist")) return;
  remember("asked to persist", "yes");
  navigator.storage?.persist?.().catch(() => false);
}

/** @param {import("./advice.js").Failure} problem */
function fail(problem) {
  enter("error");
  queue.reset();
  failure = problem.code;
  const device = { online: navigator.onLine, secure: isSecureContext };
  const { title, advice, detail } = adviceFor(problem, device);
  $("error-title").textContent = title;
  $("error-advice").textContent = advice;
  $("error-detail").textContent = detail;
  $("status").textContent = "";
  // A stored app may ask for a bundle that the server's newer version has no more: then the update is the way out.
  if (navigator.serviceWorker?.controller) offline().then(lookForUpdate);
}

/**
 * @param {Entity[]} entities
 * @param {number} upTo
 */
function part(entities, upTo) {
  found = found.concat(entities);
  known = found.concat(known.filter(({ start }) => start >= upTo));
  const last = upTo === knownText.length;
  if (last || performance.now() > drawnAt + REDRAW) {
    list.show(draw());
    $("found").textContent = String(known.length);
    drawnAt = performance.now();
  }
  const share = upTo / Math.max(knownText.length, 1);
  $("progress").hidden = share >= 1;
  $("progress").value = share;
  $("progress-text").textContent = share < 1 ? `Tagged ${Math.floor(share * 100)} %` : "";
}

/** @param {{ complete: boolean, words: number, ms: number }} answer */
function tagged({ complete, words, ms }) {
  if (complete) {
    latencies.add(ms);
    $("latency").textContent = milliseconds(ms);
    $("p95").textContent = `${milliseconds(latencies.p95)} (texts: ${latencies.values.length})`;
    $("words").textContent = String(words);
    clearTimeout(quiet);
    quiet = setTimeout(() => ($("status").textContent = text.value.trim() ? summary(known) : "Ready."), QUIET);
  }
  queue.finished();
  if (complete && queue.current === null) timed(typedAt);
}

/**
 * From typing to the painted highlight, as a user timing for the browser's tools. Only the last one is kept.
 * @param {number} start
 */
function timed(start) {
  requestAnimationFrame(() =>
    setTimeout(() => {
      if (highlight.waits) return timed(start);
      performance.clearMeasures("typed to painted");
      performance.measure("typed to painted", { start });
    }),
  );
}

/** Shows the text as it is now, with what is known of it. */
function draw() {
  const entities = moved(known, knownText, text.value);
  highlight.show(text.value, entities);
  return entities;
}

function typed() {
  typedAt = performance.now();
  $("clear").disabled = !text.value;
  if (isReady()) {
    $("status").textContent = ""; // it tells of another text
    queue.submit(text.value); // before drawing: the worker begins meanwhile
  }
  draw();
}

/** @param {string} value */
function write(value) {
  text.value = value;
  text.scrollTop = 0;
  typed();
}

async function copy() {
  const entities = known.map(({ type, text, start, end, score }) => ({ type, text, start, end, score }));
  try {
    await navigator.clipboard.writeText(JSON.stringify({ text: knownText, bundle: bundle.name, entities }, null, 2));
    $("status").textContent = "Copied.";
  } catch {
    $("status").textContent = "The browser does not allow copying here.";
  }
}

async function measure() {
  const container = $("measure-panel");
  try {
    const { mountMeasure } = await import("./measure/panel.js");
    mountMeasure(container, { bundle, url: bundleUrl() });
  } catch (error) {
    container.textContent = `This part cannot be loaded: ${/** @type {Error} */ (error).message}`;
  }
}

text.addEventListener("input", typed);
for (const leaving of ["visibilitychange", "pagehide"]) {
  addEventListener(leaving, () => typedAt && remember("text", text.value)); // not over what another tab's user wrote
}
$("clear").addEventListener("click", () => {
  write("");
  text.focus();
});
$("copy").addEventListener("click", copy);
$("retry").addEventListener("click", begin);
addEventListener("online", () => {
  if (document.documentElement.dataset.state === "error" && (failure === "missing" || failure === "app")) begin();
});
$("language").addEventListener("change", () => {
  bundle = bundles.find(({ id }) => id === $("language").value) ?? bundle;
  remember("bundle", bundle.id);
  if (document.documentElement.dataset.state === "error") begin();
  else load();
});
$("measure-details").addEventListener("toggle", () => {
  if ($("measure-details").open) measure();
});
offerInstall($("install"));
text.value = recall("text") ?? "";
$("clear").disabled = !text.value;
begin();
document.documentElement.dataset.began = "yes"; // start.js has nothing more to say
