"""The C library's heap kept small, for a tagger that stays. Without glibc nothing here has an effect."""

from __future__ import annotations

from functools import cache
from typing import Any

M_ARENA_MAX = -8  # glibc's malloc.h


def release_memory() -> None:
    """Return what has been freed to the system: a few milliseconds of work (`man 3 malloc_trim`).

    By itself glibc keeps what lies below the highest block in use: tens of MB after a text of 1 MB.
    """
    _call("malloc_trim", 0)


def share_one_heap() -> None:
    """Give all threads the first one's heap (`man 3 mallopt`); for before they start.

    A heap for each thread that tags, reads or writes costs 5 to 7 MB, and saves waiting that nobody does here.
    """
    _call("mallopt", M_ARENA_MAX, 1)


def _call(name: str, *arguments: int) -> None:
    function = getattr(_c_library(), name, None)
    if function is not None:
        function(*arguments)


@cache
def _c_library() -> Any:
    """The C library this process runs with; None where it cannot be called."""
    try:
        import ctypes

        return ctypes.CDLL(None)
    except (ImportError, OSError, TypeError):  # a Python without ctypes; Windows
        return None
