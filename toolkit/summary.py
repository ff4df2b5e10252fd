"""The tables that a command ends with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.console import console, megabytes
from toolkit.verdict import BudgetVerdict, amount

if TYPE_CHECKING:
    from toolkit.evaluate import Scores
    from toolkit.pipeline import Outcome


def print_summary(outcome: Outcome) -> None:
    """Size, F1 with interval, latency, memory, verdict per budget, licence and paths of a finished run."""
    record, chosen = outcome.record, outcome.record.selected
    teacher = record.candidate("teacher")
    measured = chosen.measurement or {}
    rows = [
        ("selected", f"{chosen.name}: {chosen.reason}"),
        (
            "size",
            f"{_size(chosen.download_bytes)} zipped (model, tokenizer, labels); "
            f"{megabytes(record.zip_bytes)} the whole bundle",
        ),
        ("F1, test", f"{_f1(chosen.test)} on {record.sources['data']['name']}"),
    ]
    if teacher is not None:
        rows.append(("teacher's F1", _f1(teacher.test)))
    if measured:
        rows += _measured_rows(measured)
    console.table(f"{record.language} for {record.target}, recipe {record.recipe['name']}", ("what", "value"), rows)
    budgets = [_budget_row(budget) for budget in outcome.verdict.budgets]
    console.table("Budgets", ("budget", "observed", "limit", "verdict"), budgets)
    for budget in outcome.verdict.budgets:
        if budget.verdict != "pass":
            console.result(f"  {budget.verdict}: {budget.note}")
    console.result(f"\nverdict  {outcome.verdict.overall}")
    console.result(f"licence  {record.licence}")
    console.result(f"bundle   {outcome.bundle}")
    console.result(f"report   {outcome.report}")


def print_scores(title: str, scores: Scores) -> None:
    """Entity F1, precision and recall, in all and per type."""
    rows = [("all", *_cells(scores.f1, scores.precision, scores.recall), str(scores.support))]
    for name, values in scores.per_type.items():
        rows.append((name, *_cells(values["f1"], values["precision"], values["recall"]), str(values["support"])))
    console.table(title, ("type", "F1", "precision", "recall", "entities"), rows)
    low, high = scores.interval
    console.result(f"95 % interval of F1: {low:.2f} to {high:.2f}")


def _size(count: int | None) -> str:
    """Bytes, where this machine could tell."""
    return "unknown" if count is None else megabytes(count)


def _cells(*values: float) -> tuple[str, ...]:
    return tuple(f"{value:.2f}" for value in values)


def _f1(scores: dict[str, Any]) -> str:
    low, high = scores["interval"]
    return f"{scores['f1']:.2f} ({low:.1f} to {high:.1f})"


def _measured_rows(measured: dict[str, Any]) -> list[tuple[str, str]]:
    """Latency and memory, and how much faster than the fp32 PyTorch teacher in the same run."""
    buckets = ", ".join(
        f"{b['length']}: {b['total']['p50']:.1f} / {b['total']['p95']:.1f}" for b in measured["buckets"]
    )
    ratios = [s["median"] for s in measured["speedups"] if s["length"] is None]
    faster = f"; {ratios[0]:.1f}x the fp32 PyTorch teacher's speed" if ratios else ""
    memory = f"peak {_size(measured['memory']['peak'])}, anonymous {_size(measured['memory']['anonymous'])}"
    return [
        ("latency", f"p50 / p95 ms at sub-words {buckets}, {measured['threads']} thread(s){faster}"),
        ("cold start", f"{1000 * measured['cold_start']['total']:.0f} ms to the first answer"),
        ("memory", memory),
    ]


def _budget_row(budget: BudgetVerdict) -> tuple[str, str, str, str]:
    def shown(value: float | None) -> str:
        if value is None:
            return "unknown"
        return f"{100 * value:.1f} %" if budget.unit.startswith("share") else amount(value, budget.unit)

    return budget.name, shown(budget.observed), shown(budget.limit), budget.verdict
