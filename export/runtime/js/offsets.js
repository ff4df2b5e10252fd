// UTF-16 units (JavaScript, Java, Swift) to code points (Python) and UTF-8 bytes (files, Go, Rust).

/** Offsets of one text, converted in constant time after one pass over it. */
export class TextOffsets {
  /** @type {Uint32Array | undefined} */
  #points;
  /** @type {Uint32Array | undefined} */
  #bytes;

  /** @param {string} text */
  constructor(text) {
    if (/^[\0-\x7f]*$/.test(text)) return;
    const size = text.length + 1;
    this.#points = new Uint32Array(size);
    this.#bytes = new Uint32Array(size);
    let [at, point, byte] = [0, 0, 0];
    for (const character of text) {
      const code = /** @type {number} */ (character.codePointAt(0));
      at += character.length;
      point += 1;
      // A lone surrogate counts as 3 bytes, which is what U+FFFD takes.
      byte += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
      this.#points[at] = point;
      this.#bytes[at] = byte;
    }
  }

  /**
   * Offset in code points of the UTF-16 unit at `position`, which begins a character or ends the text.
   * @param {number} position
   */
  codePoint(position) {
    return this.#points ? this.#points[position] : position;
  }

  /**
   * Offset in UTF-8 bytes of the UTF-16 unit at `position`, which begins a character or ends the text.
   * @param {number} position
   */
  byte(position) {
    return this.#bytes ? this.#bytes[position] : position;
  }
}
