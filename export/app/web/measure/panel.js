// "Measure this phone": the part of the page that measures a bundle, tells what came out and hands over the profile.

import { element } from "./dom.js";
import { MeasureError } from "./errors.js";
import { takeProfile } from "./profiler.js";
import { remainingSeconds, spokenSeconds } from "./protocol.js";
import { profileText, resultOf } from "./result.js";

const ANNOUNCED = 25; // per cent between two announcements to a screen reader
const CANCELLED = "Cancelled.";

/** @type {WeakMap<Element, () => void>} what removes the panel in a container */
const mounted = new WeakMap();

/**
 * Renders the panel into `container`; what was there is cancelled and replaced. After each measurement the container
 * gets the event "measured" with the profile as its `detail`.
 * @param {HTMLElement} container inside the element with the id `measure`, to which measure.css applies
 * @param {{ bundle: { name: string }, url: string }} options `url` of the bundle's folder
 */
export function mountMeasure(container, { bundle, url }) {
  mounted.get(container)?.();
  const panel = new Panel(container, bundle.name, new URL(url, document.baseURI).href);
  container.replaceChildren(panel.root);
  mounted.set(container, () => panel.remove());
}

class Panel {
  /** @type {AbortController | null} */
  #running = null;
  #address = "";
  #announced = 0;
  #begun = 0;
  #container;
  #url;
  #start = element("button", { type: "submit" }, "Start");
  #cancel = element("button", { type: "button", hidden: true }, "Cancel");
  #bar = element("progress", { id: "measure-bar", max: 1, value: 0 });
  #left = element("p", { className: "left" });
  #doing = element("div", { hidden: true });
  #said = element("p", { role: "status", className: "said" });
  #wrong = element("p", { role: "alert", className: "wrong", hidden: true });
  #result = element("div");
  #choices;

  /**
   * @param {HTMLElement} container
   * @param {string} name of the bundle
   * @param {string} url
   */
  constructor(container, name, url) {
    this.#container = container;
    this.#url = url;
    this.#cancel.onclick = () => this.#running?.abort(CANCELLED);
    this.#doing.append(element("label", { for: "measure-bar" }, "Measuring"), this.#bar, this.#left);
    this.#choices = choices();
    const form = element(
      "form",
      {},
      ...this.#choices.elements,
      element("p", { className: "buttons" }, this.#start, this.#cancel),
    );
    form.onsubmit = (/** @type {Event} */ event) => {
      event.preventDefault();
      this.#measure();
    };
    this.root = element(
      "div",
      {},
      element(
        "p",
        {},
        `Measures how fast ${name} answers here, and whether it answers as it should: its own test sentences, ` +
          "tagged over and over. Nothing leaves this phone.",
      ),
      element("p", {}, "Keep this page in front and the screen on; close other apps first."),
      form,
      this.#doing,
      this.#said,
      this.#wrong,
      this.#result,
    );
  }

  /** Stops whatever runs. */
  remove() {
    this.#running?.abort(CANCELLED);
    URL.revokeObjectURL(this.#address);
  }

  async #measure() {
    if (this.#running) return;
    const running = new AbortController();
    const { quick, minutes } = this.#choices.read();
    this.#show(running);
    const hidden = () => {
      if (!document.hidden) return;
      const remedy = "Measure again with this page in front and the screen on.";
      running.abort(new MeasureError("The page went into the background, where browsers slow it down.", remedy));
    };
    document.addEventListener("visibilitychange", hidden);
    // Without it the screen would go dark in the middle. Not every browser has it, and an empty battery refuses it.
    const lock = await navigator.wakeLock?.request("screen").catch(() => null);
    try {
      const progress = (/** @type {number} */ done, /** @type {number} */ total, /** @type {string} */ what) =>
        this.#progress(done, total, what);
      const profile = await takeProfile({ url: this.#url, quick, minutes, signal: running.signal, progress });
      this.#finish(profile);
    } catch (error) {
      this.#fail(running.signal.aborted ? running.signal.reason : error);
    } finally {
      document.removeEventListener("visibilitychange", hidden);
      await lock?.release();
    }
  }

  /** @param {AbortController | null} running null: nothing runs any more */
  #show(running) {
    this.#running = running;
    const busy = running !== null;
    this.#choices.elements.forEach((choice) => (choice.disabled = busy));
    this.#start.hidden = busy;
    this.#cancel.hidden = this.#doing.hidden = !busy;
    if (!running) return;
    this.#begun = performance.now();
    this.#announced = 0;
    this.#wrong.hidden = true;
    this.#result.replaceChildren();
    this.#said.textContent = "Measuring has begun.";
    this.#progress(0, 1, "trying the model");
    this.#cancel.focus();
    this.#doing.scrollIntoView({ block: "nearest" });
  }

  /**
   * @param {number} done
   * @param {number} total
   * @param {string} what
   */
  #progress(done, total, what) {
    const percent = Math.floor((100 * done) / total);
    const left = remainingSeconds((performance.now() - this.#begun) / 1000, done, total);
    this.#bar.value = done / total;
    this.#left.textContent = `${percent} %, ${what}${done ? `, about ${spokenSeconds(left)} left` : ""}`;
    if (percent < this.#announced + ANNOUNCED) return;
    this.#announced = percent - (percent % ANNOUNCED);
    this.#said.textContent = `${this.#announced} % measured.`;
  }

  /** @param {any} profile */
  #finish(profile) {
    this.#show(null);
    this.#said.textContent = "Measured.";
    URL.revokeObjectURL(this.#address);
    this.#address = URL.createObjectURL(new Blob([profileText(profile)], { type: "application/json" }));
    const result = resultOf(profile, this.#address);
    this.#result.replaceChildren(result);
    result.querySelector("h2")?.focus();
    this.#container.dispatchEvent(new CustomEvent("measured", { detail: profile, bubbles: true }));
  }

  /** @param {unknown} reason */
  #fail(reason) {
    this.#show(null);
    this.#said.textContent = reason === CANCELLED ? CANCELLED : "";
    this.#wrong.hidden = reason === CANCELLED;
    this.#wrong.textContent = reason instanceof Error ? reason.message : `${reason}`;
    this.#start.focus();
  }
}

/** What can be chosen before it starts. */
function choices() {
  const radio = (/** @type {string} */ value, /** @type {boolean} */ checked, /** @type {string} */ text) =>
    element("label", {}, element("input", { type: "radio", name: "measure-how", value, checked }), text);
  const how = element(
    "fieldset",
    {},
    element("legend", {}, "How thorough"),
    radio("quick", true, "Quick: some seconds, shows that all works"),
    radio("full", false, "Full: a minute or a few, to compare phones"),
  );
  const options = Object.entries({ 0: "no", 2: "for 2 minutes", 10: "for 10 minutes" });
  const select = element("select", {}, ...options.map(([value, text]) => element("option", { value }, text)));
  const then = element(
    "fieldset",
    {},
    element("legend", {}, "Heat"),
    element("label", {}, "Then work without a pause, to see the phone slow down ", select),
  );
  const read = () => ({
    quick: how.querySelector("input:checked").value === "quick",
    minutes: Number(select.value),
  });
  return { elements: [how, then], read };
}
