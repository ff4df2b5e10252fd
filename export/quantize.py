"""Dynamic int8 with onnxruntime, and the embedding tables with one scale per row.

onnxruntime quantizes a Gather's table with a single scale, which costs F1; here each row has its own, as
plain Gather, Cast and Mul that every runtime knows. Functions check what they did: quantizers are known to
return success having quantized part of a graph or nothing.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.atomic import disk_full_explained
from export.runtime.errors import UserError

SMALLEST_TABLE = 64  # rows; below this a lookup table is not worth three operators
MOST_OF_FP32 = 0.3  # share of the bytes: a quarter, plus scales, biases and normalisations
GRAPH_BYTES = 65_536  # for the graph itself, which grows a little


@dataclass(frozen=True)
class QuantizeReport:
    """Sizes in bytes before and after, and how much of the graph is int8."""

    bytes_before: int
    bytes_after: int
    int8_matmuls: int
    float_matmuls: int
    int8_tables: int


def quantize_dynamic_int8(source: Path, target: Path, reduce_range: bool = False) -> QuantizeReport:
    """Quantize MatMul and Attention weights (signed, per channel) and embedding tables (per row) to int8.

    Activations are quantized at run time, one scale per tensor. `reduce_range` uses 7 bits for weights: x86
    processors without VNNI saturate at 8 (onnxruntime#5849).

    Raises:
        UserError: a matrix product with constant weights or a table stayed in floating point, or the file is
            larger than int8 explains.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as work, disk_full_explained(target):
        matmuls = Path(work) / "matmuls.onnx"
        with _quiet():
            quantize_dynamic(
                source,
                matmuls,
                op_types_to_quantize=["MatMul", "Attention"],
                per_channel=True,
                reduce_range=reduce_range,
                weight_type=QuantType.QInt8,
                # The fused graph has no value types, which the quantizer would otherwise look for.
                extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT, "MatMulConstBOnly": True},
            )
        model = onnx.load(matmuls)
        tables = quantize_tables(model)
        done = Path(work) / target.name
        onnx.save(model, str(done))
        report = _account(source, done, model, tables)
        if report.float_matmuls or not report.int8_matmuls or not report.int8_tables:
            raise UserError(
                f"Quantization left {report.float_matmuls} matrix products in floating point and made "
                f"{report.int8_matmuls} products and {report.int8_tables} tables int8 in {target.name}.",
                "Use the pinned onnx and onnxruntime (make setup); nothing was written.",
            )
        if report.bytes_after > MOST_OF_FP32 * report.bytes_before + GRAPH_BYTES:
            raise UserError(
                f"{target.name} takes {report.bytes_after:,} of {report.bytes_before:,} bytes, too many for int8.",
                "Part was stored wider or twice; nothing was written. Use the pinned versions (make setup).",
            )
        done.replace(target)
    return report


def quantize_tables(model: Any) -> int:
    """Rewrite each large Gather from a float table in place: int8 rows times one float scale per row.

    A row's scale is its largest magnitude / 127, so that a rare row with small values keeps its precision.
    Returns the number of tables rewritten.
    """
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    initializers = {tensor.name: tensor for tensor in graph.initializer}
    done = 0
    nodes = []
    for node in graph.node:
        tensor = initializers.get(node.input[0]) if node.op_type == "Gather" else None
        if (
            tensor is None
            or tensor.data_type != TensorProto.FLOAT
            or len(tensor.dims) != 2
            or tensor.dims[0] < SMALLEST_TABLE
        ):
            nodes.append(node)
            continue
        table = numpy_helper.to_array(tensor)
        scale = np.maximum(np.abs(table).max(axis=1, keepdims=True), 1e-12).astype(np.float32) / 127
        rows = np.clip(np.rint(table / scale), -127, 127).astype(np.int8)
        name, indices = tensor.name, node.input[1]
        graph.initializer.remove(tensor)
        graph.initializer.append(numpy_helper.from_array(rows, f"{name}_int8"))
        graph.initializer.append(numpy_helper.from_array(scale, f"{name}_scale"))
        out = node.output[0]
        nodes += [
            helper.make_node("Gather", [f"{name}_int8", indices], [f"{out}_int8"], f"{out}_rows"),
            helper.make_node("Cast", [f"{out}_int8"], [f"{out}_cast"], f"{out}_to_float", to=TensorProto.FLOAT),
            helper.make_node("Gather", [f"{name}_scale", indices], [f"{out}_scale"], f"{out}_scales"),
            helper.make_node("Mul", [f"{out}_cast", f"{out}_scale"], [out], f"{out}_dequantized"),
        ]
        done += 1
    del graph.node[:]
    graph.node.extend(nodes)
    return done


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the quantizer's advice to pre-process the graph, which it logs for every graph."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _account(source: Path, target: Path, model: Any, tables: int) -> QuantizeReport:
    """Count what became int8; products of two activations (inside fused attention) are not counted."""
    initializers = {tensor.name for tensor in model.graph.initializer}
    quantized = sum(node.op_type in ("MatMulInteger", "QAttention") for node in model.graph.node)
    floating = sum(
        node.op_type in ("MatMul", "Gemm", "Attention") and node.input[1] in initializers for node in model.graph.node
    )
    return QuantizeReport(model_bytes(source), model_bytes(target), quantized, floating, tables)


def model_bytes(path: Path) -> int:
    """Bytes of an ONNX file and of its external data."""
    data = _data_file(path)
    return path.stat().st_size + (data.stat().st_size if data.is_file() else 0)


def _data_file(path: Path) -> Path:
    return path.with_name(path.name + "_data")


def to_external_data(path: Path) -> Path:
    """Move an ONNX file's weights to `<name>_data` beside it, which onnxruntime maps into memory.

    A quarter of the RAM on a Raspberry Pi: embedding rows that no text asks for are never read.
    Returns the data file's path.
    """
    import onnx

    data = _data_file(path)
    model = onnx.load(path)
    data.unlink(missing_ok=True)  # onnx would append to it
    onnx.save_model(
        model,
        str(path),
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location=data.name,
        size_threshold=1024,
    )
    return data
