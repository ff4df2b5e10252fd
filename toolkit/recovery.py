"""Pruning with the training that follows it: the step between `prune` and `training`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, set_seed

from export.runtime.encode import WordEncoder
from toolkit.data.labelled import label_ids
from toolkit.data.types import Sentence
from toolkit.features import examples
from toolkit.folders import folder_labels
from toolkit.prune import PruneConfig, prune
from toolkit.pruning.importance import importance_batches
from toolkit.recipe import TrainingConfig
from toolkit.training import TRAINING_LENGTH, fit, gold_loss


def prune_and_recover(
    model: Path,
    train: Sequence[Sentence],
    config: PruneConfig,
    recover: TrainingConfig,
    seed: int,
    out: Path,
    work: Path,
) -> dict[str, Any]:
    """Prune `model` into `out`; structured and before-fine-tuning pruning are followed by training on gold labels.

    Returns:
        PruneReport as JSON, with the training's report under "training" where there was one.
    """
    set_seed(seed)
    encoder = WordEncoder.load(model, TRAINING_LENGTH)
    gold = label_ids(folder_labels(model), train)
    labelled = examples(encoder, [sentence.words for sentence in train], gold)
    trained: dict[str, Any] = {}

    def recovery(pruned: PreTrainedModel) -> PreTrainedModel:
        trained.update(fit(pruned, labelled, gold_loss, recover, work / "recover", seed, "Recovering"))
        return pruned

    batches = importance_batches(labelled, encoder.pad_id)
    report = prune(model, batches, config, out, recovery, seed=seed)
    return {**asdict(report), "training": trained or None}
