import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  answers, highlights, inState, launch, listed, newPhone, openReady, storedForOffline, tag, tagged,
} from "./phone.js";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

test("a first visit loads with progress, tags an example as Python does, and goes nowhere else", async () => {
  const phone = await newPhone(browser, { folder: "/" });
  const { page, door, troubles } = phone;
  await page.addInitScript(() => {
    window.seen = [];
    document.addEventListener("DOMContentLoaded", () => {
      const progress = document.getElementById("progress");
      const note = () => window.seen.push({ hidden: progress.hidden, value: progress.value, state: state() });
      const state = () => document.documentElement.dataset.state;
      new MutationObserver(note).observe(progress, { attributes: true });
      note();
    });
  });
  await openReady(phone);
  const seen = await page.evaluate(() => window.seen);
  assert.ok(seen.some(({ hidden, state }) => !hidden && state === "loading"));
  assert.ok(seen.some(({ value }) => value > 0 && value < 1), "bytes that arrived were shown");
  assert.equal(await page.isHidden("#progress"), true);

  const [{ text, entities }] = answers.examples;
  const since = await page.evaluate(() => performance.now());
  await page.getByRole("button", { name: text }).click();
  await tagged(page, since);
  assert.equal(await page.inputValue("#text"), text);
  assert.deepEqual(await highlights(page), entities);
  const list = await listed(page);
  assert.deepEqual(
    list.map(({ type, text }) => ({ type, text })),
    entities.map(({ type, text }) => ({ type, text })),
  );
  assert.ok(list.every(({ percent }) => percent > 0 && percent <= 100));
  assert.equal(await page.innerText("#found"), String(entities.length));
  assert.match(await page.innerText("#latency"), /^\d+(\.\d)? ms$/);
  const megabytes = `${(answers.bundles[0].bytes / 1e6).toFixed(1)} MB`;
  assert.ok((await page.innerText("#model-size")).startsWith(megabytes));

  await storedForOffline(page);
  assert.deepEqual(troubles, []);
  assert.deepEqual(
    door.requests.filter(({ status }) => status >= 400),
    [],
  );
  assert.equal(door.count(/onnx\//), 1, "the model came once");
  await phone.end();
});

test("highlights stand behind the very characters of the text", async () => {
  const phone = await newPhone(browser);
  const { page } = phone;
  await openReady(phone);
  const { text } = answers.examples[1];
  await tag(page, `${text} ${text}\n\n${text}`);
  const off = await page.evaluate(() => {
    const [area, backdrop] = ["text", "backdrop"].map((id) => document.getElementById(id));
    const [front, back] = [getComputedStyle(area), getComputedStyle(backdrop)];
    const letters = ["fontSize", "fontFamily", "lineHeight", "letterSpacing", "tabSize", "direction", "textAlign"];
    const boxes = ["paddingLeft", "paddingTop", "borderTopWidth", "whiteSpace", "overflowWrap", "wordBreak"];
    const differ = [...letters, ...boxes].filter((name) => front[name] !== back[name]);
    if (area.clientWidth !== backdrop.clientWidth) differ.push(`width ${area.clientWidth} ${backdrop.clientWidth}`);
    if (area.scrollHeight !== backdrop.scrollHeight) {
      differ.push(`height ${area.scrollHeight} ${backdrop.scrollHeight}`);
    }
    const box = area.getBoundingClientRect();
    for (const mark of backdrop.querySelectorAll("mark")) {
      const rects = [...mark.getClientRects()];
      const inside = ({ left, right, width }) => width > 0 && left >= box.left && right <= box.right;
      if (!rects.length || !rects.every(inside)) differ.push(`mark ${mark.textContent}`);
    }
    return differ;
  });
  assert.deepEqual(off, []);
  await phone.end();
});

test("a page without its model yet keeps what is typed and tags it when the model is there", async () => {
  const phone = await newPhone(browser);
  const { page, door } = phone;
  const { text, entities } = answers.examples[0];
  door.faults = [{ path: /onnx\//, wait: true }];
  await page.goto(door.url);
  await page.fill("#text", text);
  assert.equal(await page.getAttribute("html", "data-state"), "loading");
  door.resume();
  await inState(page, "ready");
  const count = String(entities.length);
  await page.waitForFunction((wanted) => document.getElementById("found").textContent === wanted, count);
  assert.deepEqual(await highlights(page), entities);
  await phone.end();
});

test("text is tagged while the bundle is still being stored", async () => {
  const phone = await newPhone(browser);
  const { page, door } = phone;
  door.faults = [{ path: /golden\.jsonl/, wait: true }];
  await openReady(phone);
  assert.deepEqual(await tag(page, answers.examples[0].text), answers.examples[0].entities);
  assert.equal(await page.innerText("#storage"), "–");
  door.resume();
  await storedForOffline(page);
  await phone.end();
});
