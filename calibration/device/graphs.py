"""Encoders and kernels as ONNX graphs without weights: the operators of a real export, and nothing to transfer.

`encoder` writes down node by node what export/onnx.py makes of an XLM-R or ELECTRA tagger (a test holds the two
against each other) and leaves int8 to export/quantize.py. `without_weights` then points every weight at a data
file that the device fills with noise: values decide answers, not speed.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from calibration.device.shapes import Kernel, Precision, Shape
from export.quantize import quantize_dynamic_int8, quantize_tables

OPSET = 17
IR_VERSION = 8
PAD = 1
EPSILON = 1e-5
LOWEST = -3.4028234663852886e38
LARGE = 1024  # bytes; smaller matrices stay in the graph, and so does every vector: a scale must not be noise
PAGE = 4096  # bytes; weights begin on a page so that they can be mapped
DATA = {"int8": "int8.data", "float32": "float32.data"}
"""Element type -> the file that holds all weights of that type."""


def encoder(shape: Shape, precision: Precision) -> Any:
    """An encoder with a tagging head as an onnx.ModelProto without weights.

    It takes input_ids and attention_mask, int64 (batch, sequence), and gives logits, float32
    (batch, sequence, labels).
    """
    graph = _Graph()
    hidden = _embed(graph, shape)
    graph.node("Cast", ["attention_mask"], "mask", to=6)
    graph.constant_weight("mask_axes", np.array([1], np.int64))
    graph.node("ReduceSum", ["mask", "mask_axes"], "mask_index", keepdims=0)
    for layer in range(shape.layers):
        hidden = _layer(graph, shape, hidden, f"layer.{layer}")
    product = graph.product(hidden, "classifier", shape.hidden, shape.labels)
    graph.node("Add", [graph.vector("classifier.bias", shape.labels), product], "logits")
    return _finish(graph, precision, ("input_ids", "attention_mask"), shape.labels)


def kernel(spec: Kernel) -> Any:
    """Rows of a table through matrix products one after another, as an onnx.ModelProto without weights.

    It takes input_ids, int64 (batch, sequence), and gives logits, float32 (batch, sequence, last width).
    """
    graph = _Graph()
    rows = graph.node("Gather", [graph.weight("table", spec.rows, spec.widths[0]), "input_ids"], "table.rows")
    # The two quantizers name what they make after the same tensor where nothing lies between table and product.
    rows = graph.node("Identity", [rows], "rows")
    for number, (one, other) in enumerate(zip(spec.widths, spec.widths[1:], strict=False)):
        rows = graph.product(rows, f"product.{number}", one, other, shared=f"{one}x{other}")
    graph.node("Identity", [rows], "logits")
    return _finish(graph, spec.precision, ("input_ids",), spec.widths[-1])


class _Graph:
    """Nodes and constants in the making; weights of equal shape are one tensor until they are taken out."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: dict[str, np.ndarray] = {}
        self._random = np.random.default_rng(0)

    def node(self, op: str, inputs: list[str], output: str, domain: str = "", **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(op, inputs, [output], output, domain=domain, **attributes))
        return output

    def fused(self, op: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """A node of onnxruntime's own domain."""
        return self.node(op, inputs, output, domain="com.microsoft", **attributes)

    def constant(self, output: str, value: Any) -> str:
        """A Constant node, which is how the exporter writes numbers."""
        from onnx import numpy_helper

        return self.node("Constant", [], output, value=numpy_helper.from_array(np.array(value, np.int64)))

    def constant_weight(self, name: str, value: np.ndarray) -> str:
        self.weights[name] = value
        return name

    def vector(self, name: str, width: int, value: float = 0.0) -> str:
        """A bias or a normalisation's weight."""
        return self.constant_weight(name, np.full(width, value, np.float32))

    def weight(self, name: str, rows: int, columns: int) -> str:
        if name not in self.weights:
            self.weights[name] = self._random.standard_normal((rows, columns), np.float32)
        return name

    def product(self, value: str, name: str, rows: int, columns: int, shared: str | None = None) -> str:
        return self.node("MatMul", [value, self.weight(shared or f"{name}.weight", rows, columns)], name)


def _embed(graph: _Graph, shape: Shape) -> str:
    """Table rows, positions and the one token type, added and normalised; projected where they are narrower."""
    projected = shape.embedding != shape.hidden
    graph.node("Shape", ["input_ids"], "shape")
    graph.node("Shape", ["input_ids"], "shape_again")
    graph.node("Gather", ["shape_again", graph.constant("one", 1)], "length", axis=0)
    types = _slice(graph, "types", shape.positions)
    graph.node("Shape", ["shape"], "rank")
    from onnx import numpy_helper

    graph.node("ConstantOfShape", ["rank"], "ones", value=numpy_helper.from_array(np.ones(1, np.int64)))
    graph.node("Mul", ["ones", graph.constant("minus_one", -1)], "unknown")
    graph.node("Equal", ["shape", "unknown"], "is_unknown")
    graph.node("Where", ["is_unknown", "ones", "shape"], "wanted")
    graph.node("Expand", [types, "wanted"], "type_ids")
    positions = _slice(graph, "positions", shape.positions) if projected else _positions_after_padding(graph)
    tables = (
        ("words", shape.pieces, "input_ids"),
        ("types", 1, "type_ids"),
        ("positions", shape.positions + 2 * (not projected), positions),
    )
    words, of_type, places = (
        graph.node("Gather", [graph.weight(f"{name}.table", rows, shape.embedding), ids], f"{name}.rows")
        for name, rows, ids in tables
    )
    graph.node("Add", [words, of_type], "typed")
    graph.node("Add", ["typed", places], "embedded")
    scale, bias = graph.vector("norm.weight", shape.embedding, 1.0), graph.vector("norm.bias", shape.embedding)
    value = graph.node("LayerNormalization", ["embedded", scale, bias], "norm", axis=-1, epsilon=EPSILON)
    if projected:
        product = graph.product(value, "projected", shape.embedding, shape.hidden)
        value = graph.node("Add", [graph.vector("projected.bias", shape.hidden), product], "hidden")
    return value


def _slice(graph: _Graph, name: str, positions: int) -> str:
    """The first `length` entries of a row that counts positions or token types."""
    row = graph.constant(f"{name}.row", np.arange(positions)[None] if name == "positions" else [[0] * positions])
    start, axis, step = (graph.constant(f"{name}.{what}", [value]) for what, value in
                         (("start", 0), ("axis", 1), ("step", 1)))  # fmt: skip
    end = graph.node("Unsqueeze", ["length", graph.constant(f"{name}.axes", [0])], f"{name}.end")
    return graph.node("Slice", [row, start, end, axis, step], f"{name}.slice")


def _positions_after_padding(graph: _Graph) -> str:
    """XLM-R's positions: they count the sub-words that are no padding, from pad + 1 on."""
    graph.node("Equal", ["input_ids", graph.constant("pad", PAD)], "is_padding")
    graph.node("Not", ["is_padding"], "is_text")
    graph.node("Cast", ["is_text"], "text", to=6)
    graph.node("CumSum", ["text", graph.constant("sequence_axis", 1)], "counted")
    graph.node("Mul", ["counted", "text"], "text_counted")
    graph.node("Cast", ["text_counted"], "text_position", to=7)
    return graph.node("Add", ["text_position", graph.constant("offset", PAD)], "position_ids")


def _layer(graph: _Graph, shape: Shape, value: str, name: str) -> str:
    """One encoder layer, fused: attention, its projection, and the feed-forward network."""
    width = shape.hidden
    inputs = [value, graph.weight("qkv", width, 3 * width), graph.vector(f"{name}.qkv.bias", 3 * width), "mask_index"]
    attended = graph.fused("Attention", inputs, f"{name}.attended", num_heads=shape.heads, mask_filter_value=LOWEST)
    product = graph.product(attended, f"{name}.mixed", width, width, "attention")
    value = _add_and_normalise(graph, product, value, f"{name}.attention", width)
    product = graph.product(value, f"{name}.wide", width, shape.ffn, "ffn_in")
    active = graph.fused("BiasGelu", [product, graph.vector(f"{name}.wide.bias", shape.ffn)], f"{name}.active")
    product = graph.product(active, f"{name}.narrow", shape.ffn, width, "ffn_out")
    return _add_and_normalise(graph, product, value, f"{name}.output", width)


def _add_and_normalise(graph: _Graph, product: str, skipped: str, name: str, width: int) -> str:
    vectors = [graph.vector(f"{name}.{what}", width, float(what == "scale")) for what in ("scale", "shift", "bias")]
    return graph.fused("SkipLayerNormalization", [product, skipped, *vectors], name, epsilon=EPSILON)


def _finish(graph: _Graph, precision: Precision, inputs: tuple[str, ...], width: int) -> Any:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    dims: list[str | int] = ["batch_size", "sequence_length"]
    given = [helper.make_tensor_value_info(name, TensorProto.INT64, dims) for name in inputs]
    answer = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [*dims, width])
    weights = [numpy_helper.from_array(value, name) for name, value in graph.weights.items()]
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    made = helper.make_graph(graph.nodes, "calibration", given, [answer], weights)
    model = helper.make_model(made, opset_imports=opsets, ir_version=IR_VERSION)
    if precision == "int8" and not any(node.op_type == "MatMul" for node in graph.nodes):
        quantize_tables(model)
    elif precision == "int8":
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
            onnx.save(model, source)
            quantize_dynamic_int8(source, target)
            model = onnx.load(target)
    return without_weights(model)


