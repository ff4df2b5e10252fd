"""A run's stages, each a stored step: what it reads, what makes it, what it left behind.

Stage code that needs torch is imported when a stage really runs, so a run that finds everything stored starts
in seconds.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from export.runtime.words import split_words
from export.variants import VARIANTS
from toolkit.console import console
from toolkit.data.sources import Sources, load_labelled, load_unlabelled, teacher_folder
from toolkit.data.types import Corpus, Labelled
from toolkit.device_profile import DeviceProfile
from toolkit.observe import Observer
from toolkit.prediction import TORCH, WINDOW
from toolkit.recipe import Recipe, StudentConfig, TrimConfig
from toolkit.record import StageRecord
from toolkit.store import Artifact, Store, combined_digest, file_digest

SAMPLE_SIZE = 200  # sentences for static int8


class Run:
    """The stages of one run. Each method returns what the stage left, running it only where needed."""

    def __init__(
        self, store: Store, lang: str, sources: Sources, recipe: Recipe, profile: DeviceProfile, seed: int
    ) -> None:
        self.store = store
        self.lang = lang
        self.sources = sources
        self.recipe = recipe
        self.profile = profile
        self.seed = seed
        self.stages: list[StageRecord] = []
        self.teacher_digest = ""
        self.encoder: Artifact | None = None  # the teacher before any fine-tuning

    @property
    def teacher_name(self) -> str:
        """The teacher's hub id or folder name; never a path of this machine."""
        ref = self.sources.teacher
        return Path(ref.value).name if ref.kind == "folder" else ref.value

    @cached_property
    def data(self) -> Labelled:
        """The tagged sentences."""
        return load_labelled(self.sources.data, self.lang)

    @cached_property
    def observer(self) -> Observer:
        """What evaluates and measures what the stages leave."""
        return Observer(self.store, self.data, self.profile)

    @cached_property
    def corpus(self) -> Corpus:
        """The unlabelled text, without any dev or test sentence."""
        return load_unlabelled(self.sources.corpus, self.lang, (*self.data.dev, *self.data.test), self.data.train)

    @cached_property
    def text(self) -> list[list[str]]:
        """Words of the corpus's paragraphs."""
        return [[word.text for word in split_words(paragraph)] for paragraph in self.corpus.paragraphs]

    # The line, from teacher to variants.

    def teacher(self) -> Artifact:
        """The teacher's tagger: converted, and fine-tuned where it has no head."""
        folder = teacher_folder(self.sources.teacher)
        files = {
            path.name: file_digest(path)
            for path in sorted(folder.iterdir())
            if path.name == "config.json" or path.suffix in (".safetensors", ".bin", ".model")
        }

        def convert(out: Path, work: Path) -> dict[str, Any]:
            from toolkit.teacher import read_teacher

            return asdict(read_teacher(folder, out))

        self.teacher_digest = combined_digest(files)
        encoder = self.store.run("convert", None, {"teacher": self.teacher_digest}, convert)
        self.encoder = encoder
        detail = f"{self.teacher_name}, {encoder.report['parameters'] / 1e6:.1f} M parameters"
        if encoder.report["labels"]:
            from toolkit.data.labelled import check_labels

            check_labels(encoder.report["labels"], self.data)
            return self._model("teacher", detail, encoder)

        def fine_tune(out: Path, work: Path) -> dict[str, Any]:
            from toolkit.teacher import fine_tune as train

            return train(encoder.path, self.data, self.recipe.fine_tune, self.seed, out, work)

        inputs = {"encoder": encoder.digest, "data": self.data.digest}
        tuned = self.store.run("teacher", self.recipe.fine_tune, inputs, fine_tune, self.seed)
        return self._model("teacher", f"{detail}, fine-tuned on {self.data.name}", tuned)

    def trim(self, model: Artifact, config: TrimConfig, name: str = "trim") -> Artifact:
        """`model` with the vocabulary of the language."""

        def build(out: Path, work: Path) -> dict[str, Any]:
            from toolkit.trim import trim

            console.note(f"Trimming the vocabulary to {config.pieces:,} pieces.")
            words = [sentence.words for sentence in self.data.train]
            return asdict(trim(model.path, words, self.text, config, out))

        trimmed = self.store.run("trim", config, {"model": model.digest, **self._texts()}, build)
        report = trimmed.report
        detail = f"{report['pieces_after']:,} of {report['pieces_before']:,} pieces"
        return self._model(name, detail, trimmed)

    def distill(self, teacher: Artifact, base: Artifact) -> Artifact:
        """The student, which shares ids with `base` and imitates `teacher`."""
        shape, config = self.recipe.student, self.recipe.distill
        assert shape is not None and config is not None
        hidden = config.kind == "task-agnostic"
        source = self.encoder if hidden and self.encoder else teacher

        def listen(out: Path, work: Path) -> dict[str, Any]:
            from export.runtime.encode import WordEncoder
            from toolkit.signals import sample_unlabelled, write_signals

            encoder = WordEncoder.load(base.path)
            unlabelled = sample_unlabelled(self.text, encoder, config.unlabelled_tokens, self.seed)
            labelled = [sentence.words for sentence in self.data.train]
            return write_signals(source.path, labelled, unlabelled, hidden, out)

        listening = {"hidden": hidden, "tokens": config.unlabelled_tokens}
        models = {"teacher": source.digest, "base": base.digest}
        signals = self.store.run("signals", listening, {**models, **self._texts()}, listen, self.seed)
        said = signals.report
        self._note("signals", f"{said['sentences']:,} sentences, {said['words']:,} words", signals)

        def train(out: Path, work: Path) -> dict[str, Any]:
            from toolkit.distill import distill
            from toolkit.signals import read_signals

            heard = read_signals(signals.path, said["labelled"])
            return asdict(distill(base.path, self.data.train, heard, shape, config, self.seed, out, work))

        inputs = {"base": base.digest, "signals": signals.digest, "data": self.data.digest}
        both = {"student": asdict(shape), "distill": asdict(config)}
        student = self.store.run("distill", both, inputs, train, self.seed)
        return self._model("distill", f"{shape_line(shape)}, {config.kind}", student)

    def gold_only(self, base: Artifact, start: Literal["random", "teacher"]) -> Artifact:
        """The student's shape trained on gold labels alone, from a fresh start or from the teacher's layers."""
        assert self.recipe.student is not None
        shape = replace(self.recipe.student, start=start)
        config = self.recipe.gold_only

        def train(out: Path, work: Path) -> dict[str, Any]:
            from toolkit.distill import train_gold_only

            return asdict(train_gold_only(base.path, self.data.train, shape, config, self.seed, out, work))

        inputs = {"base": base.digest, "data": self.data.digest}
        both = {"student": asdict(shape), "training": asdict(config)}
        model = self.store.run("distill", both, inputs, train, self.seed)
        name = "gold-only" if start == "random" else "gold-only, teacher's start"
        return self._model(name, f"{shape_line(shape)}, no teacher signal", model)

    def prune(self, model: Artifact) -> Artifact:
        """`model` with weights zeroed or parts removed, trained again where the recipe says so."""
        config = self.recipe.prune
        assert config is not None

        def build(out: Path, work: Path) -> dict[str, Any]:
            from toolkit.recovery import prune_and_recover

            return prune_and_recover(model.path, self.data.train, config, self.recipe.recover, self.seed, out, work)

        both = {"prune": asdict(config), "recover": asdict(self.recipe.recover)}
        inputs = {"model": model.digest, "data": self.data.digest}
        return self._model("prune", config.kind, self.store.run("prune", both, inputs, build, self.seed))

    def variant(self, name: str, model: Artifact) -> Artifact:
        """`model` in another format and precision."""
        variant = VARIANTS[name]
        fp32 = self.variant("onnx-fp32", model) if variant.needs_fp32 else None
        external = self.profile.external_data and variant.backend == "onnx"
        inputs = {"model": model.digest}
        if variant.needs_sample:
            inputs["sample"] = self.sample.digest

        def build(out: Path, work: Path) -> dict[str, Any]:
            from export.variants import build_variant

            console.note(f"Exporting {name}.")
            return build_variant(name, model.path, out, fp32.path if fp32 else None, self._quantize_static, external)

        return self.store.run("variant", {"variant": name, "external_data": external}, inputs, build)

    @cached_property
    def sample(self) -> Any:
        """Calibration sentences for static int8, from train."""
        from calibration.sample import calibration_sample

        return calibration_sample(self.data.train, SAMPLE_SIZE, self.seed)

    def _quantize_static(self, fp32: Path, target: Path) -> Any:
        from calibration.static_int8 import calibration_inputs, quantize_static_int8
        from export.runtime.encode import WordEncoder

        encoder = WordEncoder.load(fp32.parents[1], WINDOW)
        inputs = calibration_inputs(encoder, [sentence.words for sentence in self.sample.sentences])
        return quantize_static_int8(fp32, target, inputs)

    def _texts(self) -> dict[str, str]:
        return {"data": self.data.digest, "corpus": self.corpus.digest}

    def _model(self, name: str, detail: str, artifact: Artifact) -> Artifact:
        """Note a stage that left a model, with its size and its dev F1 as it stands."""
        dev = self.observer.predict(TORCH, artifact).scores["dev"]["f1"]
        size = (artifact.path / "model.safetensors").stat().st_size
        self._note(name, detail, artifact, size, dev)
        return artifact

    def _note(
        self, name: str, detail: str, artifact: Artifact, size: int | None = None, dev: float | None = None
    ) -> None:
        known = "stored" if artifact.cached else "done"
        f1 = "" if dev is None else f", dev F1 {dev:.2f}"
        console.note(f"{known}: {name} ({detail}){f1}")
        self.stages.append(StageRecord(name, detail, artifact.seconds, artifact.cached, size, dev, artifact.report))


def shape_line(shape: StudentConfig) -> str:
    """4 layers x 4 heads, hidden 256, feed-forward 512, embedding 128."""
    parts = [f"{shape.layers} layers x {shape.heads} heads"]
    widths = (("hidden", shape.hidden), ("feed-forward", shape.ffn), ("embedding", shape.embedding))
    return ", ".join([*parts, *(f"{name} {value}" for name, value in widths if value)])
