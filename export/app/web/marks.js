// Where the highlights stand: pure functions on the text and its entities, without the page.

/** @typedef {{ type: string, text: string, start: number, end: number, score: number }} Entity */
/** @typedef {{ text: string, entity?: Entity }} Run a stretch of text inside or outside an entity */
/**
 * @typedef {{ text: string, key: string, runs: Run[], lines: boolean }} Chunk a piece of text that is drawn as a
 *   whole; `lines`: it begins and ends where lines do, so that nothing else is laid out anew when it changes
 */

const LONG_LINE = 1000; // characters; a longer line is cut at the first space after these

/**
 * The entities of `before` where they stand in `after`: what was typed moves those behind it and drops those it
 * touches, so that highlights hold still until the next answer.
 * @param {Entity[]} entities in order
 * @param {string} before
 * @param {string} after
 * @returns {Entity[]}
 */
export function moved(entities, before, after) {
  if (before === after || !entities.length) return entities;
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < shorter - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++;
  const [edited, shift] = [before.length - tail, after.length - before.length];
  return entities.flatMap((entity) => {
    if (entity.end <= head) return [entity];
    if (entity.start < edited) return [];
    return [{ ...entity, start: entity.start + shift, end: entity.end + shift }];
  });
}

/**
 * The text cut into chunks of runs: lines, and pieces of very long ones. No chunk ends inside an entity. Those before
 * and behind an edit stay as they were, so that only a few are drawn again.
 * @param {string} text
 * @param {Entity[]} entities in order; one that overlaps its predecessor is left out
 * @returns {Chunk[]}
 */
export function chunks(text, entities) {
  const result = [];
  let next = 0;
  for (let start = 0; start < text.length; ) {
    let end = cutAfter(text, start);
    const runs = [];
    const marks = [];
    let at = start;
    for (; next < entities.length && entities[next].start < end; next++) {
      const entity = entities[next];
      if (entity.start < at) continue;
      if (entity.start > at) runs.push({ text: text.slice(at, entity.start) });
      runs.push({ text: text.slice(entity.start, entity.end), entity });
      marks.push(`${entity.start - start},${entity.end - start},${entity.type}`);
      at = entity.end;
      end = Math.max(end, at);
    }
    if (at < end) runs.push({ text: text.slice(at, end) });
    const piece = text.slice(start, end);
    const lines = (start === 0 || text[start - 1] === "\n") && text[end - 1] === "\n";
    result.push({ text: piece, key: `${lines ? "lines" : ""} ${marks.join(";")}\n${piece}`, runs, lines });
    start = end;
  }
  return result;
}

/**
 * @param {string} text
 * @param {number} start
 */
function cutAfter(text, start) {
  const line = text.indexOf("\n", start);
  const end = line < 0 ? text.length : line + 1;
  if (end - start <= LONG_LINE) return end;
  const space = text.slice(start + LONG_LINE, Math.min(end, start + 2 * LONG_LINE)).search(/\s/);
  return space < 0 ? end : start + LONG_LINE + space + 1;
}

/**
 * How many chunks at the beginning and at the end are the same in both lists.
 * @param {string[]} old keys
 * @param {string[]} fresh keys
 */
export function unchanged(old, fresh) {
  const shorter = Math.min(old.length, fresh.length);
  let head = 0;
  while (head < shorter && old[head] === fresh[head]) head++;
  let tail = 0;
  while (tail < shorter - head && old[old.length - 1 - tail] === fresh[fresh.length - 1 - tail]) tail++;
  return { head, tail };
}
