from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

import pytest

from export.runtime import rounds, sustained
from export.runtime.conditions import Conditions
from export.runtime.protocol import Subject
from export.runtime.sustained import run_sustained

HOT = Conditions(70.0, (1000.0, 2000.0), 2000.0, "ondemand", ("throttled",))
UNKNOWN = Conditions(None, None, None, None, None)


def subject(artifact: Path) -> Subject:
    model = artifact / "onnx" / "model.onnx"
    options = (("prepacking", True), ("max_length", 64))
    return Subject("tiny", "onnx", artifact, model, "export.runtime.worker", options, 1)


class WarmingWorker:
    """A machine on a clock of its own whose every slice is as slow as `milliseconds` says."""

    now: ClassVar[float] = 0.0
    milliseconds: ClassVar[list[float]] = []
    asked: ClassVar[list[float]] = []

    def __init__(self, name: str, module: str, threads: int) -> None:
        pass

    def __enter__(self) -> WarmingWorker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def ask(self, cmd: str, timeout: float, **fields: Any) -> dict[str, Any]:
        if cmd != "time":
            return {}
        assert timeout > fields["seconds"]
        type(self).now += fields["seconds"] + 0.1  # the last run of a slice ends after its time
        self.asked.append(fields["seconds"])
        return {"total_ms": [self.milliseconds[len(self.asked) - 1]] * 3}


@pytest.fixture
def warming(monkeypatch: pytest.MonkeyPatch) -> type[WarmingWorker]:
    monkeypatch.setattr(rounds, "WorkerProcess", WarmingWorker)
    monkeypatch.setattr(sustained.time, "monotonic", lambda: WarmingWorker.now)
    WarmingWorker.asked = []
    return WarmingWorker


def test_a_machine_that_throttles_shows_in_the_curve(variant: Path, warming: type[WarmingWorker]) -> None:
    warming.milliseconds = [10.0] * 10 + [15.0] * 10
    seen: list[tuple[int, int, str]] = []
    found = run_sustained(
        subject(variant), [["ab"]], 100 / 60, 5.0, lambda *now: seen.append(now), conditions=lambda: HOT
    )
    assert found.slowdown == 1.5
    assert [one.p50_ms for one in found.slices] == warming.milliseconds
    assert found.slices[-1].at_s == pytest.approx(100.1)
    assert found.minutes == pytest.approx(100.1 / 60)
    one = found.slices[0]
    assert (one.runs, one.temperature_c, one.frequency_mhz, one.throttled) == (3, 70.0, 1500.0, ("throttled",))
    assert [now[:2] for now in seen] == [(index, 20) for index in range(20)]


def test_slices_keep_to_the_whole_time(variant: Path, warming: type[WarmingWorker]) -> None:
    warming.milliseconds = [1.0] * 20
    run_sustained(subject(variant), [["ab"]], 100 / 60, 5.0, conditions=lambda: HOT)
    assert warming.asked[0] == 5.0
    assert warming.asked[1:] == pytest.approx([4.9] * 19)


def test_hours_have_longer_slices_not_more(variant: Path, warming: type[WarmingWorker]) -> None:
    warming.milliseconds = [1.0] * 240
    found = run_sustained(subject(variant), [["ab"]], 120.0, 5.0, conditions=lambda: HOT)
    assert len(found.slices) == 240
    assert warming.asked[0] == 30.0


def test_a_real_worker_works_without_a_pause_and_unknown_stays_none(variant: Path) -> None:
    found = run_sustained(subject(variant), [["ab", "cd"]], 0.4 / 60, 0.2, conditions=lambda: UNKNOWN)
    assert len(found.slices) == 2
    assert all(one.runs > 1 and one.p50_ms > 0 for one in found.slices)
    assert {(one.temperature_c, one.frequency_mhz, one.throttled) for one in found.slices} == {(None, None, None)}
    assert found.slices[1].at_s == pytest.approx(0.4, abs=0.3)
