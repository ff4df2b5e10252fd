from __future__ import annotations

import ctypes
import platform
import subprocess
import sys
from collections.abc import Iterator

import pytest

from export.runtime import heap
from export.runtime.heap import release_memory


@pytest.fixture(autouse=True)
def _looked_up_again() -> Iterator[None]:
    heap._malloc_trim.cache_clear()
    yield
    heap._malloc_trim.cache_clear()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="malloc_trim is glibc's")
def test_memory_below_a_block_in_use_goes_back_to_the_system() -> None:
    code = """
from export.runtime.heap import release_memory
from export.runtime.memory import read_memory
blocks = [b"x" * 100_000 for _ in range(500)]  # from the heap: glibc maps what has 128 KiB or more
last = b"x" * 100_000
del blocks
kept = read_memory().resident
release_memory()
print(kept - read_memory().resident)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert int(done.stdout) > 40_000_000


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    release_memory()
    assert heap._malloc_trim() is None
