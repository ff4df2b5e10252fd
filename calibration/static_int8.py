"""Static int8: activation ranges fixed beforehand, as ONNX QuantizeLinear/DequantizeLinear pairs.

Every product of an activation with weights is int8 (activations unsigned and per tensor, weights signed and per
channel); what int8 does not make faster or makes worse stays in floating point: the two products inside
attention, softmax, GELU, layer normalisation, the residual stream and the results of the products.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from calibration.ranges import Feed, activation_ranges
from export.atomic import disk_full_explained
from export.quantize import quantize_tables
from export.runtime.encode import WordEncoder
from export.runtime.errors import UserError


@dataclass(frozen=True)
class StaticInt8Report:
    """Sizes in bytes before and after, and how much of the graph is int8.

    Attributes:
        int8_matmuls: products that onnxruntime runs in int8, counted in the graph it made of the file.
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
    from onnxruntime.quantization import CalibrationMethod, QuantType, quantize_static
    from onnxruntime.quantization.calibrate import TensorsData, save_tensors_data
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    feeds = list(inputs)
    model = onnx.load(fused)
    open_attention(model)
    products = _weight_products(model)
    _declare_float(model, products)
    ranges = activation_ranges(model, [node.input[0] for node in products], feeds)
    add_pre_process_metadata(model)  # or the quantizer logs advice to fuse first
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as work, disk_full_explained(target):
        cache, paired, done = Path(work) / "ranges.json", Path(work) / "paired.onnx", Path(work) / target.name
        found = {name: (np.float32(low), np.float32(high)) for name, (low, high) in ranges.items()}
        save_tensors_data(TensorsData(CalibrationMethod.MinMax, found), cache)
        quantize_static(
            model,
            paired,
            calibration_cache_path=cache,
            nodes_to_quantize=[node.name for node in products],
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            reduce_range=reduce_range,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul"]},
        )
        quantized = onnx.load(paired)
        _keep_residuals_float(quantized)
        tables = quantize_tables(quantized)
        onnx.save(quantized, str(done))
        int8 = _executed(done, Path(work))["MatMulIntegerToFloat"]
        report = StaticInt8Report(
            fused.stat().st_size, done.stat().st_size, int8, len(products) - int8, tables, len(feeds)
        )
        if report.float_matmuls or not report.int8_matmuls or not report.int8_tables:
            raise UserError(
                f"Of {len(products)} products with weights in {target.name} only {int8} would run in int8, and "
                f"{tables} tables are int8.",
                "Use the pinned onnx and onnxruntime (make setup); nothing was written.",
            )
        done.replace(target)
    return report


def calibration_inputs(encoder: WordEncoder, sentences: Iterable[Sequence[str]]) -> Iterator[Feed]:
    """The windows of each sentence (a sequence of words) as the model sees them: batch 1, no padding."""
    for words in sentences:
        for window in encoder.windows(words):
            ids = window.input_ids[np.newaxis]
            yield {"input_ids": ids, "attention_mask": np.ones_like(ids)}


def open_attention(model: Any) -> None:
    """Replace each fused Attention in place by its projection (MatMul), Split and MultiHeadAttention.

    The quantizer knows no Attention and would leave its weights in floating point without a word.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    nodes = []
    for node in graph.node:
        if node.op_type != "Attention":
            nodes.append(node)
            continue
        source, weight, bias, mask, *others = [*node.input, "", ""][: max(4, len(node.input))]
        attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        if any(others) or attributes.pop("unidirectional", 0) or attributes.pop("do_rotary", 0):
            raise UserError(
                f"{node.name} is attention of a kind that encoders do not have.",
                "Static int8 takes the fused fp32 file of an XLM-R or ELECTRA token classifier.",
            )
        width = weights[weight].dims[1]
        sizes = attributes.pop("qkv_hidden_sizes", None) or [width // 3] * 3
        name = node.output[0]
        parts = [f"{name}_query", f"{name}_key", f"{name}_value"]
        graph.initializer.append(numpy_helper.from_array(np.array(sizes, np.int64), f"{name}_sizes"))
        kept = {key: attributes[key] for key in ("num_heads", "scale", "mask_filter_value") if key in attributes}
        nodes += [
            helper.make_node("MatMul", [source, weight], [f"{name}_projected"], f"{name}_projection"),
            helper.make_node("Split", [f"{name}_projected", f"{name}_sizes"], parts, f"{name}_split", axis=-1),
            helper.make_node(
                "MultiHeadAttention",
                [*parts, bias, mask],
                list(node.output),
                f"{name}_heads",
                domain="com.microsoft",
                **kept,
            ),
        ]
    del graph.node[:]
    graph.node.extend(nodes)


def _weight_products(model: Any) -> list[Any]:
    """The MatMul nodes whose second input is a weight, each with a name."""
    weights = {tensor.name for tensor in model.graph.initializer}
    products = [node for node in model.graph.node if node.op_type == "MatMul" and node.input[1] in weights]
    for node in products:
        node.name = node.name or f"{node.output[0]}_product"
    return products


def _declare_float(model: Any, products: Iterable[Any]) -> None:
    """Give the products' inputs and outputs a type: a fused graph has none, and the quantizer skips such tensors."""
    from onnx import TensorProto, helper

    known = {value.name for value in (*model.graph.value_info, *model.graph.input, *model.graph.output)}
    for node in products:
        for name in (node.input[0], node.output[0]):
            if name not in known:
                known.add(name)
                model.graph.value_info.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))


def _keep_residuals_float(model: Any) -> None:
    """Let only products read quantized activations.

    The quantizer gives the rounded tensor to everything that read the original, the residual connections too.
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
