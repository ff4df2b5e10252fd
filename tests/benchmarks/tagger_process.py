"""What a tagger's process costs: peak and anonymous memory, and the time from its start to the first answer.

    python tests/benchmarks/tagger_process.py build/swa-rpi4-edge

Starts the bundle's own `runtime/tagger.py --serve` as a user would, with this Python, asks for one text after the
other and reads its memory after the first, after fifty short ones, and after a text of 128 sub-words. Time is that
of the fastest of several starts: another program's work can only add to it. The last line of output is one JSON
object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from export.runtime.machine import describe_machine
from export.runtime.memory import Memory, read_memory

# An `edge` bundle's; megabytes of 10^6 bytes, milliseconds.
GOALS = {"peak_mb": 70.0, "anonymous_mb": 40.0, "cold_start_ms": 400.0}
LONG_WORDS = 60  # some 128 sub-words


def run(bundle: Path, texts: Sequence[str]) -> tuple[float, Memory]:
    """One process from start to end: seconds to the first answer, and its memory after the last."""
    command = [sys.executable, "-B", str(bundle / "runtime" / "tagger.py"), "--serve"]
    started = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        first = 0.0
        for text in texts:
            process.stdin.write(json.dumps({"text": text}).encode("ascii") + b"\n")
            process.stdin.flush()
            answer: dict[str, Any] = json.loads(process.stdout.readline())
            first = first or time.perf_counter() - started
            if "entities" not in answer:
                raise SystemExit(f"The tagger answered {answer}.")
        memory = read_memory(Path(f"/proc/{process.pid}/status"))
        process.stdin.close()
    return first, memory


def megabytes(size: int | None) -> float | None:
    """Of 10^6 bytes."""
    return None if size is None else round(size / 1e6, 1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--starts", type=int, default=10, help="default: 10")
    chosen = parser.parse_args(arguments)
    golden = (chosen.bundle / "golden.jsonl").read_text("utf-8").splitlines()
    texts = [str(json.loads(line)["text"]) for line in golden if len(line) < 3000]
    long = " ".join(" ".join(texts).split()[:LONG_WORDS])
    starts = [run(chosen.bundle, texts[:1])[0] for _ in range(chosen.starts)]
    stages = {
        "one text": texts[:1],
        "fifty texts": [texts[index % len(texts)] for index in range(50)],
        "and a long one": [*(texts[index % len(texts)] for index in range(50)), long],
    }
    memory = {name: run(chosen.bundle, asked)[1] for name, asked in stages.items()}
    last = memory["and a long one"]
    reached = {
        "peak_mb": megabytes(last.peak),
        "anonymous_mb": megabytes(last.anonymous),
        "cold_start_ms": round(1000 * min(starts)),
    }
    for name, found in memory.items():
        parts = ((field, megabytes(getattr(found, field))) for field in ("peak", "anonymous", "file_backed"))
        sys.stdout.write(f"{name}: {', '.join(f'{field} {size} MB' for field, size in parts)}\n")
    spread = f"{1000 * min(starts):.0f} ms at best, {1000 * statistics.median(starts):.0f} ms in the middle"
    sys.stdout.write(f"first answer: {spread} of {len(starts)} starts\n")
    for name, goal in GOALS.items():
        sys.stdout.write(f"{name}: {reached[name]}, goal {goal:g}\n")
    machine = describe_machine()
    record = {
        "benchmark": "tagger_process",
        "bundle": chosen.bundle.name,
        "goals": {name: {"goal": goal, "reached": reached[name]} for name, goal in GOALS.items()},
        "machine": {"cpu": machine.cpu, "os": machine.os, "python": machine.python},
        "onnxruntime": machine.onnxruntime,
    }
    sys.stdout.write(json.dumps(record) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
