"""What bundles runtime/kotlin opens and refuses, and that a bundle carries it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from export.bundle import write_bundle
from export.runtime.encode import Logits
from export.runtime.tagger import Tagger
from tests.export.conftest import build_details, build_variant
from tests.export.runtime.kotlin_harness import PACKAGE, RUNTIME, TESTS, needs_kotlin, run, write_lines

GENERATED = "CharacterTable.kt"
LONGEST_LINE, LONGEST_FILE = 118, 300

pytestmark = needs_kotlin


def test_broken_bundles_are_refused(finished_bundle: Path, tmp_path: Path) -> None:
    names = ("manifest.json", "tokenizer.json", "onnx/model.onnx")
    manifest: dict[str, Any] = json.loads((finished_bundle / names[0]).read_text("utf-8"))
    tokenizer: dict[str, Any] = json.loads((finished_bundle / names[1]).read_text("utf-8"))
    lines: list[dict[str, Any]] = []
    expected: list[tuple[str, str]] = []

    def refused(code: str, words: str, files: dict[str, bytes | None], **options: Any) -> None:
        folder = tmp_path / str(len(lines))
        for name in names:
            content = files.get(name, (finished_bundle / name).read_bytes())
            if content is not None:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
        lines.append({"folder": str(folder), **options})
        expected.append((code, words))

    def changed(**changes: Any) -> dict[str, bytes | None]:
        return {"manifest.json": json.dumps({**manifest, **changes}).encode()}

    refused("missing", "manifest.json cannot be read", {"manifest.json": None})
    refused("missing", "tokenizer.json cannot be read", {"tokenizer.json": None})
    refused("incomplete", "model.onnx has 10 bytes instead of", {"onnx/model.onnx": bytes(10)})
    same_size = {"tokenizer.json": b"{" * manifest["files"]["tokenizer.json"]["bytes"]}
    refused("changed", "tokenizer.json is not the file", same_size)
    refused("damaged", "tokenizer.json cannot be used", same_size, verify=False)
    refused("schema", "version 2; this runtime reads version 1", changed(schema_version=2))
    refused("damaged", "its task", changed(task="fill-mask"))
    refused("damaged", "label 0 is not O", changed(labels=["B-PER", "O"]))
    refused("damaged", "max_length", changed(max_length=2))
    refused("damaged", "temperature", changed(confidence={"temperature": 0}))
    refused("damaged", "its model is not listed", changed(model="../model.onnx"))
    refused("damaged", "its model is not listed", changed(external_data=["onnx/none"]))
    refused("damaged", "its model is not listed", changed(files={}))
    for text in (b"<html>", b"null", b"[]"):
        refused("schema", "version null", {"manifest.json": text})
    refused("damaged", "manifest.json cannot be used", {"manifest.json": b""})
    kinds: dict[str, dict[str, Any]] = {
        "holds no unigram model": {"model": {"type": "BPE", "vocab": {}}},
        "it lacks </s> <pad>": {"model": {**tokenizer["model"], "vocab": [["<s>", 0]]}, "added_tokens": []},
        "its normalizer Lowercase": {"normalizer": {"type": "Lowercase"}},
        "character map is damaged": {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}},
    }
    for reason, changes in kinds.items():
        content = json.dumps({**tokenizer, **changes}).encode()
        files = {**manifest["files"], "tokenizer.json": {"bytes": len(content), "sha256": ""}}
        refused("damaged", reason, {**changed(files=files), "tokenizer.json": content}, verify=False)
    noise = bytes(manifest["files"]["onnx/model.onnx"]["bytes"])
    refused("unsupported", "cannot open onnx/model.onnx: no model.", {"onnx/model.onnx": noise}, verify=False)
    refused("damaged", "it takes [input_ids]", {}, inputs=["input_ids"])
    refused("damaged", "answer is not float32", {}, text="Nairobi")
    refused("unsupported", "cannot run the model: no answer.", {}, text="Nairobi " * 40)

    wrong: Logits = lambda ids, mask: np.zeros((1, 1, 2 if ids.size < 40 else 0), np.float32)  # noqa: E731
    found = run("load", write_lines(tmp_path / "bundles.jsonl", lines), logits=wrong)
    for answer, (code, words) in zip(found, expected, strict=True):
        assert (answer["error"], words in answer["message"]) == (code, True), answer


def test_weights_in_a_file_of_their_own_are_copied_and_opened_by_path(tmp_path: Path) -> None:
    variant = build_variant(tmp_path / "variant", external=True)
    folder = write_bundle(variant, build_details(), tmp_path / "external").folder
    tagger = Tagger.load(folder)
    text, copies = "Rais alikwenda Nairobi.", tmp_path / "copies"
    (copies / "another model").mkdir(parents=True)
    case = {"folder": str(folder), "text": text}
    lines = [case, {**case, "copies": str(copies)}, {**case, "copies": str(copies)}]
    refused, *found = run("load", write_lines(tmp_path / "lines.jsonl", lines), logits=tagger._logits)
    assert refused["error"] == "unsupported" and "OrtModel.openFile" in refused["message"]
    assert found == [{"entities": [entity.text for entity in tagger.tag(text)]}] * 2
    (copy,) = copies.iterdir()
    for name in ("model.onnx", "model.onnx_data"):
        assert (copy / "onnx" / name).read_bytes() == (folder / "onnx" / name).read_bytes()


def test_sources_are_short() -> None:
    for file in (*RUNTIME.rglob("*.kt"), *RUNTIME.rglob("*.kts"), *TESTS.rglob("*.kt"), *TESTS.rglob("*.java")):
        lines = file.read_text("utf-8").splitlines()
        assert len(lines) <= LONGEST_FILE, file.name
        assert file.name == GENERATED or max(map(len, lines), default=0) <= LONGEST_LINE, file.name


def test_a_bundle_carries_the_module(finished_bundle: Path) -> None:
    shipped = finished_bundle / "runtime" / "kotlin"
    names = {file.relative_to(shipped).as_posix() for file in shipped.rglob("*") if file.is_file()}
    kinds = (".kt", ".kts", ".md")
    assert names == {file.relative_to(RUNTIME).as_posix() for file in RUNTIME.rglob("*") if file.suffix in kinds}
    assert {"README.md", "build.gradle.kts", (Path("src", "main") / PACKAGE / "Tagger.kt").as_posix()} <= names
