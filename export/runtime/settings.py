"""Threads and prepacking: each combination measured beside the first, and the one to use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .manifest import Setting
from .measurement import Measurement
from .protocol import Progress, Protocol, Subject
from .rounds import measure_subjects

LENGTH = 64  # sub-words: a long sentence, at which device profiles state their latency budget
SWEEP = Protocol(lengths=(LENGTH,), rounds=9, runs=30, seconds=4.0, cold_starts=1)
EVERY_COUNT = 8  # threads up to which every number is tried; beyond it only doublings, and all cores
FASTER = 1.15  # more threads must be so many times faster, for they cost energy and other programs' time
LIGHTER = 0.95  # without prepacking the peak must be at most this part …
SLOWER = 1.25  # … for at most so many times the latency


@dataclass(frozen=True)
class SettingResult:
    """One setting, measured in turns with the first one.

    Attributes:
        p50_ms, p95_ms: of texts of LENGTH sub-words, over `samples` runs.
        ratio: how many times faster than the first setting: median over the rounds; `ratio_low` and `ratio_high`
            are the lowest and the highest round. 1 for the first itself.
        peak, anonymous: bytes in a fresh process after texts of that length; None where not told.
    """

    setting: Setting
    p50_ms: float
    p95_ms: float
    samples: int
    ratio: float
    ratio_low: float
    ratio_high: float
    peak: int | None
    anonymous: int | None


def settings_to_try(cores: int | None, external_data: bool) -> tuple[Setting, ...]:
    """1 to `cores` threads with prepacking, then the same without it where that can save memory.

    Args:
        cores: usable ones; None counts as one.
        external_data: the weights lie in a file of their own, which is memory-mapped. Only then do weights that
            are not re-ordered stay out of the process's own memory.
    """
    most = cores or 1
    doublings = [2**power for power in range(most.bit_length())]
    counts = sorted({*range(1, min(most, EVERY_COUNT) + 1), *doublings, most})
    return tuple(
        Setting(count, packed) for packed in ((True, False) if external_data else (True,)) for count in counts
    )


def sweep_settings(
    subject: Subject,
    sentences: Sequence[Sequence[str]],
    settings: Sequence[Setting],
    protocol: Protocol = SWEEP,
    progress: Progress | None = None,
) -> tuple[SettingResult, ...]:
    """Measure a subject at each setting, in turns with the first one.

    Two processes are alive at a time, so that a device with little memory can hold them.

    Args:
        subject: an ONNX artifact; its own threads and prepacking do not count.
        settings: at least one; what `ratio` compares with comes first.
        protocol: its first length is the one reported.

    Raises:
        UserError: as `measure_subjects`.
    """
    first, *others = settings
    results: list[SettingResult] = []
    for index, setting in enumerate(others or [first]):

        def shared(done: int, total: int, what: str, index: int = index) -> None:
            if progress:
                progress(index * total + done, max(1, len(others)) * total, what)

        pair = [_at(subject, one) for one in dict.fromkeys((first, setting))]
        found = measure_subjects(pair, sentences, protocol=protocol, zipped=False, progress=shared)
        if not results:
            results.append(_result(first, found[pair[0].name], protocol))
        if others:
            results.append(_result(setting, found[pair[1].name], protocol))
    return tuple(results)


def recommend(results: Sequence[SettingResult]) -> Setting:
    """The setting to use.

    The fewest threads, unless more are FASTER times as fast. Prepacking, unless the peak without it is lower by
    LIGHTER or more and the latency higher by SLOWER or less. What a machine does not tell decides nothing.

    Args:
        results: at least one with prepacking.
    """
    best, *more = sorted((found for found in results if found.setting.prepacking), key=lambda r: r.setting.threads)
    for found in more:
        if found.ratio >= FASTER * best.ratio:
            best = found
    bare = next((found for found in results if found.setting == Setting(best.setting.threads, False)), None)
    if bare is None or bare.peak is None or best.peak is None:
        return best.setting
    pays = bare.peak <= LIGHTER * best.peak and best.ratio <= SLOWER * bare.ratio
    return bare.setting if pays else best.setting


def spoken(setting: Setting) -> str:
    """The setting in words, for tables and progress."""
    threads = "1 thread" if setting.threads == 1 else f"{setting.threads} threads"
    return threads if setting.prepacking else f"{threads} without prepacking"


def _at(subject: Subject, setting: Setting) -> Subject:
    options = {**dict(subject.options), "prepacking": setting.prepacking}
    return replace(subject, name=spoken(setting), threads=setting.threads, options=tuple(options.items()))


def _result(setting: Setting, found: Measurement, protocol: Protocol) -> SettingResult:
    total = found.bucket(protocol.lengths[0]).total
    speedup = found.speedups[0] if found.speedups else None
    return SettingResult(
        setting=setting,
        p50_ms=total.p50,
        p95_ms=total.p95,
        samples=total.samples,
        ratio=speedup.median if speedup else 1.0,
        ratio_low=speedup.low if speedup else 1.0,
        ratio_high=speedup.high if speedup else 1.0,
        peak=found.memory.peak,
        anonymous=found.memory.anonymous,
    )
