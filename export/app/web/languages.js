// Names of languages, and which bundle is opened first.

/**
 * @typedef {{ id: string, name: string, path: string, languages: string[], entity_types: string[], licence: string,
 *   model_bytes: number, download_bytes: number, files: string[], model_sha256: string,
 *   examples: string[] }} Bundle an entry of catalog.json
 */

// Names that some browsers leave out to be smaller: own, English.
/** @type {Record<string, [string, string]>} */
const NAMES = {
  hau: ["Hausa", "Hausa"],
  ibo: ["Igbo", "Igbo"],
  kin: ["Ikinyarwanda", "Kinyarwanda"],
  lug: ["Luganda", "Ganda"],
  luo: ["Dholuo", "Luo"],
  pcm: ["Naijá", "Nigerian Pidgin"],
  wol: ["Wolof", "Wolof"],
};

/**
 * A language's name in a language; the code itself where the browser has none.
 * @param {string} code
 * @param {string} inLanguage
 */
function nameIn(code, inLanguage) {
  try {
    if (!Intl.DisplayNames.supportedLocalesOf(inLanguage).length) return code;
    return new Intl.DisplayNames(inLanguage, { type: "language", fallback: "none" }).of(code) ?? code;
  } catch {
    return code; // no language tag
  }
}

/**
 * "Kiswahili (Swahili)": its own name, and the English one where that differs.
 * @param {string} code ISO 639
 */
export function languageName(code) {
  const names = [nameIn(code, code), nameIn(code, "en")];
  const [own, english] = names.map((name, index) => (name === code ? (NAMES[code]?.[index] ?? code) : name));
  return own === english || own === code ? english : `${own} (${english})`;
}

/**
 * Names for the picker. Bundles of the same languages also show the bundle's name.
 * @param {Bundle[]} bundles
 * @returns {string[]}
 */
export function bundleNames(bundles) {
  const names = bundles.map(({ languages, name }) => languages.map(languageName).join(", ") || name);
  return names.map((name, index) => {
    const alone = names.indexOf(name) === names.lastIndexOf(name);
    return alone ? name : `${name}: ${bundles[index].name}`;
  });
}

/**
 * The bundle of the last visit, else one in a language of the browser's user, else the first.
 * @param {Bundle[]} bundles
 * @param {string | null} lastId
 * @param {readonly string[]} preferred language tags
 */
export function firstBundle(bundles, lastId, preferred) {
  const last = bundles.find(({ id }) => id === lastId);
  if (last) return last;
  const wanted = preferred.map(baseLanguage);
  const ranks = bundles.map(({ languages }) => {
    const found = wanted.findIndex((tag) => languages.some((code) => baseLanguage(code) === tag));
    return found < 0 ? Infinity : found;
  });
  return bundles[ranks.indexOf(Math.min(...ranks))];
}

/**
 * The language of a tag, as the attribute `lang` wants it: swa becomes sw.
 * @param {string} tag
 */
export function baseLanguage(tag) {
  try {
    return new Intl.Locale(tag).language ?? tag;
  } catch {
    return tag;
  }
}
