// Elements made by hand, so that text stays text.

/**
 * @param {string} tag
 * @param {Record<string, any>} [properties] of the element; `aria-…` and `role` become attributes
 * @param {...(Node | string | null)} children null is left out
 * @returns {any}
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (/^(?:aria-|role$|scope$|for$)/.test(name)) made.setAttribute(name, value);
    else /** @type {any} */ (made)[name] = value;
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/**
 * A table with a caption and a heading for every row and column.
 * @param {string} caption
 * @param {string[]} header none for a table of names and values
 * @param {string[][]} rows
 */
export function table(caption, header, rows) {
  const head = header.map((name) => element("th", { scope: "col" }, name));
  const body = rows.map(([name, ...cells]) =>
    element("tr", {}, element("th", { scope: "row" }, name), ...cells.map((cell) => element("td", {}, cell))),
  );
  return element(
    "table",
    {},
    element("caption", {}, caption),
    head.length ? element("thead", {}, element("tr", {}, ...head)) : null,
    element("tbody", {}, ...body),
  );
}
