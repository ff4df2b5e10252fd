"""Answers of emulated ARM CPUs. How long an emulator took says nothing about a device, so it is never shown."""

from __future__ import annotations

from export.runtime.answers import Agreement
from toolkit.emulation.record import CpuResult
from toolkit.reporting import text
from toolkit.reporting.blocks import Block, Items, Row, Table, Text, row
from toolkit.reporting.evidence import Emulation

LABEL = "under emulation, says nothing about speed"


def emulation_blocks(emulation: Emulation) -> list[Block]:
    """A row for each CPU, what made them agree or not, and what to know when reading it."""
    sample = emulation.sample
    kind = "" if sample.real_text else ", which are templates and no real text"
    blocks: list[Block] = [
        Text(
            f"The bundle was also run on emulated ARM CPUs ({LABEL}), on {text.whole(sample.sentences)} of "
            f"{text.whole(sample.of)} sentences of {sample.source}{kind}. To pass means: {emulation.rule}."
        ),
        Table(
            caption=f"Answers of ARM CPUs against native ones: {LABEL}",
            header=(
                "CPU", "Stands for", "Ids equal", "Largest logit difference", "Tags changed", "F1 against native",
                "Golden tags", "Verdict",
            ),
            align="llrrrrrl",
            rows=tuple(map(_cpu_row, emulation.cpus)),
        ),
    ]  # fmt: skip
    said = [(cpu.cpu, problem) for cpu in emulation.cpus for problem in cpu.problems]
    said += [("", note) for note in emulation.notes]
    return [*blocks, Items(tuple(said))] if said else blocks


def _cpu_row(found: CpuResult) -> Row:
    difference = found.largest_logit_difference
    return row(
        (
            found.cpu,
            found.stands_for,
            _of(found.same_ids, found.sentences),
            text.UNKNOWN if difference is None else f"{difference:.2g}",
            _of(len(found.flips), found.words),
            text.UNKNOWN if found.f1 is None else f"{found.f1:.2f}",
            _golden(found.golden),
            "pass" if found.ok else "fail",
        )
    )


def _golden(found: Agreement | None) -> str:
    return text.UNKNOWN if found is None else _of(found.same_tags, found.words)


def _of(part: int, whole: int) -> str:
    return f"{text.whole(part)} of {text.whole(whole)}"
