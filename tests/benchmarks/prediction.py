"""How well latency is predicted on this machine: `python tests/benchmarks/prediction.py [FOLDER …]`.

Standard artifacts are timed and each is predicted by a fit that never saw it. Then real artifacts, which no fit
saw, are measured as `make bundle` measures them, words in and tags out, and compared with their prediction. A FOLDER
is a bundle or a variant: tokenizer.json and onnx/*.onnx; without any, those in build/ and in the stage cache are
taken. All numbers are this machine's; the last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calibration.device.calibrate import Calibrated, calibrate
from calibration.device.features import count_work
from export.runtime.protocol import Protocol
from export.runtime.texts import LENGTHS
from toolkit.commands import cache_folder
from toolkit.data.builtin import load_demo
from toolkit.measure.calibrate import run_here
from toolkit.measure.estimate import predict
from toolkit.measure.interleave import Candidate, measure_candidates

GOALS = {"p50_median": 0.20, "p50_p90": 0.40}
WINDOW = 128
PROTOCOL = Protocol(rounds=8, seconds=3.0, warm_seconds=0.5, cold_starts=1)


def real_artifacts(folders: Sequence[Path]) -> list[Candidate]:
    """The ONNX models below the folders, or below build/ and the stage cache, each once."""
    if not folders:
        folders = [path.parent for path in Path("build").glob("*/manifest.json")]
        folders += sorted((cache_folder() / "variant").glob("*/out"))
    found = {}
    for folder in folders:
        for model in sorted((folder / "onnx").glob("*.onnx")):
            config = json.loads((folder / "config.json").read_text("utf-8"))
            shape = "x".join(str(config[key]) for key in ("num_hidden_layers", "hidden_size", "intermediate_size"))
            found[model.stat().st_size] = Candidate(
                f"{shape} {model.stem} {model.stat().st_size} bytes", "onnx", folder, model, WINDOW
            )
    return list(found.values())


def compare(calibrated: Calibrated, candidates: Sequence[Candidate], threads: int) -> list[dict[str, Any]]:
    """Observed and predicted milliseconds of each artifact at each length."""
    latency = calibrated.calibration.latency_model
    model = latency.for_threads(threads)
    assert model is not None
    sentences = [sentence.words for sentence in load_demo("swa").dev]
    measured = measure_candidates(candidates, sentences, threads, PROTOCOL, zipped=False)
    rows = []
    for candidate in candidates:
        assert candidate.model is not None
        work = count_work(candidate.model)
        for length in LENGTHS:
            bucket = measured[candidate.name].bucket(length)
            found = predict(latency, model, work, bucket.tokens)
            rows.append(
                {
                    "artifact": candidate.name,
                    "threads": threads,
                    "sub_words": round(bucket.tokens, 1),
                    "p50_ms": [round(bucket.total.p50, 3), round(found.p50_ms, 3)],
                    "p95_ms": [round(bucket.total.p95, 3), round(found.p95_ms, 3)],
                    "waiting": bucket.waiting,
                    "unverified": found.unverified,
                }
            )
    return rows


def errors(pairs: Sequence[tuple[float, float]]) -> dict[str, float]:
    """|predicted / observed - 1|: median and 90th percentile."""
    found = [abs(predicted / observed - 1) for observed, predicted in pairs]
    return {"median": round(float(np.median(found)), 4), "p90": round(float(np.quantile(found, 0.9)), 4)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Calibrate, check, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    chosen = parser.parse_args(arguments)
    calibrated = calibrate(run_here(), threads=tuple(chosen.threads))
    candidates = real_artifacts(chosen.folders)
    machine = calibrated.result.machine
    record: dict[str, Any] = {
        "benchmark": "prediction",
        "cpu": machine.cpu,
        "flags": machine.flags,
        "versions": {"python": machine.python, "onnxruntime": machine.onnxruntime},
        "notes": calibrated.notes,
        "goals": GOALS,
        "threads": {},
    }
    for threads in chosen.threads:
        checks = calibrated.checks[threads]
        sys.stdout.write(f"\nleft out, {threads} thread(s), on {machine.cpu}: observed, predicted p50 ms\n")
        for check in checks:
            values = f"{check.observed_p50:9.3f} {check.predicted_p50:9.3f} {check.p50_error:+8.1%}"
            sys.stdout.write(f"{check.artifact:16} {check.length:4} {values}\n")
        rows = compare(calibrated, candidates, threads) if candidates else []
        sys.stdout.write(f"\nreal artifacts, {threads} thread(s): observed, predicted p50 and p95 ms\n")
        for row in rows:
            p50, p95 = (
                f"{one:9.3f} {other:9.3f} {other / one - 1:+8.1%}" for one, other in (row["p50_ms"], row["p95_ms"])
            )
            sys.stdout.write(f"{row['artifact']:40} {row['sub_words']:6} {p50}  {p95}  {row['unverified'] or ''}\n")
        inside = [row for row in rows if not row["unverified"]]
        record["threads"][threads] = {
            "left_out": {
                "p50": errors([(check.observed_p50, check.predicted_p50) for check in checks]),
                "p95": errors([(check.observed_p95, check.predicted_p95) for check in checks]),
                "artifacts": len({check.artifact for check in checks}),
            },
            "real": {key: errors([row[f"{key}_ms"] for row in inside]) for key in ("p50", "p95")} if inside else None,
            "rows": rows,
        }
    sys.stdout.write(json.dumps(record) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
