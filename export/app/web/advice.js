// What to say when something fails: a title, what to do, and what the error itself said.

/** @typedef {{ code: string, message: string, again?: boolean }} Failure `again`: the files were fetched twice */
/** @typedef {{ title: string, advice: string, detail: string }} Advice */

/**
 * @param {Failure} failure `code` is that of a BundleError, or "app" (the app's own files) or "stopped" (the tagger)
 * @param {{ online: boolean, secure: boolean }} device
 * @returns {Advice}
 */
export function adviceFor({ code, message, again = false }, { online, secure }) {
  const twice = again ? "The copy on this device was dropped and everything was downloaded a second time. " : "";
  const [title, advice] = texts(code, twice, online, secure);
  return { title, advice, detail: message };
}

/**
 * @param {string} code
 * @param {string} twice
 * @param {boolean} online
 * @param {boolean} secure
 * @returns {[string, string]}
 */
function texts(code, twice, online, secure) {
  if ((code === "missing" || code === "app") && !online) {
    return [
      "You are offline, and the model is not on this device yet",
      "Connect to the internet once: loading goes on by itself. After that it works offline.",
    ];
  }
  switch (code) {
    case "missing":
      return ["The model cannot be downloaded", "Check the connection, then try again."];
    case "app":
      return ["A part of this app cannot be downloaded", "Check the connection, then try again."];
    case "incomplete":
      return ["The download is not complete", `${twice}The connection may have broken off. Try again.`];
    case "changed":
      return [
        "The model is not the one this app was made with",
        `${twice}The site may be in the middle of an update, or something on the way changes files. It was not ` +
          "opened. Try again later, or on another connection.",
      ];
    case "schema":
      return ["The model is made for another version of this app", "Reload the page to get the newest version."];
    case "unsupported":
      return secure
        ? [
            "This browser cannot run the model",
            "It needs WebAssembly with SIMD: Chrome or Edge 100, Firefox 114, Safari 16.4, or newer. Update the " +
              "browser or try another one.",
          ]
        : ["This page was opened over plain http", "Open it with https:// (or from localhost), then it works."];
    case "stopped":
      return ["The tagger stopped", "Try again. If it stops again, close other tabs or use a shorter text."];
    default:
      return ["The model cannot be used", `${twice}Try again later. If it stays so, the site's copy is damaged.`];
  }
}
