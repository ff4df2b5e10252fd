"""A bundle's model, answers and manifest are checked although every digest is right: what a forger would change."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from export import verify
from export.manifest import MANIFEST
from tests.export.forgery import problems, rehash


def test_wrong_answers_are_caught_although_every_digest_is_right(bundle: Path) -> None:
    lines = (bundle / "golden.jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    first["tags"][0] = "O" if first["tags"][0] != "O" else "B-PER"
    (bundle / "golden.jsonl").write_text("\n".join([json.dumps(first), *lines[1:]]) + "\n")
    rehash(bundle)
    assert "golden.jsonl:1: 'Rais Samia Suluhu Hassan alitembelea Aru' tags" in problems(bundle)[0]


def test_another_model_under_the_same_golden_file_is_caught(bundle: Path) -> None:
    path = bundle / "onnx" / "model.onnx"
    model = onnx.load(path)
    weight = next(item for item in model.graph.initializer if item.name == "weight")
    weight.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(weight), "weight"))
    onnx.save(model, path)
    shutil.rmtree(bundle / "evidence")
    rehash(bundle)
    assert len(problems(bundle)) > 30


def test_a_shortened_golden_file_is_caught(bundle: Path) -> None:
    lines = (bundle / "golden.jsonl").read_bytes().splitlines(keepends=True)
    (bundle / "golden.jsonl").write_bytes(lines[0])
    rehash(bundle)
    assert problems(bundle) == (f"golden.jsonl: 1 lines, not {len(lines)}. Get a fresh copy.",)


def change_model(bundle: Path, change: Callable[[onnx.ModelProto], None]) -> None:
    path = bundle / "onnx" / "model.onnx"
    model = onnx.load(path)
    change(model)
    path.write_bytes(model.SerializeToString())
    shutil.rmtree(bundle / "evidence")
    rehash(bundle)


@pytest.mark.parametrize("location", ["../../secret", "/etc/passwd", "*/_ORT_MEM_ADDR_/*", "../config.json", "x"])
def test_weights_outside_the_folder_are_refused_before_the_model_is_opened(
    location: str, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def move_out(model: onnx.ModelProto) -> None:
        weight = next(item for item in model.graph.initializer if item.name == "weight")
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        weight.external_data.add(key="location", value=location)

    change_model(bundle, move_out)
    monkeypatch.setattr(verify, "open_session", None)  # calling it would raise
    assert "which is no listed file beside it" in problems(bundle)[0]
    assert location in problems(bundle)[0]


def test_custom_operators_are_refused_before_the_model_is_opened(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_model(bundle, lambda model: model.graph.node.append(helper.make_node("E", [], ["z"], domain="e.x")))
    monkeypatch.setattr(verify, "open_session", None)
    assert problems(bundle)[0].startswith("onnx/model.onnx: needs the custom operator e.x::E")


def test_a_second_model_file_is_scanned_too(bundle: Path) -> None:
    evil = onnx.load(bundle / "onnx" / "model.onnx")
    evil.opset_import.add(domain="e.x", version=1)
    (bundle / "gpu").mkdir()
    onnx.save(evil, bundle / "gpu" / "Second.ONNX")
    (bundle / "gpu" / "third.onnx").write_bytes(b"no model")
    rehash(bundle)
    told = "\n".join(problems(bundle))
    assert "gpu/Second.ONNX: needs a custom operator library" in told
    assert "third.onnx: not a well-formed ONNX file" in told


def test_a_model_or_tokenizer_that_does_not_work_is_told_without_a_traceback(bundle: Path) -> None:
    def other_output(model: onnx.ModelProto) -> None:
        model.graph.node[-1].output[0] = model.graph.output[0].name = "scores"

    def out_of_range(model: onnx.ModelProto) -> None:
        table = next(item for item in model.graph.initializer if item.name == "table")
        table.CopyFrom(numpy_helper.from_array(np.zeros((4, 8), np.float32), "table"))

    original = (bundle / "onnx" / "model.onnx").read_bytes()
    shutil.copytree(bundle / "evidence", bundle.parent / "evidence")
    for change, told in (
        (other_output, "no token classifier"),
        (out_of_range, "golden.jsonl:1: The model fails on"),
        (lambda model: model.graph.node.pop(), "cannot open"),
    ):
        change_model(bundle, change)
        assert told in problems(bundle)[0]
        (bundle / "onnx" / "model.onnx").write_bytes(original)
        shutil.copytree(bundle.parent / "evidence", bundle / "evidence")
    tokenizer = json.loads((bundle / "tokenizer.json").read_bytes())
    panics = {**tokenizer, "normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}}
    for text in (
        "{}",
        "[]",
        "no json",
        "[" * 100_000,
        json.dumps(panics),
        '{"model": {"type": "Unigram", "vocab": [["<s>", "x"]]}}',
    ):
        (bundle / "tokenizer.json").write_text(text)
        rehash(bundle)
        assert "tokenizer.json" in problems(bundle)[0]
        assert str(bundle) not in problems(bundle)[0]


def test_labels_that_config_json_contradicts_are_told(bundle: Path) -> None:
    config = json.loads((bundle / "config.json").read_bytes())
    config["id2label"]["1"] = "B-LOC"
    for text in (json.dumps(config), "[]", '{"id2label": {"0": "O"}, "id2label": {}}'):
        (bundle / "config.json").write_text(text)
        rehash(bundle)
        assert problems(bundle)[0].startswith("config.json: ")


def test_a_manifest_of_another_version_or_none_at_all_is_told_with_the_remedy(bundle: Path) -> None:
    (bundle / "link").symlink_to("x")
    rehash(bundle, schema_version=99)
    told = problems(bundle)
    assert "'link': a link" in told[0]
    assert "schema version 99" in told[1]
    assert "Use a newer toolkit" in told[1]
    (bundle / MANIFEST).unlink()
    assert any("manifest.json: missing" in problem for problem in problems(bundle))


def test_a_manifest_that_lists_what_it_must_not_is_told(bundle: Path) -> None:
    value = json.loads((bundle / MANIFEST).read_bytes())
    for name, told in (
        ("evidence/measurements.json", "must not be among them"),
        ("CONFIG.json", "where case does not count"),
        ("../x", "does not have the form"),
        ("/etc/passwd", "does not have the form"),
    ):
        files = {**value["files"], name: {"bytes": 1, "sha256": "0" * 64}}
        (bundle / MANIFEST).write_text(json.dumps({**value, "files": files}))
        assert any(told in problem for problem in problems(bundle))
