"""A bundle opens as it is in transformers.js' pipeline('token-classification'), with the same ids and the same tags.

Needs node, and the packages of tests/export/js/package.json (npm ci --ignore-scripts there). It departs from our
runtimes in these points and in no other:

- text that looks like a special token (`<mask>`) is read as one, as transformers does everywhere;
- its normalizer reads the whole text before words are cut, ours each word (`½` becomes three signs);
- it keeps 512 sub-words of a longer text and leaves out the rest;
- its pipeline leaves out a sub-word that reads as nothing: <unk>, and a lone ▁ at the start of a word.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from export.bundle import write_bundle
from export.runtime.encode import WordEncoder
from export.transformers_js import KEY, tell_transformers_js
from export.variants import build_variant
from toolkit.data.types import Labelled

TESTS = Path(__file__).with_name("js")
MARGIN = 0.05  # closer than this, another build of onnxruntime may choose the other tag
OTHER_IDS = {
    "names of special tokens, which are plain text here",
    "every line break Unicode has",
    "characters that compatibility normalisation lengthens or shortens",
    "a word longer than a window",
    "a text longer than a window, without a full stop",
}
needs_node = [
    pytest.mark.skipif(shutil.which("node") is None, reason="needs node"),
    pytest.mark.skipif(
        not (TESTS / "node_modules" / "@huggingface" / "transformers").is_dir(),
        reason="needs npm packages: cd tests/export/js && npm ci --ignore-scripts",
    ),
    pytest.mark.xdist_group("node"),
]


def opened(bundle: Path) -> list[dict[str, Any]]:
    """What open.js prints, one answer per line of golden.jsonl."""
    done = subprocess.run(
        ["node", "open.js", str(bundle)], cwd=TESTS, capture_output=True, text=True, encoding="utf-8", timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def compare(bundle: Path) -> dict[str, Any]:
    """Of words with a clear tag: how many, where a label differs, and first sub-words that the pipeline left out."""
    golden = [json.loads(line) for line in (bundle / "golden.jsonl").read_bytes().splitlines()]
    found: dict[str, Any] = {"words": 0, "labels": [], "told": [], "left_out": [], "other_ids": set(), "texts": 0}
    for line, answer in zip(golden, opened(bundle), strict=True):
        if [window["ids"] for window in line["windows"]] not in ([], [answer["ids"]]):
            found["other_ids"].add(line["why"])
            continue
        found["texts"] += 1
        told = dict(answer["told"])
        for window in line["windows"]:
            for position, word in zip(window["first"], window["words"], strict=True):
                if line["margins"][word] < MARGIN:
                    continue
                tag = line["tags"][word]
                found["words"] += 1
                if position not in told:
                    found["left_out"].append(window["ids"][position])
                elif told[position] != tag:
                    found["told"].append((line["text"], line["words"][word], told[position], tag))
                if answer["labels"][position] != tag:
                    found["labels"].append((line["text"], line["words"][word], answer["labels"][position], tag))
    return found


def reads_as_nothing(bundle: Path) -> set[int]:
    """The lone ▁ and <unk>, whose text is empty once special tokens and the space are gone."""
    encoder = WordEncoder.load(bundle)
    vocabulary = json.loads((bundle / "tokenizer.json").read_bytes())["model"]["vocab"]
    return {encoder.unk_id, next(index for index, (piece, _) in enumerate(vocabulary) if piece == "▁")}


class TestInNode:
    pytestmark = needs_node

    @pytest.mark.parametrize("form", ["int8", "fp32", "int8 with external data"])
    def test_ids_and_tags_are_those_of_the_bundle(
        self, exported: Any, few: Labelled, details: Callable[..., Any], form: str, tmp_path: Path
    ) -> None:
        variant = exported.fp32 if form == "fp32" else exported.int8
        if form.endswith("external data"):
            build_variant("onnx-int8", exported.model, tmp_path / "external", exported.fp32, external_data=True)
            variant = tmp_path / "external"
        precision = form.split()[0]
        model = "onnx/model.onnx" if precision == "fp32" else "onnx/model_int8.onnx"
        settled = details(
            model=model, dtype=precision, labels=few.labels, max_length=512, languages=("hau", "luo", "swa", "yor")
        )
        bundle = write_bundle(variant, settled, tmp_path / "bundle").folder
        assert (bundle / f"{model}_data").exists() == form.endswith("external data")
        found = compare(bundle)
        assert (found["labels"], found["told"]) == ([], [])
        assert found["words"] > 400 and found["texts"] >= 50
        assert found["other_ids"] <= OTHER_IDS
        assert set(found["left_out"]) <= reads_as_nothing(bundle)
        assert found["words"] - len(found["left_out"]) > 150


def test_the_model_to_open_stands_in_config_json(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"id2label": {"0": "O"}}')
    tell_transformers_js(config, ("onnx/model_int8.onnx", "onnx/model_int8.onnx_data"))
    assert json.loads(config.read_bytes()) == {
        "id2label": {"0": "O"},
        KEY: {"dtype": "int8", "use_external_data_format": {"model_int8.onnx": 1}},
    }
    tell_transformers_js(config, ("onnx/model.onnx",))
    assert json.loads(config.read_bytes())[KEY] == {"dtype": "fp32"}


@pytest.mark.parametrize("model", ["onnx/tagger.onnx", "model_int8.onnx"])
def test_a_model_that_transformers_js_would_not_find_is_not_promised(tmp_path: Path, model: str) -> None:
    config = tmp_path / "config.json"
    config.write_text("{}\n")
    tell_transformers_js(config, (model,))
    assert config.read_text() == "{}\n"
