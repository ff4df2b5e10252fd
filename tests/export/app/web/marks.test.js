// Where highlights stand while the text changes, and how the text is cut for drawing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { chunks, moved, unchanged } from "../../../../export/app/web/marks.js";

const entity = (text, part, type = "LOC") => {
  const start = text.indexOf(part);
  return { type, text: part, start, end: start + part.length, score: 0.9 };
};
const read = (text, entities) => entities.map(({ start, end }) => text.slice(start, end));
const random = (seed) => () => (seed = (seed * 1103515245 + 12345) % 2 ** 31) / 2 ** 31;

test("typing before, between and behind entities leaves them on their words", () => {
  const before = "Juma aliona Arusha na Kisumu jana.";
  const known = ["Juma", "Arusha", "Kisumu"].map((part) => entity(before, part));
  for (const after of ["Bwana " + before, before.replace("na Kisumu", "na mji wa Kisumu"), before + " Leo?"]) {
    assert.deepEqual(read(after, moved(known, before, after)), ["Juma", "Arusha", "Kisumu"], after);
  }
});

test("an entity that was typed into is dropped, the others stay", () => {
  const before = "Juma aliona Arusha na Kisumu.";
  const known = ["Juma", "Arusha", "Kisumu"].map((part) => entity(before, part));
  assert.deepEqual(read("x", moved(known, before, "")), []);
  for (const [after, left] of [
    ["Juma aliona Arrusha na Kisumu.", ["Juma", "Kisumu"]],
    ["Juma aliona A na Kisumu.", ["Juma", "Kisumu"]],
    ["Juma alisumu.", ["Juma"]],
  ]) {
    assert.deepEqual(read(after, moved(known, before, after)), left, after);
  }
});

test("whatever is edited, a kept entity still covers the same letters", () => {
  const next = random(7);
  const pick = (most) => Math.floor(next() * most);
  for (let round = 0; round < 2000; round++) {
    const before = Array.from({ length: 1 + pick(30) }, () => "ab \n"[pick(4)]).join("");
    const known = [];
    for (let at = pick(4); at < before.length; at += 1 + pick(6)) {
      const end = Math.min(before.length, at + 1 + pick(4));
      known.push({ type: "LOC", text: before.slice(at, end), start: at, end, score: 1 });
      at = end;
    }
    const [from, cut] = [pick(before.length + 1), pick(6)];
    const after = before.slice(0, from) + "abab".slice(0, pick(5)) + before.slice(from + cut);
    for (const { text, start, end } of moved(known, before, after)) assert.equal(after.slice(start, end), text);
  }
});

test("chunks are the whole text, and their runs are the entities and what lies between", () => {
  const next = random(11);
  const words = ["Arusha", "na", "Ọ̀yọ́", "አዲስ", "😀", "x".repeat(300)];
  for (let round = 0; round < 200; round++) {
    const parts = Array.from({ length: 400 }, () => words[Math.floor(next() * 6)] + (next() < 0.1 ? "\n" : " "));
    const text = parts.join("");
    const entities = [];
    let at = 0;
    for (const part of parts) {
      const overlong = next() < 0.02 ? 700 : 0; // one that reaches over several words and lines
      if (next() < 0.3) {
        const end = Math.min(text.length, at + part.length - 1 + overlong);
        entities.push({ type: "LOC", text: "", start: at, end, score: 1 });
      }
      at += part.length;
    }
    const made = chunks(text, entities);
    assert.equal(made.map(({ text: piece }) => piece).join(""), text);
    assert.equal(made.flatMap(({ runs }) => runs.map((run) => run.text)).join(""), text);
    const marked = made.flatMap(({ runs }) => runs.filter((run) => run.entity));
    let reached = 0;
    const apart = entities.filter(({ start, end }) => start >= reached && ((reached = end), true));
    assert.deepEqual(
      marked.map((run) => run.text),
      read(text, apart),
    );
  }
});

test("a chunk that is laid out alone begins and ends where lines do", () => {
  const text = ("Juma aliona Arusha. ".repeat(8) + "\n").repeat(40) + "x ".repeat(3000) + "\n" + "Mwisho";
  const made = chunks(text, []);
  let before = "";
  for (const { text: piece, lines } of made) {
    assert.equal(lines, (before === "" || before.endsWith("\n")) && piece.endsWith("\n"));
    before += piece;
  }
  assert.ok(made.filter(({ lines }) => lines).length > 10 && made.some(({ lines }) => !lines));
});

test("an edit in a long text draws few chunks again", () => {
  const line = (number) => `Mstari wa ${number}: Juma aliona Arusha na Kisumu jana.`;
  const text = Array.from({ length: 800 }, (_, number) => line(number)).join("\n");
  const edited = text.replace("wa 400:", "wa 400 na zaidi:");
  const keys = [text, edited].map((value) => chunks(value, []).map(({ key }) => key));
  const { head, tail } = unchanged(keys[0], keys[1]);
  assert.ok(keys[0].length > 100);
  assert.ok(keys[0].length - head - tail <= 1, `${keys[0].length - head - tail} drawn again`);
});

test("a mark that came, went or changed its type changes its chunk's key", () => {
  const text = "Juma aliona Arusha.";
  const keys = [[], [entity(text, "Arusha")], [entity(text, "Arusha", "ORG")], [entity(text, "Juma")]];
  assert.equal(new Set(keys.map((entities) => chunks(text, entities)[0].key)).size, 4);
});
