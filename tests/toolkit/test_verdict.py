"""Budgets against figures, and the F1 loss against the floor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from export.runtime.machine import Machine, describe_machine, machine_fingerprint
from export.runtime.measurement import (
    Bucket,
    ColdStart,
    Measurement,
    Sizes,
    Summary,
    Throughput,
)
from export.runtime.memory import Memory
from tests.calibration.device.simulated import CALIBRATION
from toolkit.counts import Counts
from toolkit.device_profile import Budgets, DeviceProfile
from toolkit.verdict import (
    UNKNOWN,
    BudgetVerdict,
    Figure,
    Figures,
    Verdict,
    amount,
    budget_verdicts,
    figures_of,
    quality_verdict,
    verdict,
)

BOARD = DeviceProfile(
    name="board",
    description="a board",
    cores=4,
    isa="aarch64",
    ram_mb=1000,
    int8="NEON",
    int8_basis="its manual",
    this_machine=False,
    variants=("onnx-int8",),
    threads=1,
    external_data=False,
    budgets=Budgets(
        download_bytes=4_000_000, peak_rss_bytes=128_000_000, p95_ms=50.0, p95_length=64, cold_start_ms=2000.0
    ),
    max_f1_loss_relative=0.10,
    basis={},
    source=Path("board.toml"),
)
LAPTOP = replace(BOARD, name="cpu", this_machine=True)
HERE = Figures(
    download_bytes=3_000_000,
    peak_rss_bytes=Figure(70e6, "measured here"),
    p95_ms=Figure(60.0, "measured here"),
    cold_start_ms=Figure(400.0, "measured here"),
)


def tagger(found: int, sentences: int = 400) -> Counts:
    """Counts of a tagger that finds the entity of the first `found` sentences, of one each."""
    tp = tuple(int(i < found) for i in range(sentences))
    return Counts(tp, (0,) * sentences, tuple(1 - hit for hit in tp))


def outcomes(rows: tuple[BudgetVerdict, ...]) -> dict[str, str]:
    return {row.name: row.verdict for row in rows}


def test_what_is_measured_on_the_device_decides() -> None:
    assert outcomes(budget_verdicts(HERE, LAPTOP)) == {
        "download_bytes": "pass",
        "peak_rss_bytes": "pass",
        "p95_ms": "fail",
        "cold_start_ms": "pass",
    }
    assert outcomes(budget_verdicts(HERE, BOARD, measured_on_target=True))["p95_ms"] == "fail"
    there = replace(HERE, p95_ms=Figure(40.0, "measured on the device"))
    assert outcomes(budget_verdicts(there, BOARD))["p95_ms"] == "pass"


def test_another_machines_figures_are_shown_and_decide_nothing() -> None:
    rows = {row.name: row for row in budget_verdicts(HERE, BOARD)}
    assert outcomes(tuple(rows.values())) == {
        "download_bytes": "pass",
        "peak_rss_bytes": "undecided",
        "p95_ms": "undecided",
        "cold_start_ms": "undecided",
    }
    latency = rows["p95_ms"]
    assert (latency.observed, latency.limit, latency.unit) == (60.0, 50.0, "ms")
    assert latency.basis == "measured on this machine"
    assert latency.note == (
        "p95 latency at 64 sub-words 60.0 ms on this machine, which decides nothing for board (limit 50.0 ms)."
    )


def test_a_profile_of_this_machine_can_be_judged_as_if_it_were_not() -> None:
    assert outcomes(budget_verdicts(HERE, LAPTOP, measured_on_target=False))["p95_ms"] == "undecided"


def test_what_nobody_knows_is_undecided_and_never_zero() -> None:
    rows = budget_verdicts(Figures(download_bytes=None), LAPTOP)
    assert set(outcomes(rows).values()) == {"undecided"} and len(rows) == 4
    assert all(row.observed is None and row.basis == "unknown" for row in rows)


def test_a_figure_on_the_limit_passes() -> None:
    assert outcomes(budget_verdicts(replace(HERE, p95_ms=Figure(50.0, "measured here")), LAPTOP))["p95_ms"] == (
        "pass"
    )


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [(40.0, 0.2, "pass"), (45.0, 0.2, "undecided"), (70.0, 0.2, "fail"), (10.0, None, "undecided")],
)
def test_a_prediction_decides_only_where_its_checked_error_leaves_no_doubt(
    value: float, error: float | None, expected: str
) -> None:
    figures = replace(HERE, p95_ms=Figure(value, "predicted", error))
    row = next(row for row in budget_verdicts(figures, BOARD) if row.name == "p95_ms")
    assert (row.verdict, row.observed) == (expected, value)
    assert row.basis == ("predicted" if error else "unverified estimate")
    assert row.interval == (None if error is None else pytest.approx((0.8 * value, 1.2 * value)))


def test_how_it_was_predicted_stands_in_the_note() -> None:
    def note(error: float | None) -> str:
        figures = replace(HERE, p95_ms=Figure(40.0, "predicted", error, "checked on a Cortex-A72"))
        return next(row.note for row in budget_verdicts(figures, BOARD) if row.name == "p95_ms")

    shown = "p95 latency at 64 sub-words 40.0 ms"
    assert note(0.1) == f"{shown}, predicted within 10.0 %: checked on a Cortex-A72 (limit 50.0 ms)."
    assert note(None) == f"{shown}, an unverified estimate: checked on a Cortex-A72 (limit 50.0 ms)."


def test_an_error_of_more_than_all_of_it_leaves_no_negative_milliseconds() -> None:
    figures = replace(HERE, p95_ms=Figure(10.0, "predicted", 1.5))
    row = next(row for row in budget_verdicts(figures, BOARD) if row.name == "p95_ms")
    assert row.interval == (0.0, 25.0) and row.verdict == "pass"


def test_a_budget_that_the_profile_does_not_set_is_left_out() -> None:
    free = replace(LAPTOP, budgets=Budgets(None, None, 50.0, 64, None))
    assert outcomes(budget_verdicts(HERE, free)) == {"p95_ms": "fail"}


@pytest.mark.parametrize(("found", "expected"), [(400, "pass"), (385, "pass"), (330, "undecided"), (200, "fail")])
def test_the_f1_loss_decides_only_with_its_whole_interval(found: int, expected: str) -> None:
    row = quality_verdict(tagger(found), tagger(400), BOARD)
    assert row.verdict == expected
    assert row.interval is not None and row.observed is not None
    assert row.interval[0] <= row.observed <= row.interval[1]
    assert row.limit == 0.10


def test_the_loss_is_relative_to_the_teacher_and_on_the_same_sentences() -> None:
    row = quality_verdict(tagger(90, 400), tagger(100, 400), BOARD)
    student, teacher = 200 * 90 / 490, 200 * 100 / 500
    assert row.observed == pytest.approx(1 - student / teacher)
    assert row.note.startswith("F1 36.7 against the teacher's 40.0: 8.2 % lost (95 % interval ")


def test_a_teacher_that_finds_nothing_decides_nothing() -> None:
    row = quality_verdict(tagger(0), tagger(0), BOARD)
    assert row.verdict == "undecided" and row.observed == 0.0


def test_one_failure_fails_all_and_one_doubt_leaves_all_undecided() -> None:
    fast = replace(HERE, p95_ms=Figure(5.0, "measured here"))
    assert verdict(tagger(400), tagger(400), fast, LAPTOP).overall == "pass"
    assert verdict(tagger(400), tagger(400), HERE, LAPTOP).overall == "fail"
    assert verdict(tagger(200), tagger(400), fast, LAPTOP).overall == "fail"
    assert verdict(tagger(330), tagger(400), fast, LAPTOP).overall == "undecided"
    assert verdict(tagger(400), tagger(400), fast, BOARD).overall == "undecided"
    assert verdict(tagger(200), tagger(400), fast, BOARD).overall == "fail"
    assert verdict(tagger(400), tagger(400), fast, BOARD, measured_on_target=True).overall == "pass"


@pytest.mark.parametrize(("overall", "lenient", "strict"), [("pass", 0, 0), ("undecided", 0, 1), ("fail", 1, 1)])
def test_exit_codes(overall: str, lenient: int, strict: int) -> None:
    result = Verdict((), overall)  # type: ignore[arg-type]
    assert (result.exit_code(), result.exit_code(strict=True)) == (lenient, strict)


def measurement(peak: int | None) -> Measurement:
    def summary(p95: float) -> Summary:
        return Summary(p50=1.0, p90=2.0, p95=p95, p99=9.0, minimum=0.5, mean=1.0, samples=10)

    memory = Memory(peak=peak, resident=peak, anonymous=peak, file_backed=peak)
    return Measurement(
        name="student onnx-int8",
        backend="onnx",
        basis="measured here",
        model_sha256="0" * 64,
        measured_at="2026-11-22T00:00:00Z",
        threads=1,
        machine=Machine.__new__(Machine),
        packages=(),
        sizes=Sizes(model=10, tokenizer=5, labels=1, zipped=12),
        cold_start=ColdStart(0.1, 0.2, 0.1, 0.1, 0.1, total=0.75, samples=3),
        buckets=tuple(Bucket(n, n, summary(n / 10), summary(0.1), summary(0.1), 1000.0) for n in (16, 32, 64)),
        throughput=Throughput(summary(3.0), 300.0, 9000.0),
        memory=memory,
        memory_imported=memory,
        reference=None,
        speedups=(),
    )


def test_figures_of_a_measurement_are_in_the_units_of_the_budgets() -> None:
    figures = figures_of(measurement(peak=70_000_000), BOARD.budgets)
    assert figures == Figures(
        download_bytes=12,
        peak_rss_bytes=Figure(70_000_000, "measured here"),
        p95_ms=Figure(6.4, "measured here"),
        cold_start_ms=Figure(750.0, "measured here"),
    )


def calibrated(profile: DeviceProfile, machine: Machine) -> DeviceProfile:
    origin = replace(CALIBRATION.origin, fingerprint=machine_fingerprint(machine))
    return replace(profile, calibration=replace(CALIBRATION, origin=origin))


def test_a_calibrated_profile_is_of_the_machine_with_its_fingerprint() -> None:
    here = replace(describe_machine(), cpu="Cortex-A72")
    there = replace(here, cpu="Cortex-A76")
    measured = replace(measurement(peak=70_000_000), machine=here)
    for profile, decided in ((calibrated(BOARD, here), True), (calibrated(LAPTOP, there), False)):
        figures = figures_of(measured, profile.budgets, profile.fingerprint)
        assert figures.p95_ms.basis == ("measured on the device" if decided else "measured here")
        found = outcomes(budget_verdicts(figures, profile))
        assert (found["p95_ms"], found["cold_start_ms"]) == (("pass",) * 2 if decided else ("undecided",) * 2)
    # Without a calibration the profile itself says whether it is this machine.
    assert outcomes(budget_verdicts(figures_of(measured, LAPTOP.budgets), LAPTOP))["p95_ms"] == "pass"


def test_what_the_machine_does_not_tell_stays_unknown() -> None:
    figures = figures_of(measurement(peak=None), replace(BOARD.budgets, p95_length=128))
    assert figures.peak_rss_bytes == figures.p95_ms == UNKNOWN


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [(3_049_000, "bytes", "3.0 MB"), (7.25, "ms", "7.2 ms"), (2000.0, "ms", "2000 ms")],
)
def test_amounts_read_well(value: float, unit: str, shown: str) -> None:
    assert amount(value, unit) == shown
