"""Latency, cold start and memory of every artifact that was measured."""

from __future__ import annotations

from export.runtime.measurement import Measurement
from toolkit.record import CandidateRecord, RunRecord
from toolkit.reporting import text
from toolkit.reporting.blocks import Block, Figure, Section, Table, Text, row
from toolkit.reporting.charts import Bar, latency_chart
from toolkit.reporting.facts import machine_line, measured, speedup, style_of, tone

BUSY = 0.05  # share of the time spent waiting that readers should know of
Measured = list[tuple[CandidateRecord, Measurement]]


def latency_section(record: RunRecord) -> Section:
    """p50 and p95 of each artifact by length of text."""
    found = _measured(record)
    if not found:
        return Section("latency", "Latency", (Text("Nothing was measured in this run."),))
    lengths = sorted({bucket.length for _, m in found for bucket in m.buckets})
    charts = []
    for length in lengths:
        bars = [
            Bar(candidate.name, style_of(candidate), bucket.total.p50, bucket.total.p95)
            for candidate, m in found
            for bucket in m.buckets
            if bucket.length == length
        ]
        charts.append(latency_chart(length, bars, found[0][1].basis))
    blocks: list[Block] = [
        Text(_where(found)),
        Figure(tuple(charts), _latency_table(found, lengths), "folded"),
    ]
    if missing := [c.name for c in record.candidates if c.measurement is None]:
        blocks.append(Text(f"Not measured: {', '.join(missing)}."))
    return Section("latency", "Latency", tuple(blocks))


def _measured(record: RunRecord) -> Measured:
    pairs = [(candidate, measured(candidate)) for candidate in record.candidates]
    return [(candidate, m) for candidate, m in pairs if m is not None]


def _where(found: Measured) -> str:
    """Which machine, how many threads, how often."""
    first = found[0][1]
    machines = sorted({f"{m.basis} on {machine_line(m)}" for _, m in found})
    threads = "1 thread" if first.threads == 1 else f"{first.threads} threads"
    runs = sorted({bucket.total.samples for _, m in found for bucket in m.buckets})
    samples = str(runs[0]) if runs[0] == runs[-1] else f"{runs[0]} to {runs[-1]}"
    waiting = max((bucket.waiting or 0.0 for _, m in found for bucket in m.buckets), default=0.0)
    busy = f" Up to {text.share(waiting, 0)} of the time another program had the processor." if waiting > BUSY else ""
    return (
        f"Batch 1, {threads}, words in and one row of logits per word out; {samples} samples each, artifacts in "
        f"turns so that all meet the same noise. {'; '.join(_capital(line) for line in machines)}.{busy}"
    )


def _capital(line: str) -> str:
    return line[:1].upper() + line[1:]


def _latency_table(found: Measured, lengths: list[int]) -> Table:
    rows = []
    for candidate, m in found:
        totals = {bucket.length: bucket.total for bucket in m.buckets}
        cells = [
            f"{text.ms(totals[n].p50, False)} / {text.ms(totals[n].p95, False)}" if n in totals else text.UNKNOWN
            for n in lengths
        ]
        sentence = m.throughput.latency
        whole = f"{text.ms(sentence.p50, False)} / {text.ms(sentence.p95, False)}"
        rows.append(row((candidate.name, *cells, whole, text.times(speedup(m))), tone(candidate)))
    reference = next((m.reference for _, m in found if m.reference), None)
    faster = f"Faster than {reference}" if reference else "Faster"
    header = ("Artifact", *(f"{n} sub-words" for n in lengths), "Sentences", faster)
    return Table(f"Latency, p50 / p95 in ms, {found[0][1].basis}", header, "l" + "r" * (len(header) - 1), tuple(rows))


def measurement_section(record: RunRecord) -> Section | None:
    """Cold start split into its parts, memory, bytes of each file."""
    found = _measured(record)
    if not found:
        return None
    return Section("measurement", "Measured in detail", (_cold_starts(found), _memory(found), _sizes(found)))


def _cold_starts(found: Measured) -> Table:
    rows = []
    for candidate, m in found:
        cold = m.cold_start
        parts = (cold.interpreter, cold.imports, cold.session, cold.tokenizer, cold.first_answer, cold.total)
        cells = (candidate.name, *(text.ms(1000 * part) for part in parts), str(cold.samples))
        rows.append(row(cells, tone(candidate)))
    header = ("Artifact", "Python", "Imports", "Model", "Tokenizer", "First answer", "Total", "Processes")
    caption = "Cold start of a fresh process, files already in the page cache; medians"
    return Table(caption, header, "l" + "r" * 7, tuple(rows))


def _memory(found: Measured) -> Table:
    rows = []
    for candidate, m in found:
        now, before = m.memory, m.memory_imported
        parts = (now.peak, now.anonymous, now.file_backed, before.resident)
        rows.append(row((candidate.name, *(text.size(part) for part in parts), str(m.threads)), tone(candidate)))
    header = ("Artifact", "Peak", "Anonymous", "File-backed", "Imports alone", "Threads")
    return Table("Resident memory (RSS) of a fresh process", header, "l" + "r" * 5, tuple(rows))


def _sizes(found: Measured) -> Table:
    rows = []
    for candidate, m in found:
        parts = (m.sizes.model, m.sizes.tokenizer, m.sizes.labels, m.sizes.total, m.sizes.zipped)
        throughput = m.throughput
        cells = (
            candidate.name,
            *(text.size(part) for part in parts),
            f"{throughput.sentences_per_s:,.0f}",
            f"{throughput.tokens_per_s:,.0f}",
        )
        rows.append(row(cells, tone(candidate)))
    header = ("Artifact", "Model", "Tokenizer", "Labels", "Together", "Zipped", "Sentences/s", "Sub-words/s")
    return Table("Bytes and throughput", header, "l" + "r" * 7, tuple(rows))
