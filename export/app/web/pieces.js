// Small pieces of the page: items of its lists, and figures as people read them.

import { nameOf } from "./kinds.js";

/** @param {number} bytes */
export const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

/** @param {number} value */
export const milliseconds = (value) => `${value < 100 ? value.toFixed(1) : Math.round(value)} ms`;

/**
 * Whether the app opens offline, and what to do if not.
 * @param {import("./bundle-cache.js").Kept} kept the bundle's files
 * @param {boolean | undefined} shell whether the app's own files are stored
 */
export function storageNote(kept, shell) {
  if (kept === "full") {
    return "Works now, but not offline: storage is full. Free some space on this device, then reload the page.";
  }
  if (kept === "stored" && shell) return "Works offline";
  return "Works now, but not offline: this browser stores nothing for this page.";
}

/**
 * @param {string} type
 * @param {number} look
 */
export function legendItem(type, look) {
  const item = document.createElement("li");
  item.className = "badge";
  item.textContent = nameOf(type);
  item.dataset.look = String(look);
  return item;
}

/**
 * @param {string} example
 * @param {string} language
 * @param {(example: string) => void} chosen
 */
export function exampleItem(example, language, chosen) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = example;
  button.dir = "auto";
  button.lang = language;
  button.addEventListener("click", () => chosen(example));
  const item = document.createElement("li");
  item.append(button);
  return item;
}
