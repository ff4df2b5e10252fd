"""The ONNX scan sees what a parser would, and refuses what a runtime should not open."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from google.protobuf.message import DecodeError
from onnx import AttributeProto, GraphProto, ModelProto, TensorProto, helper, numpy_helper

from export.onnx_scan import OnnxScan, scan_onnx
from export.runtime.errors import UserError


def external(location: str) -> TensorProto:
    tensor = numpy_helper.from_array(np.zeros((2, 2), np.float32), "weight")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="length", value="16")
    tensor.external_data.add(key="location", value=location)
    return tensor


def model(nodes: list[Any], weights: list[TensorProto] | None = None, **more: Any) -> ModelProto:
    graph = helper.make_graph(nodes, "graph", [], [], weights or [])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, **{"opset_imports": opsets, **more})


def scan(proto: ModelProto | bytes, path: Path) -> OnnxScan:
    path.write_bytes(proto if isinstance(proto, bytes) else proto.SerializeToString())
    return scan_onnx(path)


def everything(proto: ModelProto) -> tuple[set[str], set[tuple[str, str]]]:
    """Locations and operators by way of the onnx package: the reference."""
    locations: set[str] = set()
    operators: set[tuple[str, str]] = set()

    def tensor(item: TensorProto) -> None:
        locations.update(entry.value for entry in item.external_data if entry.key == "location")

    def sparse(item: Any) -> None:
        tensor(item.values)
        tensor(item.indices)

    def attribute(item: AttributeProto) -> None:
        for one in (item.t, *item.tensors):
            tensor(one)
        for one in (item.sparse_tensor, *item.sparse_tensors):
            sparse(one)
        for one in (item.g, *item.graphs):
            graph(one)

    def node(item: Any) -> None:
        operators.add((item.domain, item.op_type))
        for one in item.attribute:
            attribute(one)

    def graph(item: GraphProto) -> None:
        for one in item.node:
            node(one)
        for weight in item.initializer:
            tensor(weight)
        for weight in item.sparse_initializer:
            sparse(weight)

    graph(proto.graph)
    for training in proto.training_info:
        graph(training.initialization)
        graph(training.algorithm)
    for function in proto.functions:
        for one in function.node:
            node(one)
        for default in function.attribute_proto:
            attribute(default)
    return locations, operators


def hiding_places() -> dict[str, ModelProto]:
    """One model for each place where a model may refer to a file."""
    bad = external("../secret")
    identity = helper.make_node("Identity", ["a"], ["b"])
    inner = helper.make_graph([identity], "inner", [], [], [bad])
    sparse = helper.make_sparse_tensor(bad, numpy_helper.from_array(np.zeros(1, np.int64)), [2, 2])
    function = helper.make_function(
        "local",
        "F",
        [],
        ["y"],
        [helper.make_node("Constant", [], ["y"], value=bad)],
        [helper.make_opsetid("", 17)],
    )
    trained = model([identity])
    trained.training_info.add().algorithm.initializer.append(bad)
    sparse_weights = model([identity])
    sparse_weights.graph.sparse_initializer.append(sparse)
    return {
        "initializer": model([identity], [bad]),
        "constant": model([helper.make_node("Constant", [], ["y"], value=bad)]),
        "tensors attribute": model([helper.make_node("X", [], ["y"], many=[bad])]),
        "subgraph": model([helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)]),
        "graphs attribute": model([helper.make_node("X", [], ["y"], many=[inner])]),
        "sparse attribute": model([helper.make_node("Constant", [], ["y"], sparse_value=sparse)]),
        "sparse initializer": sparse_weights,
        "function": model([identity], functions=[function]),
        "training": trained,
    }


@pytest.mark.parametrize("place", list(hiding_places()))
def test_external_data_is_found_wherever_it_hides(place: str, tmp_path: Path) -> None:
    found = scan(hiding_places()[place], tmp_path / "m.onnx")
    assert found.locations == {"../secret"}
    assert "'../secret'" in next(found.problems())


def test_weights_in_a_listed_file_beside_the_model_are_fine(tmp_path: Path) -> None:
    found = scan(model([], [external("m.onnx_data")]), tmp_path / "m.onnx")
    assert list(found.problems(frozenset({"m.onnx_data"}))) == []
    assert list(found.problems(frozenset({"other"})))
    in_memory = scan(
        model([], [external("*/_ORT_MEM_ADDR_/*")]), tmp_path / "m.onnx"
    )  # a raw address, to onnxruntime
    assert "_ORT_MEM_ADDR_" in next(in_memory.problems(frozenset({"m.onnx_data"})))


def test_custom_operators_and_foreign_code_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    custom = scan(model([helper.make_node("Evil", [], ["y"], domain="ai.example")]), path)
    assert list(custom.problems()) == ["needs the custom operator ai.example::Evil"]
    listed = scan(model([], opset_imports=[helper.make_opsetid("ai.example", 1)]), path)
    assert list(listed.problems()) == ["needs a custom operator library (domain 'ai.example')"]
    context = scan(model([helper.make_node("EPContext", [], ["y"], domain="com.microsoft")]), path)
    assert "EPContext" in next(context.problems())
    fused = scan(model([helper.make_node("QAttention", [], ["y"], domain="com.microsoft")]), path)
    assert list(fused.problems()) == []


def test_functions_that_a_model_defines_itself_are_no_custom_operators(tmp_path: Path) -> None:
    opsets = [helper.make_opsetid("", 17)]
    function = helper.make_function("local", "F", ["x"], ["y"], [helper.make_node("Relu", ["x"], ["y"])], opsets)
    call = helper.make_node("F", ["a"], ["b"], domain="local")
    imports = [*opsets, helper.make_opsetid("local", 1)]
    defined = scan(model([call], functions=[function], opset_imports=imports), tmp_path / "m.onnx")
    assert list(defined.problems()) == []
    undefined = scan(model([call], opset_imports=imports), tmp_path / "m.onnx")
    assert len(list(undefined.problems())) == 2


def test_a_field_given_twice_counts_both_times(tmp_path: Path) -> None:
    """Parsers keep the last; one that keeps the first must not be fooled either."""
    node = helper.make_node("Relu", [], ["y"], domain="ai.example").SerializeToString() + b"\x3a\x00"  # domain: ""
    graph = b"\x0a" + bytes([len(node)]) + node
    proto = b"\x3a" + bytes([len(graph)]) + graph
    assert onnx.load_from_string(proto).graph.node[0].domain == ""
    assert scan(proto, tmp_path / "m.onnx").operators == {("ai.example", "Relu"), ("", "Relu")}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"not a model at all", "wire type|cut short"),
        (b"\x3a\xff\xff\xff\x7f", "cut short"),
        (b"\x3b", "wire type 3"),
        (b"\x02\x00", "field number 0"),
        (b"\xba\x80\x80\x80\x80\x80\x00\x00", "too long"),
        (b"\x08" + b"\xff" * 11, "too long"),
        (b"\x3a", "cut short"),
        (b"\x09\x00", "cut short"),
        (b"\x42\x03\x0a\x01\xff", "utf-8"),
    ],
)
def test_what_no_onnx_writer_writes_is_refused(data: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=reason):
        scan(data, tmp_path / "m.onnx")


def test_graphs_within_graphs_within_graphs_end_somewhere(tmp_path: Path) -> None:
    proto = b""
    for number in (0x32, 0x2A, 0x0A) * 100:  # attribute.g, node.attribute, graph.node: innermost first
        size = len(proto)
        proto = bytes([number, size & 0x7F | 0x80, size >> 7]) + proto
    size = len(proto)
    with pytest.raises(UserError, match="nested too deeply"):
        scan(bytes([0x3A, size & 0x7F | 0x80, size >> 7]) + proto, tmp_path / "m.onnx")


def test_a_damaged_model_never_hides_a_file_or_an_operator(tmp_path: Path) -> None:
    """Seeded: whatever the onnx package still parses, the scan sees at least as much of, or refuses."""
    chance = random.Random(7)
    models = [proto.SerializeToString() for proto in hiding_places().values()]
    parsed = seen = 0
    for _ in range(600):
        data = bytearray(chance.choice(models))
        for _ in range(chance.randint(1, 3)):
            position = chance.randrange(len(data))
            if chance.random() < 0.3:
                data[position:position] = data[chance.randrange(len(data)) :][: chance.randint(1, 9)]
            else:
                data[position] = chance.randrange(256)
        try:
            proto = onnx.load_from_string(bytes(data))
        except DecodeError:
            proto = None
        parsed += proto is not None
        try:
            found = scan(bytes(data), tmp_path / "m.onnx")
        except UserError:
            continue
        if proto is not None:
            locations, operators = everything(proto)
            assert locations <= found.locations
            assert operators <= found.operators
            seen += 1
    assert parsed > 100
    assert seen > 0.4 * parsed  # the rest is refused: bad UTF-8, groups
