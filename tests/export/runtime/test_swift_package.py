"""runtime/swift as packages, and the sample for iOS, whose types are checked as far as they can be without a Mac."""

from __future__ import annotations

import json
import shutil
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from export import composition_table
from export.character_table import UNICODE
from export.manifest import file_entry
from tests.export.runtime.swift_harness import LIBRARY, PACKAGE, TESTS, Harness, needs_swift, present_toolchain
from tests.export.runtime.swift_toolchain import PROJECT

SAMPLE = PROJECT / "export" / "app" / "ios"
LONGEST_LINE, LONGEST_FILE = 118, 300


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Harness:
    return Harness(tmp_path_factory.mktemp("swift"))


@needs_swift
def test_broken_bundles_are_refused_with_a_remedy(harness: Harness, finished_bundle: Path) -> None:
    assert harness.ask("load", harness.bundle(finished_bundle)) == ["opened"]
    manifest = json.loads((finished_bundle / "manifest.json").read_text("utf-8"))
    tokenizer = json.loads((finished_bundle / "tokenizer.json").read_text("utf-8"))
    model = (finished_bundle / manifest["model"]).read_bytes()
    cases = [
        ("schema", "version 2; this runtime reads version 1", "manifest.json", {**manifest, "schema_version": 2}),
        ("damaged", "its task", "manifest.json", {**manifest, "task": "fill-mask"}),
        ("damaged", "label 0", "manifest.json", {**manifest, "labels": ["B-PER", "O"]}),
        ("damaged", "max_length", "manifest.json", {**manifest, "max_length": 2}),
        ("damaged", "temperature", "manifest.json", {**manifest, "confidence": {"temperature": 0}}),
        ("damaged", "not listed", "manifest.json", {**manifest, "model": "../model.onnx"}),
        ("damaged", "not listed", "manifest.json", {**manifest, "external_data": ["onnx/none"]}),
        ("damaged", "no JSON", "manifest.json", b"<html>"),
        ("damaged", "no JSON", "manifest.json", b"[" * 100_000),
        ("schema", "no version", "manifest.json", b"[]"),
        ("missing", "manifest.json cannot be read", "manifest.json", None),
        ("missing", "tokenizer.json cannot be read", "tokenizer.json", None),
        ("incomplete", "bytes instead of", manifest["model"], model[:100]),
        ("changed", "sha256", manifest["model"], model[:-1] + b"?"),
        ("damaged", "no unigram model", "tokenizer.json", {**tokenizer, "model": {"type": "BPE"}}),
        ("damaged", "normalizer Lowercase", "tokenizer.json", {**tokenizer, "normalizer": {"type": "Lowercase"}}),
        (
            "damaged",
            "character map is damaged",
            "tokenizer.json",
            {**tokenizer, "normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}},
        ),
    ]
    for code, part, file, content in cases:
        name = harness.bundle(finished_bundle)
        path = harness.work / name / file
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        if file == "tokenizer.json" and content is not None:  # so that its content is what is wrong
            entry = asdict(file_entry(path))
            changed = {**manifest, "files": {**manifest["files"], file: entry}}
            (path.parent / "manifest.json").write_text(json.dumps(changed), "utf-8")
        (said,) = harness.ask("load", name)
        assert said["code"] == code and part in said["message"], said
        assert said["message"].endswith(said["remedy"]) and len(said["remedy"]) > 10 and ".." not in said["message"]


@needs_swift
def test_the_package_builds_and_its_own_tests_pass(finished_bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "package", ignore=shutil.ignore_patterns(".build", "*.py"))
    shutil.copytree(finished_bundle, tmp_path / "bundle")
    swift = present_toolchain()
    test = " ".join(swift.tool("test"))
    output = swift.run(
        tmp_path, "bash", "-c", f'AFRIBERTA_BUNDLE="$PWD/bundle" {test} --disable-sandbox --package-path package 2>&1'
    )
    assert "Executed 4 tests, with 0 failures" in output, output[-2000:]


@needs_swift
def test_the_session_and_the_sample_are_swift(tmp_path: Path) -> None:
    swift = present_toolchain()
    modules = {
        "AfribertaEdge": LIBRARY,
        "OnnxRuntimeBindings": [TESTS / "OnnxRuntimeBindings.swift"],
        "Combine": [TESTS / "Combine.swift"],
        "AfribertaEdgeOnnx": [*(PACKAGE / "onnx" / "Sources" / "AfribertaEdgeOnnx").glob("*.swift")],
        "Sample": [SAMPLE / "Sources" / "TaggingModel.swift"],
    }
    for name, sources in modules.items():
        files = _copied(sources, tmp_path / name)
        swift.run(tmp_path, "swiftc", "-swift-version", "6", "-emit-module", "-module-name", name, "-I", ".", *files)
    rest = [source for source in (*PACKAGE.rglob("*.swift"), *SAMPLE.rglob("*.swift")) if source not in LIBRARY]
    swift.run(tmp_path, "swiftc", "-parse", "-parse-as-library", *_copied(rest, tmp_path / "parsed"))


def _copied(sources: Sequence[Path], folder: Path) -> list[str]:
    """Copies of `sources` in `folder`, by their path from the folder above; several may have one name."""
    folder.mkdir()
    names = [f"{folder.name}/{number}.swift" for number in range(len(sources))]
    for name, source in zip(names, sources, strict=True):
        shutil.copyfile(source, folder.parent / name)
    return names


@pytest.mark.skipif(unicodedata.unidata_version != UNICODE, reason=f"needs a Python that knows Unicode {UNICODE}")
def test_it_carries_the_compositions_that_would_be_made_now() -> None:
    assert composition_table.FILE.read_text("utf-8") == composition_table.source()


def test_sources_are_short() -> None:
    for file in (*PACKAGE.rglob("*.swift"), *TESTS.glob("*.swift"), *SAMPLE.rglob("*.swift")):
        lines = file.read_text("utf-8").splitlines()
        if lines[0].startswith("// Made by"):
            continue
        assert len(lines) <= LONGEST_FILE, file.name
        assert max(map(len, lines)) <= LONGEST_LINE, file.name


def test_a_bundle_carries_both_packages(finished_bundle: Path) -> None:
    folder = finished_bundle / "runtime" / "swift"
    shipped = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    assert {"Package.swift", "README.md", "onnx/Package.swift", "Sources/AfribertaEdge/Tagger.swift"} <= shipped
    assert not [name for name in shipped if name.endswith(".py")]
