"""Standard graphs have the operators of a real export, run, and carry no weights."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from calibration.device.features import count_work
from calibration.device.graphs import DATA, PAGE, data_bytes, encoder, kernel, without_weights
from calibration.device.shapes import ARTIFACTS, KERNELS, PIECES, Kernel, Precision, Shape
from export.runtime.session import open_session, session_logits

EXPORTED_PIECES = 402


def like(exported: Any, precision: Precision) -> tuple[Shape, Path]:
    """The shape of the exported model, and its file."""
    embedding = 16 if exported.architecture == "electra" else 32
    shape = Shape(2, 32, 2, 64, EXPORTED_PIECES, embedding)
    folder, name = (exported.int8, "model_int8") if precision == "int8" else (exported.fp32, "model")
    return shape, folder / "onnx" / f"{name}.onnx"


def written(folder: Path, model: Any, fill: bool = True) -> Path:
    """The model with its data files, of small numbers or of nothing."""
    for kind, size in data_bytes(model).items():
        with (folder / DATA[kind]).open("wb") as stream:
            if fill and kind == "float32":
                stream.write(np.full(size // 4, 0.01, np.float32).tobytes())
            stream.truncate(size)
    onnx.save(model, folder / "model.onnx")
    return folder / "model.onnx"


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_operators_are_those_of_a_real_export(exported: Any, precision: Precision) -> None:
    shape, path = like(exported, precision)
    real, ours = onnx.load(path), encoder(shape, precision)
    assert Counter(node.op_type for node in ours.graph.node) == Counter(node.op_type for node in real.graph.node)
    assert [(entry.domain, entry.version) for entry in ours.opset_import] == [
        (entry.domain, entry.version) for entry in real.opset_import
    ]
    assert ours.ir_version == real.ir_version


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_work_is_that_of_a_real_export(exported: Any, precision: Precision, tmp_path: Path) -> None:
    shape, path = like(exported, precision)
    real, ours = count_work(path), count_work(written(tmp_path, encoder(shape, precision), fill=False))
    assert ours == real
    assert real.unknown == ()
    assert real.features(10)[f"{precision}_macs"] > 0


@pytest.mark.parametrize("embedding", [32, 16])
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_an_encoder_runs_at_any_length(embedding: int, precision: Precision, tmp_path: Path) -> None:
    model = encoder(Shape(2, 32, 2, 64, 80, embedding, labels=5, positions=40), precision)
    logits = session_logits(open_session(written(tmp_path, model)))
    for length in (1, 7, 40):
        ids = np.full((1, length), 5, np.int64)
        answer = logits(ids, np.ones_like(ids))
        assert answer.shape == (1, length, 5) and np.isfinite(answer).all()


def test_no_weight_is_in_the_graph_and_layers_share_none() -> None:
    model = encoder(Shape(3, 64, 2, 128, 500, 64), "fp32")
    assert len(model.SerializeToString()) < 40_000
    places = [
        (int(entry["offset"]), int(entry["length"]))
        for entry in ({e.key: e.value for e in t.external_data} for t in model.graph.initializer)
        if entry
    ]
    # Three layers of four matrices, three tables (that of one row is small), the head.
    assert len(places) == 3 * 4 + 2 + 1
    places.sort()
    assert all(start % PAGE == 0 for start, _ in places)
    assert all(start + size <= after for (start, size), (after, _) in pairwise(places))
    matrices = 3 * (64 * 192 + 64 * 64 + 2 * 64 * 128) + 500 * 64 + 514 * 64 + 64 * 9
    assert sum(size for _, size in places) == 4 * matrices
    assert data_bytes(model) == {"int8": 0, "float32": places[-1][0] + places[-1][1]}


def test_scales_stay_in_the_graph_since_they_must_not_be_noise() -> None:
    model = encoder(Shape(1, 512, 2, 512, 500, 512), "int8")
    inside = {tensor.name for tensor in model.graph.initializer if not tensor.external_data}
    assert sum(name.endswith("_scale") for name in inside) >= 4  # of products; tables have a column of them
    assert data_bytes(model)["int8"] > 500 * 512 + 4 * 512 * 512


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_kernel_is_its_products_and_a_gather(precision: Precision, tmp_path: Path) -> None:
    spec = Kernel("k", precision, (64, 128, 64), rows=70)
    path = written(tmp_path, kernel(spec))
    session = open_session.__globals__["load_onnxruntime"]().InferenceSession(str(path))
    (answer,) = session.run(None, {"input_ids": np.full((1, 5), 4, np.int64)})
    assert answer.shape == (1, 5, 64)
    assert count_work(path).features(10)[f"{precision}_macs"] == 10 * spec.macs == 10 * 2 * 64 * 128
    alone = kernel(Kernel("gather", precision, (64,), rows=70))
    assert not any("MatMul" in node.op_type for node in alone.graph.node)
    assert data_bytes(alone)["int8" if precision == "int8" else "float32"] == 70 * 64 * (
        4 if precision == "fp32" else 1
    )


def test_taking_weights_out_twice_changes_nothing() -> None:
    model = kernel(Kernel("k", "fp32", (64, 64), rows=70))
    before = model.SerializeToString()
    assert without_weights(model).SerializeToString() == before


def test_standard_artifacts_go_from_a_small_student_to_afriberta_base() -> None:
    names = [item.name for item in (*ARTIFACTS, *KERNELS)]
    assert len(set(names)) == len(names)
    shapes = {(item.shape, item.precision) for item in ARTIFACTS}
    assert (Shape(4, 256, 4, 320, 6000, 128), "int8") in shapes  # the recipe `edge`
    assert any(shape.layers == 8 and shape.hidden == 768 and shape.heads == 6 for shape, _ in shapes)
    assert sum(item.precision == "fp32" for item in ARTIFACTS) >= 4
    assert all(item.shape.hidden % item.shape.heads == 0 for item in ARTIFACTS)
    assert all(item.shape.pieces == PIECES for item in ARTIFACTS)  # a row for each id of the tokenizer
    assert KERNELS[0].macs == 0 and KERNELS[2].macs == 8 * 256 * 256
