// Headless Chromium as a phone of 360 by 740 with the app open, and what a test asks of it.

import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";
import { Door } from "./door.js";

const PATIENCE = 120_000; // ms: other work on the machine may slow all of this down
export const SIZE = { width: 360, height: 740 };
const ARGUMENTS = ["--no-sandbox", "--disable-gpu"];
const PHONE = { viewport: SIZE, deviceScaleFactor: 2, isMobile: true, hasTouch: true, locale: "sw-KE" };

/** What Python says: see test_app_in_browser.py. */
export const answers = process.env.ANSWERS ? JSON.parse(readFileSync(process.env.ANSWERS, "utf8")) : {};

export const launch = (...more) =>
  chromium.launch({ executablePath: process.env.CHROMIUM, args: [...ARGUMENTS, ...more] });

/**
 * A phone that has never seen the app, and a server of its own. `troubles` collects what a page must not do: errors
 * in the console, breaches of the policy, requests to elsewhere.
 * @param {import("playwright-core").Browser} browser
 * @param {import("playwright-core").BrowserContextOptions & { folder?: string }} [options]
 */
export async function newPhone(browser, { folder, ...options } = {}) {
  const context = await browser.newContext({ ...PHONE, ...options });
  return withApp(context, await context.newPage(), folder);
}

/** The same in a browser that keeps its data, as a user's does: an app is installable in no other. */
export async function newPhoneWithProfile(profile, options = {}) {
  const executablePath = process.env.CHROMIUM;
  const settings = { executablePath, args: ARGUMENTS, ...PHONE, ...options };
  const context = await chromium.launchPersistentContext(profile, settings);
  return withApp(context, context.pages()[0]);
}

async function withApp(context, page, folder = "/some/folder/") {
  context.setDefaultTimeout(PATIENCE);
  const door = await new Door(process.env.APP, folder).open();
  const troubles = [];
  context.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(door.url) && !/^(data|blob|about):/.test(url)) troubles.push(`request to ${url}`);
  });
  context.on("console", (message) => {
    if (message.type() === "error") troubles.push(`console: ${message.text()} (${message.location().url})`);
  });
  page.on("pageerror", (error) => troubles.push(`uncaught: ${error}`));
  await page.exposeFunction("reportBreach", (breach) => troubles.push(`policy: ${breach}`));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
      window.reportBreach(`${violatedDirective} ${blockedURI}`),
    );
  });
  const end = async () => {
    await context.close();
    await door.shut();
  };
  return { context, page, door, troubles, end };
}

/** Resolves when the app is in a state: loading, ready or error. */
export const inState = (page, state) =>
  page.waitForFunction((wanted) => document.documentElement.dataset.state === wanted, state);

export async function openReady({ page, door }) {
  await page.goto(door.url);
  await inState(page, "ready");
}

/** Resolves when the page says that it works without a server. */
export const storedForOffline = (page) =>
  page.waitForFunction(() => document.getElementById("storage").textContent === "Works offline");

/** Puts a text in as if pasted; returns when, for `tagged`. It travels as JSON, so halves of pairs survive. */
export const write = (page, text) =>
  page.evaluate((json) => {
    const area = document.getElementById("text");
    area.value = JSON.parse(json);
    const begun = performance.now();
    area.dispatchEvent(new Event("input", { bubbles: true }));
    return begun;
  }, JSON.stringify(text));

/** Resolves when the answer to the text written at `since` is painted. */
export const tagged = (page, since) =>
  page.waitForFunction(
    (begun) => performance.getEntriesByName("typed to painted").some(({ startTime }) => startTime >= begun),
    since,
  );

export async function tag(page, text) {
  await tagged(page, await write(page, text));
  return highlights(page);
}

/** The entities as they are highlighted: types, and where they stand in the text (UTF-16 units). */
export const highlights = async (page) =>
  JSON.parse(
    await page.evaluate(() => {
      const found = [];
      let at = 0;
      const walker = document.createTreeWalker(document.getElementById("backdrop"), NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) {
        const { data, parentElement } = walker.currentNode;
        const { type } = parentElement.dataset;
        if (type) found.push({ type, text: data, start: at, end: at + data.length });
        at += data.length;
      }
      return JSON.stringify(found);
    }),
  );

/** The entities of the list: types and texts. */
export const listed = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll("#entities > li")].map((item) => ({
      type: item.querySelector("[data-type]").dataset.type,
      text: item.querySelector(".what").textContent,
      percent: parseInt(item.querySelector(".percent").textContent),
    })),
  );

/** What the error box says, on one line. */
export const complaint = async (page) => (await page.innerText("#error")).replace(/\s+/g, " ");

/** URLs of all that caches of bundles hold. */
export const cachedOfBundles = (page) =>
  page.evaluate(async () => {
    const names = (await caches.keys()).filter((name) => name.startsWith("bundle-"));
    const held = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
    return held.flat().map(({ url }) => new URL(url).pathname);
  });

/** Nothing between the page and the server remembers a bundle. */
export async function forgetBundles({ context, page }) {
  await page.evaluate(async () => {
    for (const name of await caches.keys()) if (name.startsWith("bundle-")) await caches.delete(name);
  });
  const session = await context.newCDPSession(page);
  await session.send("Network.clearBrowserCache");
  await session.detach();
}
