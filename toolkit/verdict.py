"""Does the bundle keep its promise on this device? Budgets against measurements, F1 loss against the floor.

Three answers, never two: a figure that nobody measured or predicted for the device decides nothing, and an
F1 loss whose interval straddles the floor is undecided. Another machine's milliseconds are shown and don't
count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from export.runtime.machine import machine_fingerprint
from export.runtime.measurement import Measurement
from toolkit.bootstrap import RelativeLoss, relative_loss
from toolkit.counts import Counts
from toolkit.device_profile import Budgets, DeviceProfile

Basis = Literal["measured here", "measured on the device", "predicted"]
Outcome = Literal["pass", "fail", "undecided"]


@dataclass(frozen=True)
class Figure:
    """A number with where it comes from.

    Attributes:
        value: None where nobody knows; never 0 for unknown.
        basis: None with an unknown value.
        relative_error: of a prediction, checked: 0.2 means that nine in ten predictions of artifacts that were
            left out lay within 20 % of the truth. None: an unverified estimate, which decides nothing.
        note: how it was predicted, or why that is unverified.
    """

    value: float | None = None
    basis: Basis | None = None
    relative_error: float | None = None
    note: str = ""


UNKNOWN = Figure()


@dataclass(frozen=True)
class Figures:
    """What the budgets compare with, for one artifact.

    Attributes:
        download_bytes: the zip of model, tokenizer and labels; the same on every machine.
        peak_rss_bytes: of the whole process.
        p95_ms: at the profile's `p95_length` sub-words.
        cold_start_ms: from starting a process to its first answer.
    """

    download_bytes: int | None
    peak_rss_bytes: Figure = UNKNOWN
    p95_ms: Figure = UNKNOWN
    cold_start_ms: Figure = UNKNOWN


@dataclass(frozen=True)
class BudgetVerdict:
    """One line of the verdict table.

    Attributes:
        name: key of the profile: download_bytes, peak_rss_bytes, p95_ms, cold_start_ms, max_f1_loss_relative.
        observed: in `unit`; None where it is unknown.
        interval: 95 % for the F1 loss, the range of a prediction; None for a measurement.
        basis: where `observed` comes from, in words.
        note: a sentence that says why, with the numbers.
    """

    name: str
    observed: float | None
    limit: float
    unit: str
    basis: str
    verdict: Outcome
    note: str
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Verdict:
    """All budgets; `overall` fails with one that fails, and passes only when all do."""

    budgets: tuple[BudgetVerdict, ...]
    overall: Outcome

    def exit_code(self, strict: bool = False) -> int:
        """1 for a failure, and with `strict` for anything undecided; else 0."""
        return int(self.overall == "fail" or (strict and self.overall == "undecided"))


def figures_of(measurement: Measurement, budgets: Budgets, fingerprint: str | None = None) -> Figures:
    """The figures of a measurement, at the length that the budgets name.

    Args:
        fingerprint: of the machine that a calibrated profile describes; what was measured on that machine was
            measured on the device.
    """
    on_device = fingerprint is not None and fingerprint == machine_fingerprint(measurement.machine)
    basis: Basis = "measured on the device" if on_device else "measured here"
    p95 = next((b.total.p95 for b in measurement.buckets if b.length == budgets.p95_length), None)

    def figure(value: float | None) -> Figure:
        return UNKNOWN if value is None else Figure(value, basis)

    return Figures(
        download_bytes=measurement.sizes.zipped,
        peak_rss_bytes=figure(measurement.memory.peak),
        p95_ms=figure(p95),
        cold_start_ms=figure(1000.0 * measurement.cold_start.total),
    )


def verdict(
    selected: Counts,
    teacher: Counts,
    figures: Figures,
    profile: DeviceProfile,
    measured_on_target: bool | None = None,
) -> Verdict:
    """The verdict on the selected artifact, computed once, from its test counts and the fp32 teacher's.

    Args:
        measured_on_target: figures 'measured here' were measured on the device the profile describes; by
            default what the profile says: `this_machine`, or for a calibrated one no, since `figures_of` knows
            its machine.
    """
    budgets = (
        *budget_verdicts(figures, profile, measured_on_target),
        quality_verdict(selected, teacher, profile),
    )
    outcomes = {budget.verdict for budget in budgets}
    overall: Outcome = "fail" if "fail" in outcomes else "undecided" if "undecided" in outcomes else "pass"
    return Verdict(budgets, overall)


def budget_verdicts(
    figures: Figures, profile: DeviceProfile, measured_on_target: bool | None = None
) -> tuple[BudgetVerdict, ...]:
    """Size, memory, latency and cold start against the profile's budgets; one it doesn't set is left out."""
    on_target = profile.is_here if measured_on_target is None else measured_on_target
    limits = profile.budgets
    size = UNKNOWN if figures.download_bytes is None else Figure(figures.download_bytes, "measured here")
    latency = f"p95 latency at {limits.p95_length} sub-words"
    rows: list[tuple[str, str, Figure, float | None, str, bool]] = [
        # A file has the same size everywhere.
        ("download_bytes", "download", size, limits.download_bytes, "bytes", True),
        ("peak_rss_bytes", "peak memory", figures.peak_rss_bytes, limits.peak_rss_bytes, "bytes", on_target),
        ("p95_ms", latency, figures.p95_ms, limits.p95_ms, "ms", on_target),
        ("cold_start_ms", "cold start", figures.cold_start_ms, limits.cold_start_ms, "ms", on_target),
    ]
    return tuple(
        _decide(name, what, figure, limit, unit, profile.name, counts)
        for name, what, figure, limit, unit, counts in rows
        if limit is not None
    )


def quality_verdict(selected: Counts, teacher: Counts, profile: DeviceProfile) -> BudgetVerdict:
    """The share of the teacher's F1 that was lost, with its paired 95 % interval, against the floor."""
    floor = profile.max_f1_loss_relative
    loss = relative_loss(selected, teacher)
    outcome, why = _judge_loss(loss, teacher, floor)
    note = (
        f"F1 {selected.f1:.1f} against the teacher's {teacher.f1:.1f}: {_percent(loss.observed)} lost "
        f"(95 % interval {_percent(loss.low)} to {_percent(loss.high)}), {why} of {_percent(floor)}."
    )
    return BudgetVerdict(
        name="max_f1_loss_relative",
        observed=loss.observed,
        limit=floor,
        unit="share of the teacher's F1",
        basis="test split",
        verdict=outcome,
        note=note,
        interval=(loss.low, loss.high),
    )


