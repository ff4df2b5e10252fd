import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { answers, forgetBundles, inState, launch, newPhone, openReady, storedForOffline, tag } from "./phone.js";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const shells = (page) =>
  page.evaluate(async () => (await caches.keys()).filter((name) => name.startsWith("shell-")));
const isNewer = async (page) =>
  (await page.evaluate(async () => (await fetch("style.css")).text())).includes("/* newer */");

test("a new version is offered, taken when the user wants it, and fetches no bundle again", async () => {
  const phone = await newPhone(browser);
  const { page, door } = phone;
  const [old, fresh] = answers.versions.map((version) => `shell-${version}`);
  await openReady(phone);
  await storedForOffline(page);
  assert.deepEqual(await shells(page), [old]);
  assert.equal(await page.isHidden("#update"), true);

  door.upstream = process.env.NEWER_APP;
  door.requests = [];
  const { text, entities } = answers.examples[0];
  await page.fill("#text", text);
  await page.reload();
  await inState(page, "ready");
  await page.waitForSelector("#update:not([hidden])");
  assert.equal(await isNewer(page), false, "the old version runs until the user changes");
  assert.deepEqual(await tag(page, text), entities);

  await Promise.all([page.waitForEvent("load"), page.click("#update-now")]);
  await inState(page, "ready");
  assert.equal(await isNewer(page), true);
  await page.waitForFunction(async (name) => !(await caches.keys()).includes(name), old);
  assert.deepEqual(await shells(page), [fresh]);
  assert.equal(await page.isHidden("#update"), true);
  assert.equal(await page.inputValue("#text"), text, "the text survives the change");
  assert.deepEqual(await tag(page, `${text} `), entities);
  assert.equal(door.count(/^bundles\//), 0);
  assert.deepEqual(phone.troubles, []);
  await phone.end();
});

test("two tabs change to a new version together, and each keeps its text", async () => {
  const phone = await newPhone(browser);
  const { context, page, door } = phone;
  await openReady(phone);
  await storedForOffline(page);
  const other = await context.newPage();
  await openReady({ page: other, door });
  for (const [one, text] of [[page, "Samia"], [other, "Kano"]]) await tag(one, text);
  door.upstream = process.env.NEWER_APP;
  const session = await context.newCDPSession(page);
  await Promise.all([page.waitForEvent("load"), session.send("Page.reload", { ignoreCache: true })]);
  await page.waitForSelector("#update:not([hidden])");
  const reloaded = [page, other].map((one) => one.waitForEvent("load"));
  await Promise.all([...reloaded, page.click("#update-now")]);
  for (const [one, text] of [[page, "Samia"], [other, "Kano"]]) {
    await inState(one, "ready");
    assert.equal(await isNewer(one), true);
    assert.equal(await one.inputValue("#text"), text);
  }
  await phone.end();
});

test("an app whose bundle is gone from the server offers the newer version", async () => {
  const phone = await newPhone(browser);
  const { context, page, door } = phone;
  await openReady(phone);
  await storedForOffline(page);
  await forgetBundles({ context, page });
  door.upstream = process.env.NEWER_APP;
  door.faults = [{ path: /^bundles\//, status: 404 }];
  await page.reload();
  await inState(page, "error");
  await page.waitForSelector("#update:not([hidden])");
  await phone.end();
});

test("a download of a new version that breaks off leaves the old one whole", async () => {
  const phone = await newPhone(browser);
  const { page, door } = phone;
  await openReady(phone);
  await storedForOffline(page);
  door.upstream = process.env.NEWER_APP;
  door.faults = [{ path: /^style\.css$/, cutAt: 100 }];
  const failed = page.evaluate(async () => {
    const registration = await navigator.serviceWorker.ready;
    await registration.update();
    const { installing } = registration;
    if (!installing) return "redundant"; // failed before it could be seen
    return new Promise((resolve) => {
      installing.addEventListener("statechange", () => resolve(installing.state));
    });
  });
  assert.equal(await failed, "redundant");
  assert.equal(await page.isHidden("#update"), true);
  await door.shut();
  await page.reload();
  await inState(page, "ready");
  assert.equal(await isNewer(page), false);
  await phone.end();
});
