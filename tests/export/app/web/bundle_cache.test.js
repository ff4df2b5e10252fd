// Copies of bundles: only what was verified is kept, and what is broken is fetched again once.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { dropOthers, loadThroughCache } from "../../../../export/app/web/bundle-cache.js";

const BASE = "https://example.org/app/bundles/";
const FILES = ["manifest.json", "tokenizer.json", "onnx/model.onnx"].map((name) => `${BASE}swa-1/${name}`);
const failure = (code) => Object.assign(new Error(code), { code });
const realFetch = globalThis.fetch;
let asked;
let served;

beforeEach(() => {
  asked = [];
  served = () => "good";
  globalThis.fetch = async (url, { cache } = {}) => {
    asked.push(`${cache} ${url.slice(BASE.length)}`);
    return new Response(served(url, cache));
  };
});
afterEach(() => {
  globalThis.fetch = realFetch;
});

/** A CacheStorage in memory; `put` may refuse. */
function memory(refuse = () => null) {
  const caches = new Map();
  const open = async (name) => {
    if (!caches.has(name)) caches.set(name, new Map());
    const files = caches.get(name);
    return {
      match: async (url) => files.get(url)?.clone(),
      keys: async () => Array.from(files.keys(), (url) => ({ url })),
      put: async (url, response) => {
        const error = refuse(url);
        if (error) throw error;
        files.set(url, new Response(await response.text()));
      },
    };
  };
  return { caches, open, keys: async () => [...caches.keys()], delete: async (name) => caches.delete(name) };
}

/** As Tagger.load does: reads every file whole, and refuses what is not good. */
const verified = async (fetch) => {
  const texts = await Promise.all(FILES.map(async (url) => (await fetch(url, {})).text()));
  if (texts.some((text) => text !== "good")) throw failure("changed");
  return "tagger";
};

test("the first load comes from the network and is stored, the second from the device", async () => {
  const storage = memory();
  const first = await loadThroughCache("swa-1", verified, storage);
  assert.equal(storage.caches.get("bundle-swa-1").size, 0); // nothing before `keep`
  assert.deepEqual([first.value, first.again, await first.keep()], ["tagger", false, "stored"]);
  assert.equal(asked.length, 3);
  const second = await loadThroughCache("swa-1", verified, storage);
  assert.deepEqual([second.value, await second.keep(), asked.length], ["tagger", "stored", 3]);
});

test("a broken copy is dropped and fetched once more, past every cache", async () => {
  const storage = memory();
  await (await loadThroughCache("swa-1", verified, storage)).keep();
  storage.caches.get("bundle-swa-1").set(FILES[2], new Response("broken"));
  asked = [];
  const { value, again, keep } = await loadThroughCache("swa-1", verified, storage);
  assert.deepEqual([value, again, await keep()], ["tagger", true, "stored"]);
  assert.deepEqual(
    asked,
    FILES.map((url) => `reload ${url.slice(BASE.length)}`),
  );
  assert.equal(await storage.caches.get("bundle-swa-1").get(FILES[2]).text(), "good");
});

test("a server whose files stay broken is asked twice, and nothing is stored", async () => {
  const storage = memory();
  served = (url) => (url === FILES[1] ? "broken" : "good");
  await assert.rejects(loadThroughCache("swa-1", verified, storage), { code: "changed", again: true });
  assert.equal(asked.length, 6);
  assert.equal(storage.caches.get("bundle-swa-1").size, 0);
});

test("what another download cannot cure is not tried again", async () => {
  for (const code of ["missing", "unsupported", undefined]) {
    let attempts = 0;
    const load = async () => {
      attempts++;
      throw failure(code);
    };
    await assert.rejects(loadThroughCache("swa-1", load, memory()), (error) => error.again === undefined);
    assert.equal(attempts, 1, code);
  }
});

test("full storage leaves a working tagger and no half copy", async () => {
  const quota = (url) => (url === FILES[2] ? new DOMException("full", "QuotaExceededError") : null);
  const storage = memory(quota);
  const { value, keep } = await loadThroughCache("swa-1", verified, storage);
  assert.deepEqual([value, await keep()], ["tagger", "full"]);
  assert.equal(storage.caches.size, 0);
});

test("without storage, or where it is forbidden, the bundle loads all the same", async () => {
  const open = async () => Promise.reject(new DOMException("no", "SecurityError"));
  const forbidden = { open, delete: async () => false };
  for (const storage of [undefined, forbidden]) {
    const { value, keep } = await loadThroughCache("swa-1", verified, storage);
    assert.deepEqual([value, await keep()], ["tagger", "unavailable"]);
  }
});

test("copies of bundles that are no longer offered go, other apps' copies stay", async () => {
  const storage = memory();
  for (const [name, url] of [
    ["bundle-swa-1", FILES[0]],
    ["bundle-swa-0", `${BASE}swa-0/manifest.json`],
    ["bundle-yor-9", "https://example.org/another/bundles/yor-9/manifest.json"],
    ["shell-00", "https://example.org/app/"],
  ]) {
    await (await storage.open(name)).put(url, new Response("good"));
  }
  await dropOthers(["swa-1"], BASE, storage);
  assert.deepEqual([...storage.caches.keys()], ["bundle-swa-1", "bundle-yor-9", "shell-00"]);
});
