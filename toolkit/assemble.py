"""The end of the line: bundle, record and report of a finished run."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from export.bundle import BundleDetails, write_bundle
from export.card import Card, CardScore
from export.manifest import Licence, TestedRuntime, licence_line
from export.runtime.manifest import Setting
from export.text2labels import Parts
from export.variants import VARIANTS
from toolkit import __version__
from toolkit.alternatives import bundle_contents
from toolkit.folders import folder_labels
from toolkit.languages import LANGUAGES
from toolkit.observe import Entry
from toolkit.prediction import TORCH, WINDOW
from toolkit.record import SUFFIX, CandidateRecord, RunRecord, read_records, write_record
from toolkit.report import write_report
from toolkit.request import Request
from toolkit.run import Run
from toolkit.select import Selection
from toolkit.store import Artifact, library_versions
from toolkit.verdict import Verdict

OPEN_LICENCES = ("apache", "mit", "bsd", "cc0", "cc-by-4", "cc by 4", "public domain")


@dataclass(frozen=True)
class Assembled:
    """A run with everything decided."""

    request: Request
    run: Run
    entries: Sequence[Entry]
    setting: Setting
    selection: Selection
    chosen: Entry
    verdict: Verdict


def assemble_bundle(done: Assembled) -> tuple[RunRecord, Path, Path]:
    """Write the bundle and its zip, the run's record and the report; returns record, bundle and page."""
    request, run, chosen = done.request, done.run, done.chosen
    name = f"{run.lang}-{run.profile.name}-{run.recipe.name}"
    out = request.out / name
    shipped, variant = shipped_onnx(run, chosen)
    confidence = run.observer.confidence(variant, shipped)
    labels, temperature = folder_labels(shipped.path), confidence["temperature"]
    model = VARIANTS[variant].model
    parts = Parts(shipped.path, model, labels, (request.lang,), WINDOW, temperature)
    work = request.cache / "work" / f"bundle-{shipped.digest[:16]}"
    contents = bundle_contents(work, chosen, shipped, variant, parts if run.recipe.text2labels else None)
    licences = input_licences(run)
    details = BundleDetails(
        name=f"{run.lang} {run.recipe.name} {VARIANTS[variant].precision}",
        model=model,
        dtype=VARIANTS[variant].precision,
        labels=labels,
        languages=(request.lang,),
        max_length=WINDOW,
        recipe=asdict(run.recipe),
        provenance=provenance(run),
        licences=licences,
        card=replace(model_card(done), extra=contents.rows()),
        temperature=temperature,
        threads=done.setting.threads,
        prepacking=done.setting.prepacking,
        alternatives=contents.alternatives,
        alternative_packages=contents.packages(),
        tested_runtimes=(TestedRuntime("onnxruntime", library_versions(("onnxruntime",))["onnxruntime"]),),
        evidence={
            "measurement": chosen.measurement.to_json() if chosen.measurement else {},
            "verdict": asdict(done.verdict),
            **contents.evidence,
        },
    )
    written = write_bundle(contents.folder, details, out)
    if contents.folder != shipped.path:
        shutil.rmtree(contents.folder)
    record = make_record(done, confidence, licences, out, written.zip_bytes)
    write_record(record, request.out / f"{name}{SUFFIX}")
    page = request.out / f"{name}.report.html"
    write_report(read_records(request.out), record, page, page.with_suffix(".md"))
    return record, out, page


def shipped_onnx(run: Run, chosen: Entry) -> tuple[Artifact, str]:
    """The ONNX model of the bundle: the selected one, or the int8 fallback that lets verify do without torch."""
    if VARIANTS[chosen.variant].backend == "onnx":
        return chosen.artifact, chosen.variant
    assert chosen.model is not None
    return run.variant("onnx-int8", chosen.model), "onnx-int8"


def input_licences(run: Run) -> tuple[Licence, ...]:
    """Teacher, labelled data and text; what is not known to be open is not called commercial."""
    named = [
        (f"teacher {run.teacher_name}", teacher_licence(run)),
        (f"labels of {run.data.name}", run.data.licence),
        (f"text of {run.corpus.name}", run.corpus.licence),
    ]
    return tuple(Licence(what, licence, is_open(licence)) for what, licence in named)


def is_open(licence: str) -> bool:
    """Whether a licence is known to allow commercial use."""
    text = licence.lower()
    return any(text.startswith(known) for known in OPEN_LICENCES)


def teacher_licence(run: Run) -> str:
    """The `license:` line of the teacher's model card."""
    from toolkit.data.sources import teacher_folder

    card = teacher_folder(run.sources.teacher) / "README.md"
    lines = card.read_text("utf-8", errors="replace").splitlines()[:40] if card.is_file() else []
    stated = [line.split(":", 1)[1].strip() for line in lines if line.startswith("license:")]
    return stated[0] if stated else "not stated"


def provenance(run: Run) -> dict[str, Any]:
    """Where the model came from, with digests; a pure function of the inputs."""
    return {
        "teacher": {
            "name": run.teacher_name,
            "source": run.sources.teacher.kind,
            "sha256": run.teacher_digest,
        },
        "data": {"name": run.data.name, "source": run.data.source, "sha256": run.data.digest},
        "corpus": {"name": run.corpus.name, "source": run.corpus.source, "sha256": run.corpus.digest},
        "seed": run.seed,
        "toolkit": __version__,
    }


