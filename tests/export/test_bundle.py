"""A bundle is written whole, the same every time, and says what its inputs allow."""

from __future__ import annotations

import errno
import importlib.metadata
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import helper

from export import archive, atomic, bundle
from export.bundle import BundleDetails, write_bundle
from export.card import Card, CardScore
from export.manifest import MANIFEST, Alternative, Licence, file_entry, read_manifest
from export.runtime.errors import UserError
from export.sbom import installed_packages
from export.verify import verify_bundle

Details = Callable[..., BundleDetails]
RUNTIME = Path(bundle.__file__).parent / "runtime"


def tree(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def test_the_folder_holds_what_the_format_promises(finished_bundle: Path) -> None:
    names = set(tree(finished_bundle))
    runtime = {f"runtime/{file.name}" for file in RUNTIME.glob("*.py")}
    ports = [file for port in ("js", "kotlin", "swift") for file in (RUNTIME / port).rglob("*") if file.is_file()]
    runtime |= {f"runtime/{file.relative_to(RUNTIME).as_posix()}" for file in ports}
    assert names - runtime == {
        "manifest.json",
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "sentencepiece.bpe.model",
        "onnx/model.onnx",
        "golden.jsonl",
        "README.md",
        "sbom.cdx.json",
        "LICENSES/Apache-2.0.txt",
        "LICENSES/inputs.txt",
        "evidence/measurements.json",
    }
    assert "runtime/tagger.py" in names


def test_the_manifest_lists_every_file_with_its_digest_and_no_time(finished_bundle: Path) -> None:
    manifest = read_manifest(finished_bundle / MANIFEST)
    present = {name for name in tree(finished_bundle) if name != MANIFEST and not name.startswith("evidence/")}
    assert set(manifest.files) == present
    assert all(file_entry(finished_bundle / name) == entry for name, entry in manifest.files.items())
    assert [(tensor.name, tensor.dtype) for tensor in (*manifest.inputs, *manifest.outputs)] == [
        ("input_ids", "int64"),
        ("attention_mask", "int64"),
        ("logits", "float32"),
    ]
    assert "time" not in (finished_bundle / MANIFEST).read_text().replace("runtime", "")


def test_two_calls_give_identical_bytes_and_the_zip_is_the_folder(
    variant: Path, details: Details, tmp_path: Path
) -> None:
    one = write_bundle(variant, details(), tmp_path / "one")
    two = write_bundle(variant, details(), tmp_path / "elsewhere" / "two")
    again = write_bundle(variant, details(), tmp_path / "one")
    assert tree(one.folder) == tree(two.folder)
    assert one.archive.read_bytes() == two.archive.read_bytes()
    assert again.manifest_sha256 == two.manifest_sha256
    with zipfile.ZipFile(one.archive) as packed:
        assert {name: packed.read(name) for name in packed.namelist()} == {
            name: data for name, data in tree(one.folder).items() if not name.startswith("evidence/")
        }
    assert one.archive.name == "one.zip"
    assert one.bytes == sum(len(data) for name, data in tree(one.folder).items() if not name.startswith("evidence/"))
    assert one.zip_bytes == one.archive.stat().st_size
    essential = (
        "onnx/model.onnx",
        "tokenizer.json",
        "tokenizer_config.json",
        "config.json",
        "sentencepiece.bpe.model",
    )
    assert one.essential_zip_bytes == sum(one.zipped[name] for name in essential) < one.zip_bytes


def test_evidence_carries_the_model_digest_and_enters_the_zip_only_when_asked(
    variant: Path, details: Details, tmp_path: Path
) -> None:
    plain = write_bundle(variant, details(), tmp_path / "plain")
    asked = write_bundle(variant, details(zip_evidence=True), tmp_path / "asked")
    record = json.loads((plain.folder / "evidence" / "measurements.json").read_bytes())
    assert record == {"p50_ms": 1.0, "model_sha256": file_entry(variant / "onnx" / "model.onnx").sha256}
    assert "evidence/measurements.json" not in plain.zipped
    assert "evidence/measurements.json" in asked.zipped
    assert plain.manifest_sha256 == asked.manifest_sha256
    assert verify_bundle(asked.archive).ok
    with pytest.raises(UserError, match="cannot be named"):
        write_bundle(variant, details(evidence={"../x": {}}), tmp_path / "bad")


def test_one_non_commercial_input_makes_the_bundle_non_commercial(
    variant: Path, details: Details, tmp_path: Path
) -> None:
    licences = (Licence("teacher", "MIT", True), Licence("labelled data", "CC BY-NC 4.0", False))
    report = write_bundle(variant, details(licences=licences), tmp_path / "b")
    assert report.manifest.licence == "non-commercial"
    assert "CC BY-NC" in (report.folder / "LICENSES" / "weights-non-commercial.txt").read_text()
    assert "labelled data: CC BY-NC 4.0" in (report.folder / "LICENSES" / "inputs.txt").read_text()
    assert "**non-commercial**" in (report.folder / "README.md").read_text()
    assert verify_bundle(report.folder).ok


def test_external_data_and_alternatives_travel_with_the_model(
    tmp_path: Path, details: Details, external_variant: Path
) -> None:
    variant = external_variant
    (variant / "torchscript").mkdir()
    (variant / "torchscript" / "model_int8.pt").write_bytes(b"a program")
    other = Alternative("torchscript", "int8", ("torchscript/model_int8.pt",), ("torch==2.13.0",))
    report = write_bundle(variant, details(alternatives=(other,)), tmp_path / "b")
    assert report.manifest.external_data == ("onnx/model.onnx_data",)
    assert report.manifest.model_sha256 != report.manifest.files["onnx/model.onnx"].sha256
    checked = verify_bundle(report.archive)
    assert checked.ok, checked.problems
    assert any("torchscript/model_int8.pt: checked by digest, not opened" in note for note in checked.notes)


def test_a_model_that_reaches_outside_is_never_bundled(tmp_path: Path, details: Details, variant: Path) -> None:
    path = variant / "onnx" / "model.onnx"
    model = onnx.load(path)
    model.graph.node.append(helper.make_node("Evil", [], ["z"], domain="ai.example"))
    onnx.save(model, path)
    with pytest.raises(UserError, match="custom operator"):
        write_bundle(variant, details(), tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_the_same_model_in_a_linked_cache_is_copied_not_linked(
    tmp_path: Path, details: Details, variant: Path
) -> None:
    """Hugging Face's cache is a folder of links."""
    linked = tmp_path / "snapshot"
    (linked / "onnx").mkdir(parents=True)
    for name in tree(variant):
        (linked / name).symlink_to(variant / name)
    report = write_bundle(linked, details(), tmp_path / "b")
    assert not any(file.is_symlink() for file in report.folder.rglob("*"))
    assert verify_bundle(report.folder).ok


@pytest.mark.parametrize("missing", ["tokenizer.json", "config.json", "onnx/model.onnx", "sentencepiece.bpe.model"])
def test_a_missing_file_is_named_and_nothing_is_written(
    missing: str, tmp_path: Path, details: Details, variant: Path
) -> None:
    (variant / missing).unlink()
    with pytest.raises(UserError, match=missing.replace(".", r"\.")):
        write_bundle(variant, details(), tmp_path / "b")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["variant"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"labels": ("O", "PER", "I-PER", "B-LOC", "I-LOC")}, "labels"),
        ({"labels": ("B-PER", "O", "I-PER", "B-LOC", "I-LOC")}, "the first must be O"),
        ({"labels": ("O", "B-PER")}, "5 outputs for 2 labels"),
        ({"languages": ("Swahili",)}, "languages"),
        ({"languages": ()}, "languages"),
        ({"licences": ()}, "licences"),
        ({"temperature": 0.0}, "temperature"),
        ({"logit_tolerance": 50.0}, "logit_tolerance"),
        ({"max_length": 2}, "window of 2"),
        ({"name": ""}, "name"),
        ({"provenance": {"teacher": float("nan")}}, "NaN"),
        ({"alternatives": (Alternative("torchscript", "int8", ("../x.pt",)),)}, "cannot stand in a bundle"),
    ],
)
def test_details_that_the_schema_forbids_are_refused_and_nothing_is_written(
    change: dict[str, object], told: str, tmp_path: Path, details: Details, variant: Path
) -> None:
    with pytest.raises(UserError, match=told):
        write_bundle(variant, details(**change), tmp_path / "b")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["variant"]


