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

import pytest

from export import verify
from export.archive import write_zip
from export.bundle import BundleDetails, write_bundle
from export.manifest import MANIFEST
from export.runtime.errors import UserError
from export.verify import VerifyReport, verify_bundle
from tests.export.forgery import problems, rehash


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


def test_what_a_hub_leaves_in_a_download_is_passed_over(bundle: Path) -> None:
    (bundle / ".gitattributes").write_text("*.onnx filter=lfs")
    (bundle / ".cache" / "huggingface").mkdir(parents=True)
    (bundle / ".cache" / "huggingface" / "README.md.metadata").write_text("x")
    assert verify_bundle(bundle).problems == ()
    (bundle / ".cache" / "other").write_text("x")
    assert ".cache/other" in problems(bundle)[0]
    (bundle / ".cache" / "other").unlink()
    (bundle / ".gitattributes").unlink()
    (bundle / ".gitattributes").symlink_to("manifest.json")
    assert "a link" in " ".join(problems(bundle))
    (bundle / ".gitattributes").unlink()
    (bundle / ".gitattributes").mkdir()
    (bundle / ".gitattributes" / "model.onnx").write_text("x")
    assert any(problem.startswith("'.gitattributes/model.onnx'") for problem in problems(bundle))


def test_another_runtime_inside_is_noted_not_refused(bundle: Path) -> None:
    (bundle / "runtime" / "tagger.py").write_text("raise SystemExit('executed')")
    rehash(bundle)
    report = verify_bundle(bundle)
    check_ok(report)
    assert "runtime/ is not the one this toolkit carries" in report.notes[0]


def test_a_known_bad_runtime_installed_here_is_noted(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "package_version", lambda package: "1.21.0")
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
