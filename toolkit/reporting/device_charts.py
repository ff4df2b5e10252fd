"""Charts of device profiles: latency by length, by setting, and over minutes of work."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolkit.reporting.blocks import Chart
from toolkit.reporting.svg import (
    CHOSEN,
    GOLD,
    GRID,
    INK,
    OTHER,
    SOFT,
    STUDENT,
    WIDTH,
    Style,
    axes,
    drawing,
    finish,
    legend,
    legend_height,
    overlay,
    text_width,
    write,
)
from toolkit.reporting.text import clean, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Of the devices in one chart, by rank.
STYLES = (
    Style(CHOSEN, "o"), Style(GOLD, "s"), Style(STUDENT, "D"), Style(INK, "^", filled=False),
    Style(OTHER, "X"), Style(GOLD, "v", filled=False), Style(STUDENT, "P", filled=False),
)  # fmt: skip
PACKED, BARE = Style(CHOSEN, "o"), Style(GOLD, "D", filled=False)
LEFT, RIGHT = 40.0, 12.0
BOLD = 1.1  # how much wider bold text is
FEW = 12  # moments below which a line alone would hide how few there are


@dataclass(frozen=True)
class Point:
    """Milliseconds at `x`, which is sub-words or threads."""

    x: int
    p50: float
    p95: float


@dataclass(frozen=True)
class Line:
    """Latencies of one kind, by rising x."""

    name: str
    style: Style
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Moment:
    """A few seconds of a sustained run: when they ended, and what they were like."""

    minute: float
    p50: float
    celsius: float | None
    throttled: bool


def length_chart(lines: Sequence[Line], summary: str) -> Chart:
    """Latency against length of text, a line per device; both axes are logarithmic, for devices differ much."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    entries = [(line.style, line.name) for line in lines]
    top, tall = legend_height(entries) + 30, 240.0
    lengths = sorted({point.x for line in lines for point in line.points})
    values = [value for line in lines for point in line.points for value in (point.p50, point.p95)]
    with drawing(top + tall + 44) as figure:
        plot = axes(figure, LEFT, top, WIDTH - LEFT - RIGHT, tall)
        plot.set(xscale="log", yscale="log", ylim=(min(values) / 1.3, max(values) * 1.3))
        plot.set_xlim(lengths[0] / 1.35, lengths[-1] * 1.35)
        plot.set_xticks(lengths, [str(length) for length in lengths])
        wide = max(values) / min(values) > 200
        plot.yaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
        plot.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        plot.xaxis.set_minor_locator(NullLocator())
        plot.yaxis.set_minor_locator(NullLocator())
        plot.grid(color=GRID, linewidth=0.8)
        for rank, line in enumerate(lines):
            aside = 1.05 ** (rank - (len(lines) - 1) / 2)  # so that no way up to p95 hides another
            _draw(plot, line, [point.x * aside for point in line.points])
        paper = overlay(figure)
        legend(paper, entries)
        write(paper, 0, top - 16, "ms, log scale", color=SOFT)
        write(paper, WIDTH - RIGHT, top + tall + 36, "sub-words per text", ha="right", color=SOFT)
        return finish(figure, "devices-length", "Latency by length on each device", summary)


def settings_chart(name: str, device: str, lines: Sequence[Line], best: tuple[int, int], summary: str) -> Chart:
    """Latency by number of threads on one device, a line with and one without prepacking.

    Args:
        name: unique on the page.
        best: which line and which of its points is the recommended setting.
    """
    entries = [(line.style, line.name) for line in lines] if len(lines) > 1 else []
    top, tall = 48.0 + (legend_height(entries) if entries else 0), 150.0
    counts = sorted({point.x for line in lines for point in line.points})
    with drawing(top + tall + 52) as figure:
        plot = axes(figure, LEFT, top, WIDTH - LEFT - RIGHT, tall)
        highest = max(max(point.p50, point.p95) for line in lines for point in line.points)
        plot.set(xlim=(-0.5, len(counts) - 0.5), ylim=(0, highest * 1.08))
        plot.set_xticks(range(len(counts)), [str(count) for count in counts])
        plot.grid(axis="y", color=GRID, linewidth=0.8)
        for rank, line in enumerate(lines):
            aside = 0.12 * (rank - (len(lines) - 1) / 2)
            places = [counts.index(point.x) + aside for point in line.points]
            _draw(plot, line, places)
            if rank == best[0]:
                ring = {**line.style.marker_options, "marker": "o", "markerfacecolor": "none"}
                plot.plot([places[best[1]]], [line.points[best[1]].p50], markersize=16, **ring)
        if entries:
            legend(_below(figure, 24), entries)
        paper = overlay(figure)
        _title(paper, device)
        write(paper, 0, top - 13, "ms", color=SOFT)
        write(paper, WIDTH - RIGHT, top + tall + 36, "threads; ringed: recommended", ha="right", color=SOFT)
        return finish(figure, name, f"Latency by setting on {device}", summary)


