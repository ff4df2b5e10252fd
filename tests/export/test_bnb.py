"""LLM.int8() on the CPU: every layer is int8, reloading changes no logit, what is missing is said."""

from __future__ import annotations

import builtins
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForTokenClassification,
    BitsAndBytesConfig,
    ElectraConfig,
    ElectraForTokenClassification,
    XLMRobertaConfig,
    XLMRobertaForTokenClassification,
)

from export import bnb
from export.bnb import bnb_logits, export_llm_int8, usable_device
from export.parity import torch_logits
from export.runtime.errors import UserError

SHAPE = {"vocab_size": 500, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
SHAPE |= {"intermediate_size": 96, "max_position_embeddings": 64, "pad_token_id": 1, "num_labels": 5}
LAYER_MATRICES = 6


def save(folder: Path, architecture: str) -> Path:
    torch.manual_seed(0)
    if architecture == "electra":
        model = ElectraForTokenClassification(ElectraConfig(**SHAPE, embedding_size=32))
    else:
        model = XLMRobertaForTokenClassification(XLMRobertaConfig(**SHAPE))
        if architecture == "pruned":
            model.prune_heads({0: [1, 2, 3], 1: [0]})
    with torch.no_grad():
        model.classifier.weight.mul_(20)  # logits far enough apart to have tags
    model.save_pretrained(folder)
    return folder


def probe() -> tuple[np.ndarray, np.ndarray]:
    ids = np.random.default_rng(0).integers(4, 500, (3, 21), dtype=np.int64)
    mask = np.ones_like(ids)
    mask[-1, 9:] = 0
    return ids, mask


@pytest.mark.parametrize(
    ("architecture", "layers"),
    [("xlm-r", 2 * LAYER_MATRICES), ("electra", 2 * LAYER_MATRICES + 1), ("pruned", 2 * LAYER_MATRICES)],
)
def test_every_layer_is_int8_and_answers_like_fp32(tmp_path: Path, architecture: str, layers: int) -> None:
    source = save(tmp_path / "model", architecture)
    report = export_llm_int8(source, tmp_path / "out", "cpu")
    assert report.int8_layers == layers and report.device == "cpu"
    ids, mask = probe()
    found = bnb_logits(tmp_path / "out", "cpu")(ids, mask)
    expected = torch_logits(AutoModelForTokenClassification.from_pretrained(source))(ids, mask)
    assert found.dtype == np.float32 and found.shape == (3, 21, 5)
    assert np.abs(found - expected)[mask == 1].mean() < 0.05 < expected.std()
    assert report.agreement.tags_equal > 0.95


def test_saving_and_loading_changes_no_logit(tmp_path: Path) -> None:
    export_llm_int8(save(tmp_path / "model", "xlm-r"), tmp_path / "out", "cpu")
    quantization = BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=["classifier"])
    in_memory = bnb._load(tmp_path / "model", "cpu", quantization_config=quantization)
    ids, mask = probe()
    before = torch_logits(in_memory)(ids, mask)
    assert np.array_equal(bnb_logits(tmp_path / "out", "cpu")(ids, mask), before)


def test_the_report_says_what_the_embedding_costs(tmp_path: Path) -> None:
    report = export_llm_int8(save(tmp_path / "model", "xlm-r"), tmp_path / "out", "cpu")
    assert report.embedding_bytes == 500 * 64 * 2
    assert report.int8_bytes == 2 * (4 * 64 * 64 + 2 * 64 * 96)
    assert report.bytes == (tmp_path / "out" / "model.safetensors").stat().st_size
    assert report.bytes > report.int8_bytes + report.embedding_bytes


def test_a_model_that_changes_on_reload_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = bnb._load

    def disturbed(folder: Path, device: str, **options: Any) -> Any:
        model = load(folder, device, **options)
        if not options:
            with torch.no_grad():
                model.classifier.bias.add_(0.01)
        return model

    monkeypatch.setattr(bnb, "_load", disturbed)
    with pytest.raises(UserError, match="differently after saving"):
        export_llm_int8(save(tmp_path / "model", "xlm-r"), tmp_path / "out", "cpu")
    assert not (tmp_path / "out").exists()


def test_a_quantizer_that_did_nothing_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = bnb._load
    monkeypatch.setattr(bnb, "_load", lambda folder, device, **options: load(folder, device))
    with pytest.raises(UserError, match="0 of 12 linear layers"):
        export_llm_int8(save(tmp_path / "model", "xlm-r"), tmp_path / "out", "cpu")


def test_bytes_that_no_tensor_explains_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bnb, "MOST_OVERHEAD", 10)
    with pytest.raises(UserError, match="bytes where its tensors hold"):
        export_llm_int8(save(tmp_path / "model", "xlm-r"), tmp_path / "out", "cpu")


def test_a_folder_in_another_precision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not an LLM\.int8\(\) model"):
        bnb_logits(save(tmp_path / "model", "xlm-r"), "cpu")


@pytest.mark.parametrize("package", ["bitsandbytes", "accelerate"])
def test_a_missing_package_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **options: Any) -> Any:
        if name == package:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)
        return real(name, *args, **options)

    monkeypatch.delitem(sys.modules, package, raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=f"{package}.*make setup TARGET=gpu"):
        usable_device("cpu")


def test_a_missing_gpu_is_said_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert usable_device(None) == "cpu"
    with pytest.raises(UserError, match=r"No GPU.*device cpu"):
        usable_device("cuda")
