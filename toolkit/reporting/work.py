"""What was done: each stage's effect, the trimmed vocabulary, pruning, and every candidate with its reason."""

from __future__ import annotations

from typing import Any

from toolkit.console import duration
from toolkit.record import RunRecord, StageRecord
from toolkit.reporting import text
from toolkit.reporting.blocks import Block, Figure, Folded, Items, Row, Section, Table, Text, row
from toolkit.reporting.charts import Step, stage_chart
from toolkit.reporting.facts import measured, speedup, tone

# Stages beside the line, by the start of their name -> how charts draw them; the first that fits.
_ASIDE = {"gold-only, teacher": "gold-only-started", "gold-only": "gold-only", "reference": "reference"}


def stages_section(record: RunRecord) -> Section:
    """Size and dev F1 after each stage."""
    chosen = record.selected
    measurement = measured(chosen)
    final = measurement.sizes.model if measurement else chosen.bytes
    steps = [
        Step(stage.name, _style(stage), stage.bytes, stage.dev_f1, aside=_aside(stage))
        for stage in record.stages
        if stage.bytes is not None
    ]
    steps.append(Step(chosen.name, "chosen", final, chosen.dev["f1"]))
    summary = (
        "Size of the model each stage left behind (fp32 until it is exported) and its F1 on the dev split, from the "
        f"teacher to {chosen.name}, which is in the bundle; ÷ against the stage before. Below the line, what it is "
        "compared with."
    )
    table = Table(
        caption="Stages",
        header=("Stage", "What", "Model", "Dev F1", "Change", "Took"),
        align="llrrrr",
        rows=(
            *_stage_rows(record.stages),
            row(
                (chosen.name, "in the bundle", text.size(final), f"{chosen.dev['f1']:.1f}", "", ""),
                "selected",
            ),
        ),
    )
    blocks: list[Block] = [Figure((stage_chart(steps, summary),), table, "below")]
    blocks += [_pruning(stage, record) for stage in record.stages if "account" in stage.report]
    said = [row((stage.name, key, value)) for stage in record.stages for key, value in text.flatten(stage.report)]
    if said:
        reports = Table("What each stage reported", ("Stage", "Figure", "Value"), "llr", tuple(said))
        blocks.append(Folded(reports))
    return Section("stages", "What each stage did", tuple(blocks))


def _aside(stage: StageRecord) -> bool:
    return any(stage.name.startswith(prefix) for prefix in _ASIDE)


def _style(stage: StageRecord) -> str:
    return next((style for prefix, style in _ASIDE.items() if stage.name.startswith(prefix)), "teacher")


def _stage_rows(stages: tuple[StageRecord, ...]) -> list[Row]:
    rows = []
    before: float | None = None
    for stage in stages:
        change = stage.dev_f1 - before if stage.dev_f1 is not None and before is not None else None
        f1 = text.UNKNOWN if stage.dev_f1 is None else f"{stage.dev_f1:.1f}"
        took = duration(stage.seconds) + (", stored" if stage.cached else "")
        aside = _aside(stage)
        shown = "" if aside or change is None else text.signed(change)
        cells = (stage.name, stage.detail, text.size(stage.bytes), f1, shown, took)
        rows.append(row(cells, "quiet" if aside else ""))
        if stage.dev_f1 is not None and not aside:
            before = stage.dev_f1
    return rows


def _pruning(stage: StageRecord, record: RunRecord) -> Table:
    """Zeros alone make nothing smaller or faster, so bytes, memory and latency stand beside the sparsity."""
    account: dict[str, Any] = stage.report["account"]
    measurement = measured(record.selected)
    rows = [
        row(("Weights that are zero, whole model", text.share(account["model"]["sparsity"]))),
        row(("Weights that are zero, transformer layers", text.share(account["encoder"]["sparsity"]))),
        row(("Weights file as it lies", text.size(account["dense_bytes"]))),
        row(("Weights file zipped", text.size(account["zipped_bytes"]))),
    ]
    if measurement:
        rows.append(row((f"Peak memory of {record.selected.name}", text.size(measurement.memory.peak))))
        latency = text.ms(measurement.throughput.latency.p50)
        rows.append(row((f"p50 per sentence of {record.selected.name}", latency)))
    return Table(f"Sparsity after {stage.name}", ("Figure", "Value"), "lr", tuple(rows))


def trim_section(record: RunRecord) -> Section | None:
    """The evidence that the kept vocabulary serves the language."""
    report = record.trim
    if not report:
        return None
    table = Table(
        caption=f"Trimming, on {text.whole(report['words'])} words of held-out text",
        header=("Figure", "Before", "After"),
        align="lrr",
        rows=(
            row(("Pieces (rows of the embedding table)", *_both(report, "pieces", text.whole))),
            row(("Sub-words per word (fertility)", *_both(report, "fertility", lambda v: f"{v:.3f}"))),
            row(("Share of unknown sub-words", *_both(report, "unknown", lambda v: text.share(v, 3)))),
            row(("Sub-words covered by the kept pieces", "", text.share(report["coverage"], 2))),
            row(("Words cut exactly as before", "", text.share(report["identical"], 2))),
        ),
    )
    why = Text("A word whose pieces are all kept is cut exactly as before; the others fall into smaller kept pieces.")
    return Section("trimming", "Trimming the vocabulary", (table, why))


def _both(report: dict[str, Any], name: str, show: Any) -> tuple[str, str]:
    return show(report[f"{name}_before"]), show(report[f"{name}_after"])


def candidates_section(record: RunRecord) -> Section:
    """Everything that was compared, with why it was selected or not."""
    rows = []
    for c in record.candidates:
        m = measured(c)
        cells = (
            c.name,
            f"{c.role}, {c.variant}" if c.variant != c.name else c.role,
            text.size(c.bytes),
            text.size(c.download_bytes),
            text.f1(c.dev),
            text.f1(c.test),
            text.share(c.agreement, 2),
            text.ms(m.throughput.latency.p50) if m else text.UNKNOWN,
            text.times(speedup(m)),
            text.size(m.memory.peak) if m else text.UNKNOWN,
        )
        rows.append(row(cells, tone(c)))
    header = (
        "Artifact", "Role", "On disk", "Download", "Dev F1", "Test F1", "Agreement", "p50", "Speed-up", "Peak memory",
    )  # fmt: skip
    table = Table(
        "Candidates and references; agreement is the share of dev words tagged as by the fp32 model it was made from",
        header, "ll" + "r" * 8, tuple(rows),
    )  # fmt: skip
    # Of a reference nobody asks whether it keeps to the budgets.
    notes = {c.name: c.notes if c.role == "candidate" else () for c in record.candidates}
    reasons = Items(tuple((c.name, " ".join((c.reason, *notes[c.name]))) for c in record.candidates))
    blocks: list[Block] = [Text("Dev decides, test is only reported."), table, reasons]
    said = [row((c.name, key, value)) for c in record.candidates for key, value in text.flatten(c.export)]
    if said:
        exports = Table("What each exporter reported", ("Artifact", "Figure", "Value"), "llr", tuple(said))
        blocks.append(Folded(exports))
    return Section("candidates", "All candidates", tuple(blocks))
