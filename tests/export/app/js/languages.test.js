import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { answers, highlights, inState, launch, newPhone, openReady, tag } from "./phone.js";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const [swahili, yoruba] = answers.bundles;
const sample = answers.hostile.find(({ name }) => name === "decomposed Yoruba");

test("languages change between bundles; the choice and the text are remembered", async () => {
  const phone = await newPhone(browser);
  const { page, door } = phone;
  await openReady(phone);
  assert.equal(await page.inputValue("#language"), swahili.id, "the browser's language comes first");
  const names = await page.locator("#language option").allInnerTexts();
  assert.match(names[0], /Swahili/);
  assert.match(names[1], /Yor/);
  assert.equal(await page.getAttribute("#text", "lang"), "sw", "the shortest code, which screen readers know");

  await page.fill("#text", sample.text);
  await page.selectOption("#language", yoruba.id);
  await inState(page, "ready");
  assert.equal(await page.inputValue("#text"), sample.text);
  const count = String(sample.entities.length);
  await page.waitForFunction((wanted) => document.getElementById("found").textContent === wanted, count);
  assert.deepEqual(await highlights(page), sample.entities);
  assert.equal(await page.getAttribute("#text", "lang"), "yo");
  assert.match(await page.innerText("#language-name"), /Yoruba/);

  await page.reload();
  await inState(page, "ready");
  assert.equal(await page.inputValue("#language"), yoruba.id);
  assert.equal(await page.inputValue("#text"), sample.text);
  assert.deepEqual(await tag(page, `${sample.text} `), sample.entities);
  assert.equal(door.count(new RegExp(`${yoruba.id}/onnx/`)), 1, "the second bundle came once");
  assert.deepEqual(phone.troubles, []);
  await phone.end();
});

test("changing the language twice at once ends with the last one", async () => {
  const phone = await newPhone(browser);
  const { page } = phone;
  await openReady(phone);
  await page.fill("#text", sample.text);
  await page.evaluate(
    ([first, last]) => {
      const picker = document.getElementById("language");
      for (const id of [first, last, first, last]) {
        picker.value = id;
        picker.dispatchEvent(new Event("change", { bubbles: true }));
      }
    },
    [swahili.id, yoruba.id],
  );
  await inState(page, "ready");
  assert.deepEqual(await tag(page, `${sample.text} `), sample.entities);
  assert.match(await page.innerText("#language-name"), /Yoruba/);
  await phone.end();
});

test("a user of the second language gets its bundle first", async () => {
  const phone = await newPhone(browser, { locale: "yo-NG" });
  await openReady(phone);
  assert.equal(await phone.page.inputValue("#language"), yoruba.id);
  assert.equal(phone.door.count(new RegExp(`${swahili.id}/`)), 0, "the other one is not downloaded");
  await phone.end();
});
