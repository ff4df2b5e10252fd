"""matplotlib figures as inline SVG that takes its colours from the page, so one chart serves light and dark.

Text stays text (selectable, in the page's font). Colours are drawn as unlikely values and replaced by CSS
variables with a fallback. The same figure always gives the same bytes. matplotlib is imported when drawing.
"""

from __future__ import annotations

import html
import io
import re
import textwrap
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolkit.reporting.blocks import Chart
from toolkit.reporting.text import clean, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

Interval = tuple[float, float]

WIDTH = 400.0  # of every chart, in CSS pixels; the page scales it
FONT = 12.0
SMALL = 10.5

# CSS variable -> (stand-in while drawing, colour where there is no such variable)
_COLOURS = {
    "ink": ("#a1b2c1", "#1b1f24"),
    "soft": ("#a1b2c2", "#59636e"),
    "grid": ("#a1b2c3", "#d5dae0"),
    "paper": ("#a1b2c4", "#ffffff"),
    "chosen": ("#a1b2c5", "#0067b1"),
    "gold": ("#a1b2c6", "#b4500b"),
    "student": ("#a1b2c7", "#00785a"),
    "other": ("#a1b2c8", "#76808b"),
}
INK, SOFT, GRID, PAPER, CHOSEN, GOLD, STUDENT, OTHER = (drawn for drawn, _ in _COLOURS.values())


@dataclass(frozen=True)
class Style:
    """How one kind of thing looks in every chart: never by colour alone.

    Attributes:
        marker: matplotlib's.
        filled: False leaves the marker's inside in the page's colour.
    """

    colour: str
    marker: str
    filled: bool = True

    @property
    def marker_options(self) -> dict[str, Any]:
        """Arguments of `Axes.plot` for a marker of this style."""
        return {
            "marker": self.marker,
            "color": self.colour,
            "markerfacecolor": self.colour if self.filled else PAPER,
            "markeredgecolor": self.colour,
            "markeredgewidth": 1.6,
            "linestyle": "none",
        }


STYLES = {
    "chosen": Style(CHOSEN, "o"),
    "candidate": Style(CHOSEN, "o", filled=False),
    "teacher": Style(INK, "s", filled=False),
    "gold-only": Style(GOLD, "v"),
    "gold-only-started": Style(GOLD, "^", filled=False),
    "distilled": Style(STUDENT, "D"),
    "reference": Style(OTHER, "X"),
}


@contextmanager
def drawing(height: float) -> Iterator[Figure]:
    """An empty transparent figure, WIDTH wide; a unit of it is a CSS pixel."""
    import matplotlib
    from matplotlib.figure import Figure

    settings: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "report",
        "text.parse_math": False,  # a $ in a label is a $
        "font.family": "DejaVu Sans",
        "font.size": FONT,
        "text.color": INK,
        "axes.unicode_minus": True,
        "path.simplify": False,
    }
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the reader's font has it
        yield Figure(figsize=(WIDTH / 72, height / 72), dpi=72, facecolor="none")


def axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place given in pixels from the top left, without a frame."""
    full_width, full_height = figure.get_size_inches() * 72
    made = figure.add_axes(
        (left / full_width, 1 - (top + height) / full_height, width / full_width, height / full_height),
        facecolor="none",
    )
    for side in ("top", "right", "left", "bottom"):
        made.spines[side].set_visible(False)
    made.tick_params(length=0, labelsize=SMALL, labelcolor=SOFT, pad=5)
    made.set_axisbelow(True)
    return made


def overlay(figure: Figure) -> Axes:
    """Axes over the whole figure in pixels from the top left."""
    width, height = figure.get_size_inches() * 72
    made = axes(figure, 0, 0, width, height)
    made.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    return made


def whole_ticks(axis: Axis) -> None:
    """At most seven ticks, at whole numbers where the range allows."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=7, integer=True))


def write(where: Axes, x: float, y: float, text: str, **options: Any) -> None:
    """One line of text, vertically centred on `y`."""
    where.text(x, y, clean(text), **{"va": "center_baseline", "fontsize": FONT, **options})


