import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { answers, inState, launch, newPhone, openReady, storedForOffline, tag } from "./phone.js";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

// What the file holds is checked by test_app_in_browser.py.
test("the phone is measured, without a server, and the profile can be taken away", { timeout: 500_000 }, async () => {
  const phone = await newPhone(browser);
  const { page, door } = phone;
  page.setDefaultTimeout(400_000);
  await openReady(phone);
  await page.selectOption("#language", answers.bundles.at(-1).id); // int8
  await inState(page, "ready");
  await storedForOffline(page);
  await door.shut();
  await page.click("#measure-details > summary");
  await page.click("#measure-panel button[type=submit]");
  await page.click("#measure-panel button:has-text('Cancel')");
  await page.waitForSelector("#measure-panel button[type=submit]:not([hidden])");
  assert.match(await page.innerText("#measure-panel"), /Cancelled/);

  await page.click("#measure-panel button[type=submit]");
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.click("#measure-panel a[download]"), // once it is there
  ]);
  assert.match(download.suggestedFilename(), /^[\w.-]+\.json$/);
  await download.saveAs(`${process.env.SCRATCH}/profile.json`);
  assert.match(await page.innerText("#measure-panel"), /answers\s+right/);
  const [scroll, inner] = await page.evaluate(() => [document.scrollingElement.scrollWidth, innerWidth]);
  assert.ok(scroll <= inner, `${scroll} in ${inner}`);
  assert.deepEqual(await tag(page, ""), [], "the app goes on");
  assert.deepEqual(phone.troubles, []);
  await phone.context.close();
});