def without_weights(model: Any) -> Any:
    """The model with each large weight in its own place of a data file, to be mapped from there.

    A weight that several nodes share becomes one for each: no cache holds a real layer's weights for the next.
    """
    from onnx import TensorProto, helper

    kinds = (TensorProto.INT8, TensorProto.FLOAT)
    large = {
        tensor.name: tensor
        for tensor in model.graph.initializer
        if len(tensor.dims) == 2 and len(tensor.raw_data) >= LARGE and tensor.data_type in kinds
    }
    ends = dict.fromkeys(DATA, 0)
    kept = [tensor for tensor in model.graph.initializer if tensor.name not in large]
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            if name not in large:
                continue
            tensor = large[name]
            kind = helper.tensor_dtype_to_np_dtype(tensor.data_type).name
            placed = TensorProto(name=f"{name}#{len(kept)}", data_type=tensor.data_type, dims=tensor.dims)
            placed.data_location = TensorProto.EXTERNAL
            size = len(tensor.raw_data)
            for key, value in (("location", DATA[kind]), ("offset", ends[kind]), ("length", size)):
                placed.external_data.add(key=key, value=str(value))
            ends[kind] += -(-size // PAGE) * PAGE
            kept.append(placed)
            node.input[index] = placed.name
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    return model


def data_bytes(model: Any) -> dict[str, int]:
    """Element type -> bytes that the model needs of that type's data file."""
    found = dict.fromkeys(DATA, 0)
    for tensor in model.graph.initializer:
        place = {entry.key: entry.value for entry in tensor.external_data}
        if place:
            kind = next(kind for kind, name in DATA.items() if name == place["location"])
            found[kind] = max(found[kind], int(place["offset"]) + int(place["length"]))
    return found
