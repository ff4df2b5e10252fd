"""F1: against size, per type, per language, and whether the confidences are true."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from toolkit.record import CandidateRecord, RunRecord
from toolkit.reporting import text
from toolkit.reporting.blocks import Block, Figure, Row, Section, Table, Text, row
from toolkit.reporting.charts import Dots, Reliability, dot_chart, reliability_chart
from toolkit.reporting.facts import STYLE_OF, TEACHER, data_name, interval, run_key, sentence_p50, style_of, tone
from toolkit.reporting.front import Point, front_chart, worth_drawing


def front_section(record: RunRecord) -> Section:
    """Download size against test F1."""
    points, unzipped = [], []
    for candidate in record.candidates:
        if candidate.download_bytes is None:
            unzipped.append(candidate.name)
        shown = (candidate.download_bytes or candidate.bytes) / 1e6
        points.append(
            Point(candidate.name, style_of(candidate), shown, candidate.test["f1"], interval(candidate.test))
        )
    summary = (
        f"F1 on {data_name(record)}, test split, with 95 % intervals, against megabytes to download. The ringed "
        f"point, {record.selected.name}, is in the bundle; the thick line joins those that none beats in both."
    )
    if unzipped:
        summary += f" At their size on disk, because they are not exported: {', '.join(unzipped)}."
    floor = _floor(record)
    if floor is not None and worth_drawing(floor, points):
        summary += f" The dashed line, {floor:.1f}, is the lowest F1 that the device profile accepts."
    elif floor is not None:
        summary += f" The lowest F1 that the device profile accepts, {floor:.1f}, lies below the chart."
        floor = None
    table = Table(
        caption=f"Size, and F1 on {data_name(record)}",
        header=("Artifact", "Test F1", "Download", "On disk"),
        align="lrrr",
        rows=tuple(
            row((c.name, text.f1(c.test), text.size(c.download_bytes), text.size(c.bytes)), tone(c))
            for c in record.candidates
        ),
    )
    chart = front_chart(points, floor, f"{data_name(record)}, test", summary)
    return Section("front", "Size against F1", (Figure((chart,), table),))


def _floor(record: RunRecord) -> float | None:
    """The teacher's F1 less the largest loss that the device profile accepts."""
    teacher = record.candidate(TEACHER)
    budgets = record.verdict.get("budgets", ())
    limit = next((b["limit"] for b in budgets if b["name"] == "max_f1_loss_relative"), None)
    return None if teacher is None or limit is None else float(teacher.test["f1"] * (1 - limit))


def types_section(record: RunRecord) -> Section:
    """F1 per entity type, and on raw text."""
    chosen, teacher = record.selected, record.candidate(TEACHER)
    compared = {"teacher": teacher, "chosen": chosen}
    types = dict(sorted(chosen.test["per_type"].items()))
    rows = [
        Dots(
            name,
            {
                key: (candidate.test["per_type"][name]["f1"], interval(candidate.test["per_type"][name]))
                for key, candidate in compared.items()
                if candidate and name in candidate.test["per_type"]
            },
        )
        for name in types
    ]
    legend = {"teacher": "teacher (fp32)"} if teacher else {}
    legend["chosen"] = f"{chosen.name}, in the bundle"
    axis = f"F1 on {data_name(record)}, test"
    summary = f"{axis}, per entity type with 95 % intervals: the bundled artifact beside the teacher."
    table = Table(
        caption="F1 per entity type",
        header=("Type", "Entities", "Teacher F1", "Bundled F1", "Precision", "Recall"),
        align="lrrrrr",
        rows=tuple(_type_row(name, value, teacher) for name, value in types.items()),
    )
    blocks: list[Block] = []
    if rows:
        chart = dot_chart("types", rows, legend, axis, "F1 per entity type", summary)
        blocks.append(Figure((chart,), table))
    if record.raw_text.get("f1") is not None:
        change = text.signed(record.raw_text["f1"] - chosen.test["f1"])
        blocks.append(
            Text(
                f"On the same sentences as raw text, split into words by the runtime itself: F1 "
                f"{text.f1(record.raw_text)}, {change} against the annotated words."
            )
        )
    return Section("types", "F1 per entity type", tuple(blocks))


def _type_row(name: str, value: dict[str, Any], teacher: CandidateRecord | None) -> Row:
    teachers = teacher.test["per_type"].get(name) if teacher else None
    return row(
        (
            name,
            text.whole(value["support"]),
            text.f1(teachers, interval=False),
            text.f1(value),
            f"{value['precision']:.1f}",
            f"{value['recall']:.1f}",
        )
    )


# Key of STYLES -> name in the legend, name in the table.
_SERIES = {
    "teacher": ("teacher (fp32)", "Teacher"),
    "gold-only": ("gold labels alone", "Gold alone"),
    "gold-only-started": ("gold labels alone, teacher's start", "Gold alone, teacher's start"),
    "distilled": ("distilled student (fp32)", "Distilled"),
    "chosen": ("in the bundle", "In the bundle"),
}


