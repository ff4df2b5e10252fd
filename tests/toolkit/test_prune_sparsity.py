"""The account of zeros counts what is in the file."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from export.runtime.errors import UserError
from toolkit.pruning.sparsity import sparsity_account


def save(folder: Path, zero_rows: int) -> None:
    torch.manual_seed(0)
    dense = torch.randn(64, 64)
    sparse = torch.randn(64, 64)
    sparse[:zero_rows] = 0
    save_file(
        {
            "roberta.embeddings.word_embeddings.weight": dense.clone(),
            "roberta.encoder.layer.0.output.dense.weight": sparse.clone(),
            "roberta.encoder.layer.0.output.dense.bias": torch.zeros(64),
            "roberta.encoder.layer.0.output.LayerNorm.weight": torch.ones(64),
            "roberta.encoder.layer.1.output.dense.weight": dense.clone(),
        },
        folder / "model.safetensors",
    )


def test_zeros_are_counted_per_layer_over_the_encoder_and_over_all(tmp_path: Path) -> None:
    save(tmp_path, zero_rows=48)
    account = sparsity_account(tmp_path)
    assert account["layers"] == [
        {"parameters": 4096, "zeros": 48 * 64, "sparsity": 0.75},
        {"parameters": 4096, "zeros": 0, "sparsity": 0.0},
    ]
    assert account["encoder"] == {"parameters": 8192, "zeros": 48 * 64, "sparsity": 0.375}
    assert account["other"] == {"parameters": 4096 + 128, "zeros": 64, "sparsity": 64 / 4224}
    assert account["model"]["parameters"] == 8192 + 4224


def test_zeros_shrink_the_zipped_bytes_and_not_the_dense_ones(tmp_path: Path) -> None:
    (tmp_path / "dense").mkdir()
    (tmp_path / "sparse").mkdir()
    save(tmp_path / "dense", zero_rows=0)
    save(tmp_path / "sparse", zero_rows=48)
    dense, sparse = sparsity_account(tmp_path / "dense"), sparsity_account(tmp_path / "sparse")
    assert dense["dense_bytes"] == sparse["dense_bytes"]
    assert sparse["zipped_bytes"] < 0.8 * dense["zipped_bytes"]
    data = (tmp_path / "sparse" / "model.safetensors").read_bytes()
    assert sparse["zipped_bytes"] == len(zlib.compress(data, 9))


def test_half_precision_files_are_counted_too(tmp_path: Path) -> None:
    tensor = torch.eye(8, dtype=torch.bfloat16)
    save_file({"electra.encoder.layer.0.output.dense.weight": tensor}, tmp_path / "model.safetensors")
    assert sparsity_account(tmp_path)["encoder"]["zeros"] == 56


def test_a_missing_or_truncated_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no model\.safetensors"):
        sparsity_account(tmp_path)
    save(tmp_path, zero_rows=0)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError, match="not a complete safetensors"):
        sparsity_account(tmp_path)
