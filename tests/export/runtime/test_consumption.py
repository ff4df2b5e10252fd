from __future__ import annotations

import time
from pathlib import Path

import pytest

from export.runtime.consumption import measure_consumption
from export.runtime.energy import Meter
from export.runtime.protocol import Subject

SENTENCES = [["ab", "cd"], ["a"]]


@pytest.fixture
def subject(variant: Path) -> Subject:
    model = variant / "onnx" / "model.onnx"
    options = (("prepacking", True), ("max_length", 64))
    return Subject("tiny", "onnx", variant, model, "export.runtime.worker", options)


class Shown:
    """A counter of joules that moves by what a test says, reading by reading."""

    def __init__(self, *values: float | None) -> None:
        self.values = list(values)

    def meter(self) -> Meter:
        def read() -> tuple[float, ...] | None:
            value = self.values.pop(0)
            return None if value is None else (value,)

        return Meter("test counter", "board", read, lambda before, after, seconds: after[0] - before[0], 60.0)


def test_joules_are_shared_among_the_sentences(subject: Subject) -> None:
    # start and stop of the rest, then of the work: 0.2 J in 0.1 s are 2 W, and 10 J in the 0.2 s of work
    found = measure_consumption(subject, SENTENCES, Shown(0.0, 0.2, 5.0, 15.0).meter(), 0.1, 0.2)
    assert found is not None
    assert (found.meter, found.scope) == ("test counter", "board")
    assert found.sentences > 10
    assert found.idle_watts == pytest.approx(2.0, rel=0.2)
    assert found.joules_per_sentence == pytest.approx(10 / found.sentences)
    assert found.net_joules_per_sentence == pytest.approx((10 - found.idle_watts * found.seconds) / found.sentences)


def test_rest_that_takes_no_less_than_work_leaves_net_unknown(subject: Subject) -> None:
    found = measure_consumption(subject, SENTENCES, Shown(0.0, 1000.0, 0.0, 1.0).meter(), 0.05, 0.1)
    assert found is not None
    assert found.joules_per_sentence > 0
    assert found.net_joules_per_sentence is None


def test_a_rest_that_was_not_told_leaves_idle_and_net_unknown(subject: Subject) -> None:
    found = measure_consumption(subject, SENTENCES, Shown(0.0, None, 0.0, 1.0).meter(), 0.05, 0.1)
    assert found is not None
    assert (found.idle_watts, found.net_joules_per_sentence) == (None, None)
    assert found.joules_per_sentence > 0


def test_work_that_was_not_told_is_no_consumption(subject: Subject) -> None:
    began = time.perf_counter()
    assert measure_consumption(subject, SENTENCES, Shown(0.0, 1.0, 2.0, None).meter(), 0.05, 0.1) is None
    assert time.perf_counter() - began < 30
