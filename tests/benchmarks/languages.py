"""The results table of all recorded runs: `python tests/benchmarks/languages.py build`.

Per language, on test: the fp32 teacher, the student's shape on gold labels alone, the distilled student, the selected
artifact, and the trimmed int8 teacher with its size against the fp32 ONNX file of the untrimmed teacher. The last
line is one JSON object.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from toolkit.record import RunRecord, read_records

COLUMNS = (
    "teacher",
    "gold-only student",
    "gold-only student, teacher's start",
    "distilled student",
    "trimmed int8 teacher",
)


def row(record: RunRecord) -> dict[str, Any]:
    """One run's figures; F1 on test, bytes zipped, milliseconds per sentence."""
    found: dict[str, Any] = {"lang": record.lang, "recipe": record.recipe["name"]}
    for name in COLUMNS:
        candidate = record.candidate(name)
        found[name] = candidate and candidate.test["f1"]
    chosen, teacher = record.selected, record.candidate("teacher")
    found |= {"bundled": chosen.test["f1"], "variant": chosen.name, "bytes": chosen.download_bytes}
    if chosen.measurement:
        found["p50_ms"] = chosen.measurement["throughput"]["latency"]["p50"]
        found["speedup"] = next(s["median"] for s in chosen.measurement["speedups"] if s["length"] is None)
    trimmed = record.candidate("trimmed int8 teacher")
    if trimmed and trimmed.measurement and teacher and teacher.measurement:
        # fp32 weights as safetensors and as ONNX differ by some kilobytes of graph.
        found["trimmed_ratio"] = teacher.measurement["sizes"]["model"] / trimmed.measurement["sizes"]["model"]
    found["seconds"] = sum(stage.seconds for stage in record.stages)
    return found


def main(folder: Path) -> None:
    """Print the table."""
    rows = [row(record) for record in read_records(folder)]
    keys = list(rows[0])
    print("\t".join(keys))
    for line in rows:
        print("\t".join(f"{value:.2f}" if isinstance(value, float) else str(value) for value in line.values()))
    means = {
        key: round(statistics.mean(line[key] for line in rows), 2)
        for key in keys
        if all(isinstance(line[key], (int, float)) for line in rows)
    }
    print(json.dumps({"runs": len(rows), "mean": means}))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "build"))
