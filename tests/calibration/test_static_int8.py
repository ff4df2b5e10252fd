"""Static int8 of real exports, tiny: everything that should be int8 is, and answers stay close to fp32."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from transformers import (
    ElectraConfig,
    ElectraForTokenClassification,
    XLMRobertaConfig,
    XLMRobertaForTokenClassification,
)

from calibration.static_int8 import StaticInt8Report, calibration_inputs, quantize_static_int8
from export.onnx import export_onnx
from export.runtime.encode import Window
from export.runtime.errors import UserError
from export.runtime.session import open_session, session_logits

VOCABULARY = 4000
SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "type_vocab_size": 1,
    "num_labels": 9,
    "pad_token_id": 1,
    "initializer_range": 0.3,  # wide enough that attention and GELU leave their linear part
}


def afriberta() -> Any:
    return XLMRobertaForTokenClassification(XLMRobertaConfig(max_position_embeddings=66, **SHAPE))


def narrow_student() -> Any:
    return ElectraForTokenClassification(ElectraConfig(embedding_size=16, max_position_embeddings=64, **SHAPE))


def pruned() -> Any:
    model = afriberta()
    model.prune_heads({0: [1], 1: [0, 2]})
    return model


def inputs(count: int = 24, seed: int = 0) -> list[dict[str, np.ndarray]]:
    random = np.random.default_rng(seed)
    feeds = []
    for length in random.integers(3, 40, count):
        ids = random.integers(4, VOCABULARY, (1, length))
        feeds.append({"input_ids": ids, "attention_mask": np.ones_like(ids)})
    return feeds


def exported(build: Callable[[], Any], folder: Path) -> Path:
    torch.manual_seed(0)
    build().save_pretrained(folder / "model")
    export_onnx(folder / "model", folder / "fp32.onnx")
    return folder / "fp32.onnx"


@pytest.fixture(scope="module")
def fused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(afriberta, tmp_path_factory.mktemp("afriberta"))


@pytest.fixture(scope="module")
def static(fused: Path) -> tuple[Path, StaticInt8Report]:
    target = fused.with_name("int8.onnx")
    return target, quantize_static_int8(fused, target, inputs())


def relative_error(fp32: Path, int8: Path, feeds: list[dict[str, np.ndarray]]) -> float:
    """Mean logit difference over unpadded positions as a share of the logits' standard deviation."""
    expected, found = [], []
    for feed in feeds:
        kept = feed["attention_mask"].astype(bool)
        for path, rows in ((fp32, expected), (int8, found)):
            rows.append(session_logits(open_session(path))(feed["input_ids"], feed["attention_mask"])[kept])
    differences = np.abs(np.concatenate(expected) - np.concatenate(found))
    return float(differences.mean() / np.concatenate(expected).std())


@pytest.mark.parametrize(("build", "products"), [(afriberta, 9), (narrow_student, 10), (pruned, 9)])
def test_every_product_with_weights_runs_in_int8_and_answers_stay_close(
    build: Callable[[], Any], products: int, tmp_path: Path
) -> None:
    source = exported(build, tmp_path)
    report = quantize_static_int8(source, tmp_path / "int8.onnx", inputs())
    assert (report.int8_matmuls, report.float_matmuls, report.int8_tables) == (products, 0, 2)
    assert relative_error(source, tmp_path / "int8.onnx", inputs(8, seed=1)) < 0.05


def test_file_is_a_quarter_and_the_report_tells_its_bytes(fused: Path, static: tuple[Path, StaticInt8Report]) -> None:
    path, report = static
    assert (report.bytes_before, report.bytes_after) == (fused.stat().st_size, path.stat().st_size)
    assert report.bytes_after < 0.4 * report.bytes_before
    assert report.windows == 24


def test_padding_in_a_batch_changes_nothing(static: tuple[Path, StaticInt8Report]) -> None:
    """Fixed ranges make an answer independent of what else is in the batch, which dynamic int8 cannot promise."""
    logits = session_logits(open_session(static[0]))
    ids = np.random.default_rng(2).integers(4, VOCABULARY, (2, 12))
    mask = np.ones_like(ids)
    mask[1, 7:] = 0
    alone = logits(ids[1:, :7], mask[1:, :7])
    np.testing.assert_allclose(logits(ids, mask)[1:, :7], alone, atol=1e-6)


