"""Distillation end to end on a tiny teacher: both kinds, both architectures, and the gold-only baseline."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForTokenClassification, TrainerCallback

from export.parity import torch_logits
from export.runtime.encode import WordEncoder, word_logits
from export.runtime.errors import UserError
from toolkit import distill as module
from toolkit import training
from toolkit.data.types import Labelled, Sentence
from toolkit.distill import DistillReport, distill, train_gold_only
from toolkit.recipe import DistillConfig, StudentConfig, TrainingConfig
from toolkit.signals import Signals, read_signals, write_signals

XLM_R = StudentConfig(layers=1, heads=4)
NARROW = StudentConfig(layers=2, heads=2, hidden=16, ffn=24, embedding=8)
TRAINING = TrainingConfig(learning_rate=3e-3, epochs=1, tokens_per_batch=400, bf16=False)
FILES = [
    "config.json",
    "model.safetensors",
    "sentencepiece.bpe.model",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
]


@pytest.fixture(autouse=True)
def fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "has_bf16", lambda: False)


@pytest.fixture(scope="module")
def heard(
    teacher: Path, few: Labelled, paragraphs: list[tuple[str, ...]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Signals]:
    """The teacher's signals for either kind, on 60 labelled and 100 unlabelled sentences."""
    signals = {}
    for kind in ("task-specific", "task-agnostic"):
        out = tmp_path_factory.mktemp(kind)
        labelled = [sentence.words for sentence in few.train]
        report = write_signals(teacher, labelled, paragraphs[:100], kind == "task-agnostic", out)
        signals[kind] = read_signals(out, report["labelled"])
    return signals


def config(kind: str, **changes: Any) -> DistillConfig:
    inner = {"hidden": 0.5, "attention": 0.5} if kind == "task-specific" else {"hidden": 0.5}
    values = {"kind": kind, "labelled_repeats": 2, "training": TRAINING, "fine_tune": TRAINING, **inner}
    return DistillConfig(**{**values, **changes})


def agreement(teacher: Path, student: Path, sentences: Sequence[Sentence]) -> float:
    """Share of words that both give the same tag."""
    tags = []
    for folder in (teacher, student):
        logits = torch_logits(AutoModelForTokenClassification.from_pretrained(folder))
        encoder = WordEncoder.load(folder)
        tags.append([tag for s in sentences for tag in word_logits(logits, encoder, s.words).argmax(1).tolist()])
    return sum(a == b for a, b in zip(*tags, strict=True)) / len(tags[0])


