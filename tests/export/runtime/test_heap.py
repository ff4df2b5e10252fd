from __future__ import annotations

import ctypes
import platform
import subprocess
import sys
from collections.abc import Iterator

import pytest

from export.runtime import heap
from export.runtime.heap import release_memory, share_one_heap

glibc_only = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="these are glibc's")


@pytest.fixture(autouse=True)
def _looked_up_again() -> Iterator[None]:
    heap._c_library.cache_clear()
    yield
    heap._c_library.cache_clear()


def printed(code: str) -> int:
    return int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)


@glibc_only
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
    assert printed(code) > 40_000_000


@glibc_only
@pytest.mark.parametrize("shared", [True, False])
def test_threads_share_one_heap(shared: bool) -> None:
    code = f"""
import ctypes, threading
from export.runtime.heap import share_one_heap
if {shared}:
    share_one_heap()
malloc = ctypes.CDLL(None).malloc
malloc.restype = ctypes.c_size_t
blocks = []
thread = threading.Thread(target=lambda: blocks.append(malloc(1000)))
thread.start()
thread.join()
blocks.append(malloc(1000))
print(abs(blocks[0] - blocks[1]))
"""
    assert (printed(code) < 1 << 30) == shared  # a thread's own heap is mapped far from the first


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    release_memory()
    share_one_heap()


def test_a_system_whose_c_library_cannot_be_called_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: object) -> None:
        raise TypeError("no name given")  # as on Windows

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    release_memory()
    assert heap._c_library() is None
