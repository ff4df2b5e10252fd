"""Memory and storage are timed where the machine allows it, and unknown where not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from export.runtime.rates import cold_read, copy_rate, free_memory

MIB = 1 << 20


def proc(folder: Path, available_kb: int | None = None, reads: bool = True) -> Path:
    """A /proc whose io file never changes: the file was read from memory."""
    folder.mkdir()
    lines = ["MemTotal:  1000 kB"] + ([f"MemAvailable:  {available_kb} kB"] if available_kb is not None else [])
    (folder / "meminfo").write_text("\n".join(lines))
    if reads:
        (folder / "self").mkdir()
        (folder / "self" / "io").write_text("rchar: 10\nread_bytes: 4096\n")
    return folder


def test_copying_counts_what_is_read_and_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ticks = iter([0.0, 0.5, 1.0, 1.1, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5])  # the second copy is the fastest: 0.1 s
    monkeypatch.setattr("time.perf_counter", lambda: next(ticks))
    rate = copy_rate(16 * MIB, proc(tmp_path / "proc", 1_000_000))
    assert rate == pytest.approx(2 * 16 * MIB / 0.1 / 1e9)


def test_copying_takes_a_quarter_of_the_free_memory_and_no_cache(tmp_path: Path) -> None:
    assert copy_rate(64 * MIB, proc(tmp_path / "small", 4 * 4096)) is None
    assert copy_rate(MIB, tmp_path / "none") is None
    assert (copy_rate(8 * MIB, tmp_path / "none") or 0) > 0.1


def test_free_memory_is_unknown_without_proc(tmp_path: Path) -> None:
    assert free_memory(proc(tmp_path / "proc", 300_000)) == 300_000 * 1024
    assert free_memory(proc(tmp_path / "old")) is None
    assert free_memory(tmp_path / "nowhere") is None


def test_a_file_that_was_read_from_memory_says_nothing_about_storage(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_bytes(b"x" * MIB)
    assert cold_read(file, proc(tmp_path / "proc")) is None
    assert cold_read(file, proc(tmp_path / "silent", reads=False)) is None


def test_a_cold_file_has_a_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "data"
    file.write_bytes(b"x" * MIB)
    counted = iter([0, MIB])
    monkeypatch.setattr("export.runtime.rates._read_from_storage", lambda proc: next(counted))
    ticks = iter([1.0, 1.5])
    monkeypatch.setattr("time.perf_counter", lambda: next(ticks))
    assert cold_read(file) == pytest.approx(2 * MIB / 1e6)


def test_a_system_that_cannot_drop_pages_has_no_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "data"
    file.write_bytes(b"x")
    monkeypatch.delattr(os, "posix_fadvise")
    assert cold_read(file) is None
