"""The graph of text2labels.onnx: a sentence to words, words to sub-words, logits to labels. See text2labels.py."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, version_converter
from sentencepiece import sentencepiece_model_pb2

from export.onnx_scan import EXTENSIONS_DOMAIN
from export.runtime.character_table import TABLE
from export.runtime.session import INPUTS, OUTPUT
from export.runtime.words import RULE

IR_VERSION = 9
OPSET = 20  # the first with StringConcat, StringSplit and RegexFullMatch
GUARD = "text2labels/sentence_has_too_many_sub_words"
"""Name of the node that fails, and which onnxruntime names, when a sentence is too long."""

# Class letters that the rule tells apart; every other character is a letter of a word.
_LETTER, _QUOTE = "l", "Q"
_CLASSES = "MVDAFNXSP"
_RULE = RULE.replace("(?:A(?!A))?", "A?").replace("AA+", f"{_QUOTE}+")
_BETWEEN_WORDS = "[SXV]+"
_CHARACTER = "(?s)(.)"
SCORE_STEPS = 2**14  # float32 has 24 bits
_PREFIX = "text2labels/"
_LAST = 2**62
_OUTPUTS = {
    "words": TensorProto.STRING,
    "begin": TensorProto.INT64,
    "end": TensorProto.INT64,
    "labels": TensorProto.STRING,
    "scores": TensorProto.FLOAT,
}


def text_graph(
    model_file: Path,
    sentencepiece: bytes,
    labels: Sequence[str],
    special: tuple[int, int],
    temperature: float,
    max_length: int,
) -> onnx.ModelProto:
    """The token classifier in `model_file` between a tokenizer and labels.

    Takes `text`, string (1,); gives `words` string (w,), `begin` and `end` int64 (w,) in UTF-8 bytes, `labels`
    string (w,) and `scores` float (w,).

    Args:
        model_file: an ONNX model, input_ids and attention_mask to logits.
        sentencepiece: the bytes of its SentencePiece model.
        special: ids of <s> and </s>.
        temperature: divides the logits before the softmax.
        max_length: sub-words, with <s> and </s>; of more the node `GUARD` fails.
    """
    model = version_converter.convert_version(onnx.load(model_file), OPSET)
    graph = _Nodes()
    words, begin, end = _words(graph)
    rows = _input_ids(graph, words, with_exact_scores(sentencepiece), special, max_length)
    graph.nodes.extend(model.graph.node)
    for made, name in zip((words, begin, end, *_labels(graph, rows, labels, temperature)), _OUTPUTS, strict=True):
        graph.nodes.append(helper.make_node("Identity", [made], [name]))
    whole = helper.make_graph(
        graph.nodes,
        "text2labels",
        [helper.make_tensor_value_info("text", TensorProto.STRING, [1])],
        [helper.make_tensor_value_info(name, kind, ["w"]) for name, kind in _OUTPUTS.items()],
        [*model.graph.initializer, *graph.constants],
    )
    opsets = [*model.opset_import, helper.make_opsetid(EXTENSIONS_DOMAIN, 1)]
    return helper.make_model(whole, opset_imports=opsets, ir_version=IR_VERSION, producer_name="text2labels")


class _Nodes:
    """Nodes and constants, named as they come. A node's inputs are names of tensors, or values."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def __call__(self, operator: str, *inputs: str | np.ndarray, **attributes: Any) -> str:
        """Add a node with one output and return that."""
        return self.several(operator, 1, *inputs, **attributes)[0]

    def several(self, operator: str, outputs: int, *inputs: str | np.ndarray, **attributes: Any) -> list[str]:
        """Add a node and return its outputs."""
        name = attributes.pop("name", f"{_PREFIX}{len(self.nodes)}")
        names = [f"{name}/{number}" for number in range(outputs)]
        sources = [value if isinstance(value, str) else self._constant(value) for value in inputs]
        self.nodes.append(helper.make_node(operator, sources, names, name, **attributes))
        return names

    def _constant(self, value: np.ndarray) -> str:
        name = f"{_PREFIX}constant/{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def extension(self, operator: str, outputs: int, *inputs: str | np.ndarray, **attributes: Any) -> list[str]:
        """Add a node of onnxruntime-extensions."""
        return self.several(operator, outputs, *inputs, domain=EXTENSIONS_DOMAIN, **attributes)

    def split(self, text: str, pattern: str) -> list[str]:
        """What matches `pattern`, a group, and what stands between: strings, first bytes, bytes after the last."""
        regex = _strings(pattern)
        return self.extension("StringRegexSplitWithOffsets", 4, text, regex, regex)[:3]

    def join(self, strings: str) -> str:
        """All strings (n,) as one (1,)."""
        return self.extension("StringJoin", 1, strings, _strings(""), _integers(0))[0]


