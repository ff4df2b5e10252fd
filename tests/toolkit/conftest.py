"""The record of a small finished run."""

from __future__ import annotations

from typing import Any

import pytest

from toolkit.record import CandidateRecord, RunRecord, StageRecord


def scores(f1: float) -> dict[str, Any]:
    """Scores as JSON around one F1."""
    per_type = {"PER": {"f1": f1, "precision": f1, "recall": f1, "support": 40}}
    interval = [f1 - 2.0, f1 + 2.0]
    return {"f1": f1, "precision": f1, "recall": f1, "per_type": per_type, "support": 40, "interval": interval}


def latency(ms: float) -> dict[str, Any]:
    """A bucket's times as JSON."""
    return {"p50": ms, "p95": 2 * ms}


def measured() -> dict[str, Any]:
    """What a summary reads of a measurement."""
    return {
        "buckets": [{"length": 16, "total": latency(1.5)}, {"length": 64, "total": latency(4.0)}],
        "speedups": [{"length": 64, "median": 9.0}, {"length": None, "median": 6.54}],
        "memory": {"peak": 70_000_000, "anonymous": 30_000_000},
        "cold_start": {"total": 0.321},
        "threads": 1,
    }


def candidate(name: str, f1: float, *, selected: bool) -> CandidateRecord:
    """A candidate where selected, else a reference without measurement."""
    return CandidateRecord(
        name=name,
        role="candidate" if selected else "reference",
        variant=name if selected else "torch-fp32",
        bytes=4_000_000,
        download_bytes=2_910_000 if selected else None,
        dev=scores(f1),
        test=scores(f1),
        agreement=None,
        measurement=measured() if selected else None,
        export={},
        selected=selected,
        within_budgets=True,
        reason="The smallest within the budgets." if selected else "For comparison only.",
        notes=("a note",),
    )


@pytest.fixture
def finished_run() -> RunRecord:
    """One run of Swahili on demo text."""
    source = {"name": "demo text", "source": "built-in", "licence": "Apache-2.0", "digest": "ab", "why": "named"}
    return RunRecord(
        version="0.1.0",
        command="python -m toolkit bundle --lang swa --target cpu",
        lang="swa",
        language="Swahili",
        target="cpu",
        target_description="A laptop",
        recipe={"name": "edge"},
        seed=1,
        sources={"teacher": source, "data": source, "corpus": source},
        notices=("built-in pair",),
        data_notes=("2 orphan I- tags",),
        stages=(StageRecord("teacher", "stand-in", 0.8, True, 46_000_000, 80.6, {"layers": 4}),),
        candidates=(candidate("onnx-int8", 76.3, selected=True), candidate("teacher", 80.0, selected=False)),
        verdict={"overall": "pass", "budgets": []},
        confidence={"temperature": 1.4},
        raw_text=scores(75.9),
        trim=None,
        calibration_sample=None,
        licence="non-commercial",
        bundle="build/swa-cpu-edge",
        zip_bytes=3_150_000,
    )
