"""The record of a run: what the report and the final table are made of, as JSON beside the bundle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from export.atomic import write_json_atomic
from toolkit.console import console

SCHEMA = 1
SUFFIX = ".run.json"


@dataclass(frozen=True)
class StageRecord:
    """One stage of the line.

    Attributes:
        name: teacher, trim, signals, distill, gold-only, prune, variant …
        detail: what exactly, for people ("6,000 of 32,000 pieces").
        seconds: how long it took when it ran; cached tells whether that was in this run.
        bytes: of the fp32 model it left behind (safetensors); None where it leaves no model.
        dev_f1: of that model; None likewise.
        report: what the stage said about itself.
    """

    name: str
    detail: str
    seconds: float
    cached: bool
    bytes: int | None
    dev_f1: float | None
    report: dict[str, Any]


@dataclass(frozen=True)
class CandidateRecord:
    """One artifact: a candidate for the bundle, or a reference it is compared with.

    Attributes:
        variant: onnx-int8 …; "torch-fp32" for models that are not exported.
        bytes, download_bytes: model, tokenizer and labels, on disk and zipped.
        dev, test: Scores as JSON (f1, precision, recall, per_type, support, interval; 0..100).
        agreement: share of dev words tagged as the fp32 torch model of the same weights tags them.
        measurement: Measurement.to_json(), None where it was not measured.
        export: the exporter's report: operators, bytes, parity.
        reason: why it was selected or not.
    """

    name: str
    role: str
    variant: str
    bytes: int
    download_bytes: int | None
    dev: dict[str, Any]
    test: dict[str, Any]
    agreement: float | None
    measurement: dict[str, Any] | None
    export: dict[str, Any]
    selected: bool
    within_budgets: bool
    reason: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class RunRecord:
    """Everything a report shows.

    Attributes:
        sources: "teacher", "data", "corpus" -> {"name", "source", "licence", "digest", "why"}.
        notices: lines that must not be overlooked, such as a fall-back to the built-in pair.
        data_notes: quirks handled, with counts.
        verdict: {"overall", "budgets": [BudgetVerdict as JSON, …]}.
        confidence: {"temperature", "ece_before", "ece_after", "reliability_before", "reliability_after"};
            calibration errors 0..1 on test, reliability as lists of {"low", "high", "count", "confidence",
            "accuracy"}.
        raw_text: Scores on detokenised test text, as JSON.
        trim: TrimReport as JSON, or None.
        calibration_sample: account of the static int8 sample, or None.
        licence: the bundle's, from its inputs.
        bundle, zip_bytes: path of the folder; size of the whole zip.
    """

    version: str
    command: str
    lang: str
    language: str
    target: str
    target_description: str
    recipe: dict[str, Any]
    seed: int
    sources: dict[str, dict[str, Any]]
    notices: tuple[str, ...]
    data_notes: tuple[str, ...]
    stages: tuple[StageRecord, ...]
    candidates: tuple[CandidateRecord, ...]
    verdict: dict[str, Any]
    confidence: dict[str, Any]
    raw_text: dict[str, Any]
    trim: dict[str, Any] | None
    calibration_sample: dict[str, Any] | None
    licence: str
    bundle: str
    zip_bytes: int
    schema: int = SCHEMA

    @property
    def selected(self) -> CandidateRecord:
        """The candidate in the bundle."""
        return next(candidate for candidate in self.candidates if candidate.selected)

    def candidate(self, name: str) -> CandidateRecord | None:
        """A candidate or reference by name."""
        return next((candidate for candidate in self.candidates if candidate.name == name), None)


def write_record(record: RunRecord, path: Path) -> None:
    """Write the record as JSON, whole or not at all."""
    write_json_atomic(path, asdict(record))


def record_files(folder: Path) -> list[Path]:
    """The files that `read_records` reads, in its order."""
    return [path for path, record in _records(folder) if record]


def read_records(folder: Path) -> list[RunRecord]:
    """All runs recorded in `folder`, by file name. Records of another schema are left out, as are damaged ones, with
    a warning: they must not stop the run that has just ended."""
    found = []
    for path, record in _records(folder):
        if record:
            found.append(record)
        else:
            console.warn(f"{path} is damaged and left out; run its command again to have it back.")
    return found


def _records(folder: Path) -> Iterator[tuple[Path, RunRecord | None]]:
    """Files of this schema with what they hold, None where they are damaged."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            value = json.loads(path.read_text("utf-8"))
            if value["schema"] == SCHEMA:
                yield path, _parse(value)
        except (OSError, ValueError, KeyError, TypeError):
            yield path, None


def _parse(value: dict[str, Any]) -> RunRecord:
    """JSON as `write_record` wrote it, lists as the tuples they were."""
    value["stages"] = tuple(StageRecord(**stage) for stage in value["stages"])
    value["candidates"] = tuple(
        CandidateRecord(**{**candidate, "notes": tuple(candidate["notes"])}) for candidate in value["candidates"]
    )
    for name in ("notices", "data_notes"):
        value[name] = tuple(value[name])
    return RunRecord(**value)