def languages_section(runs: Sequence[RunRecord], current: RunRecord) -> Section:
    """F1 of every run in the folder: teacher, gold labels alone, distilled, bundled."""
    label = _labeller(runs)
    found = [_by_style(record) for record in runs]
    series = [key for key in _SERIES if any(key in values for values in found)]
    header = ("Run", *(_SERIES[key][1] for key in series), "Download", "p50", "Verdict")
    rows = []
    for record, values in zip(runs, found, strict=True):
        scores = [text.f1(values[key].test, key == "chosen") if key in values else text.UNKNOWN for key in series]
        latency = text.ms(sentence_p50(record.selected))
        outcome = str(record.verdict.get("overall", ""))
        cells = (label(record), *scores, text.size(record.selected.download_bytes), latency, outcome)
        rows.append(row(cells, "selected" if run_key(record) == run_key(current) else ""))
    rows += _mean_rows(runs, found, series)
    table = Table(
        "Test F1 per language, all runs in this folder",
        header,
        "l" + "r" * (len(header) - 2) + "l",
        tuple(rows),
    )
    names = sorted({data_name(record) for record in runs})
    axis = f"test F1 on {names[0]}" if len(names) == 1 else "test F1"
    summary = (
        f"{axis[0].upper()}{axis[1:]} with 95 % intervals for the {len(runs)} runs in this folder: teacher, the "
        "student's shape on gold labels alone, the distilled student and what was bundled."
    )
    if len(runs) == 1:
        return Section("languages", "F1 per language", (table, Text("One run so far; others appear here.")))
    dots = [
        Dots(label(record), {key: (c.test["f1"], interval(c.test)) for key, c in values.items()})
        for record, values in zip(runs, found, strict=True)
    ]
    legend = {key: _SERIES[key][0] for key in series}
    chart = dot_chart("languages", dots, legend, axis, "F1 per language", summary)
    return Section("languages", "F1 per language", (Figure((chart,), table, "below"),))


def _by_style(record: RunRecord) -> dict[str, CandidateRecord]:
    """The artifacts compared across languages; the selected one stands only for itself."""
    named = {STYLE_OF[c.name]: c for c in record.candidates if c.name in STYLE_OF}
    return {**named, "chosen": record.selected}


def _labeller(runs: Sequence[RunRecord]) -> Callable[[RunRecord], str]:
    """A run's language, and whatever else differs between the runs."""

    def parts(record: RunRecord) -> tuple[str, ...]:
        return (record.lang, run_key(record)[2], record.target, data_name(record))

    columns = list(zip(*map(parts, runs), strict=True))
    telling = [number for number, column in enumerate(columns) if number == 0 or len(set(column)) > 1]
    return lambda record: " · ".join(parts(record)[number] for number in telling)


def _mean_rows(
    runs: Sequence[RunRecord], found: Sequence[dict[str, CandidateRecord]], keys: Sequence[str]
) -> list[Row]:
    """A mean for each recipe, target and data with several languages; only over what all of them have."""
    groups: dict[tuple[str, str, str], list[dict[str, CandidateRecord]]] = {}
    for record, values in zip(runs, found, strict=True):
        groups.setdefault((run_key(record)[2], record.target, data_name(record)), []).append(values)
    rows = []
    for (recipe, target, data), members in groups.items():
        if len(members) < 2:
            continue
        means = [
            f"{sum(values[key].test['f1'] for values in members) / len(members):.1f}"
            if all(key in values for values in members)
            else text.UNKNOWN
            for key in keys
        ]
        name = f"Mean of {len(members)}" + (f" ({recipe}, {target}, {data})" if len(groups) > 1 else "")
        rows.append(row((name, *means, "", "", ""), "mean"))
    return rows


def calibration_section(record: RunRecord) -> Section | None:
    """Temperature scaling of confidences (Guo et al. 2017), and the sample that static int8 was calibrated on."""
    blocks: list[Block] = []
    confidence = record.confidence
    if confidence.get("ece_before") is not None:
        curves = [
            Reliability("before", confidence["ece_before"], confidence["reliability_before"]),
            Reliability("after", confidence["ece_after"], confidence["reliability_after"]),
        ]
        summary = (
            f"Predicted entities of the test split in 15 bins of confidence. On the dashed line a "
            "confidence of 80 % is right 80 % of the time; below it the model is too sure. Larger marks hold more "
            f"entities. A temperature of {confidence['temperature']:.2f}, fitted on dev, takes the expected "
            f"calibration error (ECE) from {text.share(confidence['ece_before'])} to "
            f"{text.share(confidence['ece_after'])}."
        )
        blocks.append(Figure((reliability_chart(curves, summary),), _bins_table(confidence)))
    sample = record.calibration_sample
    if sample:
        blocks.append(_sample_table(sample))
    return Section("calibration", "Calibration", tuple(blocks)) if blocks else None


def _bins_table(confidence: dict[str, Any]) -> Table:
    """Both curves bin by bin; a bin that is empty in both is left out."""

    def cells(part: dict[str, Any] | None) -> tuple[str, str]:
        if not part or not part["count"]:
            return ("0", text.UNKNOWN)
        stated, right = (f"{100 * part[key]:.1f}" for key in ("confidence", "accuracy"))
        return (text.whole(part["count"]), f"{stated} / {right}")

    before, after = (
        {bin_["low"]: bin_ for bin_ in confidence[f"reliability_{when}"]} for when in ("before", "after")
    )
    edges = {**before, **after}
    return Table(
        caption="Bins of confidence: entities, and the mean stated confidence beside the share that is right, in %",
        header=("Bin", "Before", "Stated / right", "After", "Stated / right"),
        align="lrrrr",
        rows=tuple(
            row(
                (f"{100 * low:.0f}–{100 * edges[low]['high']:.0f} %", *cells(before.get(low)), *cells(after.get(low)))
            )
            for low in sorted(edges)
            if edges[low]["count"]
        ),
    )


def _sample_table(sample: dict[str, Any]) -> Table:
    """The strata of the static int8 sample; its sentences are never shown, they may be under a licence."""
    strata = sample.get("strata", ())
    caption = (
        f"Sample for static int8, of {text.whole(sample.get('whole'))} training sentences, seed {sample.get('seed')}"
    )
    rows = tuple(row((s["name"], s["kind"], text.whole(s["whole"]), text.whole(s["sampled"]))) for s in strata)
    return Table(caption, ("Stratum", "Kind", "In train", "In the sample"), "llrr", rows)
