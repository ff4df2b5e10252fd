import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { answers, highlights, inState, launch, newPhone, openReady, tag, tagged, write } from "./phone.js";

const LONGEST_SHARE = 0.5; // of the time that 100,000 characters take, between two frames
const FEWEST_FRAMES = 10;

let browser, phone, page;
before(async () => {
  browser = await launch();
  phone = await newPhone(browser);
  page = phone.page;
  await openReady(phone);
  await page.selectOption("#language", answers.bundles[1].id);
  await inState(page, "ready");
});
after(() => browser.close());

for (const { name, text, entities } of answers.hostile) {
  test(`hostile text: ${name}`, async () => {
    assert.deepEqual(await tag(page, text), entities);
    const elements = await page.evaluate(() => {
      const inside = document.querySelectorAll("#backdrop *, #entities *");
      return [...new Set([...inside].map(({ localName }) => localName))];
    });
    const known = ["bdi", "div", "li", "mark", "meter", "span"];
    assert.deepEqual(elements.filter((one) => !known.includes(one)), []);
    assert.equal(await page.title(), "Entity tagger");
    assert.deepEqual(phone.troubles, []);
  });
}

test("right-to-left text is set from the right, in front and behind", async () => {
  await tag(page, "زار أحمد علي مدينة القاهرة.");
  for (const id of ["text", "backdrop"]) {
    const rightToLeft = await page.evaluate((one) => document.getElementById(one).matches(":dir(rtl)"), id);
    assert.equal(rightToLeft, true, id);
  }
});

/** Counts the page's frames until `pulse.on` is false. */
const watchFrames = () =>
  page.evaluate(() => {
    const begun = performance.now();
    const pulse = { begun, last: begun, longest: 0, frames: 0, on: true };
    window.pulse = pulse;
    const tick = () => {
      const now = performance.now();
      pulse.longest = Math.max(pulse.longest, now - pulse.last);
      pulse.last = now;
      pulse.frames += 1;
      if (pulse.on) requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });

test("100,000 characters are tagged whole while the page goes on", async () => {
  const { text, entities } = answers.long;
  assert.ok(text.length > 100_000);
  await watchFrames();
  await tagged(page, await write(page, text));
  await page.waitForFunction((count) => document.querySelectorAll("mark").length === count, entities.length);
  const { begun, last, longest, frames } = await page.evaluate(() => ((window.pulse.on = false), window.pulse));
  // Shares, not times: on a busy machine all of it takes longer.
  assert.ok(longest < (last - begun) * LONGEST_SHARE, `${longest} of ${last - begun} ms without a frame`);
  assert.ok(frames >= FEWEST_FRAMES, `${frames} frames`);
  // Compared as strings: the report of a difference between lists this long takes minutes.
  assert.equal(JSON.stringify(await highlights(page)), JSON.stringify(entities));
  assert.equal(await page.innerText("#found"), String(entities.length));
  const shown = await page.locator("#entities > li").count();
  assert.ok(shown < 1000, `${shown} items at once`);
});

test("typing ends the tagging of a long text", async () => {
  await tag(page, "");
  await page.evaluate(() => {
    const words = document.getElementById("words");
    window.counts = [];
    new MutationObserver(() => window.counts.push(words.textContent)).observe(words, { childList: true });
  });
  const fresh = answers.long.text.replaceAll("Rais", "Raisi").replaceAll("Nairobi", "Nairobini"); // not remembered
  await write(page, fresh);
  await page.waitForFunction(() => /^Tagged [1-9]/.test(document.getElementById("progress-text").textContent));
  await tagged(page, await write(page, "Samia Kano"));
  assert.deepEqual(await page.evaluate(() => window.counts), ["2"]);
});