def test_residual_stream_is_not_rounded(static: tuple[Path, StaticInt8Report]) -> None:
    graph = onnx.load(static[0]).graph
    rounded = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    readers = {node.op_type for node in graph.node if rounded & set(node.input)}
    assert readers == {"MatMul"}


def test_activations_are_unsigned_and_weights_signed_per_column(static: tuple[Path, StaticInt8Report]) -> None:
    graph = onnx.load(static[0]).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    activations = [node for node in graph.node if node.op_type == "QuantizeLinear"]
    assert len(activations) == 9
    for node in activations:
        assert (constants[node.input[2]].dtype, constants[node.input[1]].size) == (np.uint8, 1)
    weights = [n for n in graph.node if n.op_type == "DequantizeLinear" and n.input[0] in constants]
    assert len(weights) == 7  # output projection and feed-forward of two layers, and the head
    for node in weights:
        assert constants[node.input[0]].dtype == np.int8
        assert constants[node.input[1]].shape == constants[node.input[0]].shape[1:]


def test_reduced_range_keeps_weights_in_seven_bits(fused: Path, tmp_path: Path) -> None:
    target = tmp_path / "seven.onnx"
    quantize_static_int8(fused, target, inputs(), reduce_range=True)
    graph = onnx.load(target).graph
    readers = {n.input[0] for n in graph.node if n.op_type == "DequantizeLinear"}
    readers |= {n.input[1] for n in graph.node if n.op_type == "QAttention"}
    weights = [numpy_helper.to_array(tensor) for tensor in graph.initializer if tensor.name in readers]
    assert len(weights) == 9
    assert max(int(np.abs(weight.astype(int)).max()) for weight in weights) == 64
    assert relative_error(fused, target, inputs(8, seed=1)) < 0.1


def test_ranges_come_from_the_inputs(fused: Path, static: tuple[Path, StaticInt8Report], tmp_path: Path) -> None:
    one = [{"input_ids": np.full((1, 4), 5), "attention_mask": np.ones((1, 4), np.int64)}]
    quantize_static_int8(fused, tmp_path / "narrow.onnx", one)
    held_out = inputs(8, seed=1)
    assert relative_error(fused, tmp_path / "narrow.onnx", held_out) > 2 * relative_error(fused, static[0], held_out)


def test_product_left_in_floating_point_is_refused_and_nothing_is_written(fused: Path, tmp_path: Path) -> None:
    model = onnx.load(fused)
    attention = next(node for node in model.graph.node if node.op_type == "Attention")
    attention.attribute.append(onnx.helper.make_attribute("qkv_hidden_sizes", [32, 32, 32]))
    onnx.save(model, tmp_path / "odd.onnx")
    with pytest.raises(UserError, match=r"Of 9 products .* 8 would run in int8"):
        quantize_static_int8(tmp_path / "odd.onnx", tmp_path / "out" / "int8.onnx", inputs())
    assert list((tmp_path / "out").iterdir()) == []


def test_no_calibration_inputs_is_a_user_error(fused: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no calibration inputs"):
        quantize_static_int8(fused, tmp_path / "int8.onnx", [])


def test_calibration_inputs_are_the_windows_of_each_sentence() -> None:
    class ThreePerWindow:
        def windows(self, words: list[str]) -> list[Window]:
            none = np.zeros(0, np.int64)
            return [Window(np.array([0, len(words), 2]), none, none, none.astype(bool)) for _ in range(len(words))]

    feeds = list(calibration_inputs(ThreePerWindow(), [["a"], ["b", "c"]]))  # type: ignore[arg-type]
    assert [feed["input_ids"].tolist() for feed in feeds] == [[[0, 1, 2]], [[0, 2, 2]], [[0, 2, 2]]]
    assert all((feed["attention_mask"] == np.ones((1, 3))).all() for feed in feeds)
