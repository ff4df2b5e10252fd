"""What one pass through an ONNX model asks of a device, counted in the graph that onnxruntime makes of the file.

Counted after onnxruntime's own rewriting, so that a product which it fuses with the quantization of its input
counts once, and with batch 1, as taggers run. Nothing is executed: widths follow from the weights, and every
value that has a width has one row per sub-word.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calibration.device.model import FEATURES
from export.runtime.errors import UserError
from export.runtime.session import load_onnxruntime, session_options

INT8_PRODUCTS = ("DynamicQuantizeMatMul", "MatMulInteger", "MatMulIntegerToFloat")
FLOAT_PRODUCTS = ("MatMul", "FusedMatMul")
ATTENTIONS = ("Attention", "QAttention")
# What the rest of our graphs consists of; each costs a dispatch and its output's elements.
ELEMENTWISE = frozenset((
    "Add", "BiasGelu", "Cast", "CumSum", "DequantizeLinear", "DynamicQuantizeLinear", "Equal", "Expand", "Gather",
    "Gelu", "Identity", "LayerNormalization", "Mul", "Not", "QuantizeLinear", "ReduceSum", "Shape",
    "SkipLayerNormalization", "Slice", "Unsqueeze", "Where",
))  # fmt: skip


@dataclass(frozen=True)
class Work:
    """Operations of one pass, as a function of the length.

    Attributes:
        fixed: feature -> amount whatever the length.
        per_row: feature -> amount per sub-word.
        per_pair: feature -> amount per pair of sub-words: attention.
        unknown: operators that nothing is known about; their cost is missing from the rest.
    """

    fixed: Mapping[str, float]
    per_row: Mapping[str, float]
    per_pair: Mapping[str, float]
    unknown: tuple[str, ...]

    def features(self, length: float) -> dict[str, float]:
        """The amount of each of `FEATURES` for a text of `length` sub-words, <s> and </s> counted."""
        amounts = {
            name: self.fixed.get(name, 0.0)
            + self.per_row.get(name, 0.0) * length
            + self.per_pair.get(name, 0.0) * length * length
            for name in FEATURES
        }
        return amounts | {"texts": 1.0, "sub_words": float(length)}


def count_work(model: Path) -> Work:
    """Count an ONNX file's operations; its external data, if any, lies beside it.

    Raises:
        UserError: the file is missing or is no ONNX model.
    """
    import onnx

    graph = _rewritten(model).graph
    dims = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    bytes_each = {tensor.name: _bytes_each(tensor.data_type) for tensor in graph.initializer}
    # Whole numbers are shapes and ids in the making; they have no width.
    vectors = {t.name: t.dims[-1] for t in graph.initializer if t.dims and t.data_type == onnx.TensorProto.FLOAT}
    widths: dict[str, int] = {}
    fixed: Counter[str] = Counter()
    per_row: Counter[str] = Counter()
    per_pair: Counter[str] = Counter()
    unknown = set()
    for node in graph.node:
        fixed["nodes"] += 1
        weight = dims.get(node.input[1], ()) if len(node.input) > 1 else ()
        width = 0
        if node.op_type in (*INT8_PRODUCTS, *FLOAT_PRODUCTS, *ATTENTIONS) and len(weight) == 2:
            kind = "int8" if node.op_type in (*INT8_PRODUCTS, "QAttention") else "fp32"
            size = weight[0] * weight[1]
            per_row[f"{kind}_macs"] += size
            per_row[f"{kind}_outputs"] += weight[1]
            fixed["weight_bytes"] += size * (1 if kind == "int8" else 4)
            width = weight[1]
            if node.op_type == "DynamicQuantizeMatMul":
                per_row["elements"] += weight[0]
            elif node.op_type in ATTENTIONS:
                width //= 3  # query, key and value lie side by side
                per_pair["attention_macs"] += 2 * width
                per_pair["softmax_elements"] += _heads(node)
        elif node.op_type == "Gather" and len(table := dims.get(node.input[0], ())) == 2:
            width = table[1]
            per_row["gather_bytes"] += width * bytes_each[node.input[0]]
        elif node.op_type in ELEMENTWISE:
            width = max((widths.get(name) or vectors.get(name, 0) for name in node.input), default=0)
            per_row["elements"] += width
        else:
            unknown.add(node.op_type)
        widths.update(dict.fromkeys(node.output, width))
    return Work(dict(fixed), dict(per_row), dict(per_pair), tuple(sorted(unknown)))


def _heads(node: Any) -> int:
    return next(int(attribute.i) for attribute in node.attribute if attribute.name == "num_heads")


def _bytes_each(data_type: int) -> int:
    from onnx import helper

    return int(helper.tensor_dtype_to_np_dtype(data_type).itemsize)


def _rewritten(model: Path) -> Any:
    """The graph after onnxruntime's rewriting, as far as that does not depend on this machine; without weights."""
    import onnx

    if not model.is_file():
        raise UserError(f"There is no model at {model}.", "Give an ONNX file.")
    ort = load_onnxruntime()
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "graph.onnx"
        options = session_options(prepacking=False)
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(written)
        options.add_session_config_entry("session.optimized_model_external_initializers_file_name", "weights")
        try:
            ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions have no common base of their own
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise UserError(f"onnxruntime cannot open {model}: {reason}", "Export or copy it again.") from error
        return onnx.load(written, load_external_data=False)
