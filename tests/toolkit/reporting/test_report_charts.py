"""Charts as inline SVG, and where their labels go."""

from __future__ import annotations

import itertools
import math
import warnings
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.reporting.blocks import Chart
from toolkit.reporting.charts import (
    Bar,
    Dots,
    Reliability,
    Step,
    dot_chart,
    latency_chart,
    reliability_chart,
    stage_chart,
)
from toolkit.reporting.front import Point, front_chart, pareto, side_by_side, worth_drawing
from toolkit.reporting.labels import Box, place_labels
from toolkit.reporting.svg import lines_of, text_width

SVG = "{http://www.w3.org/2000/svg}"
ODD = '<b> & "$x^2$" id="y" #a1b2c1'


def texts(chart: Chart) -> list[str]:
    found = ElementTree.fromstring(chart.svg).iter(f"{SVG}text")
    return ["".join(element.itertext()).replace("\N{NO-BREAK SPACE}", " ") for element in found]


def front(*points: Point, floor: float | None = 72.0) -> Chart:
    return front_chart(points, floor, "demo text, test", "what it shows")


def dots(label: str) -> Chart:
    return dot_chart("t", [Dots(label, {"chosen": (70.0, (60.0, 80.0))})], {"chosen": "b"}, "F1", "T", "s")


POINTS = (
    Point("onnx-int8", "chosen", 2.9, 76.3, (74.4, 78.2)),
    Point("onnx-static-int8", "candidate", 2.95, 74.9, (73.0, 76.8)),
    Point("onnx-fp32", "candidate", 14.7, 76.5, (74.6, 78.4)),
    Point("teacher", "teacher", 42.5, 80.0, (78.1, 81.9)),
)


@pytest.mark.parametrize(
    "chart",
    [
        pytest.param(lambda: front(Point(ODD, "chosen", 3.0, 70.0, None)), id="front"),
        pytest.param(lambda: latency_chart(16, [Bar(ODD, "chosen", 1.0, 2.0)], "here"), id="latency"),
        pytest.param(lambda: dots(ODD), id="dots"),
        pytest.param(lambda: stage_chart([Step(ODD, "chosen", 3e6, 70.0)], "s"), id="stages"),
        pytest.param(lambda: reliability_chart([Reliability(ODD, 0.1, [])], "s"), id="reliability"),
    ],
)  # fmt: skip
def test_names_are_text_and_nothing_else(chart: object) -> None:
    made = chart()  # type: ignore[operator]
    shown = " ".join(texts(made))
    assert "<b> &" in shown and '"$x^2$"' in shown and 'id="y"' in shown and "#a1b2c1" in shown
    assert "<b>" not in made.svg


def test_title_and_description_are_escaped_and_referred_to() -> None:
    made = front_chart(POINTS, None, "x", '"<script>"')
    root = ElementTree.fromstring(made.svg)
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "front-title front-desc"
    described = {element.get("id"): element.text for element in root}
    assert described["front-title"] == "Size against F1"
    assert described["front-desc"] == '"<script>"'


def test_colours_come_from_the_page_and_text_stays_text() -> None:
    svg = front(*POINTS).svg
    assert "var(--chosen, #0067b1)" in svg
    assert "#a1b2c" not in svg
    assert "DejaVu" not in svg
    assert {"onnx-int8", "onnx-fp32", "teacher", "floor 72.0"} <= set(texts(front(*POINTS)))


def test_same_chart_twice_is_the_same_bytes() -> None:
    assert front(*POINTS).svg == front(*POINTS).svg


def test_ethiopic_labels_are_kept_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = dots("ቦታ")
    assert "ቦታ" in texts(made)


def test_latency_labels_both_percentiles() -> None:
    made = latency_chart(32, [Bar("a", "chosen", 1.25, 2.5), Bar("b", "teacher", 120.4, 1000.0)], "measured here")
    assert {"32 sub-words", "p50 / p95 in ms, measured here", "1.25 / 2.50", "120 / 1000"} <= set(texts(made))


