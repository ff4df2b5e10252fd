"""A tagger that knows seven words, as a folder on disk: enough to prove offsets, windows and the command."""

from __future__ import annotations

import json
import shutil
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import export.runtime
from export.runtime.words import pre_tokenizer_json

LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
KNOWN = {
    "▁Samia": "B-PER",
    "▁Suluhu": "I-PER",
    "▁Hassan": "I-PER",
    "▁Ọlá": "B-PER",
    "▁አበበ": "B-PER",
    "▁Arusha": "B-LOC",
    "▁Mjini": "I-LOC",
}
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
RUNTIME = Path(export.runtime.__file__).parent


def tokenizer_specification() -> dict[str, Any]:
    """tokenizer.json of a unigram model: single characters and the known words, <mask> last as in XLM-R."""
    pieces = [(piece, 0.0) for piece in SPECIAL]
    pieces += [("▁", -3.0), *((letter, -5.0) for letter in string.ascii_letters + string.digits + ".,<>/'")]
    pieces += [(word, -1.0) for word in KNOWN] + [("<mask>", 0.0)]
    ids = {piece: index for index, (piece, _) in enumerate(pieces)}
    special = [
        {"id": ids[token], "content": token, "special": True, "single_word": False}
        | {"lstrip": False, "rstrip": False, "normalized": False}
        for token in (*SPECIAL, "<mask>")
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": None,
        "pre_tokenizer": pre_tokenizer_json(),
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "<s>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
            ],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}},
        },
        "decoder": None,
        "model": {"type": "Unigram", "unk_id": 3, "vocab": pieces, "byte_fallback": False},
    }


def save_model(path: Path, table: np.ndarray, inputs: tuple[str, ...] = ("input_ids", "attention_mask")) -> None:
    """An ONNX token classifier whose logits are rows of `table`, float32 (vocabulary, labels)."""
    nodes = [
        helper.make_node("Gather", ["table", inputs[0]], ["rows"]),
        helper.make_node("Cast", [inputs[1]], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
        helper.make_node("Mul", ["rows", "column"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tagger",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["b", "n"]) for name in inputs],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", "n", table.shape[1]])],
        [numpy_helper.from_array(table, "table"), numpy_helper.from_array(np.array([-1]), "last")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)


@pytest.fixture(scope="session")
def _made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tagger") / "bundle"
    specification = tokenizer_specification()
    pieces = [piece for piece, _ in specification["model"]["vocab"]]
    table = np.zeros((len(pieces), len(LABELS)), np.float32)
    table[:, 0] = 4.0
    for piece, label in KNOWN.items():
        table[pieces.index(piece)] = 4.0 * np.eye(len(LABELS), dtype=np.float32)[LABELS.index(label)]
    save_model(folder / "onnx" / "model.onnx", table)
    config = {"id2label": dict(enumerate(LABELS)), "max_position_embeddings": 514}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    (folder / "tokenizer.json").write_text(json.dumps(specification), "utf-8")
    (folder / "tokenizer_config.json").write_text('{"model_max_length": 1000000000000000019884624838656}', "utf-8")
    (folder / "runtime").mkdir()
    for source in RUNTIME.glob("*.py"):
        shutil.copyfile(source, folder / "runtime" / source.name)
    return folder


@pytest.fixture(scope="session")
def write_model() -> Callable[..., None]:
    """`save_model`, for tests that need a model of their own."""
    return save_model


@pytest.fixture
def bundle_folder(_made_once: Path, tmp_path: Path) -> Path:
    """A bundle of its own for each test: model, tokenizer, runtime, no manifest."""
    return Path(shutil.copytree(_made_once, tmp_path / "bundle"))


@pytest.fixture(scope="session")
def text_rules() -> list[dict[str, Any]]:
    """The golden file that pins words, sentences and offsets for every language the runtime is written in."""
    path = Path(__file__).with_name("text_rules.jsonl")
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
