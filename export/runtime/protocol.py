"""What is measured, how often, and how long that will take."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .manifest import Bundle, Setting
from .texts import LENGTHS

MEMORY_TEXTS = 10  # of each length, before memory is read
TYPICAL_SENTENCE = 32  # sub-words, to foresee how long sentences will take
Progress = Callable[[int, int, str], None]
"""Called with (steps done, steps in all, what comes next)."""


@dataclass(frozen=True)
class Cost:
    """What an artifact roughly costs on this machine, in seconds.

    Attributes:
        start: from starting a process to a model that can answer.
        sub_word: per sub-word of text.
    """

    start: float
    sub_word: float


@dataclass(frozen=True)
class Protocol:
    """How long and how often to measure. The default takes about 40 s for five small artifacts.

    Attributes:
        lengths: sub-words per text, with <s> and </s>.
        rounds: turns each artifact gets at each length.
        runs: recorded runs of one turn, each on its own text.
        seconds: what the turns of one artifact at one length may take together; they get shorter, not fewer.
        warm_runs, warm_seconds: both are reached before the first recorded run.
        cold_starts: fresh processes per artifact, at least one …
        cold_seconds: … and no further one after this many seconds.
        timeout: seconds without an answer after which a process is given up, beyond what a turn may take.
    """

    lengths: tuple[int, ...] = LENGTHS
    rounds: int = 5
    runs: int = 20
    seconds: float = 2.0
    warm_runs: int = 5
    warm_seconds: float = 0.2
    cold_starts: int = 5
    cold_seconds: float = 5.0
    timeout: float = 120.0

    def tenth(self) -> Protocol:
        """The same with a tenth of all runs and seconds, at least one run of each kind."""
        return replace(
            self,
            runs=max(1, self.runs // 10),
            seconds=self.seconds / 10,
            warm_runs=max(1, self.warm_runs // 10),
            warm_seconds=self.warm_seconds / 10,
            cold_starts=max(1, self.cold_starts // 10),
            cold_seconds=self.cold_seconds / 10,
        )

    def expected_seconds(self, cost: Cost) -> float:
        """About how long this takes for one artifact of this cost."""
        lengths = (*self.lengths, TYPICAL_SENTENCE)
        timed = sum(min(self.seconds, self.rounds * self.runs * length * cost.sub_word) for length in lengths)
        warm = self.warm_runs * max(self.lengths) * cost.sub_word + self.warm_seconds
        cold = min(self.cold_starts, math.ceil(self.cold_seconds / cost.start)) * cost.start
        return cost.start + warm + timed + max(cold, cost.start) + MEMORY_TEXTS * sum(lengths) * cost.sub_word


@dataclass(frozen=True)
class Subject:
    """One artifact and the module that answers for it.

    Attributes:
        folder: holds tokenizer.json and config.json.
        model: the model file, or the folder of its weights.
        worker: module to start, speaking the protocol of worker.py.
        options: further fields of the `load` request.
        threads: of the model; None takes what all those measured together have.
    """

    name: str
    backend: str
    folder: Path
    model: Path
    worker: str
    options: tuple[tuple[str, Any], ...] = ()
    threads: int | None = None


def bundle_subject(bundle: Bundle, setting: Setting) -> Subject:
    """A bundle at a setting, as something to measure."""
    options = (("prepacking", setting.prepacking), ("max_length", bundle.max_length))
    worker = f"{__package__}.worker"
    return Subject(bundle.name, "onnx", bundle.folder, bundle.model, worker, options, setting.threads)


class Steps:
    """Counts towards a known total for a progress bar."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        """Count to `total`, telling `progress` if there is one."""
        self._total, self._progress, self._done = total, progress, 0

    def next(self, what: str) -> None:
        """Tell what comes next."""
        if self._progress:
            self._progress(self._done, self._total, what)
        self._done += 1
