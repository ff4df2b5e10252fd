"""Pruning and the training after it, on a model folder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForTokenClassification

from toolkit import training
from toolkit.data.types import Labelled
from toolkit.prune import PruneConfig
from toolkit.pruning.encoder import encoder_layers
from toolkit.recipe import TrainingConfig
from toolkit.recovery import prune_and_recover

RECOVER = TrainingConfig(learning_rate=2e-3, epochs=2, tokens_per_batch=600, bf16=False)


@pytest.fixture(autouse=True)
def fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "has_bf16", lambda: False)


@pytest.mark.parametrize("architecture", ["xlm-r", "electra"])
def test_structured_pruning_is_followed_by_training_on_gold_labels(
    teacher: Path, electra: Path, few: Labelled, tmp_path: Path, architecture: str
) -> None:
    source = teacher if architecture == "xlm-r" else electra
    config = PruneConfig("structured", heads=3, ffn=20)
    report = prune_and_recover(source, few.train, config, RECOVER, 5, tmp_path / "out", tmp_path / "work")
    assert report["recovered"] and report["training"]["examples"] == 60 and report["training"]["steps"] > 4
    assert report["structured"]["intermediate_size"] == 20 and report["magnitude"] is None
    model = AutoModelForTokenClassification.from_pretrained(tmp_path / "out")
    assert sum(layer.attention.self.num_attention_heads for layer in encoder_layers(model)) == 3
    assert report["structured"]["parameters_after"] == sum(parameter.numel() for parameter in model.parameters())
    for name in ("tokenizer.json", "sentencepiece.bpe.model"):
        assert (tmp_path / "out" / name).read_bytes() == (source / name).read_bytes()


def test_pruned_weights_stay_zero_under_training(teacher: Path, few: Labelled, tmp_path: Path) -> None:
    config = PruneConfig("magnitude", sparsity=0.7, when="before")
    report = prune_and_recover(teacher, few.train, config, RECOVER, 5, tmp_path / "out", tmp_path / "work")
    assert report["account"]["encoder"]["sparsity"] == pytest.approx(0.7, abs=0.01)
    before, after = (
        AutoModelForTokenClassification.from_pretrained(folder).roberta.encoder.layer[0].output.dense.weight
        for folder in (teacher, tmp_path / "out")
    )
    left = after != 0
    assert not torch.equal(after[left], before[left])


def test_magnitude_pruning_after_fine_tuning_trains_nothing(teacher: Path, few: Labelled, tmp_path: Path) -> None:
    config = PruneConfig("magnitude", sparsity=0.5)
    report = prune_and_recover(teacher, few.train, config, RECOVER, 5, tmp_path / "out", tmp_path / "work")
    assert report["training"] is None and not report["recovered"]
    assert not (tmp_path / "work").exists()


def test_the_same_seed_gives_the_same_weights(teacher: Path, few: Labelled, tmp_path: Path) -> None:
    config = PruneConfig("structured", layers=1)
    weights = []
    for name in ("one", "two"):
        prune_and_recover(teacher, few.train, config, RECOVER, 5, tmp_path / name, tmp_path / f"work {name}")
        weights.append((tmp_path / name / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]
