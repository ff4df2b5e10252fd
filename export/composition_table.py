"""Makes CompositionTable.swift: `python -m export.composition_table`.

It holds Unicode's canonical decompositions. Foundation's normalization leaves marks in the wrong order and loses
some, so the Swift runtime normalizes by itself, with data of the version of Unicode that all runtimes carry
(`character_table.UNICODE`; Python 3.11 has it).
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator
from itertools import groupby

from export.atomic import write_text_atomic
from export.character_table import SWIFT_FILE, check_unicode

FILE = SWIFT_FILE.with_name("CompositionTable.swift")
_LINE = 100


def classes() -> str:
    """Runs of characters of one combining class other than 0: `first.count.class`, the first in hexadecimal."""
    found = []
    for combining, run in groupby(range(sys.maxunicode + 1), lambda code: unicodedata.combining(chr(code))):
        codes = list(run)
        if combining:
            found.append(f"{codes[0]:x}.{len(codes)}.{combining}")
    return " ".join(found)


def decompositions() -> str:
    """Each character's canonical decomposition, one step of it, except those of Hangul, which follow a rule.

    `300=41+300`: the character in hexadecimal (left out after its predecessor), what it consists of, and between them
    = where the parts compose to it, or ! where they don't.
    """
    found = []
    last = -1
    for code, parts in _canonical():
        composes = unicodedata.normalize("NFC", chr(code)) == chr(code)
        found.append(("" if code == last + 1 else f"{code:x}") + "!="[composes] + parts)
        last = code
    return " ".join(found)


def _canonical() -> Iterator[tuple[int, str]]:
    for code in range(sys.maxunicode + 1):
        parts = unicodedata.decomposition(chr(code))
        if parts and not parts.startswith("<"):
            yield code, "+".join(f"{int(part, 16):x}" for part in parts.split())


def source() -> str:
    """The Swift source file.

    Raises:
        UserError: this Python has another version of Unicode.
    """
    check_unicode()
    texts = {"classes": classes(), "decompositions": decompositions()}
    constants = "".join(
        f'    static let {name} = """\n{_literal(text)}\n        """\n' for name, text in texts.items()
    )
    made = "// Made by `python -m export.composition_table`; not to be edited.\n"
    return f"{made}\nenum CompositionTable {{\n{constants}}}\n"


def _literal(text: str) -> str:
    lines = [text[start : start + _LINE] for start in range(0, len(text), _LINE)]
    return "\\\n".join(f"        {line}" for line in lines)


if __name__ == "__main__":
    write_text_atomic(FILE, source())
