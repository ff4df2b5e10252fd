"""Which candidate is selected, and the reason each gets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.counts import Counts
from toolkit.device_profile import Budgets, DeviceProfile
from toolkit.select import Candidate, Ranked, Selection, select
from toolkit.verdict import UNKNOWN, Figure, Figures

LAPTOP = DeviceProfile(
    name="cpu",
    description="a laptop",
    cores=2,
    isa="any",
    ram_mb=4000,
    int8="AVX2",
    int8_basis="its manual",
    this_machine=True,
    variants=("onnx-int8",),
    threads=1,
    external_data=False,
    budgets=Budgets(
        download_bytes=8_000_000, peak_rss_bytes=200_000_000, p95_ms=50.0, p95_length=64, cold_start_ms=None
    ),
    max_f1_loss_relative=0.10,
    basis={},
    source=Path("cpu.toml"),
)


def dev(found: int) -> Counts:
    """A tagger that finds the entity of the first `found` of 300 sentences, of one each."""
    tp = tuple(int(i < found) for i in range(300))
    return Counts(tp, (0,) * 300, tuple(1 - hit for hit in tp))


def candidate(name: str, megabytes: float, found: int, p95: float | None = 5.0, **changes: object) -> Candidate:
    figures = Figures(
        download_bytes=int(megabytes * 1e6),
        peak_rss_bytes=Figure(70e6, "measured here"),
        p95_ms=UNKNOWN if p95 is None else Figure(p95, "measured here"),
    )
    made = Candidate(name, "candidate", "onnx-int8", int(1.3e6 * megabytes), figures, dev(found))
    return replace(made, **changes)  # type: ignore[arg-type]


def row(selection: Selection, name: str) -> Ranked:
    return next(ranked for ranked in selection.ranked if ranked.name == name)


def test_the_smallest_that_is_not_significantly_worse_is_selected() -> None:
    selection = select(
        [candidate("fp32", 7.0, 250), candidate("int8", 3.0, 248), candidate("tiny", 1.0, 200)], LAPTOP
    )
    assert (selection.selected, selection.best, selection.within_budgets) == ("int8", "fp32", True)
    assert [r.name for r in selection.ranked] == ["int8", "tiny", "fp32"]
    assert row(selection, "int8").reason.startswith(
        "The smallest within the budgets, 3.0 MB, whose dev F1 90.5 is not significantly below the 90.9 "
        "of fp32 (-0.4,"
    )
    assert row(selection, "tiny").reason.startswith(
        "Too inaccurate: dev F1 80.0 is significantly below the 90.9 of fp32 (-10.9,"
    )
    assert row(selection, "fp32").reason == (
        "Larger, 7.0 MB against 3.0 MB, for no certain gain: dev F1 90.9 is the best."
    )
    assert [r.selected for r in selection.ranked] == [True, False, False]


def test_what_breaks_a_budget_neither_wins_nor_sets_the_standard() -> None:
    selection = select([candidate("slow", 2.0, 290, p95=80.0), candidate("fast", 3.0, 200)], LAPTOP)
    assert (selection.selected, selection.best) == ("fast", "fast")
    rejected = row(selection, "slow")
    assert not rejected.within_budgets
    assert rejected.reason == ("Over budget: p95 latency at 64 sub-words 80.0 ms (limit 50.0 ms).")


def test_every_broken_budget_is_named() -> None:
    selection = select([candidate("big", 9.0, 250, p95=80.0), candidate("small", 3.0, 250)], LAPTOP)
    assert row(selection, "big").reason == (
        "Over budget: download 9.0 MB (limit 8.0 MB) and p95 latency at 64 sub-words 80.0 ms (limit 50.0 ms)."
    )


def test_references_are_listed_and_never_selected_nor_the_standard() -> None:
    selection = select(
        [
            candidate("teacher fp32", 40.0, 300, role="reference"),
            candidate("gold-only", 1.0, 250, role="reference"),
            candidate("student", 3.0, 250),
        ],
        LAPTOP,
    )
    assert (selection.selected, selection.best) == ("student", "student")
    assert len(selection.ranked) == 3
    assert row(selection, "gold-only").reason == "For comparison only: 1.0 MB, dev F1 90.9."
    teacher = row(selection, "teacher fp32")
    assert teacher.reason == (
        "For comparison only: 40.0 MB, dev F1 100.0; over budget: download 40.0 MB (limit 8.0 MB)."
    )
    assert teacher.difference.significant and teacher.difference.observed == pytest.approx(100 - 600 / 6.6)


def test_an_unknown_figure_rejects_nobody_and_is_noted() -> None:
    selection = select([candidate("unknown", 1.0, 250, p95=None), candidate("known", 3.0, 250)], LAPTOP)
    chosen = row(selection, "unknown")
    assert chosen.selected and chosen.within_budgets
    assert chosen.notes == ("p95 latency at 64 sub-words is not known (limit 50.0 ms).",)


def test_another_machines_latency_rejects_nobody() -> None:
    slow = candidate("slow", 1.0, 250, p95=80.0)
    board = replace(LAPTOP, name="rpi4", this_machine=False)
    assert select([slow, candidate("fast", 3.0, 250)], board).selected == "slow"
    assert select([slow, candidate("fast", 3.0, 250)], board, measured_on_target=True).selected == "fast"


def test_without_any_within_the_budgets_the_closest_is_chosen_and_says_so() -> None:
    selection = select(
        [
            candidate("accurate", 20.0, 290),
            candidate("near", 9.0, 250),
            candidate("slow", 1.0, 250, p95=500.0),
        ],
        LAPTOP,
    )
    assert (selection.selected, selection.within_budgets) == ("near", False)
    assert row(selection, "near").reason == (
        "No candidate keeps to the budgets and this one comes closest: download 9.0 MB (limit 8.0 MB)."
    )
    assert row(selection, "slow").reason.startswith(
        "Further over its worst budget, 10.00 times, than near at 1.12: p95"
    )


def test_equal_sizes_are_settled_by_f1() -> None:
    assert select([candidate("a", 3.0, 248), candidate("b", 3.0, 250)], LAPTOP).selected == "b"


def test_the_order_of_the_candidates_does_not_matter() -> None:
    candidates = [candidate("a", 3.0, 248), candidate("b", 3.0, 250), candidate("c", 5.0, 251)]
    assert select(candidates, LAPTOP) == select(candidates[::-1], LAPTOP)


def test_size_on_disk_stands_in_for_an_unknown_zip() -> None:
    unzipped = candidate("unzipped", 3.0, 250)
    unzipped = replace(unzipped, bytes=2_000_000, figures=replace(unzipped.figures, download_bytes=None))
    selection = select([unzipped, candidate("zipped", 2.5, 250)], LAPTOP)
    assert selection.selected == "unzipped"
    assert row(selection, "unzipped").notes == ("download is not known (limit 8.0 MB).",)


def test_misuse_is_refused() -> None:
    with pytest.raises(ValueError, match="only references"):
        select([candidate("teacher", 3.0, 250, role="reference")], LAPTOP)
    with pytest.raises(ValueError, match="same name"):
        select([candidate("a", 3.0, 250), candidate("a", 4.0, 250)], LAPTOP)
    other = replace(candidate("b", 3.0, 250), dev=Counts((1,), (0,), (0,)))
    with pytest.raises(ValueError, match="same sentences"):
        select([candidate("a", 3.0, 250), other], LAPTOP)
