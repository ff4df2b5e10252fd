"""Minutes of work without a pause: does the machine get slower as it gets warm?"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .conditions import Conditions, read_conditions
from .encode import WordEncoder
from .protocol import Progress, Protocol, Subject
from .rounds import load, texts_of, worker_of
from .settings import LENGTH

MOST_SLICES = 240  # a longer run has longer slices
TEXTS = Protocol(lengths=(LENGTH,))


@dataclass(frozen=True)
class Slice:
    """A few seconds of a sustained run.

    Attributes:
        at_s: when it ended, in seconds from the beginning.
        p50_ms: over `runs` texts.
        temperature_c, throttled: at its end, as `Conditions` has them.
        frequency_mhz: mean over the usable cores at its end.
    """

    at_s: float
    p50_ms: float
    runs: int
    temperature_c: float | None
    frequency_mhz: float | None
    throttled: tuple[str, ...] | None


@dataclass(frozen=True)
class Sustained:
    """The throttling curve.

    Attributes:
        minutes: how long it ran.
        length: sub-words per text.
        slowdown: p50 of the last tenth of the slices / p50 of the first tenth.
    """

    minutes: float
    length: int
    slices: tuple[Slice, ...]
    slowdown: float


def run_sustained(
    subject: Subject,
    sentences: Sequence[Sequence[str]],
    minutes: float,
    slice_seconds: float = 5.0,
    progress: Progress | None = None,
    conditions: Callable[[], Conditions] = read_conditions,
) -> Sustained:
    """Answer texts of LENGTH sub-words for `minutes`, one after the other.

    Args:
        sentences: words of each sentence, to make the texts from.
        slice_seconds: length of a slice, unless that makes more than MOST_SLICES.

    Raises:
        UserError: the worker fails or hangs, or there is no text.
    """
    whole = minutes * 60
    count = min(MOST_SLICES, max(1, round(whole / slice_seconds)))
    texts = texts_of(WordEncoder.load(subject.folder), [words for words in sentences if words], TEXTS)[str(LENGTH)]
    slices: list[Slice] = []
    timeout = TEXTS.timeout
    with worker_of(subject) as worker:
        load(worker, subject, timeout)
        worker.ask("texts", timeout, bucket="sustained", texts=texts)
        began = time.monotonic()
        passed = 0.0
        for index in range(count):
            if progress:
                progress(index, count, "working without a pause")
            seconds = max(0.0, whole * (index + 1) / count - passed)
            request = {"bucket": "sustained", "start": index, "runs": 10**9, "seconds": seconds}
            milliseconds = worker.ask("time", timeout + seconds, **request)["total_ms"]
            passed = time.monotonic() - began
            slices.append(_slice(passed, milliseconds, conditions()))
    return Sustained(passed / 60, LENGTH, tuple(slices), _slowdown(slices))


def _slice(at: float, milliseconds: Sequence[float], now: Conditions) -> Slice:
    clock = statistics.fmean(now.frequency_mhz) if now.frequency_mhz else None
    return Slice(at, statistics.median(milliseconds), len(milliseconds), now.temperature_c, clock, now.throttled)


def _slowdown(slices: Sequence[Slice]) -> float:
    tenth = max(1, len(slices) // 10)
    first, last = (statistics.median(one.p50_ms for one in part) for part in (slices[:tenth], slices[-tenth:]))
    return last / first
