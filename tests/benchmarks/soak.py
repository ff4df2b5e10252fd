"""A tagger that stays, for two hours: does it hold its memory, and does it survive?

    python tests/benchmarks/soak.py --bundle build/swa-cpu-edge

`tagger.py --serve` is sent random texts one after the other: words of the bundle's golden sentences in any
order and number, those sentences whole, random Unicode, and now and then a text of up to 100,000 characters.
Resident memory is read once a second and printed once a minute, as the median of that minute, in all and the
anonymous part. The verdict compares the last five minutes with the first five after two of warm-up, in which
every length is seen; a run of less than twelve minutes is judged by fewer. The last line of output is one
JSON object.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from export.runtime.machine import describe_machine
from export.runtime.memory import read_memory

ROOT = Path(__file__).resolve().parents[2]
GOAL_MB = 2.0  # growth of resident memory
WARM_MINUTES = 2
COMPARED_MINUTES = 5
LONGEST = 100_000  # code points


@dataclass(frozen=True)
class Minute:
    """Resident memory in one minute in MB, and requests answered since the beginning."""

    resident: float
    anonymous: float
    highest: float
    answered: int


def random_texts(golden: Path, seed: int) -> Iterator[str]:
    """Texts without end; the same for the same seed."""
    source = random.Random(seed)
    sentences = [str(json.loads(line)["text"]) for line in golden.read_text("utf-8").splitlines()]
    words = [word for sentence in sentences for word in sentence.split()]
    while True:
        kind = source.random()
        if kind < 0.6:
            yield " ".join(source.choices(words, k=source.randint(1, 80)))
        elif kind < 0.85:
            yield " ".join(source.choices(sentences, k=source.randint(1, 5)))
        elif kind < 0.998:
            highest = source.choice((0x7F, 0x24F, 0x13FF, 0xFFFF, 0x10FFFF))  # ASCII, Latin, to Ethiopic, all
            yield "".join(chr(source.randint(0, highest)) for _ in range(source.randint(0, 300)))
        else:
            size = int(LONGEST ** source.uniform(0.6, 1.0))
            yield " ".join(source.choices(words, k=size // 4))[:size]


class Server:
    """The tagger under test, in a process of its own."""

    def __init__(self, bundle: Path, threads: int, errors: BinaryIO) -> None:
        command = [sys.executable, "-B", "-m", "export.runtime.tagger", "--serve"]
        command += ["--bundle", str(bundle.resolve()), "--threads", str(threads)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=errors)
        self.status = Path(f"/proc/{self.process.pid}/status")

    def answer(self, number: int, text: str) -> dict[str, Any] | None:
        """The answer to one text; None if the process has ended."""
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps({"id": number, "text": text}).encode("ascii") + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        line = self.process.stdout.readline()
        return dict(json.loads(line)) if line else None

    def megabytes(self) -> tuple[float, float]:
        """Resident memory now, in all and anonymous."""
        memory = read_memory(self.status)
        if memory.resident is None or memory.anonymous is None:
            raise SystemExit("This system does not tell what a process holds in memory: there is no /proc.")
        return memory.resident / 1e6, memory.anonymous / 1e6


def soak(server: Server, texts: Iterator[str], minutes: float) -> tuple[list[Minute], str | None]:
    """Ask until the time is over; returns the minutes, and what went wrong."""
    finished: list[Minute] = []
    samples: list[tuple[float, float]] = []
    begun = time.monotonic()
    for number, text in enumerate(texts):
        answer = server.answer(number, text)
        if answer is None:
            return finished, f"ended with exit status {server.process.wait()} at request {number}"
        if answer.get("id") != number or "entities" not in answer:
            return finished, f"request {number} was answered by {json.dumps(answer)[:200]}"
        seconds = time.monotonic() - begun
        if seconds >= len(finished) * 60 + len(samples):
            samples.append(server.megabytes())
        if seconds >= (len(finished) + 1) * 60:
            resident, anonymous = (statistics.median(column) for column in zip(*samples, strict=True))
            finished.append(Minute(resident, anonymous, max(samples)[0], number + 1))
            samples = []
            row = f"minute {len(finished):3}: {resident:6.1f} MB resident, {anonymous:6.1f} MB anonymous"
            sys.stdout.write(f"{row}, highest {finished[-1].highest:6.1f} MB, {number + 1} texts answered\n")
            sys.stdout.flush()
        if seconds >= minutes * 60:
            break
    return finished, None


def megabytes_before_and_after(minutes: Sequence[Minute]) -> dict[str, tuple[float, float]] | None:
    """Resident and anonymous memory after warm-up and at the end; None for a run too short to tell."""
    warm = minutes[WARM_MINUTES:]
    count = min(COMPARED_MINUTES, len(warm) // 2)
    if not count:
        return None
    return {
        name: (
            round(statistics.median(getattr(minute, name) for minute in warm[:count]), 2),
            round(statistics.median(getattr(minute, name) for minute in warm[-count:]), 2),
        )
        for name in ("resident", "anonymous")
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, watch, print; exit code 1 if the tagger failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    golden = chosen.bundle / "golden.jsonl"
    if not golden.is_file():
        parser.error(f"{golden} is missing: give the folder of a bundle")
    with tempfile.TemporaryFile() as errors:
        server = Server(chosen.bundle, chosen.threads, errors)
        texts = random_texts(golden, chosen.seed)
        try:
            finished, failure = soak(server, texts, chosen.minutes)
        finally:
            server.process.terminate()
            code = server.process.wait()
        errors.seek(0)
        said = errors.read().decode("utf-8", "replace").strip()
    failure = failure or (f"exit status {code} after SIGTERM" if code else None)
    failure = f"{failure or 'it wrote to stderr'}: {said[-500:]}" if said else failure
    compared = megabytes_before_and_after(finished)
    growth = None if compared is None else compared["resident"][1] - compared["resident"][0]
    machine = describe_machine()
    record = {
        "benchmark": "soak",
        "bundle": chosen.bundle.name,
        "minutes": len(finished),
        "threads": chosen.threads,
        "seed": chosen.seed,
        "answered": finished[-1].answered if finished else 0,
        "before_and_after_mb": compared,
        "highest_mb": round(max(minute.highest for minute in finished), 1) if finished else None,
        "growth_mb": None if growth is None else round(growth, 2),
        "goal_mb": GOAL_MB,
        "failure": failure,
        "machine": {"cpu": machine.cpu, "cores": machine.cores, "os": machine.os},
        "versions": {"python": machine.python, "onnxruntime": machine.onnxruntime, "tokenizers": machine.tokenizers},
    }
    if failure:
        verdict = f"FAILED: {failure}"
    elif growth is None:
        verdict = f"No crash; too short to judge growth: give {WARM_MINUTES + 2} minutes or more"
    else:
        kept = "kept" if growth <= GOAL_MB else "MISSED"
        verdict = f"No crash; resident memory {growth:+.1f} MB after warm-up, goal of {GOAL_MB:.0f} MB {kept}"
    sys.stdout.write(f"{verdict}\n{json.dumps(record)}\n")
    return 1 if failure else 0


if __name__ == "__main__":
    raise SystemExit(main())
