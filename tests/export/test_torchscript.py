"""TorchScript variants compute what torch computes, are as small as they say, and load by digest only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForTokenClassification,
    ElectraConfig,
    ElectraForTokenClassification,
    XLMRobertaConfig,
    XLMRobertaForTokenClassification,
)

from export import torchscript
from export.parity import torch_logits
from export.runtime.errors import UserError
from export.torchscript import export_torchscript, torchscript_logits

SHAPE = {"vocab_size": 9000, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
SHAPE |= {"intermediate_size": 96, "max_position_embeddings": 64, "pad_token_id": 1, "num_labels": 5}
LINEARS = 2 * 6 + 1


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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save(tmp_path / "model", "xlm-r")


def probe(batch: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    ids = np.random.default_rng(length).integers(4, 9000, (batch, length), dtype=np.int64)
    mask = np.ones_like(ids)
    mask[-1, length // 2 + 1 :] = 0
    return ids, mask


@pytest.mark.parametrize("architecture", ["xlm-r", "electra", "pruned"])
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-4), ("int8", 0.3)])
def test_any_batch_and_length_gives_the_logits_of_torch(
    tmp_path: Path, architecture: str, precision: str, tolerance: float
) -> None:
    source = save(tmp_path / "model", architecture)
    reference = torch_logits(AutoModelForTokenClassification.from_pretrained(source))
    report = export_torchscript(source, tmp_path / "out" / "model.pt", precision)
    logits = torchscript_logits(tmp_path / "out" / "model.pt", report.sha256)
    for shape in ((1, 1), (1, 2), (2, 17), (5, 60)):
        ids, mask = probe(*shape)
        found, expected = logits(ids, mask), reference(ids, mask)
        assert found.dtype == np.float32 and found.shape == (*shape, 5)
        assert np.abs(found - expected)[mask == 1].mean() < tolerance
    assert report.agreement.tags_equal > 0.9
    assert expected.std() > 0.3


def test_int8_turns_every_linear_layer_and_table_and_takes_a_quarter(tmp_path: Path, folder: Path) -> None:
    fp32 = export_torchscript(folder, tmp_path / "fp32.pt", "fp32")
    int8 = export_torchscript(folder, tmp_path / "int8.pt", "int8")
    assert fp32.operators["aten::linear"] == int8.operators["quantized::linear_dynamic"] == LINEARS
    assert "aten::linear" not in int8.operators
    assert int8.operators["quantized::embedding_byte"] == 2
    assert int8.bytes == (tmp_path / "int8.pt").stat().st_size < 0.36 * fp32.bytes
    assert fp32.activation_bits is None and int8.activation_bits in (7, 8)


@pytest.mark.skipif(not torch.cpu._is_vnni_supported(), reason="8-bit activations saturate without VNNI")
def test_eight_bit_activations_are_nearer_to_fp32_than_seven(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    differences = []
    for has_vnni in (False, True):
        monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda has_vnni=has_vnni: has_vnni)
        report = export_torchscript(folder, tmp_path / "model.pt", "int8")
        differences.append(report.agreement.mean_difference)
        assert report.activation_bits == 7 + has_vnni
    assert differences[1] < differences[0]


def test_the_file_names_no_folder_of_this_machine(tmp_path: Path, folder: Path) -> None:
    export_torchscript(folder, tmp_path / "model.pt", "fp32")
    data = (tmp_path / "model.pt").read_bytes()
    assert str(Path(torch.__file__).parent).encode() not in data
    assert str(Path(torchscript.__file__).parent).encode() not in data


def test_a_program_with_another_digest_is_not_loaded(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "model.pt"
    report = export_torchscript(folder, file, "fp32")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)

    def never(*args: object) -> None:
        raise AssertionError("loading a TorchScript file runs it")

    monkeypatch.setattr(torch.jit, "load", never)
    with pytest.raises(UserError, match="is a program"):
        torchscript_logits(file, report.sha256)
    with pytest.raises(UserError, match="Cannot read"):
        torchscript_logits(tmp_path / "absent.pt", report.sha256)


def test_a_quantizer_that_did_nothing_is_caught(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torchscript, "_quantized", lambda model: model)
    with pytest.raises(UserError, match="Only 0 of 13 linear layers and 0 of 2 embedding"):
        export_torchscript(folder, tmp_path / "model.pt", "int8")
    assert not (tmp_path / "model.pt").exists()


def test_a_file_larger_than_its_precision_explains_is_refused(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torchscript, "MOST_BYTES", {"int8": 0.5})
    monkeypatch.setattr(torchscript, "CODE_BYTES", 0)
    with pytest.raises(UserError, match="takes"):
        export_torchscript(folder, tmp_path / "model.pt", "int8")


def test_an_unknown_precision_lists_the_choices(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(UserError, match="fp32 or int8"):
        export_torchscript(folder, tmp_path / "model.pt", "int4")  # type: ignore[arg-type]
