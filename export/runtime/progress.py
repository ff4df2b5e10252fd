"""Progress of a long measurement: phases of known weight, and lines that say how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TextIO

from .protocol import Progress

CONFIDENCE = 5.0  # seconds of the expected that count like seconds already passed
INTERVAL = 1.0  # seconds between two lines


class Phases:
    """Joins the progress of several phases into one, which counts milliseconds that are expected to take."""

    def __init__(self, seconds: Mapping[str, float], progress: Progress | None) -> None:
        """Take the phases in the order they run.

        Args:
            seconds: how long each will take, roughly.
            progress: told (milliseconds done, milliseconds in all, what comes next).
        """
        self._seconds = seconds
        self._progress = progress

    def phase(self, name: str) -> Progress:
        """The progress of one phase, in whatever steps it counts."""
        names = list(self._seconds)
        before = sum(self._seconds[other] for other in names[: names.index(name)])
        whole = sum(self._seconds.values())

        def progress(done: int, total: int, what: str) -> None:
            if self._progress:
                now = before + self._seconds[name] * min(1.0, done / total if total else 1.0)
                self._progress(round(1000 * now), round(1000 * whole), what)

        return progress


class ProgressLines:
    """Writes 'NN %  what (about 40 s left)', a line for each percent at most and a second apart."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin to count the time.

        Args:
            stream: where the lines go, usually stderr.
        """
        self._stream, self._clock = stream, clock
        self._began = clock()
        self._shown, self._shown_at = -1, float("-inf")

    def __call__(self, done: int, total: int, what: str) -> None:
        """Tell that `done` of `total` expected milliseconds are behind, and what comes next."""
        percent = 100 * done // total if total else 0
        now = self._clock()
        if percent <= self._shown or now - self._shown_at < INTERVAL:
            return
        self._shown, self._shown_at = percent, now
        left = remaining_seconds(now - self._began, done / 1000, total / 1000)
        about = f" (about {spoken_seconds(left)} left)" if left >= 1 else ""
        self._stream.write(f"{percent:3d} %  {what}{about}\n")
        self._stream.flush()


def remaining_seconds(passed: float, done: float, total: float) -> float:
    """How long the rest takes when what is `done` of the expected `total` seconds took `passed` seconds."""
    return max(0.0, total - done) * (passed + CONFIDENCE) / (done + CONFIDENCE)


def spoken_seconds(seconds: float) -> str:
    """40 s, 3 min, 1 h 20 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
