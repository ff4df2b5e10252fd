// The highlights: a copy of the text behind the textarea, with the entities marked. Text goes in as text nodes only.

import { chunks, unchanged } from "./marks.js";

/** @typedef {import("./marks.js").Entity} Entity */

const LONG = 5000; // characters, from which on the drawing may have to wait
const SLOW = 30; // ms that a drawing of them took
const PAUSE = 3; // times as long without a change before the next one, then, …
const LONGEST_PAUSE = 1000; // … and at most so many ms

export class Highlight {
  /**
   * @param {HTMLTextAreaElement} text
   * @param {HTMLElement} backdrop lies behind it, with the same font, width and wrapping (editor.css)
   */
  constructor(text, backdrop) {
    this.text = text;
    this.backdrop = backdrop;
    /** @type {string[]} */
    this.keys = [];
    /** @type {Map<string, number>} */
    this.looks = new Map();
    this.drawn = ""; // the text of the backdrop
    this.took = 0; // ms for the last drawing
    this.waits = false; // for a pause, to draw
    /** @type {number | undefined} */
    this.timer = undefined;
    backdrop.append("\n"); // a textarea shows the line that a last line break begins
    text.addEventListener("scroll", () => this.scroll(), { passive: true });
    new ResizeObserver(() => this.scroll()).observe(text);
  }

  /**
   * Draws the highlights at once; those of a long text that takes long when the typing pauses.
   * @param {string} text
   * @param {Entity[]} entities in order
   */
  show(text, entities) {
    clearTimeout(this.timer);
    this.waits = text.length > LONG && this.took > SLOW;
    this.backdrop.classList.toggle("stale", this.waits && text !== this.drawn);
    const pause = Math.min(PAUSE * this.took, LONGEST_PAUSE);
    if (this.waits) this.timer = setTimeout(() => this.draw(text, entities), pause);
    else this.draw(text, entities);
  }

  /**
   * Draws what changed.
   * @param {string} text
   * @param {Entity[]} entities
   */
  draw(text, entities) {
    const begun = performance.now();
    const fresh = chunks(text, entities);
    const keys = fresh.map(({ key }) => key);
    const { head, tail } = unchanged(this.keys, keys);
    const nodes = this.backdrop.childNodes;
    for (let gone = this.keys.length - tail - head; gone > 0; gone--) nodes[head].remove();
    const added = fresh.slice(head, fresh.length - tail).map((chunk) => this.element(chunk));
    nodes[head].before(...added);
    this.keys = keys;
    this.drawn = text;
    this.scroll(); // which lays the page out
    this.backdrop.classList.remove("stale");
    this.waits = false;
    this.took = performance.now() - begun;
  }

  /** @param {import("./marks.js").Chunk} chunk */
  element({ runs, lines }) {
    const chunk = document.createElement("span");
    if (lines) chunk.className = "lines"; // a block, which is laid out alone
    for (const { text, entity } of runs) {
      if (!entity) {
        chunk.append(text);
        continue;
      }
      const mark = document.createElement("mark");
      mark.textContent = text;
      mark.dataset.type = entity.type;
      mark.dataset.look = String(this.looks.get(entity.type) ?? 0);
      chunk.append(mark);
    }
    return chunk;
  }

  scroll() {
    this.backdrop.scrollTop = this.text.scrollTop;
    this.backdrop.scrollLeft = this.text.scrollLeft;
  }
}
