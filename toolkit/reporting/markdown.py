"""The report as Markdown: the same blocks, with tables where the page has charts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from toolkit.reporting.blocks import Block, Code, Figure, Folded, Headline, Items, Page, Table, Text
from toolkit.reporting.text import clean

# What means something inside a line. Entities for the three that HTML knows: every renderer takes them.
_INLINE = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"} | {char: f"\\{char}" for char in "\\`*[]|~$"})


def escape(value: object) -> str:
    """Any string as one line of Markdown that shows it as it is."""
    text = clean(value).translate(_INLINE)
    text = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)  # between letters an underscore is only itself
    return re.sub(r"^(\s*)([#+=-]|\d+(?=[.)](?:\s|$)))", _escape_start, text)


def _escape_start(found: re.Match[str]) -> str:
    """A heading's, list's or underline's mark at the start of a line; a number's dot instead of the number."""
    space, mark = found.groups()
    return f"{space}\\{mark}" if not mark.isdigit() else f"{space}{mark}\\"


def render_markdown(page: Page) -> str:
    """The whole page."""
    parts = list(_headline(page.headline))
    for section in page.sections:
        parts.append(f"## {escape(section.title)}")
        for block in section.blocks:
            parts += _block(block)
    parts.append(escape(page.foot))
    return "\n\n".join(parts) + "\n"


def _headline(top: Headline) -> Iterator[str]:
    yield f"# {escape(top.title)}: {escape(top.outcome)}"
    yield escape(top.eyebrow)
    yield from (f"> **Note:** {escape(notice)}" for notice in top.notices)
    yield escape(top.lead)
    yield "\n".join(f"- **{escape(f.label)}: {escape(f.value)}.** {escape(f.note)}" for f in top.figures)


def _block(block: Block) -> Iterator[str]:
    match block:
        case Text(said):
            yield escape(said)
        case Code(command):
            yield _fenced(command)
        case Items(items):
            yield "\n".join(
                f"- **{escape(term)}:** {escape(said)}" if term else f"- {escape(said)}" for term, said in items
            )
        case Table():
            yield _table(block)
        case Folded(table):
            yield _table(table)
        case Figure(charts, table):
            if len(charts) == 1:  # of several the text before them tells
                yield escape(charts[0].summary)
            yield _table(table)


def _fenced(code: str) -> str:
    """A code block whose fence is longer than any run of backticks inside."""
    text = clean(code)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def _table(table: Table) -> str:
    rules = ["---:" if letter == "r" else "---" for letter in table.align]
    lines = [table.header, *(row.cells for row in table.rows)]
    shown = [" | ".join(escape(cell) for cell in cells) for cells in lines]
    shown.insert(1, " | ".join(rules))
    return f"{escape(table.caption)}:\n\n" + "\n".join(f"| {line} |" for line in shown)
