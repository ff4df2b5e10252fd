"""The top of the report: what was bundled, for which device, and whether it keeps its promise."""

from __future__ import annotations

from typing import Any

from toolkit.record import RunRecord
from toolkit.reporting import text
from toolkit.reporting.blocks import Headline, KeyFigure, Section, Table, Text, row
from toolkit.reporting.facts import DEMO_SOURCE, TEACHER, data_name, measured, speedup

_BUDGETS = {
    "download_bytes": "Download",
    "peak_rss_bytes": "Peak memory",
    "p95_ms": "p95 latency",
    "cold_start_ms": "Cold start",
    "max_f1_loss_relative": "F1 lost against the teacher",
}
_SHARE = "share of the teacher's F1"


def headline(record: RunRecord) -> Headline:
    """Title, verdict, notices and the handful of numbers that people look for first."""
    recipe = record.recipe.get("name", "")
    chosen = record.selected
    return Headline(
        eyebrow=f"Run report · recipe {recipe} · seed {record.seed} · toolkit {record.version}",
        title=f"{record.language} ({record.lang}) entity tagger for {record.target}",
        lead=f"{record.target_description}. In the bundle: {chosen.name}. {chosen.reason}",
        outcome=str(record.verdict.get("overall", "undecided")),
        notices=notices(record),
        figures=key_figures(record),
    )


def notices(record: RunRecord) -> tuple[str, ...]:
    """The run's own, and on the built-in text what its F1 is worth."""
    if record.sources.get("data", {}).get("source") != DEMO_SOURCE:
        return record.notices
    demo = (
        "Every F1 on this page is on demo text: sentences that the toolkit wrote from templates, far easier than "
        "news. It shows that the chain works, and says nothing about real text."
    )
    return (*record.notices, demo)


def key_figures(record: RunRecord) -> tuple[KeyFigure, ...]:
    """F1, download, latency, memory, licence."""
    chosen, teacher = record.selected, record.candidate(TEACHER)
    measurement = measured(chosen)
    figures = [_f1_figure(record)]
    smaller = ""
    if teacher and teacher.download_bytes and chosen.download_bytes:
        ratio = text.times(teacher.download_bytes / chosen.download_bytes)
        smaller = f"; {ratio} smaller than the teacher's {text.size(teacher.download_bytes)}"
    whole = f"The bundle with runtime and documents: {text.size(record.zip_bytes)}."
    note = f"Model, tokenizer and labels, zipped{smaller}. {whole}"
    figures.append(KeyFigure("Download", text.size(chosen.download_bytes), note))
    if measurement is None:
        figures.append(KeyFigure("Latency", text.UNKNOWN, "Not measured."))
    else:
        threads = "1 thread" if measurement.threads == 1 else f"{measurement.threads} threads"
        note = f"Median (p50) per sentence of real length, {threads}, {measurement.basis}"
        faster = speedup(measurement)
        note += f"; {text.times(faster)} faster than {measurement.reference}." if faster else "."
        figures.append(KeyFigure("Latency", text.ms(measurement.throughput.latency.p50), note))
        memory = measurement.memory
        note = f"Of the whole process, {measurement.basis}; {text.size(memory.anonymous)} of it anonymous at the end."
        figures.append(KeyFigure("Peak memory", text.size(memory.peak), note))
    figures.append(KeyFigure("Licence", record.licence, "Derived from the teacher's, the labels' and the text's."))
    return tuple(figures)


def _f1_figure(record: RunRecord) -> KeyFigure:
    chosen, teacher = record.selected, record.candidate(TEACHER)
    label = f"F1 on {data_name(record)}, test"
    value = text.f1(chosen.test, interval=False)
    bounds = chosen.test.get("interval")
    note = f"95 % interval {bounds[0]:.1f} to {bounds[1]:.1f}, {chosen.test['support']:,} entities" if bounds else ""
    if teacher and teacher.test.get("f1"):
        kept = text.share(chosen.test["f1"] / teacher.test["f1"])
        note += f"; {kept} of the teacher's {text.f1(teacher.test)}"
    return KeyFigure(label, value, f"{note}.")


def verdict_section(record: RunRecord) -> Section:
    """Observed and limit side by side for every budget."""
    budgets = record.verdict.get("budgets", ())
    table = Table(
        caption=f"Budgets of {record.target}",
        header=("Budget", "Verdict", "Observed", "Limit", "Basis", "Note"),
        align="llrrll",
        rows=tuple(_budget_row(budget) for budget in budgets),
    )
    explained = Text(
        "Undecided means that nobody measured or predicted the figure for that device, or that an interval lies on "
        "both sides of the limit. Another machine's latency never stands in."
    )
    return Section("verdict", f"Verdict: {record.verdict.get('overall', 'undecided')}", (table, explained))


def _budget_row(budget: dict[str, Any]) -> Any:
    unit = str(budget["unit"])
    observed = _amount(budget["observed"], unit)
    if budget.get("interval") and budget["observed"] is not None:
        low, high = budget["interval"]
        observed += f" ({_amount(low, unit)} to {_amount(high, unit)})"
    name = _BUDGETS.get(budget["name"], budget["name"])
    limit = _amount(budget["limit"], unit)
    cells = (name, budget["verdict"], observed, limit, budget["basis"], budget["note"])
    return row(cells, budget["verdict"])


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return "not known"
    if unit == "bytes":
        return text.size(value)
    if unit == "ms":
        return text.ms(value)
    return text.share(value) if unit == _SHARE else f"{value:g} {unit}"
