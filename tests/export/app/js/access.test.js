import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { answers, inState, launch, newPhone, openReady, tag } from "./phone.js";
import { RULES } from "./rules.js";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WIDTHS = [320, 360, 768];
const TEXT = answers.examples.map(({ text }) => text).join(" ");

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

async function violations(page) {
  await page.evaluate(AXE);
  const check = (values) => window.axe.run({ runOnly: { type: "tag", values } });
  const { violations: found } = await page.evaluate(check, RULES);
  const place = ({ target, any }) => `${target} ${any[0]?.message ?? ""}`;
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(place)}`);
}

test("no rule of accessibility is broken, light or dark", async () => {
  const phone = await newPhone(browser);
  const { page, door } = phone;
  const check = async (when) => {
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      assert.deepEqual(await violations(page), [], `${when}, ${colorScheme}`);
    }
  };
  door.faults = [{ path: /onnx\//, wait: true }];
  await page.goto(door.url);
  await check("loading");
  door.resume();
  await inState(page, "ready");
  await tag(page, TEXT);
  await page.click("#measure-details > summary");
  await page.waitForFunction(() => document.getElementById("measure-panel").childElementCount > 0);
  await page.evaluate(() => (document.getElementById("update").hidden = false));
  await check("ready, with entities, an update and the measuring part");
  door.faults = [{ path: /onnx\//, status: 404 }];
  await page.selectOption("#language", answers.bundles[1].id);
  await inState(page, "error");
  await check("error");
  await phone.end();
});

test("colours follow the system, and nothing moves where motion is not wanted", async () => {
  const phone = await newPhone(browser, { colorScheme: "light", reducedMotion: "reduce" });
  const { page, door } = phone;
  door.faults = [{ path: /onnx\//, wait: true }];
  await page.goto(door.url);
  const luminance = () =>
    page.evaluate(() => {
      const canvas = document.createElement("canvas").getContext("2d");
      canvas.fillStyle = getComputedStyle(document.body).backgroundColor;
      canvas.fillRect(0, 0, 1, 1);
      const [red, green, blue] = canvas.getImageData(0, 0, 1, 1).data;
      return (red + green + blue) / 765;
    });
  const moving = () => page.evaluate(() => document.getAnimations().length);
  assert.ok((await luminance()) > 0.8);
  assert.equal(await moving(), 0);
  await page.emulateMedia({ colorScheme: "dark" });
  assert.ok((await luminance()) < 0.2);
  door.resume();
  await inState(page, "ready");
  await tag(page, TEXT);
  assert.equal(await moving(), 0);
  await phone.end();
});

test("nothing stands out sideways, and everything is big enough for a finger", async () => {
  const phone = await newPhone(browser);
  const { page } = phone;
  await openReady(phone);
  await tag(page, `${TEXT} ${"Ka".repeat(300)}`);
  await page.click("#measure-details > summary");
  await page.evaluate(() => {
    document.getElementById("update").hidden = document.getElementById("error").hidden = false;
    document.getElementById("error-detail").textContent = "W".repeat(200);
  });
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 740 });
    const [scroll, inner] = await page.evaluate(() => [document.scrollingElement.scrollWidth, innerWidth]);
    assert.ok(scroll <= inner && inner === width, `${scroll} in ${inner}`);
    const small = await page.evaluate(() =>
      [...document.querySelectorAll("button, select, summary, textarea")]
        .filter((one) => one.checkVisibility())
        .map((one) => [one.id || one.textContent.trim(), one.getBoundingClientRect()])
        .filter(([, { width, height }]) => Math.min(width, height) < 24)
        .map(([name, { width, height }]) => `${name} ${width} by ${height}`),
    );
    assert.deepEqual(small, [], "WCAG 2.5.8");
  }
  await phone.end();
});

test("everything can be reached and used with the keyboard, and the focus is seen", async () => {
  const phone = await newPhone(browser);
  const { page } = phone;
  await openReady(phone);
  await tag(page, TEXT);
  const wanted = await page.evaluate(() =>
    [...document.querySelectorAll("button, select, summary, textarea, a[href]")]
      .filter((one) => one.checkVisibility() && !one.disabled)
      .map((one) => one.id || one.textContent.trim()),
  );
  const reached = [];
  for (let step = 0; step < wanted.length + 5; step++) {
    await page.keyboard.press("Tab");
    const [name, seen] = await page.evaluate(() => {
      const one = document.activeElement;
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(one);
      const ring = (outlineStyle !== "none" && parseFloat(outlineWidth) >= 2) || boxShadow !== "none";
      const around = one.closest("#editor") && getComputedStyle(one.closest("#editor")).outlineStyle !== "none";
      return [one === document.body ? "" : one.id || one.textContent.trim(), ring || Boolean(around)];
    });
    if (!name || reached.includes(name)) break;
    assert.ok(seen, `${name}: the focus is seen`);
    reached.push(name);
  }
  assert.deepEqual(reached, wanted, "in the order of the page");

  await page.focus("#examples button >> nth=1");
  await page.keyboard.press("Enter");
  assert.equal(await page.inputValue("#text"), answers.examples[1].text);
  await page.focus("#measure-details > summary");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.getElementById("measure-panel").childElementCount > 0);
  await page.focus("#clear");
  await page.keyboard.press("Space");
  assert.equal(await page.inputValue("#text"), "");
  assert.equal(await page.evaluate(() => document.activeElement.id), "text");
  await page.keyboard.type("Samia\n");
  await page.keyboard.press("Escape");
  assert.equal(await page.inputValue("#text"), "Samia\n");
  await phone.end();
});
