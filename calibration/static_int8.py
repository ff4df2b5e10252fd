"""Static int8: activation ranges fixed beforehand, as ONNX QuantizeLinear/DequantizeLinear pairs.

Every product of an activation with weights is int8 (activations unsigned and per tensor, weights signed and per
channel). What int8 does not make faster, or makes worse, stays in floating point: the two products inside
attention, softmax, GELU, layer normalisation, the residual stream and the results of the products.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from calibration.ranges import LEVELS, Feed, Range, activation_ranges
from export.atomic import disk_full_explained
from export.quantize import model_bytes, quantize_tables
from export.runtime.encode import WordEncoder
from export.runtime.errors import UserError


@dataclass(frozen=True)
class StaticInt8Report:
    """Sizes in bytes before and after, and how much of the graph is int8.

    Attributes:
        int8_matmuls: products with weights that onnxruntime runs in int8, counted in the graph it makes of the
            file; a block's query, key and value projection is one.
        float_matmuls: products with weights that it does not.
        windows: model inputs that the ranges were measured on.
    """

    bytes_before: int
    bytes_after: int
    int8_matmuls: int
    float_matmuls: int
    int8_tables: int
    windows: int


def quantize_static_int8(
    fused: Path, target: Path, inputs: Iterable[Feed], reduce_range: bool = False
) -> StaticInt8Report:
    """Quantize the fused fp32 file of `export_onnx` with activation ranges measured on `inputs`.

    Args:
        inputs: input_ids and attention_mask, int64 (batch, sequence); see `calibration_inputs`.
        reduce_range: 7 bits for weights: x86 processors without VNNI saturate at 8 (onnxruntime#5849).

    Raises:
        UserError: there are no inputs, activations are not finite, or onnxruntime would not run every product
            with weights in int8; nothing is written then.
    """
    import onnx

    feeds = list(inputs)
    model = onnx.load(fused)
    products = _weight_products(model)
    ranges = activation_ranges(model, [node.input[0] for node in products], feeds)
    quantize_attention(model, ranges, reduce_range)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as work, disk_full_explained(target):
        quantized = _quantize_matmuls(model, ranges, reduce_range, Path(work))
        keep_residuals_float(quantized)
        tables = quantize_tables(quantized)
        done = Path(work) / target.name
        onnx.save(quantized, str(done))
        executed = _executed(done, Path(work))
        int8 = executed["MatMulIntegerToFloat"] + executed["QAttention"]
        if int8 != len(products) or not products or not tables:
            raise UserError(
                f"Of {len(products)} products with weights in {target.name} {int8} would run in int8, and "
                f"{tables} tables are int8.",
                "Use the pinned onnx and onnxruntime (make setup); nothing was written.",
            )
        report = StaticInt8Report(
            model_bytes(fused), done.stat().st_size, int8, len(products) - int8, tables, len(feeds)
        )
        done.replace(target)
    return report


def calibration_inputs(encoder: WordEncoder, sentences: Iterable[Sequence[str]]) -> Iterator[Feed]:
    """The windows of each sentence (a sequence of words) as the model sees them: batch 1, no padding."""
    for words in sentences:
        for window in encoder.windows(words):
            ids = window.input_ids[np.newaxis]
            yield {"input_ids": ids, "attention_mask": np.ones_like(ids)}


def quantize_attention(model: Any, ranges: Mapping[str, Range], reduce_range: bool = False) -> None:
    """Replace each fused Attention in place by QAttention with a fixed input scale.

    onnxruntime's quantizer does this for dynamic int8 only; for static int8 it leaves these weights in floating
    point without a word.
    """
    nodes: list[Any] = []
    for node in model.graph.node:
        nodes += _int8_attention(model.graph, node, ranges, reduce_range) or [node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _int8_attention(graph: Any, node: Any, ranges: Mapping[str, Range], reduce_range: bool) -> list[Any]:
    """QuantizeLinear and QAttention for a node, or nothing where it is no Attention that QAttention can replace."""
    from onnx import helper, numpy_helper

    plain = not any(node.input[4:]) and all(a.name != "qkv_hidden_sizes" for a in node.attribute)
    if node.op_type != "Attention" or not plain:
        return []
    source, weight, bias, *mask = node.input
    stored = next(tensor for tensor in graph.initializer if tensor.name == weight)
    columns, column_scales = _round_columns(numpy_helper.to_array(stored), 64 if reduce_range else 127)
    low, high = ranges[source]
    scale = np.float32((high - low) / (LEVELS - 1) or 1.0)
    constants = {
        "input_scale": scale,
        "input_zero": np.uint8(np.clip(np.rint(-low / scale), 0, LEVELS - 1)),
        "weight": columns,
        "weight_scale": column_scales,
        "weight_zero": np.zeros(column_scales.shape, np.int8),
    }
    name = {key: f"{node.output[0]}_{key}" for key in (*constants, "input")}
    graph.initializer.remove(stored)
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), name[key]) for key, value in constants.items()
    )
    scales = [name["input_scale"], name["weight_scale"]]
    zeros = [name["input_zero"], name["weight_zero"]]
    attention = helper.make_node(
        "QAttention",
        [name["input"], name["weight"], bias, *scales, *(mask[:1] or [""]), *zeros],
        list(node.output),
        node.name,
        domain="com.microsoft",
    )
    attention.attribute.extend(node.attribute)
    rounded = helper.make_node(
        "QuantizeLinear", [source, name["input_scale"], name["input_zero"]], [name["input"]], f"{node.name}_input"
    )
    return [rounded, attention]


def _round_columns(weights: np.ndarray, largest: int) -> tuple[np.ndarray, np.ndarray]:
    """int8 (rows, columns) between -largest and largest, and float32 (columns,), the scale of each column."""
    scales = np.maximum(np.abs(weights).max(axis=0), 1e-12).astype(np.float32) / np.float32(largest)
    return np.clip(np.rint(weights / scales), -largest, largest).astype(np.int8), scales


def _quantize_matmuls(model: Any, ranges: Mapping[str, Range], reduce_range: bool, work: Path) -> Any:
    """The model with QuantizeLinear/DequantizeLinear pairs around the products of onnxruntime's quantizer."""
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantType, quantize_static
    from onnxruntime.quantization.calibrate import TensorsData, save_tensors_data
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    products = [node for node in _weight_products(model) if node.op_type == "MatMul"]
    for node in products:
        node.name = node.name or f"{node.output[0]}_product"
    _declare_float(model, products)
    add_pre_process_metadata(model)  # else the quantizer logs advice to fuse first
    cache, paired = work / "ranges.json", work / "paired.onnx"
    known = {name: (np.float32(low), np.float32(high)) for name, (low, high) in ranges.items()}
    # Its way to take ranges from elsewhere is a cache; the method is only a label in there.
    save_tensors_data(TensorsData(CalibrationMethod.MinMax, known), cache)
    quantize_static(
        model,
        paired,
        calibration_cache_path=cache,
        nodes_to_quantize=[node.name for node in products],
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        reduce_range=reduce_range,
        activation_type=QuantType.QUInt8,  # signed activations run at a quarter of the speed on x86
        weight_type=QuantType.QInt8,
        extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul"]},
    )
    return onnx.load(paired)


def _weight_products(model: Any) -> list[Any]:
    """The nodes that multiply an activation, their first input, with weights."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [
        node
        for node in model.graph.node
        if node.op_type in ("MatMul", "Gemm", "Attention") and node.input[1] in weights
    ]


def _declare_float(model: Any, products: Iterable[Any]) -> None:
    """Give the products' inputs and outputs a type: a fused graph has none, and the quantizer skips such tensors."""
    from onnx import TensorProto, helper

    known = {value.name for value in (*model.graph.value_info, *model.graph.input, *model.graph.output)}
    for node in products:
        for name in {node.input[0], node.output[0]} - known:
            known.add(name)
            model.graph.value_info.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))


def keep_residuals_float(model: Any) -> None:
    """Let only products read rounded activations.

    onnxruntime's quantizer gives the rounded tensor to everything that read the original, the residual
    connections too, which costs a third more error and no less time.
    """
    quantizers = {node.output[0]: node for node in model.graph.node if node.op_type == "QuantizeLinear"}
    originals = {
        node.output[0]: quantizers[node.input[0]].input[0]
        for node in model.graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in quantizers
    }
    for node in model.graph.node:
        if node.op_type != "MatMul":
            for index, name in enumerate(node.input):
                node.input[index] = originals.get(name, name)


def _executed(path: Path, work: Path) -> Counter[str]:
    """The operators that onnxruntime makes of a file when it loads it."""
    import onnx
    import onnxruntime as ort

    optimized = work / "optimized.onnx"
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(optimized)
    options.log_severity_level = 3
    ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(optimized).graph.node)
