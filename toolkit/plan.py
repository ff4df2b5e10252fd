"""Before work starts: sources, bytes to download, and estimated minutes per stage."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from export.runtime.errors import UserError
from toolkit.console import console, duration, megabytes
from toolkit.data import hub
from toolkit.data.sources import SourceRef, download_bytes, teacher_folder
from toolkit.teacher import read_config

if TYPE_CHECKING:
    from toolkit.run import Run

LONG_MINUTES = 30
PROBE_SECONDS, PROBE_RUNS = 0.2, 20
# Share of the probed float32 speed that training reached on two x86-64 cores with bfloat16: sub-words per second
# times 6 operations per weight (2 without training). Without bfloat16 a run takes about twice as long.
EFFICIENCY = 0.9
WORDS_PER_SENTENCE, SUB_WORDS_PER_WORD = 30, 1.6
# What a config.json may leave out: the defaults of XLM-R.
XLM_R_BASE = {"hidden_size": 768, "num_hidden_layers": 12, "intermediate_size": 3072}
FIXED_SECONDS = 90  # exports, evaluation and measuring of small artifacts


@dataclass(frozen=True)
class Plan:
    """What a run is about to do. Seconds are those of stages that are not stored yet, so an upper bound."""

    sources: tuple[tuple[str, str], ...]
    download: int
    seconds: tuple[tuple[str, float], ...]

    @property
    def total(self) -> float:
        """Seconds of all stages."""
        return sum(value for _, value in self.seconds)

    def show(self) -> None:
        """Print the plan."""
        for name, value in self.sources:
            console.note(f"{name:<8} {value}")
        stages = ", ".join(f"{name} {duration(value)}" for name, value in self.seconds)
        console.note(f"plan     at most {duration(self.total)} here ({stages}); stored stages are skipped")
        if self.download:
            console.note(f"download {megabytes(self.download)}")

    def confirm(self, yes: bool, command: str) -> None:
        """Ask before more than half an hour of work.

        Raises:
            UserError: the answer was no, or there is no terminal to ask on.
        """
        if self.total < 60 * LONG_MINUTES or yes:
            return
        remedy = f"Say YES=1 (or: {command} --yes); TEACHER=builtin DATA=builtin is the quick trial."
        if sys.stdin is None or not sys.stdin.isatty():
            raise UserError(f"This run may take {duration(self.total)}.", remedy)
        console.note("That is long. Go on? [y/N]")
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise UserError("Stopped before any work.", remedy)


def make_plan(run: Run) -> Plan:
    """Estimate a run from the shapes in recipe and teacher and a quick probe of this machine."""
    download = download_bytes(run.sources, run.lang)  # before the shapes below are fetched
    named = (("teacher", run.sources.teacher), ("data", run.sources.data), ("corpus", run.sources.corpus))
    sources = tuple((name, f"{ref.value or ref.kind} ({ref.why})") for name, ref in named)
    flops = probe_flops() * EFFICIENCY
    shape = _shape(_config_folder(run.sources.teacher))
    hidden, layers = shape["hidden_size"], shape["num_hidden_layers"]
    teacher = layers * (4 * hidden**2 + 2 * hidden * shape["intermediate_size"])
    labelled = len(run.data.train) * WORDS_PER_SENTENCE * SUB_WORDS_PER_WORD
    held_out = (len(run.data.dev) + len(run.data.test)) * WORDS_PER_SENTENCE * SUB_WORDS_PER_WORD
    seconds = [("evaluation and measuring", FIXED_SECONDS + 6 * 2 * teacher * held_out / flops)]
    if not any(name.endswith("ForTokenClassification") for name in shape.get("architectures") or ()):
        seconds.append(("fine-tuning", 6 * teacher * labelled * run.recipe.fine_tune.epochs / flops))
    student, distill = run.recipe.student, run.recipe.distill
    if student and distill:
        width = student.hidden or hidden
        weights = student.layers * (4 * width**2 + 2 * width * (student.ffn or shape["intermediate_size"]))
        text = distill.unlabelled_tokens + distill.labelled_repeats * labelled
        seconds.append(("teacher's outputs", 2 * teacher * distill.unlabelled_tokens / flops))
        seconds.append(("distillation", 6 * weights * text * distill.training.epochs / flops))
        seconds.append(("baselines", 2 * 6 * weights * labelled * run.recipe.gold_only.epochs / flops))
    return Plan(sources, download, tuple(seconds))


def _shape(folder: Path) -> dict[str, Any]:
    shape = {**XLM_R_BASE, **read_config(folder)}
    for name in XLM_R_BASE:
        if not isinstance(shape[name], int) or shape[name] < 1:
            raise UserError(f"{folder / 'config.json'}: {name} is {shape[name]!r}.", "Copy or download it again.")
    return shape


def _config_folder(teacher: SourceRef) -> Path:
    """Where the teacher's config.json is: from the hub nothing else is fetched before the plan is agreed to."""
    if teacher.kind != "hub":
        return teacher_folder(teacher)
    repo_id, _, revision = teacher.value.partition("@")
    listing = hub.list_repo(repo_id, "model", (revision or "main",))
    hub.model_files(listing)  # says what is missing
    return hub.download(listing, ("config.json",))[0].parent


def probe_flops() -> float:
    """Operations per second of float32 matrix products on all cores.

    One core is timed on products too small to be shared among threads, which would wait for each other on a busy
    machine; the best of many, since another program's work can only slow a probe down.
    """
    side = np.ones((64, 64), np.float32)
    best = float("inf")
    until = time.perf_counter() + PROBE_SECONDS
    while (started := time.perf_counter()) < until:
        for _ in range(PROBE_RUNS):
            side @ side
        best = min(best, time.perf_counter() - started)
    return PROBE_RUNS * 2 * 64**3 / best * (os.cpu_count() or 1)
