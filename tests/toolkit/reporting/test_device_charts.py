"""Charts of device profiles: what they show, and that odd numbers still make one."""

from __future__ import annotations

import re
import warnings
from xml.etree import ElementTree

import pytest

from toolkit.reporting.blocks import Chart
from toolkit.reporting.device_charts import (
    BARE,
    PACKED,
    STYLES,
    Line,
    Moment,
    Point,
    length_chart,
    settings_chart,
    sustained_chart,
)

SVG = "{http://www.w3.org/2000/svg}"
ODD = '<b> & "$x^2$" id="y" #a1b2c1'
SHADE = "opacity: 0.3"


@pytest.fixture(autouse=True)
def _no_warning_of_matplotlib() -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def texts(chart: Chart) -> list[str]:
    found = ElementTree.fromstring(chart.svg).iter(f"{SVG}text")
    return ["".join(element.itertext()).replace("\N{NO-BREAK SPACE}", " ") for element in found]


def line(name: str = "Pi", rank: int = 0, factor: float = 1.0, lengths: tuple[int, ...] = (16, 32, 64)) -> Line:
    return Line(name, STYLES[rank], tuple(Point(n, factor * n, factor * n * 1.4) for n in lengths))


def settings(name: str = "Pi", *lines: Line, best: tuple[int, int] = (0, 0)) -> Chart:
    return settings_chart("d-settings", name, lines or (line(lengths=(1, 2)),), best, "s")


def sustained(*moments: Moment, name: str = "Pi") -> Chart:
    return sustained_chart("d-sustained", name, moments, "s")


def test_each_device_and_each_length_is_named() -> None:
    shown = texts(length_chart([line("Pi 4"), line("laptop", 1, 0.1)], "s"))
    assert {"Pi 4", "laptop", "16", "32", "64", "ms, log scale"} <= set(shown)
    assert {"2", "10", "50"} <= set(shown)


def test_devices_of_one_latency_stand_side_by_side() -> None:
    svg = length_chart([line("a"), line("b", 1)], "s").svg
    xs = [float(x) for x in re.findall(r'<use href="#devices-length-\w+" x="([\d.]+)"', svg)]
    assert len(set(xs)) >= 2 * 3


@pytest.mark.parametrize("factor", [1e-6, 1e-2, 1e6, 1e13])
def test_any_latency_makes_a_chart(factor: float) -> None:
    assert "Pi" in texts(length_chart([line(factor=factor), line("b", 1)], "s"))
    assert "Pi" in texts(settings("Pi", line(factor=factor)))
    assert "Pi" in texts(sustained(Moment(1.0, factor, None, False)))


def test_a_single_length_makes_a_chart() -> None:
    assert "64" in texts(length_chart([line(lengths=(64,))], "s"))


def test_settings_have_a_legend_where_there_are_two_lines() -> None:
    packed = Line("with prepacking", PACKED, (Point(1, 40.0, 50.0), Point(2, 25.0, 30.0)))
    bare = Line("without prepacking", BARE, (Point(2, 27.0, 33.0),))
    shown = texts(settings("Pi", packed, bare, best=(1, 0)))
    assert {"with prepacking", "without prepacking", "1", "2", "threads; ringed: recommended"} <= set(shown)
    assert "with prepacking" not in texts(settings("Pi", packed))


def test_the_recommended_setting_has_a_ring() -> None:
    one, other = (settings("Pi", best=(0, index)).svg for index in (0, 1))
    assert one != other
    assert len(one) == pytest.approx(len(other), rel=0.01)


def test_throttled_minutes_are_shaded_once_and_said() -> None:
    flags = (False, True, True, False, True)
    moments = [Moment(float(n + 1), 5.0 + n, None, flag) for n, flag in enumerate(flags)]
    made = sustained(*moments)
    assert made.svg.count(SHADE) == 2
    assert "minutes without a pause; shaded: throttled" in texts(made)
    calm = sustained(*(Moment(float(n + 1), 5.0, None, False) for n in range(5)))
    assert SHADE not in calm.svg
    assert "minutes without a pause" in texts(calm)


def test_the_temperature_has_a_strip_only_where_it_is_known() -> None:
    warm = sustained(Moment(0.1, 5.0, 50.0, False), Moment(0.2, 5.0, None, False), Moment(0.3, 5.0, 61.0, True))
    assert "°C" in texts(warm) and {"50", "60"} <= set(texts(warm))
    assert warm.svg.count(SHADE) == 2  # a span in each strip
    assert "°C" not in texts(sustained(Moment(0.1, 5.0, None, False)))


def test_a_run_of_no_time_still_makes_a_chart() -> None:
    assert "Pi" in texts(sustained(Moment(0.0, 5.0, None, False)))


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(lambda: length_chart([line(ODD)], ODD), id="length"),
        pytest.param(lambda: settings(ODD), id="settings"),
        pytest.param(lambda: sustained(Moment(1.0, 1.0, None, False), name=ODD), id="sustained"),
    ],
)
def test_names_are_text_and_nothing_else(made: object) -> None:
    chart = made()  # type: ignore[operator]
    assert ODD in texts(chart)
    assert "<b>" not in chart.svg


def test_a_long_name_is_cut_to_the_chart() -> None:
    title = texts(settings("W" * 300))
    assert any(name.startswith("WWW") and name.endswith("…") and len(name) < 50 for name in title)


def test_ids_begin_with_the_name_of_the_chart() -> None:
    ids = re.findall(r' id="([^"]*)"', settings().svg)
    assert ids and all(found.startswith("d-settings-") for found in ids)