def model_card(done: Assembled) -> Card:
    """F1 with its interval on dev and test, and the limits that a reader must know."""
    run, chosen = done.run, done.chosen
    teacher = next(entry for entry in done.entries if entry.name == "teacher")
    assert chosen.predictions is not None and teacher.predictions is not None
    scores = []
    for split in ("dev", "test"):
        found = chosen.predictions.scores[split]
        scores.append(
            CardScore(
                data=run.data.name,
                language=run.lang,
                split=split,
                f1=found["f1"],
                low=found["interval"][0],
                high=found["interval"][1],
                entities=found["support"],
                teacher_f1=teacher.predictions.scores[split]["f1"],
            )
        )
    limits = [f"Scores are on {run.data.name}; other text will differ."]
    if run.data.source == "built-in":
        limits.append("Demo text written by the toolkit is far easier than news: these scores are not MasakhaNER's.")
    if not LANGUAGES[run.lang].in_pretraining:
        limits.append(f"AfriBERTa never saw {LANGUAGES[run.lang].name} in pre-training.")
    kinds = ", ".join(sorted({label[2:] for label in run.data.labels if label != "O"}))
    summary = (
        f"Finds named entities ({kinds}) in {LANGUAGES[run.lang].name} text, on a device without torch. "
        f"Made with recipe {run.recipe.name} for {run.profile.name}."
    )
    return Card(summary=summary, scores=tuple(scores), limits=tuple(limits))


def make_record(
    done: Assembled, confidence: dict[str, Any], licences: tuple[Licence, ...], out: Path, zip_bytes: int
) -> RunRecord:
    """Everything the report shows, as one JSON value."""
    run = done.run
    stated = {what: item.licence for what, item in zip(("teacher", "data", "corpus"), licences, strict=True)}
    sources = {
        "teacher": {"name": run.teacher_name, "source": run.sources.teacher.kind, "digest": run.teacher_digest},
        "data": {"name": run.data.name, "source": run.data.source, "digest": run.data.digest},
        "corpus": {"name": run.corpus.name, "source": run.corpus.source, "digest": run.corpus.digest},
    }
    whys = {
        "teacher": run.sources.teacher.why,
        "data": run.sources.data.why,
        "corpus": run.sources.corpus.why,
    }
    trims = [stage.report for stage in run.stages if stage.name == "trim"]
    sampled = any(VARIANTS[entry.variant].needs_sample for entry in done.entries if entry.variant in VARIANTS)
    return RunRecord(
        version=__version__,
        command=done.request.command,
        lang=run.lang,
        language=LANGUAGES[run.lang].name,
        target=run.profile.name,
        target_description=run.profile.description,
        recipe=asdict(run.recipe),
        seed=run.seed,
        sources={name: {**value, "licence": stated[name], "why": whys[name]} for name, value in sources.items()},
        notices=run.sources.notice,
        data_notes=(*run.data.notes, *run.corpus.notes),
        stages=tuple(run.stages),
        candidates=tuple(candidate_records(done)),
        verdict=asdict(done.verdict),
        confidence={key: value for key, value in confidence.items() if key != "raw_text"},
        raw_text=confidence["raw_text"],
        trim=trims[0] if trims else None,
        calibration_sample=sample_account(run) if sampled else None,
        licence=licence_line(licences),
        bundle=str(out),
        zip_bytes=zip_bytes,
    )


def sample_account(run: Run) -> dict[str, Any]:
    """The static int8 sample without its sentences, which are the data's and not ours to pass on."""
    account = asdict(replace(run.sample, sentences=()))
    del account["sentences"]
    return {**account, "size": len(run.sample.sentences)}


def candidate_records(done: Assembled) -> list[CandidateRecord]:
    """All candidates and references in the order of the selection."""
    by_name = {entry.name: entry for entry in done.entries}
    records = []
    for ranked in done.selection.ranked:
        entry = by_name[ranked.name]
        assert entry.predictions is not None
        records.append(
            CandidateRecord(
                name=ranked.name,
                role=ranked.role,
                variant=ranked.variant,
                bytes=ranked.bytes,
                download_bytes=ranked.download_bytes,
                dev=entry.predictions.scores["dev"],
                test=entry.predictions.scores["test"],
                agreement=agreement(done.run, entry),
                measurement=entry.measurement.to_json() if entry.measurement else None,
                export=entry.artifact.report if entry.variant in VARIANTS else {},
                selected=ranked.selected,
                within_budgets=ranked.within_budgets,
                reason=ranked.reason,
                notes=ranked.notes,
            )
        )
    return records


def agreement(run: Run, entry: Entry) -> float | None:
    """Share of dev words tagged as the fp32 torch model of the same weights tags them."""
    if entry.model is None or entry.predictions is None:
        return None
    reference = run.observer.predict(TORCH, entry.model).tags["dev"]
    pairs = zip(reference, entry.predictions.tags["dev"], strict=True)
    same = [a == b for expected, found in pairs for a, b in zip(expected, found, strict=True)]
    return sum(same) / max(1, len(same))
