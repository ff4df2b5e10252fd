"""The ONNX export computes what torch computes, at every length, fused in every layer, or is refused."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from transformers import AutoModelForTokenClassification

from export import onnx as module
from export.onnx import export_onnx, max_length
from export.parity import torch_logits
from export.runtime.errors import UserError
from export.runtime.session import open_session, session_logits
from toolkit.pruning.encoder import encoder_layers

FILE = "onnx/model.onnx"
Build = Callable[..., Any]


def padded(batch: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    ids = np.random.default_rng(length).integers(4, 402, (batch, length), dtype=np.int64)
    mask = np.ones_like(ids)
    for row in range(1, batch):
        mask[row, max(1, length // (row + 1)) :] = 0
    ids[mask == 0] = 1
    return ids, mask


def largest_difference(model: Path, file: Path, shape: tuple[int, int]) -> float:
    ids, mask = padded(*shape)
    reference = torch_logits(AutoModelForTokenClassification.from_pretrained(model))
    found = session_logits(open_session(file))(ids, mask)
    assert found.shape == (*shape, 9) and found.dtype == np.float32
    return float(np.abs(found - reference(ids, mask))[mask == 1].max())


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (1, 13), (5, 3), (3, 33), (4, 510), (1, 512)])
def test_any_batch_and_length_gives_the_logits_of_torch(exported: Any, shape: tuple[int, int]) -> None:
    assert largest_difference(exported.model, exported.fp32 / FILE, shape) < 1e-4


def test_batch_and_length_are_free_and_the_two_inputs_are_named(exported: Any) -> None:
    session = open_session(exported.fp32 / FILE)
    inputs = {value.name: (value.type, value.shape) for value in session.get_inputs()}
    assert inputs == dict.fromkeys(
        ("input_ids", "attention_mask"), ("tensor(int64)", ["batch_size", "sequence_length"])
    )
    (output,) = session.get_outputs()
    assert (output.name, output.type, output.shape) == (
        "logits",
        "tensor(float)",
        ["batch_size", "sequence_length", 9],
    )


def test_every_layer_is_fused_and_counted(exported: Any) -> None:
    report = exported.fp32_report
    operators = report["operators"]
    assert report["fused_attention"] == report["layers"] == operators["Attention"] == 2
    assert "Softmax" not in operators and "Erf" not in operators  # inside Attention and BiasGelu
    assert operators["BiasGelu"] == 2 and operators["LayerNormalization"] + operators["SkipLayerNormalization"] == 5
    assert report["bytes"] == (exported.fp32 / FILE).stat().st_size
    graph = onnx.load(exported.fp32 / FILE)
    assert [(entry.domain, entry.version) for entry in graph.opset_import] == [("", 17), ("com.microsoft", 1)]
    assert len(graph.graph.node) == sum(operators.values())


def test_parity_is_reported(exported: Any) -> None:
    parity = exported.fp32_report["parity"]
    assert 0 < parity["max_difference"] < 1e-4 and parity["tags_equal"] > 0.999
    assert parity["positions"] > 1300


@pytest.mark.parametrize("architecture", ["xlm-roberta", "electra"])
def test_heads_pruned_unevenly_still_fuse_and_compute_the_same(
    build_model: Build, tmp_path: Path, architecture: str
) -> None:
    model = build_model(architecture, num_attention_heads=4)
    model.prune_heads({0: [0, 2, 3], 1: [1]})
    model.save_pretrained(tmp_path / "model")
    assert [layer.attention.self.num_attention_heads for layer in encoder_layers(model)] == [1, 3]
    report = export_onnx(tmp_path / "model", tmp_path / "model.onnx")
    assert report.fused_attention == report.layers == 2
    for shape in ((1, 1), (3, 33), (4, 510)):
        assert largest_difference(tmp_path / "model", tmp_path / "model.onnx", shape) < 1e-4


def test_the_file_names_no_folder_of_this_machine(exported: Any) -> None:
    data = (exported.fp32 / FILE).read_bytes()
    for folder in (exported.model, Path(torch.__file__).parent, Path(module.__file__).parent):
        assert str(folder).encode() not in data


def test_the_same_model_gives_the_same_bytes_and_says_nothing(
    exported: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    export_onnx(exported.model, tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").read_bytes() == (exported.fp32 / FILE).read_bytes()
    assert capfd.readouterr() == ("", "") and not recwarn.list


def test_the_longest_input_is_where_the_position_table_ends(exported: Any) -> None:
    model = AutoModelForTokenClassification.from_pretrained(exported.model)
    assert max_length(model.config) == 512
    ids = np.full((1, 513), 9)
    with pytest.raises(Exception, match=r"index|size|expanded"):
        torch_logits(model)(ids, np.ones_like(ids))


def spoil_weights(source: Path, target: Path, fuse: Callable[..., None], config: Any) -> None:
    fuse(source, target, config)
    graph = onnx.load(target)
    (table,) = [tensor for tensor in graph.graph.initializer if tensor.name.endswith("word_embeddings.weight")]
    table.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(table) * np.float32(1.01), table.name))
    onnx.save(graph, target)


def fuse_nothing(source: Path, target: Path, fuse: Callable[..., None], config: Any) -> None:
    shutil.copyfile(source, target)


def fill_the_disk(source: Path, target: Path, fuse: Callable[..., None], config: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (spoil_weights, r"model\.onnx differs from torch by up to"),
        (fuse_nothing, r"Only 0 of 2 attention blocks were fused in model\.onnx"),
        (fill_the_disk, "disk is full"),
    ],
)
def test_a_faulty_export_is_refused_and_leaves_nothing(
    teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable[..., None], reason: str
) -> None:
    fuse = module._fuse
    monkeypatch.setattr(module, "_fuse", lambda source, target, config: fault(source, target, fuse, config))
    with pytest.raises(UserError, match=reason):
        export_onnx(teacher, tmp_path / "onnx" / "model.onnx")
    assert list((tmp_path / "onnx").iterdir()) == []
