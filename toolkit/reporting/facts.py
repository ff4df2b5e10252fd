"""What several sections ask of a record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from export.runtime.measurement import Measurement
from toolkit.record import CandidateRecord, RunRecord

TEACHER = "teacher"
# Name of a reference -> how charts draw it.
STYLE_OF = {
    TEACHER: "teacher",
    "gold-only student": "gold-only",
    "gold-only student, teacher's start": "gold-only-started",
    "distilled student": "distilled",
}
DEMO_SOURCE = "built-in"


def style_of(candidate: CandidateRecord) -> str:
    """Key of `svg.STYLES` for a candidate or reference."""
    if candidate.selected:
        return "chosen"
    return STYLE_OF.get(candidate.name, "candidate" if candidate.role == "candidate" else "reference")


def tone(candidate: CandidateRecord) -> str:
    """How its row looks in a table."""
    return "selected" if candidate.selected else "quiet" if candidate.role == "reference" else ""


def measured(candidate: CandidateRecord) -> Measurement | None:
    """Its measurement, None where there is none."""
    return Measurement.from_json(candidate.measurement) if candidate.measurement else None


def sentence_p50(candidate: CandidateRecord) -> float | None:
    """Median milliseconds per sentence; read from any record, be its measurement of an older form."""
    latency = (candidate.measurement or {}).get("throughput", {}).get("latency", {})
    return latency.get("p50")


def speedup(measurement: Measurement | None) -> float | None:
    """How many times faster than the reference on whole sentences."""
    if measurement is None:
        return None
    return next((s.median for s in measurement.speedups if s.length is None), None)


def data_name(record: RunRecord) -> str:
    """What F1 was measured on: never MasakhaNER for the built-in text."""
    data = record.sources.get("data", {})
    return "demo text" if data.get("source") == DEMO_SOURCE else str(data.get("name", "labelled data"))


def interval(scores: dict[str, Any]) -> tuple[float, float] | None:
    """The 95 % interval of F1."""
    bounds = scores.get("interval")
    return (float(bounds[0]), float(bounds[1])) if bounds else None


def run_key(record: RunRecord) -> tuple[str, str, str]:
    """What tells runs of one folder apart: language, target, recipe."""
    return record.lang, record.target, str(record.recipe.get("name", ""))


def all_runs(records: Sequence[RunRecord], current: RunRecord) -> list[RunRecord]:
    """`records` with `current` in place of its older self, by recipe, target, data and language."""
    others = [record for record in records if run_key(record) != run_key(current)]
    return sorted([*others, current], key=lambda r: (run_key(r)[2], r.target, data_name(r), r.lang))


def machine_line(measurement: Measurement) -> str:
    """The machine and its software, in a sentence's worth."""
    machine = measurement.machine
    parts = [machine.board, machine.cpu, machine.architecture]
    if machine.cores:
        parts.append(f"{machine.cores} cores")
    if machine.ram:
        parts.append(f"{machine.ram / 1e9:.1f} GB RAM")
    versions = {"Python": machine.python, "onnxruntime": machine.onnxruntime, "numpy": machine.numpy}
    software = [f"{name} {version}" for name, version in versions.items() if version]
    return ", ".join([*(part for part in parts if part), machine.os, *software])