def test_stages_say_how_much_smaller_each_got_and_comparisons_do_not() -> None:
    steps = [
        Step("teacher", "teacher", 46e6, 80.6),
        Step("gold-only", "gold-only", 4e6, 69.0, aside=True),
        Step("trim", "teacher", 23e6, 80.1),
        Step("onnx-int8", "chosen", 2.3e6, 80.0),
    ]
    shown = texts(stage_chart(steps, "s"))
    assert {"46.0 MB", "23.0 MB ÷ 2.0", "2.30 MB ÷ 10.0", "4.00 MB", "69.0"} <= set(shown)
    assert shown.index("onnx-int8") < shown.index("gold-only")


def test_empty_bins_are_not_drawn() -> None:
    full = [{"count": 4, "confidence": 0.5, "accuracy": 0.4}, {"count": 9, "confidence": 0.9, "accuracy": 0.8}]
    empty = [*full, {"count": 0, "confidence": 0.0, "accuracy": 0.0}]
    one, other = (reliability_chart([Reliability("before", 0.1, bins)], "s").svg for bins in (full, empty))
    assert one == other


def test_a_single_size_and_a_single_f1_still_make_a_chart() -> None:
    chart = front(
        Point("a", "chosen", 3.0, 0.0, (0.0, 0.0)), Point("b", "candidate", 3.0, 0.0, (0.0, 0.0)), floor=None
    )
    assert {"a", "b"} <= set(texts(chart))


def test_crowded_labels_neither_overlap_nor_leave_the_chart() -> None:
    points = [(100.0 + 9 * n, 150.0 + 3 * (n % 3)) for n in range(7)] + [(300.0, 40.0), (300.0, 60.0)]
    sizes = [(90.0, 15.0)] * len(points)
    bounds = Box(30, 10, 398, 330)
    markers = [Box(x - 7, y - 7, x + 7, y + 7) for x, y in points]
    placed = place_labels(points, sizes, markers, bounds)
    for n, box in enumerate(placed):
        assert box.overlap(bounds) == pytest.approx(box.area)
        assert all(box.overlap(other) == 0 for other in placed[:n])
        assert all(box.overlap(marker) == 0 for marker in markers)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(30, 380), min_size=1, max_size=12))
def test_points_keep_their_order_and_a_gap(xs: list[float]) -> None:
    moved = side_by_side([(x, float(n)) for n, x in enumerate(xs)], apart=9.0)
    assert [y for _, y in moved] == [float(n) for n in range(len(xs))]
    ranked = sorted(range(len(xs)), key=lambda n: (xs[n], n))
    places = [moved[n][0] for n in ranked]
    assert all(after - before > 9.0 - 1e-6 for before, after in itertools.pairwise(places))
    assert math.isclose(sum(places), sum(xs), rel_tol=1e-9)


def test_points_far_apart_stay_where_they_are() -> None:
    assert side_by_side([(10.0, 1.0), (200.0, 2.0), (100.0, 3.0)]) == [(10.0, 1.0), (200.0, 2.0), (100.0, 3.0)]


def test_a_floor_far_below_is_left_out() -> None:
    assert worth_drawing(70.0, POINTS)
    assert not worth_drawing(60.0, POINTS)


def test_front_holds_what_nothing_beats() -> None:
    assert pareto([(40.0, 10.0), (3.0, 50.0), (15.0, 60.0), (20.0, 30.0)]) == [
        (3.0, 50.0),
        (20.0, 30.0),
        (40.0, 10.0),
    ]


def test_long_labels_break_and_end_in_an_ellipsis() -> None:
    assert lines_of("gold-only student, teacher's start", 21) == ["gold-only student,", "teacher's start"]
    assert lines_of("a" * 100, 10) == ["a" * 10, "a" * 9 + "…"]
    assert lines_of("", 10) == [""]
    assert text_width("WWW") > text_width("iii") > 0
