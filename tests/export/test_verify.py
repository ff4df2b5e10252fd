"""verify finds every kind of broken bundle, in one line each, and runs nothing that came with it."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from export import verify
from export.archive import write_zip
from export.bundle import BundleDetails, write_bundle
from export.manifest import MANIFEST, file_entry
from export.runtime.errors import UserError
from export.verify import VerifyReport, verify_bundle


def rehash(bundle: Path, **changes: Any) -> None:
    """Make the manifest agree with the files again, as a forger would."""
    value = json.loads((bundle / MANIFEST).read_bytes())
    files = [file for file in bundle.rglob("*") if file.is_file() and not file.is_symlink()]
    names = {file.relative_to(bundle).as_posix(): file for file in files}
    value["files"] = {
        name: {"bytes": file_entry(file).bytes, "sha256": file_entry(file).sha256}
        for name, file in names.items()
        if name != MANIFEST and not name.startswith("evidence/")
    }
    (bundle / MANIFEST).write_text(json.dumps({**value, **changes}))


def problems(path: Path) -> tuple[str, ...]:
    report = verify_bundle(path)
    assert not report.ok
    assert report.sentences == 0
    assert all("\n" not in problem and len(problem) <= 600 for problem in report.problems)
    return report.problems


def zip_of(bundle: Path, change: Callable[[zipfile.ZipFile], None]) -> Path:
    """The bundle as a zip, with something more in it."""
    path = bundle.with_suffix(".zip")
    write_zip(bundle, [file.relative_to(bundle).as_posix() for file in bundle.rglob("*") if file.is_file()], path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        change(archive)
    return path


def check_ok(report: VerifyReport) -> None:
    assert report.ok, report.problems
    assert report.files > 20
    assert report.sentences > 30
    assert "not who made them" in report.notes[-1]
    assert "ssh-keygen" in report.notes[-1]


def test_a_fresh_bundle_passes_as_folder_and_as_zip(finished_bundle: Path) -> None:
    folder = verify_bundle(finished_bundle)
    archive = verify_bundle(finished_bundle.with_suffix(".zip"))
    check_ok(folder)
    check_ok(archive)
    assert folder.manifest_sha256 == archive.manifest_sha256
    assert len(folder.notes) == 1


def test_any_flipped_bit_is_found_and_its_file_named(bundle: Path) -> None:
    for file in sorted(bundle.rglob("*")):
        if not file.is_file() or file.name == MANIFEST or file.parent.name == "evidence":
            continue
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
        name = file.relative_to(bundle).as_posix()
        assert any(problem.startswith(f"{name}: its content has changed") for problem in problems(bundle))
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    check_ok(verify_bundle(bundle))


def test_every_integrity_problem_is_told_not_only_the_first(bundle: Path) -> None:
    (bundle / "config.json").unlink()
    (bundle / "README.md").write_text("other")
    (bundle / "extra.txt").write_text("x")
    (bundle / "link").symlink_to("/etc/passwd")
    (bundle / "evidence" / "x.json").write_text("{}")
    told = "\n".join(problems(bundle))
    for expected in (
        "config.json: missing",
        "README.md: 5 bytes instead of",
        "'extra.txt': not listed in the manifest. Delete it",
        "'link': a link",
        "evidence/x.json: about another model",
    ):
        assert expected in told


def test_links_to_files_and_folders_and_pipes_are_refused(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((bundle / "config.json").read_bytes())
    (bundle / "config.json").unlink()
    (bundle / "config.json").symlink_to(tmp_path / "config.json")  # the right content, in the wrong place
    assert any(problem.startswith("'config.json': a link") for problem in problems(bundle))
    (bundle / "config.json").unlink()
    shutil.copy(tmp_path / "config.json", bundle)
    check_ok(verify_bundle(bundle))
    shutil.move(bundle / "onnx", tmp_path / "onnx")
    (bundle / "onnx").symlink_to(tmp_path / "onnx")
    assert "'onnx': a link" in problems(bundle)[0]
    (bundle / "onnx").unlink()
    shutil.move(tmp_path / "onnx", bundle / "onnx")
    os.mkfifo(bundle / "pipe")
    assert "'pipe': neither a file nor a folder" in problems(bundle)[0]


def test_a_zip_is_checked_before_it_is_unpacked(bundle: Path) -> None:
    def link(archive: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo("x")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")

    def case(archive: zipfile.ZipFile) -> None:
        archive.writestr("CONFIG.json", "{}")

    def bomb(archive: zipfile.ZipFile) -> None:
        archive.writestr("zeros", bytes(30_000_000))

    def named(name: str) -> Callable[[zipfile.ZipFile], None]:
        return lambda archive: archive.writestr(name, "x")

    assert "'x': a link" in problems(zip_of(bundle, link))[0]
    assert "where case does not count" in problems(zip_of(bundle, case))[0]
    assert "more than 100 times" in problems(zip_of(bundle, bomb))[0]
    assert "an absolute path" in problems(zip_of(bundle, named("/x")))[0]
    assert "a path that escapes" in problems(zip_of(bundle, named("../x")))[0]
    assert "a backslash" in problems(zip_of(bundle, named("a\\x")))[0]
    assert "a drive letter" in problems(zip_of(bundle, named("C:x")))[0]
    assert "'fine.txt': not listed" in problems(zip_of(bundle, named("fine.txt")))[0]
    with pytest.warns(UserWarning, match="Duplicate"):
        assert "'config.json' is there twice" in problems(zip_of(bundle, named("config.json")))[0]
    check_ok(verify_bundle(zip_of(bundle, lambda archive: archive.writestr("onnx/", ""))))


def test_a_cut_or_foreign_zip_is_told(bundle: Path, tmp_path: Path) -> None:
    path = zip_of(bundle, lambda _: None)
    path.write_bytes(path.read_bytes()[:-30])
    assert "not a whole zip file" in problems(path)[0]
    data = bytearray(zip_of(bundle, lambda _: None).read_bytes())
    data[len(data) // 3] ^= 255
    path.write_bytes(data)
    assert problems(path)


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


def test_evidence_may_be_added_but_only_about_this_model(bundle: Path, finished_bundle: Path) -> None:
    record = json.loads((bundle / "evidence" / "measurements.json").read_bytes())
    (bundle / "evidence" / "later.json").write_text(json.dumps({**record, "device": "rpi5"}))
    check_ok(verify_bundle(bundle))
    for name, text in (
        ("bad.json", json.dumps({**record, "model_sha256": "0" * 64})),
        ("bad.json", "[]"),
        ("bad.json", "no json"),
        ("page.html", "<html>"),
        ("deep/bad.json", json.dumps(record)),
    ):
        file = bundle / "evidence" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        assert f"evidence/{name}" in problems(bundle)[0]
        file.unlink()


def test_names_that_no_bundle_holds_are_told_without_breaking_the_line(bundle: Path) -> None:
    for name in ("a\nb", "naïve", ".hidden", "\udcff"):
        (bundle / name).write_text("x")
        told = problems(bundle)
        assert len(told) == 2  # the name, and that it is not listed
        assert all(line.isascii() for line in told)
        (bundle / name).unlink()


def test_another_runtime_inside_is_noted_not_refused(bundle: Path) -> None:
    (bundle / "runtime" / "tagger.py").write_text("raise SystemExit('executed')")
    rehash(bundle)
    report = verify_bundle(bundle)
    check_ok(report)
    assert "runtime/ is not the one this toolkit carries" in report.notes[0]


def test_a_known_bad_runtime_installed_here_is_noted(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify.onnxruntime, "__version__", "1.21.0")
    assert any("1.21.0, installed here, is known to fail: SIGILL" in note for note in verify_bundle(bundle).notes)


def test_no_such_path_and_no_permission_are_user_errors(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="There is no bundle at"):
        verify_bundle(tmp_path / "none")

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "config.json")

    monkeypatch.setattr(verify, "list_folder", denied)
    with pytest.raises(UserError, match=r"config\.json cannot be read: Permission denied"):
        verify_bundle(bundle)


def test_nothing_from_the_bundle_is_executed(
    variant: Path, details: Callable[..., BundleDetails], tmp_path: Path
) -> None:
    """Every Python file in it leaves a trace when run; some have the names of modules that verify imports."""
    bundle = write_bundle(variant, details(), tmp_path / "b").folder
    trace = tmp_path / "trace"
    own = [file.name for file in (bundle / "runtime").glob("*.py")]
    for name in (*own, "numpy.py", "json.py", "sitecustomize.py"):
        (bundle / "runtime" / name).write_text(f"open({str(trace)!r}, 'w').close()")
        (bundle / name).write_text(f"open({str(trace)!r}, 'w').close()")
    rehash(bundle)
    code = (
        "from pathlib import Path\nfrom export.verify import verify_bundle\n"
        f"print(verify_bundle(Path({str(bundle)!r})).ok)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "True"
    assert not trace.exists()


def test_verify_needs_three_packages_only() -> None:
    code = (
        "import sys, export.verify\n"
        "top = {name.split('.')[0] for name in sys.modules}\n"
        "print(sorted(top & set('torch transformers onnx optimum jsonschema google toolkit'.split())))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
