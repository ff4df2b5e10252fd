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
from export.runtime.answers import Agreement, Flip
from export.runtime.conditions import Conditions
from export.runtime.consumption import Consumption
from export.runtime.machine import Machine
from export.runtime.manifest import Setting
from export.runtime.measurement import Bucket, ColdStart, Measurement, Sizes, Throughput, summarize
from export.runtime.memory import Memory
from export.runtime.profile_record import Profile
from export.runtime.protocol import Protocol
from export.runtime.settings import SWEEP, SettingResult
from export.runtime.sustained import Slice, Sustained
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


@pytest.fixture
def profile() -> Profile:
    """A profile that no machine took: a Pi with a meter, throttled at the end, one word tagged otherwise."""
    digest = "ab" * 32
    latency = summarize([1.0, 2.0, 3.0])
    machine = Machine(
        "Raspberry Pi 4 Model B Rev 1.4", "Cortex-A72", "aarch64", ("asimd",), 4, 4 * 10**9,
        "Debian GNU/Linux 13", "6.12", "3.13.5", "1.31.1", "2.4.6", "0.22.2",
    )  # fmt: skip
    measurement = Measurement(
        name="swa edge",
        backend="onnx",
        basis="measured here",
        model_sha256=digest,
        measured_at="2026-11-01T00:00:00+00:00",
        threads=1,
        machine=machine,
        packages=(),
        sizes=Sizes(model=3_000_000, tokenizer=400_000, labels=1000, zipped=2_000_000),
        cold_start=ColdStart(0.02, 0.1, 0.05, 0.02, 0.01, 0.2, 5),
        buckets=(Bucket(64, 60.5, latency, latency, latency, 30_000.0, 0.1),),
        throughput=Throughput(latency, 500.0, 15_000.0),
        memory=Memory(60_000_000, 55_000_000, 30_000_000, 25_000_000),
        memory_imported=Memory(40_000_000, 40_000_000, 20_000_000, 20_000_000),
        reference=None,
        speedups=(),
    )
    settings = (
        SettingResult(Setting(1, True), 2.0, 3.0, 270, 1.0, 1.0, 1.0, 60_000_000, 30_000_000),
        SettingResult(Setting(2, True), 1.0, 1.5, 270, 2.0, 1.8, 2.1, 61_000_000, 31_000_000),
    )
    return Profile(
        model_sha256=digest,
        measured_at="2026-11-01T00:00:10+00:00",
        host=None,
        quick=False,
        protocol=Protocol(lengths=(64,)),
        sweep_protocol=SWEEP,
        setting=Setting(1, True),
        measurement=measurement,
        settings=settings,
        recommended=Setting(2, True),
        agreement=Agreement(
            sentences=2, words=7, same_ids=2, same_tags=6, largest_logit_difference=0.2, tolerance=1.0,
            flips=(Flip(1, 3, "mji", "O", "B-LOC", 0.1),), ok=True,
        ),
        before=Conditions(45.0, (600.0, 1500.0), 1500.0, "ondemand", ()),
        after=Conditions(82.5, (1000.0, 1000.0), 1500.0, "ondemand", ("throttled", "throttled has occurred")),
        energy=Consumption("ina219 power", "board", 10.0, 2000, 3.0, 0.025, 0.01),
        sustained=Sustained(
            minutes=1.0, length=64, slowdown=1.5,
            slices=(
                Slice(30.0, 2.0, 900, 60.0, 1500.0, ()),
                Slice(60.0, 3.0, 600, 82.0, 1000.0, ("throttled",)),
            ),
        ),
    )  # fmt: skip


@pytest.fixture(scope="session")
def text_rules() -> list[dict[str, Any]]:
    """The golden file that pins words, sentences and offsets for every language the runtime is written in."""
    path = Path(__file__).with_name("text_rules.jsonl")
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
