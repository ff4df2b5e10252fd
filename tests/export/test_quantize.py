"""Dynamic int8 reaches every product and table, keeps each row's precision, and says so when it did not."""

from __future__ import annotations

import errno
import logging
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from export import quantize as module
from export.onnx_scan import scan_onnx
from export.parity import compare, probe_inputs
from export.quantize import model_bytes, quantize_dynamic_int8, quantize_tables, to_external_data
from export.runtime.errors import UserError
from export.runtime.session import open_session, session_logits

FP32, INT8 = "onnx/model.onnx", "onnx/model_int8.onnx"


def initializers(path: Path) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}


def lookup(*tables: np.ndarray, ids: np.ndarray | None = None) -> Any:
    """A graph that looks `index` up in every table, and its outputs t0, t1 …"""
    nodes = [helper.make_node("Gather", [f"table{i}", "index"], [f"t{i}"]) for i in range(len(tables))]
    outputs = [
        helper.make_tensor_value_info(f"t{i}", helper.np_dtype_to_tensor_dtype(table.dtype), ["n", *table.shape[1:]])
        for i, table in enumerate(tables)
    ]
    index = helper.make_tensor_value_info("index", TensorProto.INT64, ["n"])
    constants = [numpy_helper.from_array(table, f"table{i}") for i, table in enumerate(tables)]
    graph = helper.make_graph(nodes, "lookup", [index], outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def looked_up(model: Any, index: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: list[np.ndarray] = session.run(None, {"index": index})
    return found


def test_every_product_and_table_becomes_int8(exported: Any) -> None:
    report = exported.int8_report
    # Per layer: query, key and value in one, attention's output, and two of the feed-forward part; the head;
    # and the projection of a narrow embedding.
    assert report["int8_matmuls"] == 2 * 4 + 1 + (exported.architecture == "electra")
    assert report["float_matmuls"] == 0 and report["int8_tables"] == 2
    graph = onnx.load(exported.int8 / INT8).graph
    operators = Counter(node.op_type for node in graph.node)
    assert operators["QAttention"] == 2
    assert operators["MatMulInteger"] == report["int8_matmuls"] - 2
    assert operators["MatMul"] == operators["Attention"] == 0
    for name, weight in (found := initializers(exported.int8 / INT8)).items():
        if name.endswith("_quantized"):  # a scale for every output channel
            assert found[name.replace("_quantized", "_scale")].shape == (weight.shape[1],)
    wide = [t.name for t in graph.initializer if t.data_type == TensorProto.FLOAT and np.prod(t.dims) > 600]
    assert wide == []


def test_its_bytes_are_those_on_disk_and_near_a_quarter(exported: Any) -> None:
    report = exported.int8_report
    assert report["bytes_before"] == (exported.fp32 / FP32).stat().st_size
    assert report["bytes_after"] == (exported.int8 / INT8).stat().st_size
    before, after = (
        sum(array.nbytes for array in initializers(path).values())
        for path in (exported.fp32 / FP32, exported.int8 / INT8)
    )
    assert after < 0.32 * before  # at this width, scales and biases weigh more than in a real model


def test_it_says_nearly_what_fp32_says(exported: Any) -> None:
    fp32, int8 = (session_logits(open_session(path)) for path in (exported.fp32 / FP32, exported.int8 / INT8))
    probes = probe_inputs(402, 512, 1)
    report = compare(fp32, int8, probes)
    spread = np.concatenate([fp32(*probe).ravel() for probe in probes]).std()
    assert 0 < report.mean_difference < 0.2 * spread
    assert report.tags_equal > 0.85


def test_dequantized_rows_are_within_half_a_step_of_their_own_scale(exported: Any) -> None:
    before, after = initializers(exported.fp32 / FP32), initializers(exported.int8 / INT8)
    (name,) = [name for name in before if name.endswith("word_embeddings.weight")]
    table, rows, scale = before[name], after[f"{name}_int8"], after[f"{name}_scale"]
    assert rows.dtype == np.int8 and scale.shape == (402, 1)
    np.testing.assert_allclose(scale[:, 0], np.abs(table).max(axis=1) / 127, rtol=1e-6, atol=1e-12)
    assert (np.abs(rows * scale - table) <= scale / 2 * 1.001).all()


def test_a_quiet_row_keeps_its_precision_beside_a_loud_one() -> None:
    table = np.random.default_rng(0).normal(size=(100, 16)).astype(np.float32)
    table[3] *= 1000
    table[5] *= 1e-3
    table[7] = 0
    model = lookup(table)
    assert quantize_tables(model) == 1
    onnx.checker.check_model(model)
    (found,) = looked_up(model, np.arange(100))
    steps = np.abs(table).max(axis=1, keepdims=True) / 127
    assert (np.abs(found - table) <= steps / 2 * 1.001).all()
    assert (found[7] == 0).all() and not np.isnan(found).any()
    assert [node.op_type for node in model.graph.node] == ["Gather", "Cast", "Gather", "Mul"]
    assert {node.domain for node in model.graph.node} == {""}


def test_only_large_float_tables_are_rewritten() -> None:
    random = np.random.default_rng(0)
    tables = (
        random.normal(size=(64, 4)).astype(np.float32),
        random.normal(size=(63, 4)).astype(np.float32),  # too small to be worth it
        random.integers(0, 9, (100, 4)),  # positions, ids
        random.normal(size=(100, 2, 4)).astype(np.float32),
    )
    model = lookup(*tables)
    assert quantize_tables(model) == 1
    found = looked_up(model, np.array([5, 62]))
    assert not (found[0] == tables[0][[5, 62]]).all() and np.allclose(found[0], tables[0][[5, 62]], atol=0.02)
    for number in (1, 2, 3):
        assert (found[number] == tables[number][[5, 62]]).all()


def test_reduced_range_leaves_one_bit_free(exported: Any, tmp_path: Path) -> None:
    quantize_dynamic_int8(exported.fp32 / FP32, tmp_path / "reduced.onnx", reduce_range=True)
    largest = {}
    for path in (exported.int8 / INT8, tmp_path / "reduced.onnx"):
        weights = [array for name, array in initializers(path).items() if name.endswith("_quantized")]
        assert len(weights) == exported.int8_report["int8_matmuls"]
        largest[path.name] = max(int(np.abs(array.astype(int)).max()) for array in weights)
    assert largest["model_int8.onnx"] >= 127 and largest["reduced.onnx"] <= 64


@pytest.mark.parametrize("kind", ["no table", "no product"])
def test_a_graph_without_products_or_tables_is_refused(tmp_path: Path, kind: str) -> None:
    if kind == "no product":
        onnx.save(lookup(np.ones((100, 4), np.float32)), tmp_path / "model.onnx")
    else:
        weight = numpy_helper.from_array(np.ones((4, 4), np.float32), "weight")
        value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in ("x", "y")]
        node = helper.make_node("MatMul", ["x", "weight"], ["y"])
        graph = helper.make_graph([node], "product", value[:1], value[1:], [weight])
        opset = [helper.make_opsetid("", 17)]
        onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "model.onnx")
    with pytest.raises(UserError, match=r"made (0 products and 1|1 products and 0) tables int8"):
        quantize_dynamic_int8(tmp_path / "model.onnx", tmp_path / "out" / "int8.onnx")
    assert list((tmp_path / "out").iterdir()) == []


