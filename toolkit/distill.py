"""Distillation: a student that imitates the teacher, and the same shape trained on gold labels alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForTokenClassification, set_seed

from export.runtime.encode import WordEncoder
from export.runtime.errors import UserError
from toolkit.data.labelled import label_ids
from toolkit.data.types import Sentence
from toolkit.features import Example, examples
from toolkit.folders import copy_tokenizer, folder_labels
from toolkit.losses import TaskAgnosticLoss, TaskSpecificLoss, masked_language_model
from toolkit.pruning.importance import ffn_importance, importance_batches
from toolkit.recipe import DistillConfig, StudentConfig, TrainingConfig
from toolkit.signals import Signals
from toolkit.student import StudentReport, build_student
from toolkit.training import TRAINING_LENGTH, fit, gold_loss


@dataclass(frozen=True)
class DistillReport:
    """What was trained and how long.

    Attributes:
        student: shape and what it took over.
        training: steps, loss and seconds; of the imitation phase where there are two.
        fine_tuning: the same for task-agnostic distillation's second phase.
    """

    student: StudentReport
    training: dict[str, Any]
    fine_tuning: dict[str, Any] | None = None


def distill(
    base: Path,
    train: Sequence[Sentence],
    signals: Signals,
    shape: StudentConfig,
    config: DistillConfig,
    seed: int,
    out: Path,
    work: Path,
) -> DistillReport:
    """Train a student on the teacher's signals and the gold labels; writes a model folder to `out`.

    Args:
        base: the tagger whose ids the student shares and whose layers it starts from.
        train: labelled sentences, in the order of the signals' first ones.
        signals: the teacher's word logits (task-specific) or hidden states (task-agnostic).

    Raises:
        UserError: a recipe that leaves the student nothing to learn from, or a shape that cannot be.
    """
    _check(config, signals)
    set_seed(seed)
    teacher = _load(base)
    encoder = WordEncoder.load(base, TRAINING_LENGTH)
    gold = label_ids(folder_labels(base), train)
    labelled = examples(encoder, [sentence.words for sentence in train], gold)
    student, account = _student(teacher, encoder, labelled, shape)
    text = examples(encoder, signals.sentences[signals.labelled :])
    for example in text:
        example["sentence"] += signals.labelled
    _add_projections(student, teacher, config)
    if config.kind == "task-specific":
        mixed = labelled * config.labelled_repeats
        if config.logits:  # all that unlabelled text has to teach
            mixed += text
            _attach(mixed, "teacher_logits", signals)
        loss = TaskSpecificLoss(config, teacher)
        trained = fit(student, mixed, loss, config.training, work / "distill", seed, "Distilling")
        report = DistillReport(account, trained)
    else:
        if config.hidden:
            _attach(text, "teacher_hidden", signals)
        model = masked_language_model(student)
        if hasattr(student, "distill_projections"):
            model.distill_projections = student.distill_projections
        mask_id = encoder.vocab_size - 1
        agnostic = TaskAgnosticLoss(config, mask_id)
        trained = fit(model, text, agnostic, config.training, work / "agnostic", seed, "Distilling the encoder")
        tuned = fit(student, labelled, gold_loss, config.fine_tune, work / "tune", seed, "Fine-tuning the student")
        report = DistillReport(account, trained, tuned)
    _save(student, base, out)
    return report


def train_gold_only(
    base: Path,
    train: Sequence[Sentence],
    shape: StudentConfig,
    config: TrainingConfig,
    seed: int,
    out: Path,
    work: Path,
) -> DistillReport:
    """The baseline of every distilled student: the same shape on the gold labels alone."""
    set_seed(seed)
    teacher = _load(base)
    encoder = WordEncoder.load(base, TRAINING_LENGTH)
    gold = label_ids(folder_labels(base), train)
    labelled = examples(encoder, [sentence.words for sentence in train], gold)
    student, account = _student(teacher, encoder, labelled, shape)
    label = "Gold labels alone" if shape.start == "random" else "Gold labels alone, teacher's start"
    trained = fit(student, labelled, gold_loss, config, work / "gold", seed, label)
    _save(student, base, out)
    return DistillReport(account, trained)


def _check(config: DistillConfig, signals: Signals) -> None:
    if config.kind == "task-agnostic":
        if len(signals.sentences) == signals.labelled:
            raise UserError(
                "Task-agnostic distillation needs unlabelled text, and there is none.",
                "Give CORPUS, and raise [distill] unlabelled_tokens in the recipe above 0.",
            )
    elif not any((config.gold, config.logits, config.hidden, config.attention)):
        raise UserError(
            "The recipe gives every signal the weight 0, so the student would learn nothing.",
            "Raise gold, logits, hidden or attention in [distill].",
        )


def _load(folder: Path) -> Any:
    return AutoModelForTokenClassification.from_pretrained(folder, attn_implementation="eager").eval()


def _student(teacher: Any, encoder: WordEncoder, labelled: Sequence[Example], shape: StudentConfig) -> Any:
    """A student of `shape` and its account; `labelled` says which neurons matter and what text looks like."""
    importance = None
    if shape.start == "teacher" and 0 < shape.ffn < teacher.config.intermediate_size:
        importance = ffn_importance(teacher, importance_batches(labelled, encoder.pad_id))
    text = [torch.from_numpy(example["input_ids"]) for example in labelled]
    return build_student(teacher, shape, encoder.vocab_size, text, importance)


def _attach(features: Sequence[Example], name: str, signals: Signals) -> None:
    """Give each example the teacher's rows for its words."""
    for example in features:
        rows = signals.rows(example)
        if name == "teacher_hidden":
            example[name] = signals.hidden_rows(rows).astype("float16")
        else:
            assert signals.logits is not None
            example[name] = signals.logits[rows]


def _add_projections(student: Any, teacher: Any, config: DistillConfig) -> None:
    """Learned maps from the student's width to the teacher's, one per layer, dropped after training (FitNets,
    Romero et al. 2015)."""
    narrow, wide = student.config.hidden_size, teacher.config.hidden_size
    if config.hidden and narrow != wide:
        layers = range(student.config.num_hidden_layers)
        student.distill_projections = torch.nn.ModuleList(torch.nn.Linear(narrow, wide) for _ in layers)


def _save(student: Any, base: Path, out: Path) -> None:
    if hasattr(student, "distill_projections"):
        del student.distill_projections
    student.save_pretrained(out)
    copy_tokenizer(base, out)
