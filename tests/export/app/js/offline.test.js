import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  answers, complaint, forgetBundles, highlights, inState, launch, newPhone, openReady, storedForOffline, tag,
} from "./phone.js";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

/** Neither server nor network. */
async function goOffline({ context, door }) {
  await door.shut();
  await context.setOffline(true);
}

async function goOnline({ context, door }) {
  await door.reopen();
  await context.setOffline(false);
}

test("after one visit the app works without a server, and a bundle never opened says that it needs one", async () => {
  const phone = await newPhone(browser);
  const { page, door } = phone;
  await openReady(phone);
  await storedForOffline(page);
  const { text, entities } = answers.examples[0];
  await page.fill("#text", text);
  await goOffline(phone);
  await page.reload();
  await inState(page, "ready");
  assert.equal(await page.inputValue("#text"), text, "the text was remembered");
  assert.deepEqual(await tag(page, `${text} `), entities);
  await storedForOffline(page);

  await page.selectOption("#language", answers.bundles[1].id);
  await inState(page, "error");
  assert.match(await complaint(page), /offline.*Connect/i);
  await page.selectOption("#language", answers.bundles[0].id);
  await inState(page, "ready");
  assert.deepEqual(await tag(page, text), entities);

  await page.selectOption("#language", answers.bundles[1].id);
  await inState(page, "error");
  await goOnline(phone);
  await inState(page, "ready"); // by itself
  assert.equal(await page.inputValue("#language"), answers.bundles[1].id);
  assert.ok(door.requests.some(({ path }) => path.startsWith(`bundles/${answers.bundles[1].id}/onnx/`)));
  await phone.end();
});

test("a shell without its bundle says so offline, and goes on by itself online", async () => {
  const phone = await newPhone(browser);
  const { page } = phone;
  await openReady(phone);
  await storedForOffline(page);
  await forgetBundles(phone);
  await goOffline(phone);
  await page.reload();
  await inState(page, "error");
  assert.match(await complaint(page), /offline.*model is not on this device.*Connect/i);
  assert.equal(await page.getAttribute("#error", "role"), "alert");
  await page.click("#retry"); // still offline
  await inState(page, "error");
  await goOnline(phone);
  await inState(page, "ready");
  assert.equal(await page.isHidden("#error"), true);
  assert.deepEqual(await tag(page, answers.examples[0].text), answers.examples[0].entities);
  await phone.end();
});