@pytest.mark.parametrize("step", ["copy", "document", "flush", "zip", "rename"])
def test_a_full_disk_at_any_step_leaves_the_earlier_bundle_and_nothing_half_written(
    step: str, tmp_path: Path, details: Details, variant: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out" / "b"
    write_bundle(variant, details(), out)
    before, zipped = tree(out), (tmp_path / "out" / "b.zip").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    target = {
        "copy": (shutil, "copyfile"),
        "document": (bundle, "write_text_atomic"),
        "flush": (atomic, "flush_folder"),
        "zip": (archive.zipfile.ZipFile, "writestr"),
        "rename": (atomic, "replace_folder"),
    }[step]
    monkeypatch.setattr(*target, full)
    with pytest.raises(UserError, match="disk is full"):
        write_bundle(variant, details(name="another"), out)
    assert tree(out) == before
    assert sorted(file.name for file in out.parent.iterdir()) == ["b", "b.zip"]
    if step not in ("flush", "rename"):  # by then the new zip, whole, is in place
        assert (tmp_path / "out" / "b.zip").read_bytes() == zipped
    assert verify_bundle(tmp_path / "out" / "b.zip").ok


def test_the_current_folder_gets_its_zip_beside_it(
    tmp_path: Path, details: Details, variant: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    report = write_bundle(variant, details(), Path())
    assert report.archive == tmp_path / "here.zip"
    assert verify_bundle(tmp_path / "here").ok


def test_only_an_earlier_bundle_is_ever_replaced(tmp_path: Path, details: Details, variant: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    write_bundle(variant, details(), home)  # an empty folder is fine
    (home / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"holds notes\.txt"):
        write_bundle(variant, details(), home)
    (home / "notes.txt").unlink()
    (home / "runtime" / "__pycache__").mkdir()
    (home / "runtime" / "__pycache__" / "tagger.cpython-311.pyc").write_bytes(b"")
    write_bundle(variant, details(), home)
    assert not (home / "runtime" / "__pycache__").exists()
    for content in ({"photo.jpg": b""}, {MANIFEST: b"{}"}, {MANIFEST: b"[]"}, {MANIFEST: b'{"files": []}'}):
        other = tmp_path / "other"
        shutil.rmtree(other, ignore_errors=True)
        other.mkdir()
        for name, data in content.items():
            (other / name).write_bytes(data)
        with pytest.raises(UserError, match="something else than a bundle"):
            write_bundle(variant, details(), other)
        assert set(tree(other)) == set(content)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="no bundle folder"):
        write_bundle(variant, details(), tmp_path / "file")


def test_the_card_shows_what_it_was_given_as_text_not_markup(tmp_path: Path, details: Details, variant: Path) -> None:
    evil = "<img src=x onerror=alert(1)> [x](http://e.example) | `a` **b**\n# head\nwww.e.example"
    card = Card(
        summary=evil,
        scores=(CardScore("MasakhaNER | 1.0", "swa", "test", 79.94, 77.81, 81.96, 1179, teacher_f1=80.0),),
        limits=(evil, "1. not a list"),
        example="it's `here`",
    )
    report = write_bundle(variant, details(card=card, name="a_b | c"), tmp_path / "b")
    text = (report.folder / "README.md").read_text()
    assert "| MasakhaNER \\| 1.0 | swa | test | 79.9 | 77.8 to 82.0 | 1179 | 80.0 |" in text
    assert "<img" not in text
    assert "\n# head" not in text
    assert "](" not in text
    assert "http:" not in text
    assert " www." not in text
    assert "python3 runtime/tagger.py 'it'\\''s `here`'" in text
    front = text.split("---\n")[1]
    assert 'language: ["sw"]' in front.splitlines()


def test_the_bill_of_materials_names_model_packages_and_licences(finished_bundle: Path) -> None:
    value = json.loads((finished_bundle / "sbom.cdx.json").read_bytes())
    assert (value["bomFormat"], value["specVersion"]) == ("CycloneDX", "1.6")
    model = value["metadata"]["component"]
    assert model["hashes"] == [
        {"alg": "SHA-256", "content": file_entry(finished_bundle / "onnx" / "model.onnx").sha256}
    ]
    packages = {item["name"]: item for item in value["components"] if item["type"] == "library"}
    assert packages["numpy"]["purl"] == "pkg:pypi/numpy@2.4.6"
    assert packages["onnxruntime"]["licenses"] == [{"license": {"name": "MIT"}}]
    references = {item["bom-ref"] for item in value["components"]} | {model["bom-ref"]}
    assert {entry["ref"] for entry in value["dependencies"]} == references
    assert "serialNumber" not in value


def test_the_packages_of_the_runtime_are_found_with_their_licences() -> None:
    found = {package.name: package for package in installed_packages(("numpy", "tokenizers", "no-such-package"))}
    assert set(found) == {"numpy", "tokenizers"}
    assert found["numpy"].version == importlib.metadata.version("numpy")
    assert "BSD" in found["numpy"].licence
    assert "Apache" in found["tokenizers"].licence


def test_the_shipped_runtime_tags_text_on_its_own_and_leaves_the_bundle_as_it_was(bundle: Path) -> None:
    """As a device would run it: another folder, none of this project on the path."""
    before = tree(bundle)
    run = subprocess.run(
        [sys.executable, "-I", str(bundle / "runtime" / "tagger.py"), "Rais alikuja Nairobi."],
        capture_output=True,
        text=True,
        cwd=bundle.parent,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "Nairobi" in run.stdout
    assert tree(bundle) == before
