// The list of entities: type, text, confidence.

import { nameOf } from "./kinds.js";

/** @typedef {import("./marks.js").Entity} Entity */

const PAGE = 100; // items that are shown at first, and with every "Show more"

export class EntityList {
  /**
   * @param {HTMLElement} list
   * @param {HTMLButtonElement} more
   */
  constructor(list, more) {
    this.list = list;
    this.more = more;
    this.most = PAGE;
    /** @type {Entity[]} */
    this.entities = [];
    /** @type {string[]} */
    this.keys = [];
    /** @type {Map<string, number>} */
    this.looks = new Map();
    more.addEventListener("click", () => {
      const first = this.most;
      this.most += PAGE;
      this.show(this.entities);
      /** @type {HTMLElement} */ (list.children[first])?.focus(); // the button may be gone
    });
  }

  /** @param {Entity[]} entities in order */
  show(entities) {
    this.entities = entities;
    const shown = entities.slice(0, this.most);
    shown.forEach((entity, index) => {
      const key = `${entity.type} ${entity.score} ${entity.text}`;
      if (this.keys[index] === key) return;
      const item = this.item(entity);
      if (this.list.children[index]) this.list.children[index].replaceWith(item);
      else this.list.append(item);
      this.keys[index] = key;
    });
    while (this.list.children.length > shown.length) this.list.lastElementChild?.remove();
    this.keys.length = shown.length;
    this.more.hidden = shown.length === entities.length;
    if (!this.more.hidden) this.more.textContent = `Show more (${entities.length - shown.length})`;
  }

  /** @param {Entity} entity */
  item({ type, text, score }) {
    const item = document.createElement("li");
    item.tabIndex = -1;
    const badge = element("span", "badge", nameOf(type));
    badge.dataset.look = String(this.looks.get(type) ?? 0);
    badge.dataset.type = type;
    const what = element("bdi", "what", text);
    const percent = element("span", "percent", `${Math.round(score * 100)} %`);
    percent.append(element("span", "unseen", " confidence"));
    const bar = element("span", "bar", ""); // for the eye; the number says the same
    const filled = element("span", "filled", "");
    filled.style.inlineSize = `${score * 100}%`;
    bar.append(filled);
    item.append(badge, " ", what, " ", percent, bar);
    return item;
  }
}

/**
 * @param {string} tag
 * @param {string} name
 * @param {string} text
 */
function element(tag, name, text) {
  const made = document.createElement(tag);
  made.className = name;
  made.textContent = text;
  return made;
}
