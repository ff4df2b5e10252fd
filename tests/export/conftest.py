"""A tagger of a few kilobytes, real enough for onnxruntime and tokenizers, and bundles made from it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers

from export import manifest  # as a module: pytest would take TestedRuntime for a test
from export.bundle import BundleDetails, write_bundle
from export.card import Card, CardScore
from export.manifest import Licence
from export.runtime.words import pre_tokenizer_json
from export.sbom import Package

LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
PIECES = (
    "▁",
    *"abcdefghijklmnoprstuvwyzABCDEFGHIJKLMNORSTUW0123456789.,'",
    "▁Nairobi",
    "▁Rais",
    "▁na",
    "an",
    "ar",
)
WIDTH = 8


def build_tokenizer(folder: Path) -> int:
    """Write a unigram tokenizer.json with XLM-R's special pieces; returns its size."""
    vocabulary = [(piece, 0.0) for piece in SPECIAL]
    vocabulary += [(piece, -float(len(PIECES) - index) / 10) for index, piece in enumerate(PIECES)]
    vocabulary.append(("<mask>", 0.0))
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=3))
    tokenizer.normalizer = normalizers.NFKC()
    specification = json.loads(tokenizer.to_str())
    specification["pre_tokenizer"] = pre_tokenizer_json()
    (folder / "tokenizer.json").write_text(json.dumps(specification), "utf-8")
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "XLMRobertaTokenizerFast"}', "utf-8")
    (folder / "sentencepiece.bpe.model").write_bytes(b"stands for the SentencePiece model")
    return len(vocabulary)


def build_model(path: Path, rows: int, seed: int = 0, external: bool = False) -> None:
    """logits = (table[input_ids] * attention_mask) @ weight: no layers, but every part a bundle needs."""
    random = np.random.default_rng(seed)
    table = random.normal(size=(rows, WIDTH)).astype(np.float32)
    weight = random.normal(size=(WIDTH, len(LABELS))).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["embedded"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
        helper.make_node("Mul", ["embedded", "column"], ["masked"]),
        helper.make_node("MatMul", ["masked", "weight"], ["logits"]),
    ]
    ids = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["b", "n"]) for name in ("input_ids", "attention_mask")
    ]
    out = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", "n", len(LABELS)])
    constants = [
        numpy_helper.from_array(table, "table"),
        numpy_helper.from_array(weight, "weight"),
        numpy_helper.from_array(np.array([-1], np.int64), "last"),
    ]
    graph = helper.make_graph(nodes, "tagger", ids, [out], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path, save_as_external_data=external, location=f"{path.name}_data", size_threshold=64)


def build_variant(folder: Path, seed: int = 0, external: bool = False) -> Path:
    """A variant folder: config.json, tokenizer and onnx/model.onnx."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "model_type": "xlm-roberta",
        "id2label": {str(index): label for index, label in enumerate(LABELS)},
        "max_position_embeddings": 66,
    }
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    build_model(folder / "onnx" / "model.onnx", build_tokenizer(folder), seed, external)
    return folder


def build_details(**changes: object) -> BundleDetails:
    values: dict[str, object] = {
        "name": "swa tiny",
        "model": "onnx/model.onnx",
        "dtype": "fp32",
        "labels": LABELS,
        "languages": ("swa",),
        "max_length": 64,
        "recipe": {"name": "tiny", "layers": 0},
        "provenance": {"teacher": {"source": "built-in"}, "data": {"source": "demo text", "digest": "00"}},
        "licences": (Licence("demo text", "Apache-2.0", True),),
        "card": Card("A tagger for tests.", (CardScore("demo text", "swa", "test", 50.0, 40.0, 60.0, 20),)),
        "tested_runtimes": (manifest.TestedRuntime("onnxruntime", "1.31.1"),),
        "packages": (Package("numpy", "2.4.6", "BSD-3-Clause"), Package("onnxruntime", "1.31.1", "MIT")),
        "evidence": {"measurements": {"p50_ms": 1.0}},
    }
    return BundleDetails(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def variant(tmp_path: Path) -> Path:
    return build_variant(tmp_path / "variant")


@pytest.fixture
def external_variant(tmp_path: Path) -> Path:
    """A variant whose weights lie in a file of their own."""
    return build_variant(tmp_path / "variant", external=True)


@pytest.fixture
def details() -> Callable[..., BundleDetails]:
    """Details of the tiny bundle; keyword arguments replace single ones."""
    return build_details


@pytest.fixture(scope="session")
def finished_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle folder with its zip beside it. Not to be changed: take `bundle` for that."""
    folder = tmp_path_factory.mktemp("finished")
    return write_bundle(build_variant(folder / "variant"), build_details(), folder / "bundle").folder


@pytest.fixture
def bundle(finished_bundle: Path, tmp_path: Path) -> Path:
    """A copy of the finished bundle, to break."""
    return Path(shutil.copytree(finished_bundle, tmp_path / "bundle"))
