"""Freed memory goes back to the system: a tagger that stays is small again after a long text."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache


def release_memory() -> None:
    """Return what has been freed to the system, a few milliseconds of work.

    glibc keeps freed memory below the highest block in use: after a text of 1 MB tens of MB for ever
    (`man 3 malloc_trim`). Does nothing with another C library.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    try:
        import ctypes

        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (ImportError, OSError, TypeError, AttributeError):  # no ctypes; Windows; musl and macOS
        return None
    return trim