def _judge_loss(loss: RelativeLoss, teacher: Counts, floor: float) -> tuple[Outcome, str]:
    if teacher.f1 == 0.0:
        return "undecided", "which says nothing where the teacher finds nothing; the limit is a loss"
    if loss.low > floor:
        return "fail", "wholly above the limit"
    if loss.high <= floor:
        return "pass", "wholly within the limit"
    return "undecided", "on both sides of the limit"


def _decide(
    name: str, what: str, figure: Figure, limit: float, unit: str, device: str, here_counts: bool
) -> BudgetVerdict:
    """One budget against one figure."""
    allowed = f"(limit {amount(limit, unit)})"
    if figure.value is None:
        note = f"{what} is not known {allowed}."
        return BudgetVerdict(name, None, limit, unit, "unknown", "undecided", note)
    shown = f"{what} {amount(figure.value, unit)}"
    if figure.basis == "predicted":
        return _decide_predicted(name, shown, figure, figure.value, limit, unit)
    if figure.basis != "measured on the device" and not here_counts:
        note = f"{shown} on this machine, which decides nothing for {device} {allowed}."
        return BudgetVerdict(name, figure.value, limit, unit, "measured on this machine", "undecided", note)
    outcome: Outcome = "pass" if figure.value <= limit else "fail"
    return BudgetVerdict(name, figure.value, limit, unit, str(figure.basis), outcome, f"{shown} {allowed}.")


def _decide_predicted(name: str, shown: str, figure: Figure, value: float, limit: float, unit: str) -> BudgetVerdict:
    """A prediction decides only where its checked error leaves no doubt."""
    allowed = f"(limit {amount(limit, unit)})"
    why = f": {figure.note}" if figure.note else ""
    if figure.relative_error is None:
        note = f"{shown}, an unverified estimate{why} {allowed}."
        return BudgetVerdict(name, value, limit, unit, "unverified estimate", "undecided", note)
    low, high = max(0.0, value * (1 - figure.relative_error)), value * (1 + figure.relative_error)
    outcome: Outcome = "pass" if high <= limit else "fail" if low > limit else "undecided"
    note = f"{shown}, predicted within {_percent(figure.relative_error)}{why} {allowed}."
    return BudgetVerdict(name, value, limit, unit, "predicted", outcome, note, (low, high))


def amount(value: float, unit: str) -> str:
    """A figure for reading: MB of 10^6 bytes, or milliseconds."""
    if unit == "bytes":
        return f"{value / 1e6:.1f} MB"
    return f"{value:.1f} {unit}" if value < 100 else f"{value:.0f} {unit}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
