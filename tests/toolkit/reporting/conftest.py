"""Records as a run writes them, with numbers of the kind that runs have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from export.runtime.machine import Machine
from export.runtime.measurement import Bucket, ColdStart, Measurement, Sizes, Speedup, Summary, Throughput
from export.runtime.memory import Memory
from toolkit.record import CandidateRecord, RunRecord, StageRecord

MB = 1_000_000


def scores(
    f1: float, half_width: float = 1.9, types: tuple[str, ...] = ("DATE", "LOC", "ORG", "PER")
) -> dict[str, Any]:
    """Scores as JSON around one F1."""
    per_type = {
        name: {
            "f1": f1 - 6.0 + 4.0 * place,
            "precision": f1 - 5.0 + 4.0 * place,
            "recall": f1 - 7.0 + 4.0 * place,
            "support": 100 + 60 * place,
            "interval": [f1 - 10.0 + 4.0 * place, f1 - 2.5 + 4.0 * place],
        }
        for place, name in enumerate(types)
    }
    return {
        "f1": f1,
        "precision": f1 - 0.8,
        "recall": f1 + 0.8,
        "per_type": per_type,
        "support": 1179,
        "interval": [f1 - half_width, f1 + half_width],
    }


def summary(p50: float) -> Summary:
    """Latencies around a median."""
    return Summary(p50, p50 * 1.12, p50 * 1.2, p50 * 1.5, p50 * 0.93, p50 * 1.03, 100)


def measurement(name: str, ms: float, model: int, zipped: int, backend: str = "onnx") -> dict[str, Any]:
    """A Measurement as JSON; `ms` is its p50 at 16 sub-words."""
    onnx = backend == "onnx"
    lengths = (16, 32, 64, 128)
    machine = Machine(
        board=None, cpu="Example CPU @ 2.50GHz", architecture="x86_64", flags=("avx2", "avx512_vnni"), cores=2,
        ram=8000 * MB, os="Debian GNU/Linux 12 (bookworm)", kernel="6.1.0", python="3.11.2", onnxruntime="1.31.1",
        numpy="2.4.6", tokenizers="0.22.2",
    )  # fmt: skip
    made = Measurement(
        name=name,
        backend=backend,
        basis="measured here",
        model_sha256="5d" * 32,
        measured_at="2026-11-22T10:00:00+00:00",
        threads=1,
        machine=machine,
        packages=() if onnx else (("torch", "2.13.0"), ("transformers", "4.57.6")),
        sizes=Sizes(model, 450_000, 900, zipped),
        cold_start=ColdStart(
            0.04, 0.21 if onnx else 3.2, model / 4e8, 0.03, 0.004, (0.284 if onnx else 3.274) + model / 4e8, 5
        ),
        buckets=tuple(
            Bucket(n, float(n), summary(ms * n / 16), summary(ms * n / 17), summary(0.1), 16000 / ms) for n in lengths
        ),
        throughput=Throughput(summary(ms * 1.7), 590 / ms, 16000 / ms),
        memory=Memory(60 * MB + 2 * model, 58 * MB + 2 * model, 30 * MB + model, 28 * MB),
        memory_imported=Memory(50 * MB, 49 * MB, 22 * MB, 27 * MB),
        reference="teacher" if onnx else None,
        speedups=tuple(Speedup(n, 9.6 / ms, 9.0 / ms, 10.1 / ms, 5) for n in (*lengths, None)) if onnx else (),
    )
    return made.to_json()


def candidate(name: str, variant: str, model: int, f1: float, **options: Any) -> CandidateRecord:
    """A candidate; a reference where `role` says so."""
    measured = options.get("measurement")
    return CandidateRecord(
        name=name,
        role=options.get("role", "candidate"),
        variant=variant,
        bytes=model + 451_000,
        download_bytes=measured["sizes"]["zipped"] if measured else None,
        dev=scores(f1 + 0.6),
        test=scores(f1),
        agreement=options.get("agreement"),
        measurement=measured,
        export=options.get("export", {}),
        selected=options.get("selected", False),
        within_budgets=True,
        reason=options.get("reason", "Larger, for no certain gain."),
        notes=options.get("notes", ()),
    )


def candidates() -> tuple[CandidateRecord, ...]:
    """Those of an `edge` run for a laptop."""
    int8 = {
        "bytes_before": 15_900_000,
        "bytes_after": 4_100_000,
        "int8_matmuls": 25,
        "float_matmuls": 8,
        "int8_tables": 1,
    }
    fp32 = {
        "bytes": 15_900_000, "operators": {"MatMul": 25, "Attention": 4, "Gather": 2}, "fused_attention": 4,
        "layers": 4,
        "parity": {"max_difference": 3.1e-6, "mean_difference": 4e-7, "tags_equal": 1.0, "positions": 1200},
    }  # fmt: skip
    return (
        candidate(
            "onnx-int8", "onnx-int8", 4_100_000, 76.3, selected=True, agreement=0.997, export=int8,
            measurement=measurement("onnx-int8", 1.1, 4_100_000, 2_910_000),
            reason="The smallest within the budgets, 2.9 MB, whose dev F1 76.9 is not significantly below the "
            "77.4 of torchscript-fp32 (−0.5, 95 % interval −1.2 to +0.3).",
        ),
        candidate("onnx-static-int8", "onnx-static-int8", 4_150_000, 74.9, agreement=0.988, export=int8,
                  measurement=measurement("onnx-static-int8", 1.0, 4_150_000, 2_960_000),
                  reason="Too inaccurate: dev F1 75.5 is significantly below the 77.4 of torchscript-fp32."),
        candidate("onnx-fp32", "onnx-fp32", 15_900_000, 76.5, agreement=1.0, export=fp32,
                  measurement=measurement("onnx-fp32", 2.3, 15_900_000, 14_700_000)),
        candidate("torchscript-int8", "torchscript-int8", 5_000_000, 76.1, agreement=0.995,
                  measurement=measurement("torchscript-int8", 1.6, 5_000_000, 3_600_000)),
        candidate("torchscript-fp32", "torchscript-fp32", 16_100_000, 76.5, agreement=1.0,
                  measurement=measurement("torchscript-fp32", 2.9, 16_100_000, 14_900_000)),
        candidate("teacher", "torch-fp32", 46_000_000, 80.0, role="reference", reason="For comparison only.",
                  measurement=measurement("teacher", 9.6, 46_000_000, 42_500_000, "torch")),
        candidate("trimmed int8 teacher", "onnx-int8", 5_600_000, 79.9, role="reference", agreement=0.998,
                  measurement=measurement("trimmed int8 teacher", 3.1, 5_600_000, 4_100_000),
                  reason="For comparison only."),
        candidate("distilled student", "torch-fp32", 15_900_000, 76.5, role="reference",
                  reason="For comparison only."),
        candidate("gold-only student", "torch-fp32", 15_900_000, 68.4, role="reference",
                  reason="For comparison only."),
        candidate("gold-only student, teacher's start", "torch-fp32", 15_900_000, 72.2, role="reference",
                  reason="For comparison only."),
    )  # fmt: skip


TRIM = {
    "pieces_before": 32000, "pieces_after": 6000, "words": 48_123, "coverage": 0.98412, "identical": 0.95731,
    "fertility_before": 1.3712, "fertility_after": 1.4023, "unknown_before": 0.0001, "unknown_after": 0.000112,
}  # fmt: skip


def stages() -> tuple[StageRecord, ...]:
    """Those of an `edge` run."""
    training = {"steps": 5210, "loss": 0.21, "seconds": 402.0}
    return (
        StageRecord("teacher", "a stand-in, 11.5 M parameters", 0.8, True, 46_000_000, 80.6, {"layers": 4}),
        StageRecord("trim", "6,000 of 32,000 pieces", 9.0, False, 19_400_000, 80.1, TRIM),
        StageRecord("signals", "21,004 sentences, 800,112 words", 61.0, False, None, None, {"words": 800_112}),
        StageRecord(
            "distill", "4 layers x 4 heads, hidden 256", 402.0, False, 15_900_000, 77.1, {"training": training}
        ),
        StageRecord("gold-only", "no teacher signal", 63.0, False, 15_900_000, 69.0, {"training": training}),
        StageRecord("gold-only, teacher's start", "no teacher signal", 65.0, False, 15_900_000, 72.8, {}),
        StageRecord("reference trim", "9,000 of 32,000 pieces", 8.0, True, 22_500_000, 80.5, TRIM),
    )


def reliability(shift: float) -> list[dict[str, Any]]:
    """Fifteen bins, `shift` too confident."""
    return [
        {
            "low": n / 15, "high": (n + 1) / 15, "count": 0 if n < 4 else 3 + 2**(n - 4) // 3,
            "confidence": (n + 0.5) / 15, "accuracy": max(0.0, (n + 0.5) / 15 - shift * (1 - n / 20)),
        }
        for n in range(15)
    ]  # fmt: skip


def run_record() -> RunRecord:
    """One `edge` run of Swahili on demo text."""
    return RunRecord(
        version="0.1.0",
        command="python -m toolkit bundle --lang swa --target cpu",
        lang="swa",
        language="Swahili",
        target="cpu",
        target_description="A laptop, or any x86-64 or ARM computer like the one the toolkit runs on",
        recipe={"name": "edge", "description": "Under 3 MB to download", "trim": {"pieces": 6000}, "prune": None},
        seed=1,
        sources={
            "teacher": {
                "name": "builtin",
                "source": "builtin",
                "licence": "CC BY-NC 4.0",
                "digest": "aa" * 32,
                "why": "nothing else can be reached",
            },
            "data": {
                "name": "demo text",
                "source": "built-in",
                "licence": "Apache-2.0",
                "digest": "bb" * 32,
                "why": "nothing else can be reached",
            },
            "corpus": {
                "name": "demo text",
                "source": "built-in",
                "licence": "Apache-2.0",
                "digest": "cc" * 32,
                "why": "nothing else can be reached",
            },
        },
        notices=("The hub cannot be reached, so this run uses the built-in pair.",),
        data_notes=("2 orphan I- tags kept as they are", "11 train sentences that are also in test"),
        stages=stages(),
        candidates=candidates(),
        verdict={
            "overall": "undecided",
            "budgets": [
                budget("download_bytes", 2_910_000, 40_000_000, "bytes", "pass"),
                budget("peak_rss_bytes", None, 200_000_000, "bytes", "undecided"),
                budget("p95_ms", 5.28, 5.0, "ms", "fail"),
                budget("cold_start_ms", 330.0, 3000.0, "ms", "pass"),
                {
                    **budget("max_f1_loss_relative", 0.046, 0.1, "share of the teacher's F1", "pass"),
                    "interval": [0.021, 0.071],
                },
            ],
        },
        confidence={
            "temperature": 1.41,
            "ece_before": 0.081,
            "ece_after": 0.023,
            "reliability_before": reliability(0.2),
            "reliability_after": reliability(0.04),
        },
        raw_text=scores(75.9),
        trim=TRIM,
        calibration_sample={
            "digest": "dd" * 32,
            "seed": 1,
            "whole": 2109,
            "sentences": [{"words": ["Secret", "sentence"], "tags": ["B-PER", "O"]}] * 2,
            "strata": [
                {"kind": "length", "name": "9-16 words", "whole": 700, "sampled": 66},
                {"kind": "entity type", "name": "DATE", "whole": 400, "sampled": 38},
            ],
        },
        licence="non-commercial (CC BY-NC 4.0)",
        bundle="build/swa-cpu-edge",
        zip_bytes=3_150_000,
    )


def budget(name: str, observed: float | None, limit: float, unit: str, verdict: str) -> dict[str, Any]:
    """One BudgetVerdict as JSON."""
    return {
        "name": name, "observed": observed, "limit": limit, "unit": unit, "interval": None,
        "basis": "unknown" if observed is None else "measured here", "verdict": verdict,
        "note": f"{name}: a sentence.",
    }  # fmt: skip


@pytest.fixture(scope="session")
def record() -> RunRecord:
    """One `edge` run of Swahili on demo text."""
    return run_record()


@pytest.fixture
def other_runs() -> Callable[..., list[RunRecord]]:
    """Runs of further languages with other F1."""

    def make(**languages: float) -> list[RunRecord]:
        made = []
        for lang, change in languages.items():
            base = run_record()
            changed = tuple(replace(c, test=scores(c.test["f1"] + change)) for c in base.candidates)
            made.append(replace(base, lang=lang, language=lang.title(), candidates=changed))
        return made

    return make
