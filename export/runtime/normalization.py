"""The normalizer of a tokenizer.json, applied here and not by a tokenizer library.

Libraries disagree on it: Hugging Face's tokenizers reads a SentencePiece character map by grapheme and drops
marks, its JavaScript namesake does not read the map at all, and each knows another version of Unicode. Here the
map is read as SentencePiece reads it, with which the models were trained: the longest entry at each position
(Kudo & Richardson 2018; sentencepiece's normalizer.cc).
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Callable
from functools import partial
from typing import Any, get_args

from .characters import Form, classes, normalize

Normalizer = Callable[[str], str]
PLAIN_FIRST, PLAIN_LAST = 0x21, 0x7E  # printable ASCII, which no map is likely to change
_PLAIN = re.compile("[!-~]*")
_SPACES = re.compile(" {2,}")


def read_normalizer(specification: dict[str, Any] | None) -> Normalizer:
    """The normalizer that `specification` describes, of the kinds that XLM-R's tokenizers are made of.

    Raises:
        ValueError: another kind, or a damaged character map.
    """
    if specification is None:
        return str
    kind: Any = specification.get("type")
    if kind == "Sequence":
        steps = [read_normalizer(step) for step in specification["normalizers"]]
        return partial(_all, steps)
    if kind in get_args(Form):
        return partial(normalize, kind)
    if kind == "Precompiled":
        return CharacterMap(specification["precompiled_charsmap"])
    if kind == "Strip":
        return partial(_strip, bool(specification["strip_left"]), bool(specification["strip_right"]))
    if kind == "Replace" and specification.get("pattern") == {"Regex": _SPACES.pattern}:
        content = str(specification["content"])
        return partial(_SPACES.sub, lambda _: content)
    raise ValueError(f"its normalizer {kind!r} is none this runtime knows")


class CharacterMap:
    """SentencePiece's map from strings to strings: a double-array trie over UTF-8 (darts-clone), then the strings."""

    def __init__(self, encoded: str) -> None:
        """Take the map as tokenizer.json has it, in base64.

        Raises:
            ValueError: it is none.
        """
        data = base64.b64decode(encoded, validate=True)
        size = struct.unpack_from("<I", data)[0] if len(data) >= 4 else 0
        if size < 4 or size % 4 or 4 + size > len(data):
            raise ValueError("its character map is damaged")
        self._units = memoryview(data[4 : 4 + size]).cast("I")  # little-endian, as every device here is
        self._strings = data[4 + size :]
        self._keeps_plain = not self._has_plain_entry()

    def __call__(self, text: str) -> str:
        if self._keeps_plain and _PLAIN.fullmatch(text):  # most words of most languages, at a tenth of the time
            return text
        data = text.encode()
        written = []
        position = 0
        while position < len(data):
            end, replacement = self._longest(data, position)
            if replacement is None:
                end = position + _width(data[position])
                replacement = data[position:end]
            written.append(replacement)
            position = end
        return b"".join(written).decode()

    def _has_plain_entry(self) -> bool:
        """Whether some entry consists of plain characters only."""
        nodes = [_offset(self._units[0])]
        seen = set()  # a damaged trie may go in circles
        while nodes:
            above = nodes.pop()
            if above in seen:
                continue
            seen.add(above)
            for byte in range(PLAIN_FIRST, PLAIN_LAST + 1):
                node = above ^ byte
                unit = self._units[node] if node < len(self._units) else 0
                if unit & 0x800000FF == byte:
                    if unit >> 8 & 1:
                        return True
                    nodes.append(node ^ _offset(unit))
        return False

    def _longest(self, data: bytes, start: int) -> tuple[int, bytes | None]:
        """End of the longest entry at `start` and what replaces it, or None where there is no entry."""
        node = _offset(self._units[0])
        end, found = start, None
        for position in range(start, len(data)):
            node ^= data[position]
            unit = self._units[node] if node < len(self._units) else 0
            if unit & 0x800000FF != data[position] or not data[position]:
                break
            node ^= _offset(unit)
            if unit >> 8 & 1:
                end, found = position + 1, self._units[node] & 0x7FFFFFFF
        return end, None if found is None else self._strings[found : self._strings.index(0, found)]


def _offset(unit: int) -> int:
    """Where the children of a node begin."""
    return unit >> 10 << ((unit & 0x200) >> 6)


def _width(lead: int) -> int:
    """Bytes of the UTF-8 character that begins with `lead`."""
    return 1 + (lead >= 0xC0) + (lead >= 0xE0) + (lead >= 0xF0)


def _all(steps: list[Normalizer], text: str) -> str:
    for step in steps:
        text = step(text)
    return text


def _strip(left: bool, right: bool, text: str) -> str:
    """`text` without white space at its edges."""
    letters = classes(text)
    start = len(letters) - len(letters.lstrip("S")) if left else 0
    end = len(letters.rstrip("S")) if right else len(letters)
    return text[start:end]
