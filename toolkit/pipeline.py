"""The line: teacher -> distill -> prune -> trim -> variants -> measure -> select -> bundle."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from export.runtime.errors import UserError
from export.runtime.manifest import Setting
from export.text2labels import require_extensions
from export.variants import VARIANTS, can_build
from toolkit.assemble import Assembled, assemble_bundle
from toolkit.console import console
from toolkit.data.sources import resolve
from toolkit.device_profile import DeviceProfile, load_device_profile
from toolkit.languages import language
from toolkit.observe import Entry
from toolkit.plan import make_plan
from toolkit.prediction import TORCH
from toolkit.recipe import Recipe, TrimConfig, load_recipe
from toolkit.record import RunRecord
from toolkit.request import Request
from toolkit.run import Run
from toolkit.select import Selection, select
from toolkit.store import Artifact, Store
from toolkit.verdict import Verdict, verdict

REFERENCE_TRIM = TrimConfig(pieces=8850)  # of the int8 teacher that every run is compared with


@dataclass(frozen=True)
class Outcome:
    """What a run came to."""

    record: RunRecord
    verdict: Verdict
    bundle: Path
    report: Path


def make_bundle(request: Request) -> Outcome:
    """Run the line and write bundle, record and report below `request.out`.

    Raises:
        UserError: bad input of any kind; what was finished stays stored.
    """
    language(request.lang)
    profile, recipe = load_device_profile(request.target), load_recipe(request.recipe)
    if recipe.text2labels:
        require_extensions()
    sources = resolve(request.teacher, request.data, request.corpus, os.environ, request.lang)
    for line in sources.notice:
        console.warn(line)
    store = Store(request.cache)
    run = Run(store, request.lang, sources, recipe, profile, request.seed)
    plan = make_plan(run)
    plan.show()
    if plan.download:
        plan.confirm(request.yes, request.command)
    else:  # a run that finds everything stored has nothing to ask
        store.before_work = partial(plan.confirm, request.yes, request.command)

    teacher = run.teacher()
    small, references = compress(run, recipe, teacher)
    entries = candidates(run, profile, small) + references
    setting = setting_for(run, entries)
    selection, chosen = measure_and_select(run, profile, entries, setting)
    judged = judge(run, profile, chosen, entries)
    done = Assembled(request, run, entries, setting, selection, chosen, judged)
    record, bundle, report = assemble_bundle(done)
    return Outcome(record, judged, bundle, report)


def compress(run: Run, recipe: Recipe, teacher: Artifact) -> tuple[Artifact, list[Entry]]:
    """The model the recipe makes of the teacher, and the models it is compared with."""
    references = [Entry("teacher", TORCH, teacher, "reference", measured=True)]
    trim = recipe.trim
    base = run.trim(teacher, trim) if trim and trim.when == "first" else teacher
    if recipe.student:
        small = run.distill(teacher, base)
        references.append(Entry("distilled student", TORCH, small, "reference"))
        alone = run.gold_only(base, "random")
        same_start = run.gold_only(base, "teacher")
        references.append(Entry("gold-only student", TORCH, alone, "reference"))
        references.append(Entry("gold-only student, teacher's start", TORCH, same_start, "reference"))
    else:
        small = base
    if recipe.prune:
        small = run.prune(small)
    if trim and trim.when == "last":
        small = run.trim(small, trim)
    trimmed = run.trim(teacher, REFERENCE_TRIM, "reference trim")
    if trimmed.digest != small.digest:
        int8 = run.variant("onnx-int8", trimmed)
        references.append(Entry("trimmed int8 teacher", "onnx-int8", int8, "reference", trimmed, measured=True))
    return small, references


def candidates(run: Run, profile: DeviceProfile, small: Artifact) -> list[Entry]:
    """The small model in each variant that the device profile asks for and this machine can make."""
    found = []
    for name in profile.variants:
        problem = can_build(name)
        if problem:
            console.warn(f"{name} is left out: {problem}")
            continue
        found.append(Entry(name, name, run.variant(name, small), "candidate", small, measured=True))
    if not found:
        raise UserError(
            f"This machine can make none of the variants of {profile.name}: {', '.join(profile.variants)}.",
            "Choose another TARGET.",
        )
    return found


def setting_for(run: Run, entries: Sequence[Entry]) -> Setting:
    """The session setting of the bundle and of all measurements: the best for the first ONNX candidate."""
    for entry in entries:
        if entry.role == "candidate" and VARIANTS[entry.variant].backend == "onnx":
            return run.observer.setting(entry.variant, entry.artifact)
    return Setting(run.profile.threads, prepacking=True)


def measure_and_select(
    run: Run, profile: DeviceProfile, entries: Sequence[Entry], setting: Setting
) -> tuple[Selection, Entry]:
    """Evaluate and measure all entries; dev decides which one becomes the bundle."""
    for entry in entries:
        entry.predictions = run.observer.predict(entry.variant, entry.artifact)
    measured = [entry for entry in entries if entry.measured]
    measured.sort(key=lambda entry: entry.name != "teacher")  # the fp32 teacher is what ratios refer to
    artifacts = {entry.name: (entry.variant, entry.artifact) for entry in measured}
    results = run.observer.measure(artifacts, setting)
    for entry in measured:
        entry.measurement, entry.setting = results[entry.name], setting
    selection = select([run.observer.candidate(entry) for entry in entries], profile)
    return selection, next(entry for entry in entries if entry.name == selection.selected)


def judge(run: Run, profile: DeviceProfile, chosen: Entry, entries: Sequence[Entry]) -> Verdict:
    """The verdict on the selected artifact, on test, against the fp32 teacher."""
    observer = run.observer
    teacher = observer.counts(next(entry for entry in entries if entry.name == "teacher"), "test")
    return verdict(observer.counts(chosen, "test"), teacher, observer.figures(chosen), profile)
