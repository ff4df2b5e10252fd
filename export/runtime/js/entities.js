// Tags to entities, as seqeval's default counts them: entities.py tells the rule.

/**
 * Entities in `tags` (O, B-TYPE, I-TYPE; E- and S- too), in order; an I- after O or another type opens one.
 * Without `scores` (one per tag) every entity's score is 1.
 * @param {string[]} tags
 * @param {number[]} [scores]
 * @returns {import("./index.d.ts").WordEntity[]}
 */
export function group(tags, scores) {
  const entities = [];
  let begin = 0;
  let [lastPrefix, lastType] = ["O", ""];
  for (let position = 0; position <= tags.length; position++) {
    const tag = tags[position] ?? "O";
    const prefix = tag.slice(0, 1);
    const type = tag.slice(1).replace(/^[^-]*-/, "") || "_";
    const changed = type !== lastType;
    if ("ES".includes(lastPrefix) || (lastPrefix !== "O" && ("BSO".includes(prefix) || changed))) {
      const own = scores ? scores.slice(begin, position) : [1];
      const score = own.reduce((sum, one) => sum + one, 0) / own.length;
      entities.push({ type: lastType, startWord: begin, endWord: position, score });
    }
    if ("BS".includes(prefix) || (prefix !== "O" && ("ESO".includes(lastPrefix) || changed))) begin = position;
    [lastPrefix, lastType] = [prefix, type];
  }
  return entities;
}
