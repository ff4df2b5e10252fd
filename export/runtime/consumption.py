"""Energy per sentence, where the machine has a meter that may be read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from .energy import Meter
from .protocol import Protocol, Subject
from .rounds import SENTENCES, load, worker_of


@dataclass(frozen=True)
class Consumption:
    """Energy of sentences tagged one after another.

    Attributes:
        meter, scope: which meter, and what it sees: always more than the one process.
        seconds: of work that was metered.
        idle_watts: power before, with the model loaded and nothing to do; None if the meter did not tell.
        joules_per_sentence: of all that the meter sees.
        net_joules_per_sentence: the same less idle power; None where idle power is unknown or no lower.
    """

    meter: str
    scope: str
    seconds: float
    sentences: int
    idle_watts: float | None
    joules_per_sentence: float
    net_joules_per_sentence: float | None


def measure_consumption(
    subject: Subject,
    sentences: Sequence[Sequence[str]],
    meter: Meter,
    idle_seconds: float = 2.0,
    seconds: float = 10.0,
    timeout: float = Protocol.timeout,
) -> Consumption | None:
    """Meter `idle_seconds` of rest and `seconds` of tagging; None if the meter tells nothing of the work.

    Raises:
        UserError: the worker fails or hangs.
    """
    with worker_of(subject) as worker:
        load(worker, subject, timeout)
        worker.ask("texts", timeout, bucket=SENTENCES, texts=[list(words) for words in sentences])
        meter.start()
        time.sleep(idle_seconds)
        idle = meter.stop()
        meter.start()
        request = {"bucket": SENTENCES, "start": 0, "runs": 10**9, "seconds": seconds}
        answer = worker.ask("time", timeout + seconds, **request)
        work = meter.stop()
    if work is None:
        return None
    count = len(answer["total_ms"]) + 1  # one goes unrecorded before them
    watts = idle.joules / idle.seconds if idle else None
    gross = work.joules / count
    net = (work.joules - watts * work.seconds) / count if watts is not None else None
    return Consumption(
        meter=work.meter,
        scope=work.scope,
        seconds=work.seconds,
        sentences=count,
        idle_watts=watts,
        joules_per_sentence=gross,
        net_joules_per_sentence=net if net is not None and net > 0 else None,
    )
