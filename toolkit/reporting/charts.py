"""The report's charts. Each takes plain values and returns inline SVG; none knows what a record is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.reporting.blocks import Chart
from toolkit.reporting.svg import (
    GRID,
    SMALL,
    SOFT,
    STYLES,
    WIDTH,
    Interval,
    axes,
    drawing,
    finish,
    legend,
    legend_height,
    lines_of,
    overlay,
    text_width,
    whole_ticks,
    write,
    write_lines,
)
from toolkit.reporting.text import ms, size


@dataclass(frozen=True)
class Bar:
    """Latency of one measured artifact in milliseconds; `style` is a key of STYLES."""

    name: str
    style: str
    p50: float
    p95: float


@dataclass(frozen=True)
class Dots:
    """One row of a dot chart: style key -> (value, interval)."""

    label: str
    values: Mapping[str, tuple[float, Interval | None]]


@dataclass(frozen=True)
class Step:
    """One stage: what it left behind.

    Attributes:
        style: key of STYLES; "chosen" is the artifact in the bundle.
        aside: a comparison that is not on the line from teacher to bundle.
    """

    name: str
    style: str
    bytes: float
    f1: float | None
    aside: bool = False


@dataclass(frozen=True)
class Reliability:
    """Bins of one curve of a reliability diagram, and its expected calibration error; all 0..1."""

    label: str
    error: float
    bins: Sequence[Mapping[str, Any]]


def latency_chart(length: int, bars: Sequence[Bar], basis: str) -> Chart:
    """p50 as a bar and p95 as a line, an artifact a row, at one length of text.

    Args:
        basis: where the numbers come from, such as "measured here".
    """
    names = [lines_of(bar.name, 20) for bar in bars]
    said = [f"{ms(bar.p50, unit=False)} / {ms(bar.p95, unit=False)}" for bar in bars]
    left = 12 + max(text_width(line, SMALL + 0.5) for lines in names for line in lines)
    row, top = 32.0, 26.0
    height = top + row * len(bars) + 4
    scale = _scale([bar.p95 for bar in bars], said, WIDTH - left)
    with drawing(height) as figure:
        paper = overlay(figure)
        write(paper, 0, 10, f"{length} sub-words", fontweight="bold")
        write(paper, WIDTH, 10, f"p50 / p95 in ms, {basis}", ha="right", color=SOFT, fontsize=SMALL)
        for number, (bar, lines, label) in enumerate(zip(bars, names, said, strict=True)):
            y = top + row * (number + 0.5)
            style, chosen = STYLES[bar.style], bar.style == "chosen"
            colour, weight = style.colour, "bold" if chosen else "normal"
            fill: dict[str, Any] = {"color": colour} if chosen else {"facecolor": "none", "edgecolor": colour}
            write_lines(paper, left - 10, y, lines, ha="right", fontsize=SMALL + 0.5, fontweight=weight)
            paper.plot([left, left], [y - row / 2, y + row / 2], color=GRID, linewidth=1)
            paper.barh([y], [bar.p50 * scale], left=left, height=15, linewidth=1.4, **fill)
            end = left + bar.p95 * scale
            paper.plot([left + bar.p50 * scale, end], [y, y], color=colour, linewidth=1.6)
            paper.plot([end, end], [y - 5, y + 5], color=colour, linewidth=1.6)
            write(paper, end + 7, y, label, fontsize=SMALL + 0.5, fontweight=weight)
        summary = f"Median and 95th percentile of {len(bars)} artifacts at {length} sub-words, {basis}."
        return finish(figure, f"latency-{length}", f"Latency at {length} sub-words", summary)


def dot_chart(
    name: str, rows: Sequence[Dots], series: Mapping[str, str], axis: str, title: str, summary: str
) -> Chart:
    """A row of values with their intervals for each label.

    Args:
        series: style key -> its name in the legend, in drawing order.
    """
    entries = [(STYLES[key], label) for key, label in series.items()]
    names = [lines_of(row.label, 24) for row in rows]
    left = 12 + max(text_width(line) for lines in names for line in lines)
    lane = 6.0
    band = max(26.0, 12 + lane * len(series))
    top = legend_height(entries) + 8
    height = top + band * len(rows) + 36
    with drawing(height) as figure:
        values = [
            bound for row in rows for value, interval in row.values.values() for bound in (value, *(interval or ()))
        ]
        low, high = (min(values), max(values)) if values else (0.0, 100.0)
        margin = max(1.0, 0.04 * (high - low))
        plot = axes(figure, left, top, WIDTH - left - 8, band * len(rows))
        plot.set(xlim=(max(-1.0, low - margin), min(101.0, high + margin)), ylim=(band * len(rows), 0), yticks=[])
        whole_ticks(plot.xaxis)
        plot.grid(axis="x", color=GRID, linewidth=0.8)
        paper = overlay(figure)
        legend(paper, entries)
        for number, (row, lines) in enumerate(zip(rows, names, strict=True)):
            middle = band * (number + 0.5)
            write_lines(paper, left - 10, top + middle, lines, ha="right")
            if number:
                paper.plot([0, WIDTH - 8], [top + band * number] * 2, color=GRID, linewidth=0.8)
            present = [key for key in series if key in row.values]
            for place, key in enumerate(present):
                value, interval = row.values[key]
                y = middle + lane * (place - (len(present) - 1) / 2)
                if interval:
                    plot.plot(interval, [y, y], color=STYLES[key].colour, linewidth=1.3, alpha=0.55)
                plot.plot([value], [y], markersize=6.5, **STYLES[key].marker_options)
        write(paper, WIDTH - 8, height - 8, axis, ha="right", color=SOFT)
        return finish(figure, name, title, summary)


def stage_chart(steps: Sequence[Step], summary: str) -> Chart:
    """Size and dev F1 after each stage, first to last; comparisons stand below, apart."""
    ordered = [step for step in steps if not step.aside] + [step for step in steps if step.aside]
    names = [lines_of(step.name, 17) for step in ordered]
    left = 12 + max(text_width(line, SMALL + 0.5) for lines in names for line in lines)
    row, top = 36.0, 28.0
    height = top + row * len(ordered) + 8
    divide = WIDTH - 112
    said = _size_labels(ordered)
    scores = [step.f1 for step in ordered if step.f1 is not None] or [0.0]
    high = max(scores)
    low = min(*scores, high - 4.0)  # a tenth of a point is no slope
    scale = _scale([step.bytes for step in ordered], said, divide - left)

    def across(value: float) -> float:
        return divide + 16 + 58 * (value - low) / (high - low)

    with drawing(height) as figure:
        paper = overlay(figure)
        write(paper, left, 10, "size of the model", color=SOFT)
        write(paper, divide + 8, 10, "dev F1", color=SOFT)
        path: list[tuple[float, float]] = []
        before: Step | None = None
        for number, (step, lines, label) in enumerate(zip(ordered, names, said, strict=True)):
            y = top + row * (number + 0.5)
            colour, final = STYLES[step.style].colour, step.style == "chosen"
            bold = "bold" if final else "normal"
            if step.aside and before and not before.aside:
                paper.plot([0, WIDTH], [y - row / 2] * 2, color=GRID, linewidth=0.8)
            write_lines(paper, left - 10, y, lines, ha="right", fontsize=SMALL + 0.5, fontweight=bold)
            width = step.bytes * scale
            fill: dict[str, Any] = {"color": colour} if final else {"facecolor": "none", "edgecolor": colour}
            paper.barh([y], [width], left=left, height=15, linewidth=1.4, **fill)
            write(paper, left + width + 7, y, label, fontsize=SMALL + 0.5, fontweight=bold)
            if step.f1 is not None:
                x = across(step.f1)
                if not step.aside:
                    path.append((x, y))
                write(paper, x + 9, y, f"{step.f1:.1f}", fontsize=SMALL + 0.5, fontweight=bold)
                paper.plot([x], [y], markersize=7, zorder=4, **STYLES[step.style].marker_options)
            before = step
        paper.plot([x for x, _ in path], [y for _, y in path], color=GRID, linewidth=2, zorder=1)
        return finish(figure, "stages", "What each stage did", summary)


def _size_labels(steps: Sequence[Step]) -> list[str]:
    """The size of each step, on the line with what it gained against the one before."""
    labels = []
    for before, step in zip((None, *steps), steps, strict=False):
        gained = 0.0 if before is None or step.aside else before.bytes / step.bytes
        labels.append(size(step.bytes) + (f" ÷ {gained:.1f}" if gained > 1.05 else ""))
    return labels


def _scale(values: Sequence[float], labels: Sequence[str], room: float) -> float:
    """Pixels per unit at which every bar leaves room for its label."""
    return min(
        (room - text_width(label, SMALL + 1) - 12) / value
        for value, label in zip(values, labels, strict=True)
        if value > 0
    )


def reliability_chart(curves: Sequence[Reliability], summary: str) -> Chart:
    """How often an entity is right (accuracy) against how sure the model was (confidence)."""
    styles = [STYLES["gold-only"], STYLES["chosen"]]
    entries = [
        (style, f"{curve.label}: ECE {100 * curve.error:.1f} %") for style, curve in zip(styles, curves, strict=False)
    ]
    top, side = legend_height(entries) + 22, 330.0
    with drawing(top + side + 44) as figure:
        plot = axes(figure, 40, top, WIDTH - 50, side)
        ticks = [0, 0.2, 0.4, 0.6, 0.8, 1.0]
        labels = [f"{100 * tick:.0f} %" for tick in ticks]
        plot.set(xlim=(-0.02, 1.03), ylim=(-0.04, 1.05), xticks=ticks, yticks=ticks)
        plot.set_xticklabels(labels)
        plot.set_yticklabels(labels)
        plot.grid(color=GRID, linewidth=0.8)
        plot.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
        for style, curve in zip(styles, curves, strict=False):
            bins = [b for b in curve.bins if b["count"]]
            most = max((b["count"] for b in bins), default=1)
            xs, ys = [b["confidence"] for b in bins], [b["accuracy"] for b in bins]
            plot.plot(xs, ys, color=style.colour, linewidth=1.2, alpha=0.5)
            for x, y, b in zip(xs, ys, bins, strict=True):
                marker = 4 + 8 * math.sqrt(b["count"] / most)
                plot.plot([x], [y], markersize=marker, clip_on=False, **style.marker_options)
        paper = overlay(figure)
        legend(paper, entries)
        write(paper, WIDTH - 10, top + side + 36, "confidence", ha="right", color=SOFT)
        write(paper, 0, top - 10, "share of entities that are right", color=SOFT)
        return finish(figure, "reliability", "Are the confidences true?", summary)