def sustained_chart(name: str, device: str, moments: Sequence[Moment], summary: str) -> Chart:
    """The throttling curve: latency over minutes, above the temperature where that is known.

    Args:
        name: unique on the page.
    """
    warm = [(moment.minute, moment.celsius) for moment in moments if moment.celsius is not None]
    throttled = _throttled(moments)
    top, tall, low = 48.0, 120.0, 80.0
    second = top + tall + 34
    height = (second + low if warm else top + tall) + 52
    minutes = [moment.minute for moment in moments]
    with drawing(height) as figure:
        plot = axes(figure, LEFT, top, WIDTH - LEFT - RIGHT, tall)
        plot.set_ylim(0, max(moment.p50 for moment in moments) * 1.08)
        marker = "o" if len(moments) < FEW else ""
        plot.plot(
            minutes, [moment.p50 for moment in moments], color=CHOSEN, linewidth=1.6, marker=marker, markersize=4
        )
        strips = [plot]
        if warm:
            below = axes(figure, LEFT, second, WIDTH - LEFT - RIGHT, low)
            degrees = [celsius for _, celsius in warm]
            below.set_ylim(min(degrees) - 2, max(degrees) + 2)
            below.plot([minute for minute, _ in warm], degrees, color=GOLD, linewidth=1.6)
            plot.tick_params(labelbottom=False)
            strips.append(below)
        for strip in strips:
            strip.set_xlim(0, max(*minutes, 1e-3))
            strip.locator_params(axis="y", nbins=5)
            strip.tick_params(axis="x", pad=9)
            strip.grid(color=GRID, linewidth=0.8)
            for start, end in throttled:
                strip.axvspan(start, end, color=OTHER, alpha=0.3, linewidth=0)
        paper = overlay(figure)
        _title(paper, device)
        write(paper, 0, top - 13, "p50 in ms", color=SOFT)
        if warm:
            write(paper, 0, second - 13, "°C", color=SOFT)
        axis = "minutes without a pause" + ("; shaded: throttled" if throttled else "")
        write(paper, WIDTH - RIGHT, height - 16, axis, ha="right", color=SOFT)
        return finish(figure, name, f"Sustained work on {device}", summary)


def _throttled(moments: Sequence[Moment]) -> list[tuple[float, float]]:
    """When it was throttled, from minute to minute."""
    starts = (0.0, *(moment.minute for moment in moments))
    spans = []
    for throttled, group in itertools.groupby(zip(starts, moments, strict=False), lambda each: each[1].throttled):
        if throttled:
            found = list(group)
            spans.append((found[0][0], found[-1][1].minute))
    return spans


def _draw(plot: Axes, line: Line, places: Sequence[float]) -> None:
    """p50 as joined markers, and from each a thin line up to p95."""
    colour = line.style.colour
    plot.plot(places, [point.p50 for point in line.points], color=colour, linewidth=1.3, alpha=0.6)
    for x, point in zip(places, line.points, strict=True):
        plot.plot([x, x], [point.p50, point.p95], color=colour, linewidth=1.3, alpha=0.55)
        plot.plot([x], [point.p95], color=colour, marker="_", markersize=7, markeredgewidth=1.3, alpha=0.8)
        plot.plot([x], [point.p50], markersize=6.5, zorder=4, **line.style.marker_options)


def _title(paper: Axes, device: str) -> None:
    """The device's name at the top, as much of it as there is room for."""
    name = clean(device)
    while text_width(name) * BOLD > WIDTH:
        name = shorten(name, len(name) - 1)
    write(paper, 0, 10, name, fontweight="bold")


def _below(figure: Figure, top: float) -> Axes:
    """Axes over all of the figure that lies `top` pixels or more below its upper edge, in pixels from there."""
    width, height = figure.get_size_inches() * 72
    made = axes(figure, 0, top, width, height - top)
    made.set(xlim=(0, width), ylim=(height - top, 0), xticks=[], yticks=[])
    return made
