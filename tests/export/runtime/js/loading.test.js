// Bundles that come in over the network or from an app's assets, whole and broken. The folders BUNDLE and EXTERNAL
// hold the same tagger; in the second its weights lie in a file of their own.

import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { BundleError, Tagger, openBundle, verifyFile } from "../../../../export/runtime/js/index.js";
import { filesOf, openTagger, packages } from "./common.js";

const folder = process.env.BUNDLE;
const files = filesOf(folder);
const TEXT = "Rais alikwenda Nairobi. Kisha 'Mombasa' 😀 tena.";
const manifest = () => JSON.parse(files("manifest.json"));

let server;
let base;

before(async () => {
  server = createServer((request, response) => {
    const [, kind, ...rest] = request.url.split("/");
    try {
      const bytes = files(rest.join("/"));
      response.end(kind === "half" && rest.at(-1).endsWith(".onnx") ? bytes.subarray(0, bytes.length / 2) : bytes);
    } catch {
      response.writeHead(404).end("<html>not here</html>");
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${server.address().port}`;
});
after(() => server.close());

/** The files of the bundle, but some of them replaced. */
const but = (replaced) => async (name) => (name in replaced ? replaced[name] : files(name));
const asBytes = (value) => new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const load = (source, options) => Tagger.load(source, { ...packages, ...options });
const refusal = (code, pattern) => (error) => {
  assert.ok(error instanceof BundleError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, pattern);
  assert.ok(error.remedy.length > 10 && error.message.endsWith(error.remedy));
  return true;
};

test("a bundle from a URL answers like one from files, and tells how far it is", async () => {
  const seen = [];
  const fromUrl = await load(`${base}/whole`, { onProgress: (progress) => seen.push(progress) });
  const fromFiles = await openTagger(folder);
  assert.deepEqual(await fromUrl.tag(TEXT), await fromFiles.tag(TEXT));
  const names = ["tokenizer.json", manifest().model];
  const total = names.reduce((sum, name) => sum + statSync(`${folder}/${name}`).size, 0);
  assert.deepEqual([seen.at(-1).loaded, seen.at(-1).total], [total, total]);
  assert.deepEqual(new Set(seen.map(({ file }) => file)), new Set(names));
  assert.ok(seen.every(({ loaded }, index) => index === 0 || loaded > seen[index - 1].loaded));
});

test("a folder's URL may end in a slash and be a URL object", async () => {
  for (const source of [`${base}/whole/`, new URL(`${base}/whole`)]) {
    assert.equal((await openBundle(source)).manifest.name, manifest().name);
  }
});

test("fetch without streams and ArrayBuffers will do", async () => {
  const plain = async (url) => ({ ok: true, arrayBuffer: async () => new Uint8Array(files(url.slice(7))).buffer });
  const tagger = await load("bundle:", { fetch: plain });
  const buffers = await load((name) => new Uint8Array(files(name)).buffer);
  assert.deepEqual(await tagger.tag(TEXT), await buffers.tag(TEXT));
});

test("weights in a file of their own are found", async () => {
  const tagger = await openTagger(process.env.EXTERNAL);
  assert.deepEqual(await tagger.tag(TEXT), await (await openTagger(folder)).tag(TEXT));
  await tagger.release();
});

test("half a download is refused", async () => {
  await assert.rejects(load(`${base}/half`), refusal("incomplete", /model\.onnx has \d+ bytes instead of \d+/));
});

test("a changed file is refused, unless told not to look", async () => {
  const changed = Uint8Array.from(files("tokenizer.json"));
  changed[changed.length - 1] = 0x20;
  const source = but({ "tokenizer.json": changed });
  await assert.rejects(load(source), refusal("changed", /tokenizer\.json is not the file of the manifest/));
  await assert.rejects(load(source, { verify: false }), refusal("damaged", /tokenizer\.json cannot be used/));
});

test("a missing file or server is told", async () => {
  await assert.rejects(load(`${base}/whole/nowhere`), refusal("missing", /manifest\.json.*404/));
  await assert.rejects(load("http://127.0.0.1:9"), refusal("missing", /manifest\.json/));
  const source = (name) => (name === "tokenizer.json" ? Promise.reject(new Error("no such asset")) : files(name));
  await assert.rejects(load(source), refusal("missing", /tokenizer\.json cannot be read: no such asset/));
});

test("a manifest this runtime cannot trust is refused", async () => {
  const changes = [
    ["schema", /version 2.*reads version 1/, { schema_version: 2 }],
    ["damaged", /its task/, { task: "fill-mask" }],
    ["damaged", /label 0 is not O/, { labels: ["B-PER", "O"] }],
    ["damaged", /max_length/, { max_length: 2 }],
    ["damaged", /temperature/, { confidence: { temperature: 0 } }],
    ["damaged", /its model is not listed/, { model: "../model.onnx" }],
    ["damaged", /its model is not listed/, { external_data: ["onnx/none"] }],
    ["damaged", /its model is not listed/, { files: {} }],
  ];
  for (const [code, pattern, change] of changes) {
    const source = but({ "manifest.json": asBytes({ ...manifest(), ...change }) });
    await assert.rejects(load(source), refusal(code, pattern));
  }
  for (const text of ["<html>", "", "null", "[]"]) {
    await assert.rejects(load(but({ "manifest.json": asBytes(text) })), (error) => error instanceof BundleError);
  }
});

test("only files of the manifest are read", async () => {
  const bundle = await openBundle(files);
  await assert.rejects(bundle.read(["../secret"]), refusal("damaged", /does not list/));
});

test("a tokenizer or model of another kind is refused", async () => {
  const tokenizer = JSON.parse(files("tokenizer.json"));
  const broken = [
    [{ ...tokenizer, model: { type: "BPE", vocab: {} } }, /holds no unigram model/],
    [{ ...tokenizer, model: { ...tokenizer.model, vocab: [["<s>", 0]] }, added_tokens: [] }, /it lacks <\/s> <pad>/],
    [{ ...tokenizer, normalizer: { type: "Lowercase" } }, /its normalizer Lowercase/],
    [{ ...tokenizer, normalizer: { type: "Precompiled", precompiled_charsmap: "AAAA" } }, /character map is damaged/],
  ];
  const options = { verify: false };
  for (const [value, pattern] of broken) {
    const bytes = asBytes(value);
    const listed = manifest();
    listed.files["tokenizer.json"].bytes = bytes.length;
    const source = but({ "manifest.json": asBytes(listed), "tokenizer.json": bytes });
    await assert.rejects(load(source, options), refusal("damaged", pattern));
  }
  const noise = new Uint8Array(statSync(`${folder}/${manifest().model}`).size);
  await assert.rejects(load(but({ [manifest().model]: noise }), options), refusal("unsupported", /cannot open/));
});

test("a session of another model is refused", async () => {
  const session = (values) => ({ ...packages.ort, InferenceSession: { create: async () => values } });
  const run = async () => ({ logits: { type: "float32", data: new Float32Array(3) } });
  const [inputNames, outputNames] = [["input_ids", "attention_mask"], ["logits"]];
  const others = { inputNames: ["input_ids"], outputNames, run };
  await assert.rejects(load(files, { ort: session(others) }), refusal("damaged", /it takes input_ids/));
  const tagger = await load(files, { ort: session({ inputNames, outputNames, run }) });
  await assert.rejects(tagger.tag("Nairobi"), refusal("damaged", /answer is not float32/));
});

test("digests need WebCrypto, and say so", async () => {
  const bytes = asBytes("abc");
  const digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  await verifyFile(bytes, digest);
  await assert.rejects(verifyFile(bytes, digest.replace("b", "c")), refusal("changed", /^The file is not/));
  const own = Object.getOwnPropertyDescriptor(globalThis, "crypto");
  Object.defineProperty(globalThis, "crypto", { value: undefined, configurable: true });
  try {
    await assert.rejects(load(files), refusal("unsupported", /no WebCrypto/));
    assert.ok((await load(files, { verify: false })) instanceof Tagger);
  } finally {
    Object.defineProperty(globalThis, "crypto", own);
  }
});

test("a signal stops downloads and tagging", async () => {
  const signal = AbortSignal.abort();
  await assert.rejects(load(`${base}/whole`, { signal }), { name: "AbortError" });
  const tagger = await openTagger(folder);
  await assert.rejects(tagger.tag(TEXT, { signal }), { name: "AbortError" });
});

test("long text comes sentence by sentence", async () => {
  const tagger = await openTagger(folder);
  const found = [];
  for await (const sentence of tagger.sentences(TEXT)) found.push(sentence);
  assert.deepEqual(
    found.map(({ start, end }) => TEXT.slice(start, end)),
    TEXT.split(/(?<=\.) /),
  );
  assert.deepEqual(
    found.flatMap(({ entities }) => entities),
    await tagger.tag(TEXT),
  );
  assert.deepEqual(await tagger.tag(" \n"), []);
  assert.deepEqual(await tagger.tagWords([]), []);
});
