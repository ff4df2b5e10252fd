// One first visit after another, each on a fresh profile; prints one JSON line: see tests/benchmarks/web_app.py.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { RULES } from "./rules.js";
import { inState, newPhoneWithProfile, storedForOffline, tagged, write } from "./phone.js";

const LONG = 100_000; // characters
const WORDS = 30;
const PAUSE = 60; // ms between two keys: a fast typist's
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const { golden, lang, visits } = JSON.parse(process.env.WORK);
const sentences = readFileSync(golden, "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line))
  .filter(({ why }) => why === lang)
  .map(({ text }) => text);

const words = Array.from({ length: WORDS }, (_, index) => sentences.join(" ").split(/\s+/)[index]).join(" ");
let long = "";
// No two alike, since the app remembers what it made of a sentence.
for (let number = 0; long.length < LONG; number++) long += `${number} ${sentences[number % sentences.length]} `;
long = long.slice(0, LONG);

const runs = [];
for (let visit = 0; visit < visits; visit++) {
  const last = visit === visits - 1;
  runs.push(await firstVisit(`${process.env.SCRATCH}/profile-${visit}`, last));
  process.stderr.write(`visit ${visit + 1} of ${visits}\n`);
}
console.log(JSON.stringify(runs));

async function firstVisit(profile, last) {
  const phone = await newPhoneWithProfile(profile);
  const { page, door } = phone;
  await page.addInitScript((text) => {
    new MutationObserver(() => {
      if (document.documentElement.dataset.state !== "ready" || window.readyAt) return;
      window.readyAt = performance.now();
      const area = document.getElementById("text");
      area.value = text;
      area.dispatchEvent(new Event("input"));
    }).observe(document, { subtree: true, attributes: true, attributeFilter: ["data-state"] });
  }, sentences[0]);
  await page.goto(door.url);
  await tagged(page, 0);
  const [ready, firstTag] = await page.evaluate(() => {
    const { startTime, duration } = performance.getEntriesByName("typed to painted").at(-1);
    return [window.readyAt, startTime + duration - window.readyAt];
  });
  await storedForOffline(page);
  const run = { ready, firstTag, wire: door.bytesSent, requests: door.requests.length };
  Object.assign(run, await keystrokes(page), await longText(page));
  if (last) Object.assign(run, await audit(phone));
  await phone.end();
  return run;
}

/** Types a text; per key the ms until its result is in the page and until it is painted, and those of the worker. */
async function keystrokes(page) {
  await tagged(page, await write(page, ""));
  await page.evaluate(() => {
    window.keys = { drawn: [], painted: [], worker: [] };
    let at = 0;
    const typed = []; // one more key may come before the last one's painting is told
    const [area, latency] = ["text", "latency"].map((id) => document.getElementById(id));
    area.addEventListener("input", ({ timeStamp }) => typed.push((at = timeStamp)), { capture: true });
    // Written once the highlights and the list are.
    new MutationObserver(() => window.keys.drawn.push(performance.now() - at)).observe(latency, { childList: true });
    new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntriesByName("typed to painted")) {
        window.keys.painted.push(startTime + duration - typed.findLast((stamp) => stamp <= startTime));
        window.keys.worker.push(parseFloat(latency.textContent));
      }
    }).observe({ type: "measure" });
  });
  await page.focus("#text");
  await page.keyboard.type(words, { delay: PAUSE });
  await page.waitForFunction(() => {
    const [last] = performance.getEntriesByName("typed to painted").slice(-1);
    return performance.now() - last.startTime > 500;
  });
  return page.evaluate(() => window.keys);
}

async function longText(page) {
  await page.evaluate(() => {
    window.gaps = { last: performance.now(), longest: 0, frames: 0, on: true };
    const tick = (now) => {
      const { gaps } = window;
      gaps.longest = Math.max(gaps.longest, now - gaps.last);
      gaps.last = now;
      gaps.frames += 1;
      if (gaps.on) requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  const since = await write(page, long);
  await tagged(page, since);
  return page.evaluate((begun) => {
    window.gaps.on = false;
    const { startTime, duration } = performance.getEntriesByName("typed to painted").at(-1);
    return { long: startTime + duration - begun, gap: window.gaps.longest, frames: window.gaps.frames };
  }, since);
}

/** What a browser's own audit would look at. */
async function audit({ context, page, door }) {
  await tagged(page, await write(page, words));
  await page.evaluate(AXE);
  const check = (values) => window.axe.run({ runOnly: { type: "tag", values } });
  const { violations } = await page.evaluate(check, RULES);
  const session = await context.newCDPSession(page);
  const { installabilityErrors } = await session.send("Page.getInstallabilityErrors");
  await door.shut();
  await page.reload();
  await inState(page, "ready");
  await door.reopen();
  return { violations: violations.map(({ id }) => id), installability: installabilityErrors, offline: true };
}
