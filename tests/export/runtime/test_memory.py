from __future__ import annotations

import sys
from pathlib import Path

import pytest

from export.runtime.memory import Memory, read_memory


def test_memory_is_read_in_bytes(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text(
        "Name:\tpython\nVmHWM:\t    2048 kB\nVmRSS:\t    1000 kB\nRssAnon:\t  600 kB\nRssFile:\t 400 kB\n"
    )
    assert read_memory(status) == Memory(
        peak=2048 * 1024, resident=1000 * 1024, anonymous=600 * 1024, file_backed=400 * 1024
    )


def test_memory_is_none_without_proc(tmp_path: Path) -> None:
    assert read_memory(tmp_path / "absent") == Memory(None, None, None, None)


def test_a_field_the_kernel_leaves_out_is_none_not_zero(tmp_path: Path) -> None:
    status = tmp_path / "status"  # kernels before 4.5 have no RssAnon
    status.write_text("VmHWM:\t    2048 kB\nVmRSS:\t    1000 kB\n")
    memory = read_memory(status)
    assert memory.peak == 2048 * 1024
    assert memory.anonymous is None
    assert memory.file_backed is None


def test_a_line_that_is_no_size_is_none(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("VmHWM:\t    lots kB\nVmRSS:\n")
    assert read_memory(status) == Memory(None, None, None, None)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_an_allocation_shows_in_this_process() -> None:
    before = read_memory()
    block = bytearray(b"\x01") * (64 << 20)
    during = read_memory()
    assert before.anonymous and during.anonymous and during.peak and during.resident
    assert during.anonymous - before.anonymous > 0.9 * len(block)
    assert during.peak >= during.resident > during.anonymous