def text_width(text: str, size: float = FONT) -> float:
    """About how wide a line is in a browser's sans-serif; the font is the reader's, so no more is known."""
    units = 0.0
    for char in text:
        if unicodedata.combining(char):
            continue
        if char in "iljtfrI.,:;'|!()[] ":
            units += 0.38
        elif char in "mwMW@%":
            units += 0.92
        elif unicodedata.east_asian_width(char) in "WF" or "\u1200" <= char <= "\u139f":
            units += 1.0
        else:
            units += 0.7 if char.isupper() or char in "–—+<>=~" else 0.62
    return units * size


def lines_of(text: str, characters: int, lines: int = 2) -> list[str]:
    """A label broken into at most `lines` lines of `characters`."""
    text = clean(text)
    wrapped = textwrap.wrap(text, characters, break_on_hyphens=False) or [""]
    if len(wrapped) > lines:
        wrapped = [*wrapped[: lines - 1], " ".join(wrapped[lines - 1 :])]
    return [shorten(line, characters) for line in wrapped]


def write_lines(where: Axes, x: float, y: float, lines: Sequence[str], **options: Any) -> None:
    """Several lines, centred on `y` as a block; `where` counts downwards in pixels."""
    step = options.get("fontsize", FONT) * 1.12
    for number, line in enumerate(lines):
        write(where, x, y + (number - (len(lines) - 1) / 2) * step, line, **options)


def legend_height(entries: Sequence[tuple[Style, str]]) -> float:
    """Pixels that `legend` takes."""
    return 18.0 * (1 + max((line for line, _ in _flow(entries)), default=0)) + 6


def legend(where: Axes, entries: Sequence[tuple[Style, str]]) -> None:
    """Markers with their names from the top left of an overlay, in as many lines as they need."""
    for (line, x), (style, name) in zip(_flow(entries), entries, strict=True):
        y = 10 + 18 * line
        where.plot([x + 5], [y], markersize=7, **style.marker_options)
        write(where, x + 15, y, name, color=SOFT)


def _flow(entries: Sequence[tuple[Style, str]]) -> list[tuple[int, float]]:
    """Line and left edge of each legend entry."""
    places, line, x = [], 0, 0.0
    for _, name in entries:
        width = text_width(name) + 34
        if x and x + width - 16 > WIDTH:
            line, x = line + 1, 0.0
        places.append((line, x))
        x += width
    return places


def finish(figure: Figure, name: str, title: str, summary: str) -> Chart:
    """The figure as a Chart whose SVG can stand in a page beside others.

    Args:
        name: unique on the page; it goes before every id inside.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*|<style.*?</style>\s*|<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<[^>]*>", lambda tag: _fit_tag(tag[0], name), svg)
    svg = re.sub(r"\n\s*", "\n", re.sub(r"<defs>\s*</defs>", "", svg))
    opening = (
        f'<svg viewBox="0 0 {WIDTH:g} {figure.get_size_inches()[1] * 72:g}" role="img" '
        f'aria-labelledby="{name}-title {name}-desc" xmlns="http://www.w3.org/2000/svg">\n'
        f'<title id="{name}-title">{html.escape(clean(title))}</title>\n'
        f'<desc id="{name}-desc">{html.escape(clean(summary))}</desc>'
    )
    return Chart(opening + svg[svg.index(">") + 1 :].rstrip(), title, summary)


def _fit_tag(tag: str, name: str) -> str:
    """A tag with page-wide ids and the page's colours; text between tags is never touched."""
    tag = tag.replace(' id="', f' id="{name}-').replace('xlink:href="#', f'href="#{name}-')
    tag = tag.replace("url(#", f"url(#{name}-")
    tag = re.sub(r" font-family: [^;\"]*;| transform=\"rotate\(-0 [^\"]*\"", "", tag)
    for variable, (drawn, fallback) in _COLOURS.items():
        tag = tag.replace(drawn, f"var(--{variable}, {fallback})")
    return tag