def _words(graph: _Nodes) -> tuple[str, str, str]:
    """Words of the text, their first bytes and the bytes after their last."""
    # A space behind the text: the operators below are not made for no characters at all.
    characters, first, after = graph.split(graph("StringConcat", "text", _strings(" ")), _CHARACTER)
    is_a = {name: graph("RegexFullMatch", characters, pattern=character_set(name)) for name in _CLASSES}
    letters: str | np.ndarray = _strings(_LETTER)
    for name in _CLASSES:
        letters = graph("Where", is_a[name], _strings(name), letters)
    letters = graph("Where", _in_pairs(graph, is_a["A"]), _strings(_QUOTE), letters)
    found, start, stop = graph.split(graph.join(letters), f"({_RULE})")
    # The same cuts in the characters: a space before each, and no other space.
    zeros = graph("Sub", first, first)
    cut = graph("Cast", graph("ScatterElements", zeros, start, graph("Sub", stop, start)), to=TensorProto.BOOL)
    shown = graph("Where", is_a["S"], _strings("_"), characters)
    marked = graph.join(graph("StringConcat", graph("Where", cut, _strings(" "), _strings("")), shown))
    pieces = graph.several("StringSplit", 2, marked, delimiter=" ")[0]
    pieces = graph("Slice", graph("Squeeze", pieces, _integers(0)), _integers(1), _integers(_LAST))
    is_word = graph("Not", graph("RegexFullMatch", found, pattern=_BETWEEN_WORDS))
    last = graph("Sub", graph("Compress", stop, is_word, axis=0), _integers(1))
    return (
        graph("Compress", pieces, is_word, axis=0),
        graph("Gather", first, graph("Compress", start, is_word, axis=0)),
        graph("Gather", after, last),
    )


def _in_pairs(graph: _Nodes, flags: str) -> str:
    """bool (n,): True where `flags` is and a neighbour's too."""
    no = np.array([False])
    before = graph("Concat", no, graph("Slice", flags, _integers(0), _integers(-1)), axis=0)
    behind = graph("Concat", graph("Slice", flags, _integers(1), _integers(_LAST)), no, axis=0)
    return graph("And", flags, graph("Or", before, behind))


def _input_ids(graph: _Nodes, words: str, sentencepiece: bytes, special: tuple[int, int], max_length: int) -> str:
    """Makes the model's two inputs; returns where each word's sub-words begin and the last one's end, (w + 1,)."""
    no, yes = np.array([False]), np.array([True])
    # The best segmentation, no sampling; no special ids; not reversed; XLM-R's numbering of ids (fairseq's).
    settings = (_integers(0), np.zeros(1, np.float32), no, no, no, yes)
    ids, rows = graph.extension("SentencepieceTokenizer", 2, words, *settings, model=sentencepiece)
    ids = graph("Cast", ids, to=TensorProto.INT64)
    room = np.zeros(max_length - 1, np.int64)  # one more than there is room for, since none is a number too
    ids = graph("Add", ids, graph("Gather", room, graph("Shape", ids), name=GUARD))
    begin, end = (_integers(index) for index in special)
    whole = graph("Unsqueeze", graph("Concat", begin, ids, end, axis=0), _integers(0))
    ones = graph("ConstantOfShape", graph("Shape", whole), value=numpy_helper.from_array(_integers(1)))
    for made, name in zip((whole, ones), INPUTS, strict=True):
        graph.nodes.append(helper.make_node("Identity", [made], [name]))
    return rows


def _labels(graph: _Nodes, rows: str, labels: Sequence[str], temperature: float) -> tuple[str, str]:
    """Label and its probability of each word; a word without sub-words is certain to be the first label."""
    begin = graph("Slice", rows, _integers(0), _integers(-1))
    empty = graph("Equal", begin, graph("Slice", rows, _integers(1), _integers(_LAST)))
    # Behind <s>; of words without sub-words anything that exists, such as <s>.
    position = graph("Where", empty, _integers(0), graph("Add", begin, _integers(1)))
    logits = graph("Gather", graph("Squeeze", OUTPUT, _integers(0)), position)
    best = graph("ArgMax", logits, axis=1, keepdims=0)
    name = graph("Gather", _strings(*labels), graph("Where", empty, _integers(0), best))
    scaled = graph("Div", logits, np.array([temperature], np.float32))
    powers = graph("Softmax", graph("Cast", scaled, to=TensorProto.DOUBLE), axis=1)
    highest = graph("Cast", graph("ReduceMax", powers, _integers(1), keepdims=0), to=TensorProto.FLOAT)
    return name, graph("Where", empty, np.ones(1, np.float32), highest)


def with_exact_scores(sentencepiece: bytes) -> bytes:
    """A SentencePiece model with scores rounded so that their sums are exact in float32, up to 1,024.

    Two segmentations of a word into the same pieces (0 00 and 00 0) score the same. SentencePiece adds in
    float32, where the last bit would decide between them, and the runtime's tokenizer in float64.
    """
    model = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    model.ParseFromString(sentencepiece)
    for piece in model.pieces:
        piece.score = round(piece.score * SCORE_STEPS) / SCORE_STEPS
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def character_set(name: str) -> str:
    """A class of characters as a set for RE2, from the runtime's table; lone surrogates are in no string."""
    ranges = []
    start = 0
    for letter, count in re.findall(r"(\D)(\d*)", TABLE):
        end = start + int(count or 1)
        if letter == name:
            ranges += [
                (low, high) for low, high in ((start, min(end, 0xD800)), (max(start, 0xE000), end)) if low < high
            ]
        start = end
    return "[" + "".join(f"\\x{{{low:x}}}-\\x{{{high - 1:x}}}" for low, high in ranges) + "]"


def _strings(*values: str) -> np.ndarray:
    return np.array(values, object)


def _integers(*values: int) -> np.ndarray:
    return np.array(values, np.int64)
