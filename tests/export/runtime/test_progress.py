from __future__ import annotations

import io

import pytest

from export.runtime.progress import Phases, ProgressLines, remaining_seconds, spoken_seconds


def test_phases_become_one_progress_in_expected_milliseconds() -> None:
    seen: list[tuple[int, int, str]] = []
    phases = Phases({"first": 1.0, "second": 3.0}, lambda *now: seen.append(now))
    phases.phase("first")(1, 2, "a")
    phases.phase("second")(0, 10, "b")
    phases.phase("second")(10, 10, "c")
    phases.phase("second")(0, 0, "nothing to do")
    assert seen == [(500, 4000, "a"), (1000, 4000, "b"), (4000, 4000, "c"), (4000, 4000, "nothing to do")]


def test_without_a_listener_phases_are_silent() -> None:
    Phases({"only": 1.0}, None).phase("only")(1, 2, "a")


def test_what_is_left_follows_the_pace_so_far() -> None:
    assert remaining_seconds(0, 0, 60) == 60  # nothing known yet: as foreseen
    assert remaining_seconds(600, 300, 600) == pytest.approx(300 * 2, rel=0.02)  # twice as slow as foreseen
    assert remaining_seconds(10, 70, 60) == 0


def lines(*steps: tuple[float, int, int, str]) -> list[str]:
    """What is written when the clock shows each step's first number."""
    now = 100.0
    stream = io.StringIO()
    progress = ProgressLines(stream, clock=lambda: now)
    for seconds, done, total, what in steps:
        now = 100.0 + seconds
        progress(done, total, what)
    return stream.getvalue().splitlines()


def test_a_line_tells_percent_what_and_time_left() -> None:
    assert lines((0, 0, 1, "trying the model"), (2, 0, 120_000, "x"), (60, 60_000, 120_000, "timing it")) == [
        "  0 %  trying the model",
        " 50 %  timing it (about 60 s left)",
    ]


def test_lines_come_a_second_and_a_percent_apart() -> None:
    steps = [(second / 10, second * 100, 100_000, "x") for second in range(101)]  # ten seconds, ten percent
    told = lines(*steps)
    assert [line[:5] for line in told] == [f"{percent:3d} %" for percent in range(11)]
    assert lines((0, 0, 100, "x"), (0.5, 50, 100, "y"), (5, 50, 100, "z"), (9, 50, 100, "z")) == [
        "  0 %  x",
        " 50 %  z",
    ]
    assert lines((0, 5, 0, "no total")) == ["  0 %  no total"]


@pytest.mark.parametrize(("seconds", "text"), [(4.4, "4 s"), (89, "89 s"), (200, "3 min"), (4800, "1 h 20 min")])
def test_seconds_are_spoken_as_people_do(seconds: float, text: str) -> None:
    assert spoken_seconds(seconds) == text
