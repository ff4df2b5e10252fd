// What browsers tell of their device; the strings are theirs.

import assert from "node:assert/strict";
import test from "node:test";
import { describeDevice } from "../../../../export/app/web/measure/device.js";

const hinted = (platform, brands, hints) => ({
  platform,
  brands,
  getHighEntropyValues: async () => hints,
});

test("Chrome on Android tells model and version", async () => {
  const fullVersionList = [
    { brand: "Not/A)Brand", version: "24.0.0.0" },
    { brand: "Chromium", version: "140.0.7339.80" },
    { brand: "Google Chrome", version: "140.0.7339.80" },
  ];
  const hints = { model: "SM-A057F", platformVersion: "14.0.0", architecture: "", bitness: "", fullVersionList };
  const navigator = { userAgent: "Mozilla/5.0 (Linux; Android 10; K)", hardwareConcurrency: 8, deviceMemory: 4 };
  const { machine, browser } = await describeDevice(
    { ...navigator, userAgentData: hinted("Android", [], hints) },
    "1.30.0",
  );
  assert.deepEqual([machine.board, machine.os, machine.cores], ["SM-A057F", "Android 14", 8]);
  assert.deepEqual([machine.architecture, machine.onnxruntime], ["wasm32", "1.30.0"]);
  assert.equal(browser, "Chrome 140.0.7339.80");
  const untold = ["cpu", "flags", "ram", "kernel", "python", "numpy", "tokenizers"];
  assert.deepEqual(
    untold.filter((name) => machine[name] !== null),
    [],
  );
});

test("a computer tells its architecture", async () => {
  const brands = [{ brand: "Chromium", version: "156" }];
  const hints = { model: "", platformVersion: "6.1.0", architecture: "x86", bitness: "64" };
  const { machine, browser } = await describeDevice(
    { userAgent: "", userAgentData: hinted("Linux", brands, hints) },
    "1.30.0",
  );
  assert.deepEqual([machine.board, machine.os, machine.architecture], [null, "Linux 6.1", "x86_64"]);
  assert.deepEqual([machine.cores, browser], [null, "Chromium 156"]);
});

const APPLE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)";
for (const [userAgent, board, os, browser] of [
  [`${APPLE} Version/18.3 Mobile/15E148 Safari/604.1`, "iPhone", "iOS 18.3.1", "Safari 18.3"],
  [`${APPLE} CriOS/140.0.7339.39 Mobile/15E148 Safari/604.1`, "iPhone", "iOS 18.3.1", "Chrome 140.0.7339.39"],
  ["Mozilla/5.0 (Android 14; Mobile; rv:143.0) Gecko/143.0 Firefox/143.0", null, "Android 14", "Firefox 143.0"],
  [
    "Mozilla/5.0 (Linux; Android 13; K) AppleWebKit/537.36 SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
    null,
    "Android 13",
    "Samsung Internet 28.0",
  ],
  ["", null, "unknown", "unknown"],
]) {
  test(`${browser} without client hints`, async () => {
    const found = await describeDevice({ userAgent }, "1.30.0");
    assert.deepEqual([found.machine.board, found.machine.os, found.browser], [board, os, browser]);
  });
}

test("a browser that refuses the hints is none the worse", async () => {
  const userAgentData = {
    platform: "Android",
    brands: [],
    getHighEntropyValues: () => Promise.reject(new Error("no")),
  };
  const { machine } = await describeDevice({ userAgent: "", userAgentData }, "1.30.0");
  assert.deepEqual([machine.board, machine.os], [null, "Android"]);
});
