import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  answers, cachedOfBundles, complaint, inState, launch, newPhone, openReady, storedForOffline, tag,
} from "./phone.js";

const MODEL = /onnx\/model/;
const oneByteOff = (body) => Buffer.concat([body.subarray(0, -1), Buffer.from([body.at(-1) ^ 1])]);
const half = (body) => body.subarray(0, body.length >> 1);
const fromTheFuture = (body) => Buffer.from(body.toString().replace(/"schema_version": ?\d+/, '"schema_version":99'));

// What breaks, and what the page must say about it: what is wrong, and what to do.
const TROUBLES = [
  ["a connection that breaks off", { path: MODEL, cutAt: 1000 }, /cannot be downloaded.*connection.*try again/i],
  ["half a model", { path: MODEL, change: half }, /not complete.*try again/i],
  ["a model with another digest", { path: MODEL, change: oneByteOff }, /not the one.*not opened.*try again/is],
  ["no model", { path: MODEL, status: 404 }, /cannot be downloaded.*try again.*404/i],
  ["a manifest of another schema", { path: /manifest\.json/, change: fromTheFuture }, /another version.*reload.*99/i],
  ["a manifest that is no JSON", { path: /\/manifest\.json/, change: half }, /cannot be used.*manifest\.json/i],
  ["no catalog", { path: /catalog\.json/, status: 404 }, /part of this app.*try again.*catalog\.json/i],
  ["half a WebAssembly file", { path: /\.wasm$/, cutAt: 1000 }, /part of this app.*try again.*\.wasm/i],
  ["no module of the page", { path: /^highlight\.js/, status: 500 }, /part of this app.*try again.*app\.js/i],
  ["no worker", { path: /^worker\.js/, status: 500 }, /part of this app.*try again.*worker\.js/i],
];

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

for (const [name, fault, says] of TROUBLES) {
  test(`${name}: said, not kept, and over after a retry`, async () => {
    const phone = await newPhone(browser);
    const { page, door } = phone;
    door.faults = [fault];
    await page.goto(door.url);
    await inState(page, "error");
    assert.match(await complaint(page), says);
    assert.equal(await page.innerText("#working"), "", "no progress stays behind");
    assert.deepEqual(await cachedOfBundles(page), []);
    assert.equal(await page.evaluate(() => document.activeElement === document.body), true, "focus is not taken");
    assert.deepEqual(phone.troubles.filter((one) => !one.startsWith("console: Failed to load")), []);

    door.faults = [];
    await page.click("#retry");
    await inState(page, "ready");
    assert.equal(await page.isHidden("#error"), true);
    assert.deepEqual(await tag(page, answers.examples[0].text), answers.examples[0].entities);
    await storedForOffline(page);
    assert.equal((await cachedOfBundles(page)).length, 4, "manifest, tokenizer, model, golden answers");
    await phone.end();
  });
}

test("a copy that was changed on the device is replaced by a fresh one", async () => {
  const phone = await newPhone(browser);
  const { page, door } = phone;
  await openReady(phone);
  await storedForOffline(page);
  await page.evaluate(async () => {
    const [name] = (await caches.keys()).filter((one) => one.startsWith("bundle-"));
    const cache = await caches.open(name);
    const [request] = (await cache.keys()).filter(({ url }) => url.includes("onnx/"));
    await cache.put(request, new Response(new Uint8Array(1000)));
  });
  door.requests = [];
  await page.reload();
  await inState(page, "ready");
  assert.equal(door.count(MODEL), 1);
  assert.match(await page.innerText("#status"), /broken copy.*replaced/i);
  assert.deepEqual(await tag(page, answers.examples[0].text), answers.examples[0].entities);
  await phone.end();
});

test("full storage: the app works, says that it will not offline, and keeps nothing half", async () => {
  const phone = await newPhone(browser);
  const { context, page, door } = phone;
  const session = await context.newCDPSession(page);
  await session.send("Storage.overrideQuotaForOrigin", { origin: door.origin, quotaSize: 200_000 });
  await openReady(phone);
  await page.waitForFunction(() => document.getElementById("storage").textContent !== "–");
  assert.match(await page.innerText("#storage"), /not offline.*storage is full.*Free.*reload/i);
  assert.deepEqual(await cachedOfBundles(page), []);
  assert.deepEqual(await tag(page, answers.examples[0].text), answers.examples[0].entities);

  await session.send("Storage.overrideQuotaForOrigin", { origin: door.origin });
  await page.reload();
  await inState(page, "ready");
  await storedForOffline(page);
  await phone.end();
});

test("a browser too old to read the app is told what it needs", async () => {
  const phone = await newPhone(browser);
  const { page, door } = phone;
  door.faults = [{ path: /^highlight\.js/, status: 200, change: () => Buffer.from("export let 1;") }];
  await page.goto(door.url);
  await inState(page, "error");
  assert.match(await complaint(page), /too old.*Chrome or Edge 100, Firefox 114, Safari 16\.4.*Update.*Syntax/);
  door.faults = [];
  await page.click("#retry");
  await inState(page, "ready");
  await phone.end();
});

test("a browser without WebAssembly SIMD is told what it needs", async (t) => {
  const old = await launch("--js-flags=--no-enable-sse4-1"); // V8 then has no SIMD, on x86
  t.after(() => old.close());
  const phone = await newPhone(old);
  const { page, door } = phone;
  await page.goto(door.url);
  await page.waitForFunction(() => document.documentElement.dataset.state !== "loading");
  if ((await page.getAttribute("html", "data-state")) === "ready") return t.skip("this processor's SIMD stays on");
  assert.match(await complaint(page), /cannot run the model.*SIMD.*Update/i);
  assert.equal(door.count(MODEL), 0, "nothing is downloaded in vain");
  await phone.end();
});
