"""Which candidate becomes the bundle: candidates and a device profile in, a selection with reasons out. Pure.

The smallest candidate within the budgets whose dev F1 is not significantly below the best one's (paired
bootstrap, 95 %). Dev decides; test is never looked at here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from toolkit.bootstrap import Difference, paired_difference
from toolkit.counts import Counts
from toolkit.device_profile import DeviceProfile
from toolkit.verdict import BudgetVerdict, Figures, amount, budget_verdicts

Role = Literal["candidate", "reference"]


@dataclass(frozen=True)
class Candidate:
    """An artifact that could be shipped, or one it is compared with.

    Attributes:
        name: unique among the candidates.
        role: a reference (fp32 teacher, trimmed int8 teacher, gold-only student) is listed, never selected.
        variant: format and precision, such as onnx-int8.
        bytes: model, tokenizer and labels on disk.
        figures: its download size and measurements.
        dev: what it found, invented and missed on each sentence of the dev split.
    """

    name: str
    role: Role
    variant: str
    bytes: int
    figures: Figures
    dev: Counts


@dataclass(frozen=True)
class Ranked:
    """One candidate or reference and what became of it.

    Attributes:
        difference: its dev F1 minus that of the best candidate within the budgets.
        within_budgets: no budget fails; an unknown figure is no failure.
        reason: one sentence with numbers: why it was selected or rejected, or that it is a reference.
        notes: a sentence per budget that could not be checked.
    """

    name: str
    role: Role
    variant: str
    bytes: int
    download_bytes: int | None
    dev_f1: float
    difference: Difference
    selected: bool
    within_budgets: bool
    reason: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Selection:
    """The outcome.

    Attributes:
        selected: name of the candidate.
        best: name of the candidate whose dev F1 is the highest among those compared.
        within_budgets: False where no candidate keeps to the budgets and `selected` is only the closest.
        ranked: all candidates and references, the selected one first, then by download size.
    """

    selected: str
    best: str
    within_budgets: bool
    ranked: tuple[Ranked, ...]


@dataclass(frozen=True)
class _Judged:
    candidate: Candidate
    budgets: tuple[BudgetVerdict, ...]

    @property
    def broken(self) -> list[BudgetVerdict]:
        return [budget for budget in self.budgets if budget.verdict == "fail"]

    @property
    def excess(self) -> float:
        """How many times over the worst broken budget it is."""
        return max((float(b.observed or 0.0) / b.limit for b in self.broken), default=0.0)

    @property
    def size(self) -> tuple[int, int, float, str]:
        """Smallest first; F1 and the name settle what size does not."""
        c = self.candidate
        return _download(c), c.bytes, -c.dev.f1, c.name


def select(
    candidates: Sequence[Candidate], profile: DeviceProfile, measured_on_target: bool | None = None
) -> Selection:
    """Choose among `candidates`.

    A figure that is unknown for the device rejects nobody and is noted. If no candidate keeps to the budgets,
    the one closest to them is chosen: the least times over its worst broken budget.

    Args:
        measured_on_target: as in `toolkit.verdict.verdict`.

    Raises:
        ValueError: no candidate among them, a name that occurs twice, or dev counts of different sentences.
    """
    judged = [_Judged(c, budget_verdicts(c.figures, profile, measured_on_target)) for c in candidates]
    if len({c.name for c in candidates}) != len(candidates):
        raise ValueError("two candidates have the same name")
    eligible = [j for j in judged if j.candidate.role == "candidate"]
    if not eligible:
        raise ValueError("there is no candidate to select from, only references")
    within = [j for j in eligible if not j.broken]
    best = max(
        within or eligible, key=lambda j: (j.candidate.dev.f1, -_download(j.candidate), j.candidate.name)
    ).candidate
    differences = {c.name: paired_difference(c.dev, best.dev) for c in candidates}
    if within:
        as_good = [j for j in within if not _worse(differences[j.candidate.name])]
        chosen = min(as_good, key=lambda j: j.size)
    else:
        chosen = min(eligible, key=lambda j: (j.excess, j.size))
    ranked = [_rank(j, chosen, best, differences[j.candidate.name], bool(within)) for j in judged]
    order = {j.candidate.name: (j is not chosen, j.size) for j in judged}
    return Selection(
        selected=chosen.candidate.name,
        best=best.name,
        within_budgets=bool(within),
        ranked=tuple(sorted(ranked, key=lambda r: order[r.name])),
    )


def _worse(difference: Difference) -> bool:
    return difference.significant and difference.observed < 0


def _download(candidate: Candidate) -> int:
    """Bytes to download; on disk where the zip's size is not known, which is never smaller."""
    zipped = candidate.figures.download_bytes
    return candidate.bytes if zipped is None else zipped


def _rank(judged: _Judged, chosen: _Judged, best: Candidate, difference: Difference, any_within: bool) -> Ranked:
    c = judged.candidate
    return Ranked(
        name=c.name,
        role=c.role,
        variant=c.variant,
        bytes=c.bytes,
        download_bytes=c.figures.download_bytes,
        dev_f1=c.dev.f1,
        difference=difference,
        selected=judged is chosen,
        within_budgets=not judged.broken,
        reason=_reason(judged, chosen, best, difference, any_within),
        notes=tuple(budget.note for budget in judged.budgets if budget.verdict == "undecided"),
    )


def _reason(judged: _Judged, chosen: _Judged, best: Candidate, difference: Difference, any_within: bool) -> str:
    c = judged.candidate
    over = " and ".join(budget.note.rstrip(".") for budget in judged.broken)
    size = amount(_download(c), "bytes")
    if c.role == "reference":
        return f"For comparison only: {size}, dev F1 {c.dev.f1:.1f}" + (f"; over budget: {over}." if over else ".")
    if judged is chosen:
        if over:
            return f"No candidate keeps to the budgets and this one comes closest: {over}."
        return f"The smallest within the budgets, {size}, whose {_compared(c, best, difference)}."
    if over and any_within:
        return f"Over budget: {over}."
    if over:
        closest = f"{chosen.candidate.name} at {chosen.excess:.2f}"
        return f"Further over its worst budget, {judged.excess:.2f} times, than {closest}: {over}."
    if _worse(difference):
        return f"Too inaccurate: {_compared(c, best, difference)}."
    return (
        f"Larger, {size} against {amount(_download(chosen.candidate), 'bytes')}, for no certain gain: "
        f"{_compared(c, best, difference)}."
    )


def _compared(c: Candidate, best: Candidate, difference: Difference) -> str:
    if c is best:
        return f"dev F1 {c.dev.f1:.1f} is the best"
    relation = "is significantly below" if _worse(difference) else "is not significantly below"
    return (
        f"dev F1 {c.dev.f1:.1f} {relation} the {best.dev.f1:.1f} of {best.name} "
        f"({difference.observed:+.1f}, 95 % interval {difference.low:+.1f} to {difference.high:+.1f})"
    )
