"""How fast a machine copies memory and reads a file that it has not in memory; how much memory is free."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

BLOCK = 1 << 22  # bytes read at once
COPIES = 5
SMALLEST_COPY = 8_388_608  # bytes; less than that lies in caches
READ_SHARE = 0.9  # of a file that must come from storage for its reading to count as cold


def copy_rate(size: int, proc: Path = Path("/proc")) -> float | None:
    """GB/s (10^9 bytes, read and written, as STREAM counts) of copying `size` bytes with one thread.

    The best of several copies. A quarter of the free memory bounds `size`; None where that is too little.
    """
    free = free_memory(proc)
    size = size if free is None else min(size, free // 4)
    if size < SMALLEST_COPY:
        return None
    source, target = np.ones(size, np.uint8), np.zeros(size, np.uint8)
    seconds = []
    for _ in range(COPIES):
        begun = time.perf_counter()
        np.copyto(target, source)
        seconds.append(time.perf_counter() - begun)
    return 2 * size / min(seconds) / 1e9


def cold_read(path: Path, proc: Path = Path("/proc")) -> float | None:
    """MB/s (10^6 bytes) of reading a file after the page cache was told to drop it.

    None where the system cannot be told, or where it answered from memory all the same.
    """
    if not hasattr(os, "posix_fadvise"):
        return None
    with path.open("rb", buffering=0) as stream:
        size = os.fstat(stream.fileno()).st_size
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        before, begun = _read_from_storage(proc), time.perf_counter()
        while stream.read(BLOCK):
            pass
        seconds, after = time.perf_counter() - begun, _read_from_storage(proc)
    if before is None or after is None or after - before < READ_SHARE * size:
        return None
    return size / seconds / 1e6


def free_memory(proc: Path = Path("/proc")) -> int | None:
    """Bytes that programs may still take without swapping; None where the machine does not tell."""
    kilobytes = _number(proc / "meminfo", "MemAvailable:")
    return None if kilobytes is None else 1024 * kilobytes


def _read_from_storage(proc: Path) -> int | None:
    """Bytes that this process has fetched from storage (`man 5 proc_pid_io`)."""
    return _number(proc / "self" / "io", "read_bytes:")


def _number(path: Path, key: str) -> int | None:
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith(key) and len(line.split()) > 1]
    return int(found[0]) if found and found[0].isdigit() else None
