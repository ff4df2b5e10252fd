// Which device and browser this is: what a profile must carry to mean anything elsewhere.
//
// What a browser does not tell is null. Among that is memory: navigator.deviceMemory is rounded to a power of two and
// capped at 8 GiB, against fingerprinting, so as a number of bytes it would be wrong on most phones.

const HINTS = ["model", "platformVersion", "architecture", "bitness", "fullVersionList"];
// Name in the user agent string to name of the browser, the more special ones first.
/** @type {[RegExp, string][]} */
const BROWSERS = [
  [/\bEdg(?:A|iOS)?\/([\d.]+)/, "Edge"],
  [/\bOPR\/([\d.]+)/, "Opera"],
  [/\bSamsungBrowser\/([\d.]+)/, "Samsung Internet"],
  [/\b(?:Firefox|FxiOS)\/([\d.]+)/, "Firefox"],
  [/\bCriOS\/([\d.]+)/, "Chrome"],
  [/\bChrome\/([\d.]+)/, "Chromium"],
  [/\bVersion\/([\d.]+).*Safari/, "Safari"],
];
const PLAIN = "Chromium"; // the engine, which others list beside their own name
const MADE_UP = /not.?a.?brand/i;

/**
 * @typedef {object} Navigator what is used of `navigator`
 * @property {string} userAgent
 * @property {number} [hardwareConcurrency]
 * @property {any} [userAgentData]
 */

/**
 * The machine as export/runtime/machine.py describes one, and the browser with its version.
 * @param {Navigator} navigator
 * @param {string} onnxruntime its version
 */
export async function describeDevice(navigator, onnxruntime) {
  const { userAgent, userAgentData } = navigator;
  const hints = (await userAgentData?.getHighEntropyValues(HINTS).catch(() => null)) ?? {};
  const machine = {
    board: hints.model || userAgent.match(/\((iPhone|iPad|iPod)/)?.[1] || null,
    cpu: null,
    architecture: architecture(hints) || "wasm32", // what its programs are compiled for
    flags: null,
    cores: navigator.hardwareConcurrency ?? null,
    ram: null,
    os: system(userAgentData?.platform, hints.platformVersion, userAgent),
    kernel: null,
    python: null,
    onnxruntime,
    numpy: null,
    tokenizers: null,
  };
  return { machine, browser: browser(hints.fullVersionList ?? userAgentData?.brands ?? [], userAgent) };
}

/**
 * In the spelling of the other profiles.
 * @param {{ architecture?: string, bitness?: string }} hints
 */
function architecture({ architecture: name, bitness }) {
  const wide = bitness === "64";
  if (name === "x86") return wide ? "x86_64" : "i686";
  if (name === "arm") return wide ? "aarch64" : "armv7l";
  return name;
}

/**
 * @param {string | undefined} platform
 * @param {string | undefined} version
 * @param {string} userAgent
 */
function system(platform, version, userAgent) {
  if (platform) return `${platform} ${(version ?? "").replace(/(?:\.0)+$/, "")}`.trim();
  const apple = userAgent.match(/\bOS (\d+(?:_\d+)*) like Mac/)?.[1];
  if (apple) return `iOS ${apple.replaceAll("_", ".")}`;
  const android = userAgent.match(/\bAndroid [\d.]+/)?.[0];
  return android ?? userAgent.match(/\(([^;)]+)/)?.[1] ?? "unknown";
}

/**
 * @param {{ brand: string, version: string }[]} brands
 * @param {string} userAgent
 */
function browser(brands, userAgent) {
  const known = brands.filter(({ brand }) => !MADE_UP.test(brand.replaceAll(/[^a-z]/gi, " ")));
  const found = known.find(({ brand }) => brand !== PLAIN) ?? known[0];
  if (found) return `${found.brand.replace(/^Google /, "")} ${found.version}`;
  for (const [pattern, name] of BROWSERS) {
    const version = userAgent.match(pattern)?.[1];
    if (version) return `${name} ${version}`;
  }
  return "unknown";
}
