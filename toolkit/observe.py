"""What is known about an artifact: its tags and scores, its figures on this machine, its confidences.

Stored like the stages of the line, measurements under this machine's fingerprint.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from export.runtime.machine import describe_machine, machine_fingerprint
from export.runtime.manifest import Setting
from export.runtime.measurement import Measurement
from export.runtime.protocol import Protocol
from export.runtime.settings import SWEEP, recommend, settings_to_try, sweep_settings
from export.runtime.sizes import model_files
from export.variants import VARIANTS
from toolkit.console import console
from toolkit.counts import Counts, count_entities
from toolkit.data.types import Labelled
from toolkit.device_profile import DeviceProfile
from toolkit.measure import interleave
from toolkit.prediction import TORCH, WINDOW
from toolkit.select import Candidate
from toolkit.store import Artifact, Store, folder_bytes
from toolkit.verdict import UNKNOWN, Figure, Figures, figures_of


@dataclass(frozen=True)
class Predictions:
    """An artifact's tags on dev and test, and their scores.

    Attributes:
        tags: split -> one list of tags per sentence.
        scores: split -> Scores as JSON.
    """

    tags: dict[str, list[list[str]]]
    scores: dict[str, dict[str, Any]]


@dataclass
class Entry:
    """An artifact on its way through evaluation, measuring and selection.

    Attributes:
        variant: of the device profile, or TORCH for a model folder.
        model: the model folder that a variant was made from; its own for TORCH.
        measured: whether latency and memory are measured; of models that only show a method's F1 they are not.
        setting: what it was measured with.
    """

    name: str
    variant: str
    artifact: Artifact
    role: Literal["candidate", "reference"]
    model: Artifact | None = None
    measured: bool = False
    predictions: Predictions | None = None
    measurement: Measurement | None = None
    setting: Setting | None = None


class Observer:
    """Evaluates and measures artifacts of one data set for one device."""

    def __init__(self, store: Store, data: Labelled, profile: DeviceProfile) -> None:
        self.store = store
        self.data = data
        self.profile = profile

    @cached_property
    def gold(self) -> dict[str, list[list[str]]]:
        """Gold tags of dev and test."""
        return {
            split: [list(sentence.tags) for sentence in sentences]
            for split, sentences in (("dev", self.data.dev), ("test", self.data.test))
        }

    def predict(self, variant: str, artifact: Artifact) -> Predictions:
        """Tags of dev and test by an artifact: a variant, or a model folder as TORCH."""

        def build(out: Path, work: Path) -> dict[str, Any]:
            from toolkit.prediction import predict_splits

            splits = {"dev": self.data.dev, "test": self.data.test}
            tags, scores = predict_splits(variant, artifact, splits)
            (out / "tags.json").write_text(json.dumps(tags), encoding="utf-8")
            return scores

        inputs = {"artifact": artifact.digest, "data": self.data.digest}
        stored = self.store.run("predict", {"variant": variant}, inputs, build)
        tags = json.loads((stored.path / "tags.json").read_text("utf-8"))
        return Predictions(tags, stored.report)

    def counts(self, entry: Entry, split: str) -> Counts:
        """Right, invented and missed entities per sentence."""
        assert entry.predictions is not None
        return count_entities(self.gold[split], entry.predictions.tags[split])

    def figures(self, entry: Entry) -> Figures:
        """What the budgets compare with."""
        if entry.measurement is None:
            return Figures(download_bytes=None)
        figures = figures_of(entry.measurement, self.profile.budgets, self.profile.fingerprint)
        predicted = self._predicted_p95(entry, figures)
        return figures if predicted.value is None else replace(figures, p95_ms=predicted)

    def _predicted_p95(self, entry: Entry, figures: Figures) -> Figure:
        """Latency on a device that is not this machine; UNKNOWN where it is, or where nothing predicts it."""
        here = self.profile.is_here or figures.p95_ms.basis == "measured on the device"
        if here or entry.variant == TORCH or VARIANTS[entry.variant].backend != "onnx":
            return UNKNOWN
        from toolkit.measure.estimate import estimate

        assert entry.measurement is not None and entry.setting is not None
        model = entry.artifact.path / VARIANTS[entry.variant].model
        length = entry.measurement.bucket(self.profile.budgets.p95_length).tokens
        return estimate(self.profile, model, entry.setting.threads, length, entry.setting.prepacking)

    def candidate(self, entry: Entry) -> Candidate:
        """The entry as selection sees it."""
        size = entry.measurement.sizes.total if entry.measurement else folder_bytes(entry.artifact.path)
        return Candidate(entry.name, entry.role, entry.variant, size, self.figures(entry), self.counts(entry, "dev"))

    def setting(self, variant: str, artifact: Artifact) -> Setting:
        """The threads and prepacking to run a variant with, each measured beside the others on this machine.

        On the device itself every number of threads is tried. For another device its profile says how many: only
        whether prepacking pays for its memory is told by the same model on any machine.
        """
        external = len(model_files(artifact.path / VARIANTS[variant].model)) > 1
        if self.profile.this_machine:
            usable = describe_machine().cores or 1
            tried = settings_to_try(min(usable, self.profile.cores), external)
        else:
            packed = (True, False) if external else (True,)
            tried = tuple(Setting(self.profile.threads, prepacking) for prepacking in packed)
        if len(tried) == 1:
            return tried[0]

        def build(out: Path, work: Path) -> dict[str, Any]:
            sentences = [sentence.words for sentence in self.data.dev]
            subject = self._measurable("model", variant, artifact, tried[0]).subject()
            with console.progress("Trying settings", 1) as advance:
                results = sweep_settings(
                    subject, sentences, tried, progress=lambda done, total, what: advance(done / total)
                )
            return {"recommended": asdict(recommend(results)), "settings": [asdict(result) for result in results]}

        config = {
            "machine": machine_fingerprint(),
            "variant": variant,
            "tried": [asdict(setting) for setting in tried],
            "protocol": asdict(SWEEP),
        }
        stored = self.store.run("settings", config, {"artifact": artifact.digest, "data": self.data.digest}, build)
        return Setting(**stored.report["recommended"])

    def measure(self, artifacts: Mapping[str, tuple[str, Artifact]], setting: Setting) -> dict[str, Measurement]:
        """Size, cold start, latency and memory of each, in turns; the first is what ratios refer to.

        Args:
            artifacts: name -> (variant, artifact).
            setting: of every session; PyTorch takes its threads only.
        """
        candidates = [
            self._measurable(name, variant, artifact, setting) for name, (variant, artifact) in artifacts.items()
        ]
        protocol = Protocol()

        def build(out: Path, work: Path) -> dict[str, Any]:
            sentences = [sentence.words for sentence in self.data.dev]
            with console.progress("Measuring", 1) as advance:
                measured = interleave.measure_candidates(
                    candidates,
                    sentences,
                    setting.threads,
                    protocol,
                    progress=lambda done, total, what: advance(done / total),
                )
            return {name: measurement.to_json() for name, measurement in measured.items()}

        config = {
            "machine": machine_fingerprint(),
            "setting": asdict(setting),
            "protocol": asdict(protocol),
            "variants": {name: variant for name, (variant, _) in artifacts.items()},
        }
        inputs = {name: artifact.digest for name, (_, artifact) in artifacts.items()}
        inputs["data"] = self.data.digest
        stored = self.store.run("measure", config, inputs, build)
        return {name: Measurement.from_json(value) for name, value in stored.report.items()}

    def _measurable(self, name: str, variant: str, artifact: Artifact, setting: Setting) -> interleave.Candidate:
        """An artifact as measuring takes it."""
        torch = variant == TORCH
        return interleave.Candidate(
            name,
            "torch" if torch else VARIANTS[variant].backend,
            artifact.path,
            None if torch else artifact.path / VARIANTS[variant].model,
            WINDOW,
            setting.prepacking,
        )

    def confidence(self, variant: str, artifact: Artifact) -> dict[str, Any]:
        """Temperature fitted on dev, calibration error on test, and F1 on raw text."""

        def build(out: Path, work: Path) -> dict[str, Any]:
            from toolkit.prediction import confidence_and_raw_text

            return confidence_and_raw_text(variant, artifact, self.data)

        inputs = {"artifact": artifact.digest, "data": self.data.digest}
        return self.store.run("confidence", {"variant": variant}, inputs, build).report
