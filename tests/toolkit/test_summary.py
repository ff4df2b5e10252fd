"""The table that a run ends with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.evaluate import entity_scores
from toolkit.pipeline import Outcome
from toolkit.record import RunRecord
from toolkit.summary import print_scores, print_summary
from toolkit.verdict import BudgetVerdict, Verdict


def budget(name: str, observed: float | None, limit: float, unit: str, verdict: str) -> BudgetVerdict:
    return BudgetVerdict(name, observed, limit, unit, "measured here", verdict, f"{name} because.")  # type: ignore[arg-type]


VERDICT = Verdict(
    (
        budget("download_bytes", 2_910_000, 3_000_000, "bytes", "pass"),
        budget("p95_ms", 8.0, 5.0, "ms", "fail"),
        budget("peak_rss_bytes", None, 2e8, "bytes", "undecided"),
        budget("max_f1_loss_relative", 0.046, 0.1, "share of the teacher's F1", "pass"),
    ),
    "fail",
)


def printed(record: RunRecord, capsys: pytest.CaptureFixture[str]) -> str:
    print_summary(Outcome(record, VERDICT, Path("build/swa-cpu-edge"), Path("build/swa-cpu-edge.report.html")))
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_the_summary_has_everything_that_goes_with_a_bundle(
    finished_run: RunRecord, capsys: pytest.CaptureFixture[str]
) -> None:
    out = printed(finished_run, capsys)
    for line in (
        "Swahili for cpu, recipe edge",
        "2.91 MB zipped (model, tokenizer, labels); 3.15 MB the whole bundle",
        "76.30 (74.3 to 78.3) on demo text",
        "80.00 (78.0 to 82.0)",
        "p50 / p95 ms at sub-words 16: 1.5 / 3.0, 64: 4.0 / 8.0, 1 thread(s); 6.5x the fp32 PyTorch teacher's speed",
        "321 ms to the first answer",
        "peak 70.00 MB, anonymous 30.00 MB",
        "onnx-int8: The smallest within the budgets.",
        "verdict  fail",
        "licence  non-commercial",
        "bundle   build/swa-cpu-edge",
        "report   build/swa-cpu-edge.report.html",
    ):
        assert line in out


def test_every_budget_has_its_verdict_and_what_does_not_pass_its_reason(
    finished_run: RunRecord, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [" ".join(line.split()) for line in printed(finished_run, capsys).splitlines()]
    assert "download_bytes 2.9 MB 3.0 MB pass" in lines
    assert "p95_ms 8.0 ms 5.0 ms fail" in lines
    assert "peak_rss_bytes unknown 200.0 MB undecided" in lines
    assert "max_f1_loss_relative 4.6 % 10.0 % pass" in lines
    assert "fail: p95_ms because." in lines and "undecided: peak_rss_bytes because." in lines
    assert not any(line.endswith("download_bytes because.") for line in lines)


def test_what_the_machine_could_not_tell_is_unknown_and_never_zero(
    finished_run: RunRecord, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = finished_run.selected
    assert chosen.measurement is not None
    blind = {**chosen.measurement, "memory": {"peak": 70_000_000, "anonymous": None}, "speedups": []}
    chosen = replace(chosen, download_bytes=None, measurement=blind)
    out = printed(replace(finished_run, candidates=(chosen,)), capsys)
    assert "unknown zipped" in out and " 0.00 MB" not in out
    assert "peak 70.00 MB, anonymous unknown" in out
    assert "teacher's F1" not in out and "teacher's speed" not in out


def test_an_artifact_that_was_not_measured_has_no_latency(
    finished_run: RunRecord, capsys: pytest.CaptureFixture[str]
) -> None:
    unmeasured = replace(finished_run.selected, measurement=None)
    assert "latency" not in printed(replace(finished_run, candidates=(unmeasured,)), capsys)


def test_scores_are_shown_in_all_and_per_type_with_the_interval(capsys: pytest.CaptureFixture[str]) -> None:
    gold = [["B-PER", "O", "B-LOC"], ["B-LOC", "I-LOC"]]
    pred = [["B-PER", "O", "O"], ["B-LOC", "I-LOC"]]
    print_scores("a against b", entity_scores(gold, pred))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["all", "80.00", "100.00", "66.67", "3"] in lines
    assert ["PER", "100.00", "100.00", "100.00", "1"] in lines
    assert ["LOC", "66.67", "100.00", "50.00", "2"] in lines
    assert lines[-1][:3] == ["95", "%", "interval"]