def did_nothing(source: Path, target: Path, **options: Any) -> None:
    shutil.copyfile(source, target)


def filled_the_disk(source: Path, target: Path, **options: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(did_nothing, r"left \d+ matrix products in floating point"), (filled_the_disk, "disk is full")],
)
def test_a_quantizer_that_failed_is_caught_and_leaves_nothing(
    exported: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable[..., None], reason: str
) -> None:
    monkeypatch.setattr("onnxruntime.quantization.quantize_dynamic", fault)
    with pytest.raises(UserError, match=reason):
        quantize_dynamic_int8(exported.fp32 / FP32, tmp_path / "onnx" / "int8.onnx")
    assert list((tmp_path / "onnx").iterdir()) == []
    assert logging.root.manager.disable == logging.NOTSET


def test_more_bytes_than_int8_explains_are_refused(
    exported: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def table_kept_twice(model: Any) -> int:
        tables = quantize_tables(model)
        spare = np.ones((400, 400), np.float32)
        model.graph.initializer.append(numpy_helper.from_array(spare, "spare"))
        return tables

    monkeypatch.setattr(module, "quantize_tables", table_kept_twice)
    with pytest.raises(UserError, match="too many for int8"):
        quantize_dynamic_int8(exported.fp32 / FP32, tmp_path / "onnx" / "int8.onnx")
    assert list((tmp_path / "onnx").iterdir()) == []


def test_nothing_is_logged(exported: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    quantize_dynamic_int8(exported.fp32 / FP32, tmp_path / "int8.onnx")
    assert caplog.records == []


def test_external_data_holds_the_weights_and_changes_no_logit(exported: Any, tmp_path: Path) -> None:
    path = tmp_path / "model_int8.onnx"
    shutil.copyfile(exported.int8 / INT8, path)
    data = to_external_data(path)
    assert data == tmp_path / "model_int8.onnx_data"
    assert scan_onnx(path).locations == {data.name}
    assert model_bytes(path) == path.stat().st_size + data.stat().st_size
    large = [tensor for tensor in onnx.load(path).graph.initializer if len(tensor.raw_data) >= 1024]
    assert data.stat().st_size >= sum(len(tensor.raw_data) for tensor in large) > path.stat().st_size / 2
    ids = np.array([[0, 9, 77, 2]])
    before, after = (
        session_logits(open_session(file))(ids, np.ones_like(ids)) for file in (exported.int8 / INT8, path)
    )
    assert (before == after).all()


def test_moving_the_weights_twice_changes_nothing(exported: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    shutil.copyfile(exported.fp32 / FP32, path)
    data = to_external_data(path)
    before = path.read_bytes(), data.read_bytes()
    to_external_data(path)
    assert (path.read_bytes(), data.read_bytes()) == before


def test_a_source_with_external_data_is_quantized_and_counted_with_it(exported: Any, tmp_path: Path) -> None:
    source = tmp_path / "model.onnx"
    shutil.copyfile(exported.fp32 / FP32, source)
    to_external_data(source)
    report = quantize_dynamic_int8(source, tmp_path / "int8.onnx")
    assert report.bytes_before == model_bytes(source) > exported.int8_report["bytes_before"]
    assert (tmp_path / "int8.onnx").read_bytes() == (exported.int8 / INT8).read_bytes()
