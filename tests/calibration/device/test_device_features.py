"""Operations are counted as onnxruntime runs them, and what is not known is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from calibration.device.features import Work, count_work
from calibration.device.model import FEATURES
from export.runtime.errors import UserError


def saved(path: Path, nodes: list[Any], weights: dict[str, np.ndarray], inputs: dict[str, list[Any]]) -> Path:
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in inputs.items()]
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
    constants = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "g", given, [out], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_an_encoder_by_hand(exported: Any) -> None:
    """2 layers of width 32 with 2 heads, feed-forward 64, 9 labels; ELECTRA's table is 16 wide and projected."""
    work = count_work(exported.int8 / "onnx" / "model_int8.onnx")
    narrow = exported.architecture == "electra"
    table = 16 if narrow else 32
    macs = 2 * (32 * 96 + 32 * 32 + 2 * 32 * 64) + 32 * 9 + (16 * 32 if narrow else 0)
    found = work.features(10)
    assert set(found) == set(FEATURES)
    assert found["int8_macs"] == 10 * macs and found["fp32_macs"] == 0
    assert found["weight_bytes"] == macs  # a byte each, read once
    assert found["int8_outputs"] == 10 * (2 * (96 + 32 + 64 + 32) + 9 + (32 if narrow else 0))
    assert found["attention_macs"] == 100 * 2 * 2 * 32
    assert found["softmax_elements"] == 100 * 2 * 2
    # A row of two int8 tables with their scales, and of the token types in floating point.
    assert found["gather_bytes"] == 10 * (2 * (table + 4) + 4 * table)
    assert found["nodes"] == work.fixed["nodes"] < 60
    double = work.features(20)
    assert double["int8_macs"] == 2 * found["int8_macs"] and double["attention_macs"] == 4 * found["attention_macs"]
    assert double["weight_bytes"] == found["weight_bytes"]


def test_fp32_weights_are_four_bytes_each(exported: Any) -> None:
    fp32 = count_work(exported.fp32 / "onnx" / "model.onnx").features(10)
    int8 = count_work(exported.int8 / "onnx" / "model_int8.onnx").features(10)
    assert fp32["fp32_macs"] == int8["int8_macs"] and fp32["int8_macs"] == 0
    assert fp32["weight_bytes"] == 4 * int8["weight_bytes"]
    assert int8["nodes"] > fp32["nodes"]


def test_static_int8_is_known_too(teacher: Path, tmp_path: Path, exported: Any, few: Any) -> None:
    from calibration.static_int8 import quantize_static_int8
    from export.runtime.encode import WordEncoder

    encoder = WordEncoder.load(teacher)
    ids = [encoder.windows(sentence.words)[0].input_ids[None] for sentence in few.train[:4]]
    feeds = [{"input_ids": row, "attention_mask": np.ones_like(row)} for row in ids]
    out = tmp_path / "static.onnx"
    quantize_static_int8(exported.fp32 / "onnx" / "model.onnx", out, feeds)
    static, dynamic = count_work(out), count_work(exported.int8 / "onnx" / "model_int8.onnx")
    assert static.unknown == ()
    assert static.features(10)["int8_macs"] == dynamic.features(10)["int8_macs"]


def test_a_product_of_two_activations_outside_attention_is_unknown(tmp_path: Path) -> None:
    nodes = [helper.make_node("MatMul", ["a", "b"], ["c"]), helper.make_node("Selu", ["c"], ["out"])]
    path = saved(tmp_path / "m.onnx", nodes, {}, {"a": ["n", 4], "b": [4, "n"]})
    work = count_work(path)
    assert work.unknown == ("MatMul", "Selu")
    assert work.features(3)["fp32_macs"] == 0 and work.fixed["nodes"] == 2


def test_external_data_is_read_from_beside_the_model(tmp_path: Path) -> None:
    weight = np.zeros((64, 32), np.float32)
    path = saved(
        tmp_path / "m.onnx", [helper.make_node("MatMul", ["a", "w"], ["out"])], {"w": weight}, {"a": ["n", 64]}
    )
    model = onnx.load(path)
    onnx.save_model(model, str(path), save_as_external_data=True, location="m.onnx_data", size_threshold=1)
    assert count_work(path).features(2)["fp32_macs"] == 2 * 64 * 32
    (tmp_path / "m.onnx_data").unlink()
    with pytest.raises(UserError, match=r"onnxruntime cannot open .*m\.onnx"):
        count_work(path)


def test_what_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"There is no model at .*none\.onnx"):
        count_work(tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    with pytest.raises(UserError, match=r"onnxruntime cannot open .*bad\.onnx"):
        count_work(tmp_path / "bad.onnx")


def test_counting_leaves_nothing_behind(exported: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = sorted((exported.fp32 / "onnx").iterdir())
    count_work(exported.fp32 / "onnx" / "model.onnx")
    assert list(tmp_path.iterdir()) == [] and sorted((exported.fp32 / "onnx").iterdir()) == before


def test_work_without_a_feature_costs_nothing_of_it() -> None:
    make: Callable[..., Work] = Work
    assert make({"nodes": 3}, {}, {}, ()).features(7) == {
        **dict.fromkeys(FEATURES, 0.0),
        "nodes": 3.0,
        "texts": 1.0,
        "sub_words": 7.0,
    }
