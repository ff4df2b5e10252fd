// The page that test_measure_in_browser.py opens: uses the measuring part as the app does, and posts what came of it.

import { mountMeasure } from "/measure/panel.js";
import { takeProfile } from "/measure/profiler.js";
import { resultOf } from "/measure/result.js";

const send = (report) => fetch("/report", { method: "POST", body: JSON.stringify(report) });
const find = (selector) => document.querySelector(`#measure ${selector}`);
const breaches = [];
document.addEventListener("securitypolicyviolation", ({ violatedDirective }) => breaches.push(violatedDirective));

/** Waits until `done` says so. */
async function until(done) {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 20));
}

// As on a phone that shares text and no JSON.
const shared = [];
Object.defineProperties(navigator, {
  canShare: { value: ({ files }) => files.every((file) => file.type === "text/plain") },
  share: { value: async ({ files }) => shared.push([files[0].name, JSON.parse(await files[0].text()).kind]) },
});

try {
  const container = document.getElementById("container");
  const profiles = [];
  container.addEventListener("measured", ({ detail }) => profiles.push(detail));
  const bundle = { name: "<b>made up</b>" };

  mountMeasure(container, { bundle, url: "/nowhere" });
  find("form").requestSubmit();
  await until(() => !find(".wrong").hidden);
  const refused = find(".wrong").textContent;

  mountMeasure(container, { bundle, url: "/bundle" });
  find("form").requestSubmit();
  await until(() => find("progress").value > 0);
  find("button[type=button]").click();
  await until(() => find(".said").textContent !== "Measuring has begun.");
  const cancelled = find(".said").textContent;

  find("form").requestSubmit();
  await until(() => find("progress").value > 0);
  mountMeasure(container, { bundle, url: "/bundle" });
  const replaced = container.children.length;

  find("form").requestSubmit();
  const busy = [find("[type=submit]").hidden, find("fieldset").disabled];
  await until(() => profiles.length || !find(".wrong").hidden);
  const labelled = [...document.querySelectorAll("#measure :is(input, select, progress)")].every(
    (one) => one.labels.length,
  );
  const [profile] = profiles;
  const download = find("a[download]")?.download;
  const shown = {
    text: container.innerText,
    markup: Boolean(find("b")),
    focused: document.activeElement.textContent,
  };
  find("div .buttons button[type=button]:not(form *)").click();
  await until(() => shared.length);

  const flips = [{ line: 1, index: 0, word: "<img src=x>", expected: "O", found: "B-PER", margin: 3 }];
  const wrong = resultOf({ ...profile, agreement: { ...profile.agreement, flips, ok: false } }, "");
  const warned = { text: wrong.textContent, markup: Boolean(wrong.querySelector("img")) };

  const told = [];
  const progress = (done, total) => told.push([done, total]);
  const url = new URL("/bundle", location.href).href;
  const { sustained } = await takeProfile({ url, quick: true, minutes: 0.03, progress });
  await send({
    refused,
    cancelled,
    replaced,
    busy,
    labelled,
    profile,
    profiles: profiles.length,
    download,
    shown,
    shared,
    warned,
    sustained,
    told,
    breaches,
  });
} catch (error) {
  await send({ error: String(error.stack ?? error) });
}
