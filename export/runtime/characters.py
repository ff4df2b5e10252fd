"""What kind of character each code point is, and composition, by one version of Unicode on every device.

Python 3.11, 3.13, a browser and a phone know different versions. What one of them calls unassigned, another
knows as a mark that composes or a symbol that is no letter; words, offsets and ids would differ. So classes come
from a table (`export/character_table.py` makes it), and what it calls unassigned is normalized by nobody.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect
from itertools import accumulate
from typing import Literal

from .character_table import TABLE

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]
UNASSIGNED = "c"
KEPT_CLASSES = 4096

_runs = re.findall(r"(\D)(\d*)", TABLE)
_letters = "".join(letter for letter, _ in _runs)
_ends = list(accumulate(int(count or 1) for _, count in _runs))


def character_class(code: int) -> str:
    """The class letter of a code point: see `words.RULE`."""
    return _letters[bisect(_ends, code)]


class _Classes(dict[int, str]):
    """Class letters by code point for `str.translate`, looked up once while they are in use."""

    def __missing__(self, code: int) -> str:
        if len(self) >= KEPT_CLASSES:  # a tagger that runs for months may see all 1,114,112 of them
            self.clear()
        letter = self[code] = character_class(code)
        return letter


_classes = _Classes()


def classes(text: str) -> str:
    """The class letters of a text's characters, a string of the same length."""
    return text.translate(_classes)


def normalize(form: Form, text: str) -> str:
    """`text` in a Unicode normalization form; unassigned characters stay and part what stands around them.

    That is what the table's version of Unicode does with them; and it makes no difference to other characters
    which version's tables are used (Unicode's normalization stability policy).
    """
    if text.isascii():
        return text
    letters = classes(text)
    if UNASSIGNED not in letters:
        return unicodedata.normalize(form, text)
    pieces = re.finditer(f"{UNASSIGNED}+|[^{UNASSIGNED}]+", letters)
    return "".join(
        text[start:end] if letters[start] == UNASSIGNED else unicodedata.normalize(form, text[start:end])
        for start, end in (piece.span() for piece in pieces)
    )
