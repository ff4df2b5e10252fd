// What is told to the person who measures.

/** Ends a measurement: `message` says what is wrong and ends with what to do next. */
export class MeasureError extends Error {
  /**
   * @param {string} message
   * @param {string} remedy
   */
  constructor(message, remedy) {
    super(`${message} ${remedy}`);
    this.name = "MeasureError";
  }
}
