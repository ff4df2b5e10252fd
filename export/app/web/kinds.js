// Entity types: their names for people, and which of the style sheet's eight looks each one has.

const NAMES = new Map([
  ["PER", "Person"],
  ["ORG", "Organisation"],
  ["LOC", "Place"],
  ["DATE", "Date"],
]);
const KNOWN = [...NAMES.keys()];
const LOOKS = 8; // [data-look="0"] to [data-look="7"] in editor.css

/** @param {string} type */
export const nameOf = (type) => NAMES.get(type) ?? type;

/**
 * The look of each type, in the order of a legend: known types always have the same, others take the rest in turn.
 * @param {string[]} types
 * @returns {Map<string, number>}
 */
export function looksOf(types) {
  const others = types.filter((type) => !KNOWN.includes(type)).sort();
  const rest = LOOKS - KNOWN.length;
  return new Map([
    ...KNOWN.filter((type) => types.includes(type)).map((type) => pair(type, KNOWN.indexOf(type))),
    ...others.map((type, index) => pair(type, KNOWN.length + (index % rest))),
  ]);
}

/** @type {(type: string, look: number) => [string, number]} */
const pair = (type, look) => [type, look];

/**
 * What was found, in one line for everybody and for screen readers.
 * @param {{ type: string }[]} entities
 */
export function summary(entities) {
  if (!entities.length) return "No entities found.";
  const counts = new Map();
  for (const { type } of entities) counts.set(type, (counts.get(type) ?? 0) + 1);
  const parts = Array.from(counts, ([type, count]) => `${nameOf(type)} ${count}`);
  return `${entities.length} ${entities.length === 1 ? "entity" : "entities"}: ${parts.join(", ")}.`;
}
