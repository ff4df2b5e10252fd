"""What an ONNX file would make a runtime load, read from its bytes before any runtime opens it.

A model may name files that hold its weights, and operators that live in a library of their own. Both are
looked up here with a scan of the protobuf wire format (protobuf.dev/programming-guides/encoding), without the
onnx package. The scan sees at least what a parser would: where a field is given twice, every value counts. It
refuses forms that parsers read differently.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from export.runtime.errors import UserError

# Field numbers of onnx.proto: sub-messages to walk into, by message.
_MESSAGES: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 8: "Opset", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Function": {7: "Node", 9: "Opset", 11: "Attribute"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {13: "External"},
    "External": {},
    "Opset": {},
}
# Fields that hold the text we look for, by message.
_TEXTS: dict[str, dict[int, str]] = {
    "Opset": {1: "domain"},
    "Node": {4: "op_type", 7: "domain"},
    "Function": {1: "name", 10: "domain"},
    "External": {1: "key", 2: "value"},
}
_DEEPEST = 64  # subgraphs within subgraphs; protobuf itself stops at 100
_MOST_FIELDS = 5_000_000

# Domains whose operators are part of onnxruntime itself.
OPERATOR_DOMAINS = frozenset({"", "ai.onnx", "com.microsoft"})
# onnxruntime's offline optimizer lists all its own domains in the models it saves, used or not.
LISTED_DOMAINS = OPERATOR_DOMAINS | {
    "ai.onnx.ml",
    "ai.onnx.training",
    "ai.onnx.preview.training",
    "com.microsoft.experimental",
    "com.microsoft.nchwc",
    "com.microsoft.dml",
    "com.ms.internal.nhwc",
    "org.pytorch.aten",
}
# onnxruntime-extensions: a library that the app must bring. What text2labels.onnx uses of it.
EXTENSIONS_DOMAIN = "ai.onnx.contrib"
TEXT_OPERATORS = frozenset(
    (EXTENSIONS_DOMAIN, name) for name in ("StringRegexSplitWithOffsets", "StringJoin", "SentencepieceTokenizer")
)
# Operators of onnxruntime's own domain that load a file or run foreign code.
_LOADING_OPERATORS = frozenset({"EPContext", "PythonOp", "PythonOpGrad", "TritonOp", "ATen"})


@dataclass(frozen=True)
class OnnxScan:
    """What a model refers to.

    Attributes:
        locations: the files of its external data, as written in the model.
        opset_domains: operator sets it lists.
        operators: (domain, operator) of its nodes, subgraphs and functions included.
        functions: (domain, name) that the model defines itself.
    """

    locations: frozenset[str]
    opset_domains: frozenset[str]
    operators: frozenset[tuple[str, str]]
    functions: frozenset[tuple[str, str]]

    def problems(
        self, allowed_files: frozenset[str] = frozenset(), allowed_operators: frozenset[tuple[str, str]] = frozenset()
    ) -> Iterator[str]:
        """Why a runtime should not open the model.

        Args:
            allowed_files: names of files beside it.
            allowed_operators: (domain, operator) of a custom library that the model may use.
        """
        for location in sorted(self.locations - allowed_files):
            yield f"keeps weights in {location[:200]!r}, which is no listed file beside it"
        known = {domain for domain, _ in self.functions | allowed_operators}
        for domain in sorted(self.opset_domains - LISTED_DOMAINS - known):
            yield f"needs a custom operator library (domain {domain[:200]!r})"
        for domain, operator in sorted(self.operators - self.functions - allowed_operators):
            if domain not in OPERATOR_DOMAINS:
                yield f"needs the custom operator {domain[:200]}::{operator[:200]}"
            elif operator in _LOADING_OPERATORS:
                yield f"uses {operator}, an operator that loads foreign code"


class _Malformed(Exception):
    pass


def scan_onnx(path: Path) -> OnnxScan:
    """Scan the model at `path`. The file is memory-mapped, weights are skipped unread.

    Raises:
        UserError: not a well-formed ONNX file.
    """
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Scanner(data).run()
    except (_Malformed, ValueError) as error:  # ValueError: an empty file cannot be mapped
        raise UserError(f"{path.name}: not a well-formed ONNX file ({error}).", "Get a fresh copy.") from error


class _Scanner:
    def __init__(self, data: mmap.mmap | bytes) -> None:
        self._data = data
        self._fields = 0
        self._locations: set[str] = set()
        self._opsets: set[str] = set()
        self._operators: set[tuple[str, str]] = set()
        self._functions: set[tuple[str, str]] = set()

    def run(self) -> OnnxScan:
        self._message("Model", 0, len(self._data), 0)
        return OnnxScan(
            frozenset(self._locations),
            frozenset(self._opsets),
            frozenset(self._operators),
            frozenset(self._functions),
        )

    def _message(self, kind: str, start: int, end: int, depth: int) -> None:
        if depth > _DEEPEST:
            raise _Malformed("nested too deeply")
        texts: dict[str, set[str]] = {name: set() for name in _TEXTS.get(kind, {}).values()}
        for number, first, last in self._length_delimited(start, end):
            if inner := _MESSAGES[kind].get(number):
                self._message(inner, first, last, depth + 1)
            elif name := _TEXTS.get(kind, {}).get(number):
                texts[name].add(self._data[first:last].decode("utf-8"))
        self._record(kind, texts)

    def _record(self, kind: str, texts: dict[str, set[str]]) -> None:
        if kind == "External" and "location" in texts["key"]:
            self._locations |= texts["value"] or {""}
        elif kind == "Opset":
            self._opsets |= texts["domain"]
        elif kind in ("Node", "Function"):
            names = texts["op_type" if kind == "Node" else "name"] or {""}
            found = {(domain, name) for domain in texts["domain"] or {""} for name in names}
            (self._operators if kind == "Node" else self._functions).update(found)

    def _length_delimited(self, position: int, end: int) -> Iterator[tuple[int, int, int]]:
        """(field number, start, end) of every field of wire type 2; numbers are skipped."""
        while position < end:
            self._fields += 1
            if self._fields > _MOST_FIELDS:
                raise _Malformed("more fields than any model has")
            tag, position = self._varint(position, end, 5)
            number, wire = tag >> 3, tag & 7
            if not 0 < number < 2**29:
                raise _Malformed(f"field number {number}")
            if wire == 0:
                _, position = self._varint(position, end, 10)
            elif wire in (1, 5):
                position += 8 if wire == 1 else 4
            elif wire == 2:
                size, start = self._varint(position, end, 5)
                position = start + size
                if position <= end:
                    yield number, start, position
            else:  # groups, long gone from protobuf and never part of ONNX
                raise _Malformed(f"wire type {wire}")
            if position > end:
                raise _Malformed("cut short")

    def _varint(self, position: int, end: int, most: int) -> tuple[int, int]:
        value = 0
        for shift in range(0, 7 * most, 7):
            if position >= end:
                raise _Malformed("cut short")
            byte = self._data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, position
        raise _Malformed("a number is too long")
