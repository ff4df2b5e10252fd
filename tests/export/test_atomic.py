"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from export import atomic
from export.atomic import (
    canonical_json,
    disk_full_explained,
    new_folder_atomic,
    replace_folder,
    write_bytes_atomic,
    write_json_atomic,
    write_text_atomic,
)
from export.runtime.errors import UserError

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def no_space(*_: object, **__: object) -> None:
    raise FULL


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_with_its_folders_and_replaces_an_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    write_bytes_atomic(path, b"one")
    write_bytes_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert names(path.parent) == ["file"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_text_is_utf8_and_json_is_sorted_with_a_final_newline(tmp_path: Path) -> None:
    write_text_atomic(tmp_path / "text", "n'ụlọ")
    assert (tmp_path / "text").read_bytes() == "n'ụlọ".encode()
    write_json_atomic(tmp_path / "json", {"b": 1, "a": "ሀ"})
    assert (tmp_path / "json").read_text("utf-8") == '{\n "a": "ሀ",\n "b": 1\n}\n'


def test_canonical_json_of_equal_values_is_equal() -> None:
    assert canonical_json({"b": (1, 2), "a": None}) == canonical_json({"a": None, "b": [1, 2]})
    assert json.loads(canonical_json({"é": 1.5})) == {"é": 1.5}


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_earlier_file_and_no_temporary_one(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_bytes_atomic(path, b"earlier")
    monkeypatch.setattr(os, call, no_space)
    with pytest.raises(UserError, match="disk is full") as caught:
        write_bytes_atomic(path, b"later")
    assert str(path) in caught.value.message and "make clean" in caught.value.remedy
    assert path.read_bytes() == b"earlier"
    assert names(tmp_path) == ["file"]


def test_a_file_that_cannot_be_written_leaves_no_temporary_one(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "in the way").write_text("")
    with pytest.raises(OSError):
        write_bytes_atomic(tmp_path / "folder", b"data")
    assert names(tmp_path) == ["folder"]


def test_a_folder_replaces_an_earlier_one_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    for content in ("one", "two"):
        with new_folder_atomic(target) as folder:
            assert folder.parent == tmp_path
            (folder / content).write_text(content)
            assert not (target / content).exists()
        assert names(target) == [content]
    assert names(tmp_path) == ["bundle"]
    assert target.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt()], ids=repr)
def test_a_folder_that_is_not_finished_leaves_the_earlier_one(tmp_path: Path, error: BaseException) -> None:
    target = tmp_path / "bundle"
    with new_folder_atomic(target) as folder:
        (folder / "one").write_text("one")
    with pytest.raises(type(error)), new_folder_atomic(target) as folder:
        (folder / "two").write_text("tw")
        raise error
    assert names(target) == ["one"]
    assert names(tmp_path) == ["bundle"]


def test_a_full_disk_leaves_the_earlier_folder(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    with new_folder_atomic(target) as folder:
        (folder / "one").write_text("one")
    with pytest.raises(UserError, match="disk is full"), new_folder_atomic(target) as folder:
        raise FULL
    assert names(target) == ["one"] and names(tmp_path) == ["bundle"]


def test_a_swap_that_fails_half_way_puts_the_earlier_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("new", "old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text("")
    rename, calls = os.rename, []

    def second_fails(source: Path, target: Path) -> None:
        calls.append(source)
        if len(calls) == 2:
            raise OSError(errno.EIO, "input/output error")
        rename(source, target)

    monkeypatch.setattr(os, "rename", second_fails)
    with pytest.raises(OSError, match="input/output"):
        replace_folder(tmp_path / "new", tmp_path / "old")
    assert names(tmp_path) == ["new", "old"]
    assert names(tmp_path / "old") == ["old"]


class SafetensorError(Exception):
    """As safetensors raises it: no OSError, and no number."""


@pytest.mark.parametrize(
    "error",
    [FULL, OSError(errno.EDQUOT, "quota"), SafetensorError("I/O error: No space left on device (os error 28)")],
    ids=str,
)
def test_a_full_disk_is_recognised_however_a_library_says_it(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"could not write {tmp_path}"), disk_full_explained(tmp_path):
        raise error


@pytest.mark.parametrize(("free", "expected"), [(0, UserError), (10**9, RuntimeError)])
def test_an_error_without_a_cause_is_a_full_disk_only_where_the_disk_is_full(
    free: int, expected: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    class Usage:
        def __init__(self) -> None:
            self.free = free

    def usage(path: Path) -> Usage:
        asked.append(path)
        return Usage()

    monkeypatch.setattr(atomic.shutil, "disk_usage", usage)
    with pytest.raises(expected), disk_full_explained(tmp_path / "not" / "yet" / "there"):
        raise RuntimeError("[enforce fail at inline_container.cc] . unexpected pos 576 vs 534")  # torch.save's
    assert asked == [tmp_path]


@pytest.mark.parametrize("error", [ValueError("bad"), UserError("Bad.", "Correct it."), OSError(errno.EACCES, "no")])
def test_other_errors_pass_as_they_are(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(type(error)) as caught, disk_full_explained(tmp_path):
        raise error
    assert caught.value is error
