"""The result of an emulation as a table and lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.console import duration
from toolkit.emulation.record import CpuResult, EmulationReport, rule

HEADER = (
    "CPU",
    "sentences",
    "equal ids",
    "logits differ by",
    "entity F1",
    "other tags",
    "golden",
    "emulator time",
    "",
)
TIMES = "Times are the emulator's; they say nothing about a device. `make profile` measures one."


def emulation_rows(report: EmulationReport) -> list[tuple[str, ...]]:
    """A row for each emulated CPU, under HEADER."""
    return [_row(cpu) for cpu in report.cpus]


def emulation_lines(report: EmulationReport) -> Iterator[str]:
    """What was compared and how it was judged, then every flip, problem and note."""
    sample = report.sample
    yield f"{len(sample.numbers)} of {sample.of} sentences ({sample.words} words) of {sample.source}."
    yield f"Agreement means for {report.dtype}: {rule(report.dtype)}."
    for cpu in report.cpus:
        yield from (f"{cpu.cpu} ({cpu.stands_for}): {problem}." for problem in cpu.problems)
        for flip in cpu.flips:
            word = f" {flip.word!r}" if flip.word is not None else ""
            where = f"sentence {flip.sentence}, word {flip.index}{word}"
            yield f"{cpu.cpu}: {where}: {flip.native} here, {flip.emulated} there, margin {flip.margin:g}"
        for golden in cpu.golden.flips if cpu.golden else ():
            where = f"golden.jsonl:{golden.line}, word {golden.index} {golden.word!r}"
            yield f"{cpu.cpu}: {where}: {golden.expected} when made, {golden.found} there, margin {golden.margin:g}"
    yield from report.notes
    yield TIMES


def _row(cpu: CpuResult) -> tuple[str, ...]:
    golden, difference = cpu.golden, cpu.largest_logit_difference
    return (
        cpu.cpu,
        str(cpu.sentences),
        str(cpu.same_ids),
        "–" if difference is None else f"{difference:.2g}",
        "–" if cpu.f1 is None else f"{cpu.f1:.2f}",
        str(len(cpu.flips)),
        "–" if golden is None else f"{golden.same_tags}/{golden.words} tags",
        duration(cpu.emulator_seconds),
        "agrees" if cpu.ok else "DISAGREES",
    )
