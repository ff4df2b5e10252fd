/** What a person or an app can act on. */
export class BundleError extends Error {
  /**
   * @param {import("./index.d.ts").BundleErrorCode} code what kind of trouble it is, for programs
   * @param {string} message what is wrong, naming the file where there is one
   * @param {string} remedy what to do next
   * @param {unknown} [cause] the error that led to this one
   */
  constructor(code, message, remedy, cause) {
    super(`${message} ${remedy}`, cause === undefined ? undefined : { cause });
    this.name = "BundleError";
    this.code = code;
    this.remedy = remedy;
  }
}

/**
 * The error for a file that is there and cannot be used.
 * @param {string} file
 * @param {string} reason
 * @param {unknown} [cause]
 */
export const damaged = (file, reason, cause) =>
  new BundleError("damaged", `${file} cannot be used: ${reason}.`, "Copy or download the bundle again.", cause);

/**
 * What a caught value says, on one line without the full stop.
 * @param {unknown} error
 */
export const reasonOf = (error) =>
  String(error instanceof Error ? error.message : error)
    .split("\n")[0]
    .replace(/\.$/, "");
