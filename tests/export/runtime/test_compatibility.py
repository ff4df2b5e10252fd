from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from export.runtime import compatibility
from export.runtime.compatibility import missing_package, refuse_known_bad
from export.runtime.errors import UserError

OLD_CORE = "processor\t: 0\nFeatures\t: fp asimd evtstrm crc32 cpuid\nCPU part\t: 0xd08\n"
NEW_CORE = "processor\t: 0\nFeatures\t: fp asimd asimdhp asimddp cpuid\nCPU part\t: 0xd0b\n"

Board = Callable[[str, str], Path]


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Board:
    """/proc of a 64-bit ARM board with this cpuinfo and product name."""
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")

    def make(cpuinfo: str, model: str) -> Path:
        (tmp_path / "device-tree").mkdir()
        (tmp_path / "cpuinfo").write_text(cpuinfo, "utf-8")
        (tmp_path / "device-tree" / "model").write_text(model + "\0", "utf-8")
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("cpuinfo", "model", "version", "refused"),
    [
        (OLD_CORE, "Raspberry Pi 4 Model B Rev 1.4", "1.21.0", True),
        (OLD_CORE, "Raspberry Pi 4 Model B Rev 1.4", "1.31.1", False),
        (OLD_CORE, "Raspberry Pi 4 Model B Rev 1.4", "1.22.0", False),
        (OLD_CORE, "Raspberry Pi Zero 2 W Rev 1.0", "1.22.0", True),
        (NEW_CORE, "Raspberry Pi 5 Model B Rev 1.0", "1.21.0", False),
        ("", "", "1.21.0", False),
    ],
)
def test_a_release_is_refused_on_the_boards_it_fails_on(
    board: Board, cpuinfo: str, model: str, version: str, refused: bool
) -> None:
    proc = board(cpuinfo, model)
    if not refused:
        refuse_known_bad(proc, version)
        return
    with pytest.raises(UserError, match=rf"onnxruntime {version} does not run on this board") as caught:
        refuse_known_bad(proc, version)
    assert "pip install --upgrade onnxruntime" in caught.value.remedy


def test_the_installed_release_is_read_without_importing_it(
    board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "onnxruntime"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('__version__ = "1.21.0"\nraise SystemExit("an illegal instruction")\n')
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    with pytest.raises(UserError, match=r"1\.21\.0"):
        refuse_known_bad(board(OLD_CORE, "Raspberry Pi 4"))


def test_without_onnxruntime_there_is_nothing_to_refuse(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compatibility.importlib.util, "find_spec", lambda name: None)
    refuse_known_bad(board(OLD_CORE, "Raspberry Pi 4"))


def test_other_architectures_are_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    refuse_known_bad(tmp_path, "1.21.0")


def test_a_32_bit_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "maxsize", 2**31 - 1)
    with pytest.raises(UserError, match="32-bit") as caught:
        refuse_known_bad()
    assert "64-bit Raspberry Pi OS" in caught.value.remedy


def test_a_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(()))
    assert "pip install numpy onnxruntime tokenizers" in missing_package("onnxruntime").remedy


def test_on_musl_no_package_would_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter([self / "ld-musl-aarch64.so.1"]))
    assert "glibc" in missing_package("onnxruntime").remedy
