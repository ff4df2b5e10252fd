"""Code-point offsets (Python) to UTF-8 bytes (files, Go, Rust) and UTF-16 units (JavaScript, Java, Swift)."""

from __future__ import annotations

import numpy as np


class TextOffsets:
    """Offsets of one text, converted in constant time after one pass over it.

    A lone surrogate counts as 3 bytes, which is what U+FFFD takes and what `surrogatepass` writes.
    """

    def __init__(self, text: str) -> None:
        self._bytes: np.ndarray | None = None
        self._utf16: np.ndarray | None = None
        if not text.isascii():
            codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
            astral = codes >= 0x10000
            self._bytes = _running_total(1 + (codes >= 0x80) + (codes >= 0x800) + astral)
            self._utf16 = _running_total(1 + astral)

    def byte(self, position: int) -> int:
        """Offset in UTF-8 bytes of the code point at `position` (0 to len(text))."""
        return position if self._bytes is None else int(self._bytes[position])

    def utf16(self, position: int) -> int:
        """Offset in UTF-16 code units of the code point at `position` (0 to len(text))."""
        return position if self._utf16 is None else int(self._utf16[position])


def _running_total(widths: np.ndarray) -> np.ndarray:
    """Sum of the widths before each position, int64 (len(widths) + 1,)."""
    return np.concatenate([[0], np.cumsum(widths, dtype=np.int64)])
