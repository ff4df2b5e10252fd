// What people read: errors with what to do, names of types and languages, the bundle that opens first.

import assert from "node:assert/strict";
import { test } from "node:test";
import { adviceFor } from "../../../../export/app/web/advice.js";
import { looksOf, nameOf, summary } from "../../../../export/app/web/kinds.js";
import { bundleNames, firstBundle, languageName } from "../../../../export/app/web/languages.js";
import { megabytes, milliseconds, storageNote } from "../../../../export/app/web/pieces.js";

const online = { online: true, secure: true };
const CODES = ["missing", "incomplete", "changed", "damaged", "schema", "unsupported", "app", "stopped"];

test("every kind of failure has a title of its own, something to do, and what the error said", () => {
  const all = CODES.map((code) => adviceFor({ code, message: `why ${code}` }, online));
  assert.equal(new Set(all.map(({ title }) => title)).size, CODES.length);
  for (const [index, { title, advice, detail }] of all.entries()) {
    assert.ok(title.length > 10 && !title.endsWith("."));
    assert.match(advice, /try again|Try again|Reload|Update/, CODES[index]);
    assert.equal(detail, `why ${CODES[index]}`);
  }
});

test("offline, a missing file is not called the server's fault", () => {
  for (const code of ["missing", "app"]) {
    const { title, advice } = adviceFor({ code, message: "" }, { online: false, secure: true });
    assert.match(title, /offline/);
    assert.match(advice, /by itself/);
  }
});

test("plain http is told from an old browser, and a second download is owned up to", () => {
  const http = adviceFor({ code: "unsupported", message: "" }, { online: true, secure: false });
  assert.match(http.title + http.advice, /plain http.*https:/);
  for (const code of ["changed", "incomplete", "damaged"]) {
    assert.match(adviceFor({ code, message: "", again: true }, online).advice, /a second time/);
    assert.doesNotMatch(adviceFor({ code, message: "" }, online).advice, /a second time/);
  }
});

test("known types keep their look in every bundle, and others get one each", () => {
  assert.deepEqual([...looksOf(["DATE", "LOC", "ORG", "PER"])], [["PER", 0], ["ORG", 1], ["LOC", 2], ["DATE", 3]]);
  assert.deepEqual([...looksOf(["WORK", "LOC", "EVENT"])], [["LOC", 2], ["EVENT", 4], ["WORK", 5]]);
  const many = looksOf(Array.from("ABCDEFGHIJ"));
  assert.equal(many.size, 10);
  assert.ok([...many.values()].every((look) => look >= 4 && look < 8));
  assert.deepEqual(["PER", "EVENT", "__proto__"].map(nameOf), ["Person", "EVENT", "__proto__"]);
});

test("the summary counts by type", () => {
  const entities = ["PER", "LOC", "PER"].map((type) => ({ type }));
  assert.equal(summary([]), "No entities found.");
  assert.equal(summary(entities.slice(0, 1)), "1 entity: Person 1.");
  assert.equal(summary(entities), "3 entities: Person 2, Place 1.");
});

test("all ten languages have a name, of their own where the browser knows it", () => {
  assert.equal(languageName("swa"), "Kiswahili (Swahili)");
  assert.equal(languageName("amh"), "አማርኛ (Amharic)");
  for (const code of ["hau", "ibo", "kin", "lug", "luo", "pcm", "wol", "yor"]) {
    assert.notEqual(languageName(code), code);
  }
  for (const strange of ["!", "", "qaa-x"]) assert.equal(typeof languageName(strange), "string");
});

test("two bundles of one language are told apart", () => {
  const bundles = ["swa-a", "swa-b", "luo"].map((name) => ({ name, languages: [name.slice(0, 3)] }));
  assert.deepEqual(bundleNames(bundles), [
    "Kiswahili (Swahili): swa-a",
    "Kiswahili (Swahili): swa-b",
    "Dholuo (Luo)",
  ]);
});

test("the last bundle opens again, else one of the user's languages, else the first", () => {
  const bundles = ["luo", "swa", "yor"].map((code) => ({ id: `${code}-1`, languages: [code] }));
  const first = (last, preferred) => firstBundle(bundles, last, preferred).id;
  assert.equal(first("yor-1", ["sw"]), "yor-1");
  assert.equal(first("yor-0", ["en-GB", "sw-KE", "yo"]), "swa-1");
  assert.equal(first(null, ["en"]), "luo-1");
  assert.equal(first(null, []), "luo-1");
});

test("figures are short, and the note on storage says what to do", () => {
  assert.deepEqual([megabytes(2727423), milliseconds(4.56), milliseconds(1234.5)], ["2.7 MB", "4.6 ms", "1235 ms"]);
  assert.equal(storageNote("stored", true), "Works offline");
  assert.match(storageNote("full", true), /not offline: storage is full\. Free/);
  assert.match(storageNote("stored", false), /stores nothing/);
  assert.match(storageNote("unavailable", true), /stores nothing/);
});
