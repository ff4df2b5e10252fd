import assert from "node:assert/strict";
import { test } from "node:test";
import { newPhoneWithProfile, openReady, storedForOffline } from "./phone.js";

test("the app can be installed", async () => {
  const phone = await newPhoneWithProfile(`${process.env.SCRATCH}/profile`);
  const { context, page, door } = phone;
  await openReady(phone);
  await storedForOffline(page);
  const session = await context.newCDPSession(page);
  const { installabilityErrors } = await session.send("Page.getInstallabilityErrors");
  assert.deepEqual(installabilityErrors, []);
  const { url, errors, data } = await session.send("Page.getAppManifest");
  assert.deepEqual(errors, []);
  const manifest = JSON.parse(data);
  assert.equal(new URL(manifest.start_url, url).href, door.url);
  assert.equal(new URL(manifest.scope, url).href, door.url);
  assert.equal(manifest.display, "standalone");
  for (const { src, sizes, type, purpose } of manifest.icons) {
    const found = await page.evaluate(
      async (address) => {
        const response = await fetch(address);
        const image = new Image();
        image.src = address;
        await image.decode();
        return [response.headers.get("content-type"), image.naturalWidth, image.naturalHeight];
      },
      new URL(src, url).href,
    );
    assert.equal(found[0], type);
    if (sizes !== "any") assert.deepEqual(`${found[1]}x${found[2]}`, sizes, purpose);
  }
  const sizes = manifest.icons.filter(({ purpose }) => purpose === "any").map((icon) => icon.sizes);
  assert.ok(sizes.includes("192x192") && sizes.includes("512x512"));
  assert.ok(manifest.icons.some(({ purpose }) => purpose === "maskable"));
  await phone.end();
});
