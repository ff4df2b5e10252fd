"""Zips: the same bytes out for the same files in, and nothing unpacked from a hostile one."""

from __future__ import annotations

import errno
import io
import os
import random
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from export import archive
from export.archive import unpack_zip, write_zip
from export.names import collisions, name_problem
from export.runtime.errors import UserError


def raw_zip(path: Path, entries: list[tuple[str, bytes]], **fields: int) -> Path:
    """A zip with these entries as they are: names may repeat, and ZipInfo fields may be set."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in entries:
            info = zipfile.ZipInfo("placeholder")
            info.filename = info.orig_filename = name
            info.compress_type = zipfile.ZIP_DEFLATED
            for field, value in fields.items():
                setattr(info, field, value)
            target.writestr(info, data)
    return path


def refused(path: Path, tmp_path: Path) -> str:
    """The problems found, in one string; nothing may have been unpacked."""
    folder = tmp_path / "unpacked"
    folder.mkdir(exist_ok=True)
    problems = unpack_zip(path, folder)
    assert list(folder.iterdir()) == []
    assert problems
    return "\n".join(problems)


def test_the_same_files_give_the_same_bytes_whatever_their_order_times_and_modes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder = tmp_path / name
        (folder / "onnx").mkdir(parents=True)
        for file, data in (("b", b"b" * 100), ("onnx/a", os.urandom(0) + b"a" * 5000), ("A", b"")):
            (folder / file).write_bytes(data)
    os.utime(tmp_path / "two" / "b", (1, 1))
    (tmp_path / "two" / "b").chmod(0o755)
    sizes = write_zip(tmp_path / "one", ["b", "onnx/a", "A"], tmp_path / "1.zip")
    write_zip(tmp_path / "two", ["A", "onnx/a", "b"], tmp_path / "2.zip")
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()
    assert list(sizes) == ["A", "b", "onnx/a"]
    assert 0 < sizes["onnx/a"] < 100
    with zipfile.ZipFile(tmp_path / "1.zip") as written:
        assert {info.date_time for info in written.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {info.external_attr >> 16 for info in written.infolist()} == {stat.S_IFREG | 0o644}
    (tmp_path / "out").mkdir()
    assert unpack_zip(tmp_path / "1.zip", tmp_path / "out") == []
    assert (tmp_path / "out" / "onnx" / "a").read_bytes() == b"a" * 5000


def test_a_full_disk_leaves_the_earlier_zip_and_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"a")
    target = tmp_path / "out" / "x.zip"
    write_zip(tmp_path, ["a"], target)
    before = target.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(UserError, match="disk is full"):
        write_zip(tmp_path, ["a"], target)
    assert [file.name for file in target.parent.iterdir()] == ["x.zip"]
    assert target.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/etc/passwd", "an absolute path"),
        ("../x", "a path that escapes"),
        ("a/../../x", "a path that escapes"),
        ("C:/x", "a drive letter"),
        ("c:x", "a drive letter"),
        ("a\\b", "a backslash"),
        ("a\0.txt", "a NUL character"),
        ("a//b", "other characters"),
        ("a/./b", "ends with a dot"),
        (".hidden", "a hidden file"),
        ("a/NUL.txt", "a device on Windows"),
        ("a./b", "ends with a dot"),
        ("naïve", "other characters"),
        ("a b", "other characters"),
        ("-rf", "other characters"),
        ("x" * 201, "longer than 200"),
        ("", "an empty name"),
    ],
)
def test_names_that_mean_trouble_are_refused_with_their_reason(name: str, reason: str, tmp_path: Path) -> None:
    assert reason in (name_problem(name) or "")
    assert reason in refused(raw_zip(tmp_path / "x.zip", [("fine", b""), (name, b"data")]), tmp_path)


@pytest.mark.parametrize("name", ["a", "onnx/model_int8.onnx", "runtime/__init__.py", "LICENSES/CC-BY-NC-4.0.txt"])
def test_names_that_bundles_hold_are_fine(name: str) -> None:
    assert name_problem(name) is None


def test_duplicate_and_case_colliding_names_are_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = raw_zip(tmp_path / "x.zip", [("a", b"1"), ("a", b"2")])
    assert "'a' is there twice" in refused(twice, tmp_path)
    assert "where case does not count" in refused(raw_zip(tmp_path / "x.zip", [("a", b""), ("A", b"")]), tmp_path)
    assert "both a file and the folder" in refused(raw_zip(tmp_path / "x.zip", [("a", b""), ("a/b", b"")]), tmp_path)
    assert list(collisions(["a", "b/c", "b/d"])) == []


def test_links_and_devices_are_refused(tmp_path: Path) -> None:
    for kind, what in ((stat.S_IFLNK, "a link"), (stat.S_IFIFO, "neither"), (stat.S_IFCHR, "neither")):
        path = raw_zip(tmp_path / "x.zip", [("a", b"/etc/passwd")], external_attr=(kind | 0o777) << 16)
        assert f"'a': {what}" in refused(path, tmp_path)


def test_a_zip_that_declares_a_hundred_times_its_size_is_refused_before_unpacking(tmp_path: Path) -> None:
    path = raw_zip(tmp_path / "x.zip", [("zeros", bytes(3_000_000))])
    assert "more than 100 times" in refused(path, tmp_path)


def test_a_zip_that_understates_its_size_is_stopped(tmp_path: Path) -> None:
    """Local and central headers claim 10 bytes; the stream holds three million."""
    path = raw_zip(tmp_path / "x.zip", [("zeros", bytes(3_000_000))])
    data = path.read_bytes().replace(struct.pack("<I", 3_000_000), struct.pack("<I", 10))
    path.write_bytes(data)
    (tmp_path / "out").mkdir()
    assert "damaged in the zip" in unpack_zip(path, tmp_path / "out")[0]
    assert (tmp_path / "out" / "zeros").stat().st_size <= 10


def test_unpacking_stops_at_the_limit_even_when_the_declared_sizes_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = raw_zip(tmp_path / "x.zip", [("zeros", bytes(3_000_000))])
    monkeypatch.setattr(archive, "_entry_problems", lambda *_: [])
    (tmp_path / "out").mkdir()
    assert "more than 100 times" in unpack_zip(path, tmp_path / "out")[0]
    assert (tmp_path / "out" / "zeros").stat().st_size < 1_000_000


def test_encrypted_foreign_and_overlong_zips_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = raw_zip(tmp_path / "x.zip", [("a", b"1")])
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + offset] |= 1
    path.write_bytes(data)
    assert "encrypted" in refused(path, tmp_path)
    assert "another method" in refused(
        raw_zip(tmp_path / "x.zip", [("a", b"1")], compress_type=zipfile.ZIP_BZIP2), tmp_path
    )
    monkeypatch.setattr(archive, "MAX_ENTRIES", 1)
    assert "2 entries" in refused(raw_zip(tmp_path / "x.zip", [("a", b""), ("b", b"")]), tmp_path)


def test_a_full_disk_while_unpacking_is_a_user_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = raw_zip(tmp_path / "x.zip", [("a", b"1")])

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(UserError, match="disk is full"):
        unpack_zip(path, tmp_path / "out")


def test_no_damage_to_a_zip_raises_anything(tmp_path: Path) -> None:
    """Seeded: bytes flipped, cut and repeated anywhere. The answer is a list of problems, or whole files."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("a", b"some text " * 50)
        target.writestr("b/c", os.urandom(200))
    original = whole.getvalue()
    chance = random.Random(1)
    found = 0
    for round_number in range(300):
        data = bytearray(original)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if chance.random() < 0.2:
            del data[chance.randrange(len(data)) :]
        (tmp_path / "x.zip").write_bytes(data)
        folder = tmp_path / f"out{round_number}"
        folder.mkdir()
        found += bool(unpack_zip(tmp_path / "x.zip", folder))
    assert found > 150
