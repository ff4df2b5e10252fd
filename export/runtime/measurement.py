"""The record of one measured artifact: dataclasses, their statistics and their JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import UserError
from .machine import Machine
from .memory import Memory
from .records import from_plain, to_plain

SCHEMA = 1
MEASURED_HERE = "measured here"


@dataclass(frozen=True)
class Summary:
    """Milliseconds of repeated runs; percentiles interpolate linearly between the two nearest samples."""

    p50: float
    p90: float
    p95: float
    p99: float
    minimum: float
    mean: float
    samples: int


@dataclass(frozen=True)
class Bucket:
    """Latency at one length of text.

    Attributes:
        length: sub-words per text with <s> and </s>, counted by the reference candidate's tokenizer.
        tokens: mean sub-words (with <s> and </s>) this candidate's own tokenizer makes of the same texts.
        total: words in, one row of logits per word out.
        inference: the forward passes alone.
        tokenization: everything but the forward passes: sub-words, windows, picking each word's row.
        tokens_per_s: sub-words of this candidate per second of `total`.
        waiting: share of `total` in which another program had the processor; None with more than one thread
            or where the machine does not tell.
    """

    length: int
    tokens: float
    total: Summary
    inference: Summary
    tokenization: Summary
    tokens_per_s: float
    waiting: float | None = None


@dataclass(frozen=True)
class Throughput:
    """Sentences as they are, one after another, batch 1; `latency` is that of a sentence."""

    latency: Summary
    sentences_per_s: float
    tokens_per_s: float


@dataclass(frozen=True)
class ColdStart:
    """Seconds from starting a fresh process to its first answer; medians over `samples` processes.

    The files are in the page cache, so this is the cost of the program, not of the disk.

    Attributes:
        interpreter: Python itself, until the worker reads its first request.
        imports: numpy, onnxruntime and tokenizers (or torch and transformers).
        session: reading the model and preparing it to run.
        tokenizer: reading tokenizer.json.
        first_answer: the first sentence.
        total: all of it, by the clock of the process that waits for the answer.
    """

    interpreter: float
    imports: float
    session: float
    tokenizer: float
    first_answer: float
    total: float
    samples: int

    @property
    def load(self) -> float:
        """Seconds from imported packages to a model that can answer."""
        return self.session + self.tokenizer


@dataclass(frozen=True)
class Sizes:
    """Bytes of an artifact: model, tokenizer and labels, without runtime and documents.

    `zipped` is what the three take in a zip (deflate); None where it was not asked for.
    """

    model: int
    tokenizer: int
    labels: int
    zipped: int | None

    @property
    def total(self) -> int:
        """Bytes on disk."""
        return self.model + self.tokenizer + self.labels


@dataclass(frozen=True)
class Speedup:
    """How many times faster than the reference on the same texts: median, lowest and highest round.

    `length` is None for the sentences as they are. With one thread it is processor time that is compared, so
    that a busy machine does not favour whoever needs less of it; with more, the time on the clock.
    """

    length: int | None
    median: float
    low: float
    high: float
    rounds: int


@dataclass(frozen=True)
class Measurement:
    """Everything measured of one artifact in a process of its own.

    Attributes:
        backend: what ran it: onnx, torch, torchscript or bnb.
        basis: where the numbers come from; "measured here" is this machine.
        model_sha256: digest of the model file(s), which ties the record to the artifact.
        packages: versions of what the backend needs beyond the machine's three (torch, transformers, …).
        memory: in a fresh process after texts of every length.
        memory_imported: after the imports and before the model, which is what any model would cost here.
        reference: the candidate that `speedups` compare with; None when measured alone.
    """

    name: str
    backend: str
    basis: str
    model_sha256: str
    measured_at: str
    threads: int
    machine: Machine
    packages: tuple[tuple[str, str], ...]
    sizes: Sizes
    cold_start: ColdStart
    buckets: tuple[Bucket, ...]
    throughput: Throughput
    memory: Memory
    memory_imported: Memory
    reference: str | None
    speedups: tuple[Speedup, ...]

    def bucket(self, length: int) -> Bucket:
        """The latency at one of the measured lengths."""
        return next(bucket for bucket in self.buckets if bucket.length == length)

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists, numbers, strings and None; `from_json` gives an equal Measurement back."""
        return {"schema": SCHEMA, **to_plain(self)}

    @classmethod
    def from_json(cls, data: Any) -> Measurement:
        """Read what `to_json` wrote.

        Raises:
            UserError: another schema, a missing or unknown key, or a value of the wrong type.
        """
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            found = data.get("schema") if isinstance(data, dict) else type(data).__name__
            raise UserError(f"This is not a measurement of schema {SCHEMA}: found {found!r}.", "Measure again.")
        return from_plain(cls, {key: value for key, value in data.items() if key != "schema"}, "measurement")


def summarize(milliseconds: Sequence[float]) -> Summary:
    """Percentiles, minimum and mean of at least one sample.

    Raises:
        ValueError: no samples.
    """
    if not len(milliseconds):
        raise ValueError("no samples to summarize")
    p50, p90, p95, p99 = (float(value) for value in np.percentile(milliseconds, (50, 90, 95, 99)))
    return Summary(p50, p90, p95, p99, float(min(milliseconds)), float(np.mean(milliseconds)), len(milliseconds))