@pytest.mark.parametrize("shape", [XLM_R, NARROW], ids=["xlm-r", "electra"])
@pytest.mark.parametrize("kind", ["task-specific", "task-agnostic"])
def test_a_student_is_a_model_folder_like_its_teachers(
    teacher: Path, few: Labelled, heard: dict[str, Signals], tmp_path: Path, kind: str, shape: StudentConfig
) -> None:
    out = tmp_path / "student"
    report = distill(teacher, few.train, heard[kind], shape, config(kind), 3, out, tmp_path / "work")
    assert isinstance(report, DistillReport)
    assert sorted(file.name for file in out.iterdir()) == FILES
    assert not [name for name in load_file(out / "model.safetensors") if "distill_projections" in name]
    model, loading = AutoModelForTokenClassification.from_pretrained(out, output_loading_info=True)
    assert not any(loading[name] for name in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert report.student.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert model.config.model_type == ("electra" if shape is NARROW else "xlm-roberta")
    assert list(model.config.id2label.values()) == list(few.labels)
    assert report.training["steps"] > 5 and (report.fine_tuning is None) == (kind == "task-specific")
    if kind == "task-specific":
        assert report.training["examples"] == 2 * 60 + 100
    else:
        assert report.training["examples"] == 100 and report.fine_tuning is not None
        assert report.fine_tuning["examples"] == 60
    assert (tmp_path / "work").is_dir()


def test_a_student_learns_to_say_what_its_teacher_says(
    teacher: Path, demo: Labelled, few: Labelled, heard: dict[str, Signals], tmp_path: Path
) -> None:
    longer = TrainingConfig(learning_rate=5e-3, epochs=4, tokens_per_batch=400, bf16=False)
    only_logits = config("task-specific", gold=0.0, hidden=0.0, attention=0.0, training=longer)
    distill(teacher, few.train, heard["task-specific"], XLM_R, only_logits, 3, tmp_path / "s", tmp_path / "w")
    train_gold_only(teacher, few.train, XLM_R, longer, 3, tmp_path / "gold", tmp_path / "w2")
    learnt, gold = (agreement(teacher, tmp_path / name, demo.dev[:60]) for name in ("s", "gold"))
    # The teacher's weights are random: gold labels do not lead to what it says, its logits do.
    assert learnt > 0.7 and gold < learnt - 0.2


def test_the_same_seed_gives_the_same_student(
    teacher: Path, few: Labelled, heard: dict[str, Signals], tmp_path: Path
) -> None:
    for name in ("one", "two"):
        only_gold = config("task-specific", logits=0.0, labelled_repeats=1)
        distill(
            teacher, few.train, heard["task-specific"], NARROW, only_gold, 3, tmp_path / name, tmp_path / f"w{name}"
        )
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert all(torch.equal(first[name], second[name]) for name in first)


class Killed(Exception):
    """Stands in for a kill."""


class Kill(TrainerCallback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == self.step:
            raise Killed


@pytest.mark.parametrize("phase", ["agnostic", "tune"])
def test_a_killed_distillation_goes_on_to_the_same_student(
    teacher: Path,
    few: Labelled,
    heard: dict[str, Signals],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    phase: str,
) -> None:
    """With random masks, projections and tied weights, killed in either phase."""
    arguments = (teacher, few.train, heard["task-agnostic"], NARROW, config("task-agnostic"), 3)
    whole = distill(*arguments, tmp_path / "whole", tmp_path / "work")
    fit = module.fit

    def killed_fit(*args: Any) -> dict[str, Any]:
        return fit(*args, [Kill(5)] if args[4].name == phase else [])

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(module, "fit", killed_fit)
        distill(*arguments, tmp_path / "cut", tmp_path / "cut work")
    again = distill(*arguments, tmp_path / "cut", tmp_path / "cut work")
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert again.training["loss"] == whole.training["loss"]


def test_unlabelled_text_is_left_out_where_logits_do_not_count(
    teacher: Path, few: Labelled, heard: dict[str, Signals], tmp_path: Path
) -> None:
    without = config("task-specific", logits=0.0, hidden=1.0, labelled_repeats=1)
    report = distill(teacher, few.train, heard["task-specific"], XLM_R, without, 3, tmp_path / "s", tmp_path / "w")
    assert report.training["examples"] == 60


def test_narrow_feed_forward_layers_start_from_the_important_neurons(
    teacher: Path, few: Labelled, heard: dict[str, Signals], tmp_path: Path
) -> None:
    shape = StudentConfig(layers=2, heads=2, ffn=24)
    report = distill(
        teacher, few.train, heard["task-specific"], shape, config("task-specific"), 3, tmp_path / "s", tmp_path / "w"
    )
    assert "the 24 most important feed-forward neurons of each" in report.student.taken_over
    assert json.loads((tmp_path / "s" / "config.json").read_text("utf-8"))["intermediate_size"] == 24


@pytest.mark.parametrize("start", ["random", "teacher"])
def test_gold_only_trains_the_same_shape_without_the_teachers_signals(
    teacher: Path, few: Labelled, tmp_path: Path, start: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    shape = StudentConfig(layers=1, heads=2, start=start)
    report = train_gold_only(teacher, few.train, shape, TRAINING, 3, tmp_path / "s", tmp_path / "w")
    assert sorted(file.name for file in (tmp_path / "s").iterdir()) == FILES
    assert report.training["examples"] == 60 and report.fine_tuning is None
    assert bool(report.student.taken_over) == (start == "teacher")
    assert ("teacher's start" in capsys.readouterr().err) == (start == "teacher")


def test_task_agnostic_distillation_without_unlabelled_text_is_refused(
    teacher: Path, few: Labelled, heard: dict[str, Signals], tmp_path: Path
) -> None:
    signals = heard["task-agnostic"]
    bare = Signals(signals.sentences[:60], 60, signals.starts[:60], None, signals.hidden)
    with pytest.raises(UserError, match="needs unlabelled text"):
        distill(teacher, few.train, bare, XLM_R, config("task-agnostic"), 3, tmp_path / "s", tmp_path / "w")


def test_a_recipe_without_any_signal_is_refused(
    teacher: Path, few: Labelled, heard: dict[str, Signals], tmp_path: Path
) -> None:
    nothing = config("task-specific", gold=0.0, logits=0.0, hidden=0.0, attention=0.0)
    with pytest.raises(UserError, match="every signal the weight 0"):
        distill(teacher, few.train, heard["task-specific"], XLM_R, nothing, 3, tmp_path / "s", tmp_path / "w")
