"""The pruning stage: folder in, folder out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForTokenClassification,
    PreTrainedModel,
    XLMRobertaConfig,
    XLMRobertaForMaskedLM,
    XLMRobertaForTokenClassification,
)

from export.runtime.errors import UserError
from toolkit.prune import PruneConfig, prune
from toolkit.pruning.encoder import encoder_layers
from toolkit.pruning.importance import importance_batches
from toolkit.recipe import TrainingConfig
from toolkit.training import fit, gold_loss

SHAPE = {"vocab_size": 40, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
SHAPE |= {"intermediate_size": 24, "max_position_embeddings": 40, "pad_token_id": 1}
ONE = {"input_ids": np.array([0, 7, 12, 30, 9, 2]), "first": np.array([1, 3]), "labels": np.array([1, 2])}
BATCHES = importance_batches([ONE] * 4, pad_id=1)


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    folder = tmp_path / "teacher"
    XLMRobertaForTokenClassification(XLMRobertaConfig(**SHAPE, num_labels=3)).save_pretrained(folder)
    (folder / "tokenizer.json").write_text("{}")
    (folder / "sentencepiece.bpe.model").write_bytes(b"\x00\x01")
    (folder / "optimizer.pt").write_bytes(b"not wanted")
    return folder


def trained(model: PreTrainedModel, out: Path) -> PreTrainedModel:
    config = TrainingConfig(learning_rate=0.05, weight_decay=0.1, epochs=2, tokens_per_batch=12, bf16=False)
    fit(model, [ONE] * 4, gold_loss, config, out, seed=1, label="recover")
    return model


def test_magnitude_pruning_after_fine_tuning_writes_a_folder_that_loads(teacher: Path, tmp_path: Path) -> None:
    def never(model: PreTrainedModel) -> PreTrainedModel:
        raise AssertionError("nothing is trained after pruning a fine-tuned model")

    out = tmp_path / "pruned"
    report = prune(teacher, [], PruneConfig("magnitude", sparsity=0.5), out, recover=never)
    assert not report.recovered and report.structured is None and report.magnitude is not None
    assert report.account["encoder"]["sparsity"] == pytest.approx(0.5, abs=1e-3)
    assert report.account["dense_bytes"] == (out / "model.safetensors").stat().st_size
    assert report.bytes_before == (teacher / "model.safetensors").stat().st_size
    assert AutoModelForTokenClassification.from_pretrained(out).config.num_labels == 3
    assert sorted(file.name for file in out.iterdir()) == [
        "config.json", "model.safetensors", "sentencepiece.bpe.model", "tokenizer.json",
    ]  # fmt: skip


def test_pruning_before_fine_tuning_trains_under_the_mask(teacher: Path, tmp_path: Path) -> None:
    config = PruneConfig("magnitude", sparsity=0.6, scope="layer", when="before")
    before = AutoModelForTokenClassification.from_pretrained(teacher)
    report = prune(teacher, [], config, tmp_path / "out", recover=lambda model: trained(model, tmp_path / "run"))
    after = AutoModelForTokenClassification.from_pretrained(tmp_path / "out")
    assert report.recovered
    assert report.account["encoder"]["sparsity"] == pytest.approx(0.6, abs=1e-2)
    assert not torch.equal(after.classifier.weight, before.classifier.weight)


def test_a_recovery_that_ignores_the_mask_is_caught(teacher: Path, tmp_path: Path) -> None:
    def fresh_copy(model: PreTrainedModel) -> PreTrainedModel:
        return AutoModelForTokenClassification.from_pretrained(teacher)

    config = PruneConfig("magnitude", when="before")
    with pytest.raises(RuntimeError, match="without the pruning mask"):
        prune(teacher, [], config, tmp_path / "out", recover=fresh_copy)
    assert not (tmp_path / "out").exists()


def test_pruning_before_fine_tuning_needs_a_recovery(teacher: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs training"):
        prune(teacher, [], PruneConfig("magnitude", when="before"), tmp_path / "out")


def test_structured_pruning_is_followed_by_the_recovery(teacher: Path, tmp_path: Path) -> None:
    seen: list[int] = []

    def recover(model: PreTrainedModel) -> PreTrainedModel:
        seen.append(len(encoder_layers(model)))
        return trained(model, tmp_path / "run")

    config = PruneConfig("structured", heads=3, ffn=12, layers=1)
    report = prune(teacher, BATCHES, config, tmp_path / "out", recover=recover)
    assert seen == [1] and report.recovered
    assert report.structured is not None and report.structured.intermediate_size == 12
    assert report.account["dense_bytes"] < report.bytes_before
    again = AutoModelForTokenClassification.from_pretrained(tmp_path / "out")
    assert encoder_layers(again)[0].attention.self.num_attention_heads == 3


def test_a_masked_language_model_gets_a_head_for_the_labels_and_always_the_same(tmp_path: Path) -> None:
    XLMRobertaForMaskedLM(XLMRobertaConfig(**SHAPE)).save_pretrained(tmp_path / "mlm")
    config = PruneConfig("magnitude", when="before")
    heads = []
    for out in (tmp_path / "one", tmp_path / "two"):
        prune(tmp_path / "mlm", [], config, out, recover=lambda model: model, labels=("O", "B-PER", "I-PER"))
        model = AutoModelForTokenClassification.from_pretrained(out)
        assert model.config.id2label == {0: "O", 1: "B-PER", 2: "I-PER"}
        heads.append(model.classifier.weight)
    assert torch.equal(*heads)
    with pytest.raises(UserError, match="no tagging head"):
        prune(tmp_path / "mlm", [], PruneConfig("magnitude"), tmp_path / "three")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_folder_without_a_model_is_named(teacher: Path, tmp_path: Path, name: str) -> None:
    (teacher / name).unlink()
    with pytest.raises(UserError, match=name):
        prune(teacher, [], PruneConfig("magnitude"), tmp_path / "out")


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "random"},
        {"kind": "magnitude", "scope": "tensor"},
        {"kind": "magnitude", "when": "during"},
        {"kind": "magnitude", "sparsity": 0},
        {"kind": "magnitude", "sparsity": 50},
        {"kind": "structured"},
    ],
)
def test_a_config_that_makes_no_sense_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(UserError):
        PruneConfig(**fields)  # type: ignore[arg-type]


def test_reading_the_config_loads_no_torch() -> None:
    code = "import sys, toolkit.prune; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
