"""The report's content, before it becomes HTML or Markdown: both are rendered from the same blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Code:
    """Something to copy, such as a command."""

    kind: ClassVar[str] = "code"
    text: str


@dataclass(frozen=True)
class Items:
    """A list of (term, what is said about it); the term may be empty."""

    kind: ClassVar[str] = "items"
    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        tone: "selected", "quiet", or an outcome ("pass", "fail", "undecided"); decides the row's looks only.
    """

    cells: tuple[str, ...]
    tone: str = ""


@dataclass(frozen=True)
class Table:
    """A table whose first column names its rows.

    Attributes:
        align: a letter per column: l for text, r for numbers.
    """

    kind: ClassVar[str] = "table"
    caption: str
    header: tuple[str, ...]
    align: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Chart:
    """Inline SVG, made by `toolkit.reporting.charts`, with the sentence that says what it shows."""

    svg: str
    title: str
    summary: str


@dataclass(frozen=True)
class Figure:
    """Charts of one thing and the table of what they show; Markdown has the table alone.

    Attributes:
        layout: where the table stands on a wide page; folded away where the charts already label every value.
    """

    kind: ClassVar[str] = "figure"
    charts: tuple[Chart, ...]
    table: Table
    layout: Literal["beside", "below", "folded"] = "beside"


@dataclass(frozen=True)
class Folded:
    """A table that few will open."""

    kind: ClassVar[str] = "folded"
    table: Table


Block = Text | Code | Items | Table | Figure | Folded


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    anchor: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class KeyFigure:
    """One number of the headline."""

    label: str
    value: str
    note: str


@dataclass(frozen=True)
class Headline:
    """The top of the page.

    Attributes:
        eyebrow: what kind of run this was.
        outcome: pass, fail or undecided.
        notices: what must not be overlooked.
    """

    eyebrow: str
    title: str
    lead: str
    outcome: str
    notices: tuple[str, ...]
    figures: tuple[KeyFigure, ...]


@dataclass(frozen=True)
class Page:
    """A whole report."""

    title: str
    headline: Headline
    sections: tuple[Section, ...]
    foot: str


def row(cells: Sequence[str], tone: str = "") -> Row:
    """A row of cells."""
    return Row(tuple(cells), tone)
