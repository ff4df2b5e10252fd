"""The size-against-F1 chart: every artifact of a run, named where it stands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolkit.reporting.blocks import Chart
from toolkit.reporting.labels import Box, nearest, place_labels
from toolkit.reporting.svg import (
    CHOSEN,
    FONT,
    GRID,
    INK,
    SMALL,
    SOFT,
    STYLES,
    WIDTH,
    Interval,
    Style,
    axes,
    drawing,
    finish,
    lines_of,
    overlay,
    text_width,
    whole_ticks,
    write,
    write_lines,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Point:
    """One artifact of the size-against-F1 chart.

    Attributes:
        style: key of STYLES.
        megabytes: to download.
        interval: 95 % of `f1`.
    """

    name: str
    style: str
    megabytes: float
    f1: float
    interval: Interval | None


def front_chart(points: Sequence[Point], floor: float | None, axis: str, summary: str) -> Chart:
    """Download size (log scale) against F1, every point named at its side.

    Args:
        floor: the lowest F1 that the device profile accepts.
        axis: what F1 was measured on.
    """
    height, left, top, bottom = 380.0, 34.0, 26.0, 46.0
    with drawing(height) as figure:
        plot = axes(figure, left, top, WIDTH - left - 10, height - top - bottom)
        low, high = _range(points)
        low = low if floor is None else min(low, floor)
        margin = max(1.0, 0.1 * (high - low))
        sizes = [point.megabytes for point in points]
        plot.set(xscale="log", xlim=(min(sizes) / 1.8, max(sizes) * 1.8), ylim=(low - margin, high + margin))
        _log_ticks(plot)
        whole_ticks(plot.yaxis)
        plot.grid(color=GRID, linewidth=0.8)
        paper = overlay(figure)
        where = side_by_side([_pixel(plot, point.megabytes, point.f1, height) for point in points])
        bars = [_interval_box(plot, point, x, height) for point, (x, _) in zip(points, where, strict=True)]
        best = pareto([(x, y) for x, y in where])
        paper.plot([x for x, _ in best], [y for _, y in best], color=GRID, linewidth=4, solid_capstyle="round")
        obstacles = [bar for bar in bars if bar]
        if floor is not None:
            y = _pixel(plot, sizes[0], floor, height)[1]
            paper.plot([left, WIDTH - 10], [y, y], color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
            said = f"floor {floor:.1f}"
            write(paper, WIDTH - 12, y + 8, said, ha="right", fontsize=SMALL, color=SOFT)
            obstacles.append(Box(WIDTH - 14 - text_width(said, SMALL), y - 1, WIDTH - 10, y + 16))
            obstacles.append(Box(left, y - 2, WIDTH - 10, y + 2))
        for bar, point in zip(bars, points, strict=True):
            if bar:
                middle, style = (bar.left + bar.right) / 2, STYLES[point.style]
                paper.plot([middle, middle], [bar.top, bar.bottom], color=style.colour, linewidth=1.3, alpha=0.55)
        for point, (x, y) in zip(points, where, strict=True):
            _marker(paper, x, y, point.style)
        obstacles += [Box(x - 7, y - 7, x + 7, y + 7) for x, y in where]
        _name_points(paper, points, where, obstacles, Box(left, top - 8, WIDTH - 2, height - bottom))
        write(paper, 0, 9, f"F1 on {axis}", color=SOFT)
        write(paper, WIDTH - 10, height - 9, "MB to download, log scale", ha="right", color=SOFT)
        return finish(figure, "front", "Size against F1", summary)


def worth_drawing(floor: float, points: Sequence[Point]) -> bool:
    """Whether a floor is near enough to the points: one far below would press them into a corner."""
    low, high = _range(points)
    return low - floor < high - low


def _range(points: Sequence[Point]) -> Interval:
    values = [bound for point in points for bound in (point.f1, *(point.interval or ()))]
    return min(values), max(values)


def _marker(where: Axes, x: float, y: float, style: str) -> None:
    if style == "chosen":
        ring = {**Style(CHOSEN, "o", filled=False).marker_options, "markerfacecolor": "none"}
        where.plot([x], [y], markersize=16, **ring)
    where.plot([x], [y], markersize=8, **STYLES[style].marker_options)


def _name_points(
    where: Axes,
    points: Sequence[Point],
    places: Sequence[tuple[float, float]],
    obstacles: Sequence[Box],
    bounds: Box,
) -> None:
    """Write each point's name beside it, the selected one's first, with a line where it stands apart."""
    order = sorted(range(len(points)), key=lambda n: (points[n].style != "chosen", places[n]))
    named = [lines_of(points[n].name, 21) for n in order]
    measures = [(max(map(text_width, lines)) + 4, len(lines) * FONT * 1.12 + 3) for lines in named]
    boxes = place_labels([places[n] for n in order], measures, obstacles, bounds)
    for n, lines, box in zip(order, named, boxes, strict=True):
        chosen = points[n].style == "chosen"
        end = nearest(places[n], box)
        if math.dist(places[n], end) >= 12:
            where.plot([places[n][0], end[0]], [places[n][1], end[1]], color=SOFT, linewidth=0.8, zorder=1)
        options = {"color": CHOSEN if chosen else INK, "fontweight": "bold" if chosen else "normal"}
        middle = (box.top + box.bottom) / 2
        write_lines(where, (box.left + box.right) / 2, middle, lines, ha="center", **options)


def _pixel(plot: Axes, x: float, y: float, height: float) -> tuple[float, float]:
    """A data point in pixels from the figure's top left."""
    across, up = plot.transData.transform((x, y))
    return float(across), height - float(up)


def _interval_box(plot: Axes, point: Point, x: float, height: float) -> Box | None:
    if point.interval is None:
        return None
    top, bottom = (_pixel(plot, point.megabytes, bound, height)[1] for bound in reversed(point.interval))
    return Box(x - 2, top, x + 2, bottom)


def side_by_side(places: Sequence[tuple[float, float]], apart: float = 9.0) -> list[tuple[float, float]]:
    """Points moved horizontally, as little as can be, until they are `apart`: no interval covers another.

    Pool adjacent violators on the places less their rank's share (isotonic regression, Barlow et al. 1972).
    """
    order = sorted(range(len(places)), key=lambda n: places[n])
    pools: list[tuple[float, int]] = []  # mean and number of members, means rising
    for rank, n in enumerate(order):
        mean, count = places[n][0] - apart * rank, 1
        while pools and pools[-1][0] >= mean:
            before, members = pools.pop()
            mean, count = (mean * count + before * members) / (count + members), count + members
        pools.append((mean, count))
    means = [mean for mean, count in pools for _ in range(count)]
    moved = list(places)
    for rank, n in enumerate(order):
        moved[n] = (means[rank] + apart * rank, places[n][1])
    return moved


def pareto(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that no other beats in both size and F1, left to right; y counts downwards."""
    best: list[tuple[float, float]] = []
    for x, y in sorted(places):
        if not best or y < best[-1][1]:
            best.append((x, y))
    return best


def _log_ticks(plot: Axes) -> None:
    """Plain numbers at 1, 2 and 5 times the powers of ten, fewer where there are many."""
    low, high = plot.get_xlim()
    steps = (1, 2, 5) if high / low < 200 else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**power for power in powers for step in steps]
    ticks = [tick for tick in ticks if low <= tick <= high]
    plot.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    plot.set_xticks([], minor=True)
