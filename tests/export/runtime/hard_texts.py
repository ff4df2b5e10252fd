"""Texts that are hard on word splitters and tokenizers, and what the Python runtime makes of a text.

Used where another runtime is held against this one: the tests of runtime/js, and benchmarks/javascript.py.
"""

from __future__ import annotations

import random
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from export.runtime.encode import WordEncoder
from export.runtime.offsets import TextOffsets
from export.runtime.sentences import split_sentences
from export.runtime.words import split_words

# U+0344, U+061C and U+200D are read in different ways by Hugging Face's tokenizers in Rust and in JavaScript.
TRICKY = (
    "aZéọŋƁʼ1९፲ .,:'’‘`´-_<>/@▁\t\n\r\x00\x1b\x7f\x85\xa0\u0300\u0301\u0323\u0344\u034f\u061c\u200b\u200c\u200d\u200e"
    "\u2028\u202a\u2060\u3000\ufe0f\ufeff\ufffd\U000e0101፡።፣፧፨?!…)]”»ሰዓ½①ﬁﷺｶﾞＡ™¨K가각々阿א ب😀🏿🇰🇪👩𝔎𞤀"
)
# Assigned after Unicode 14: marks, letters that compose, signs. Engines differ in which of them they know.
NEWER = (
    "\u0897\u0ece\u0cf3\u1acf\u1ae0\u1c89\u20c1\ua7dc\U000105c9\U000105d2\U00010d69\U00010efd\U00011382\U000113c2"
    "\U000113ce\U000113d0\U0001611e\U00016121\U00016d63\U00016d67\U00016d68\U0001e4ec\U0001e5ee"
)
SPECIAL = ("<mask>", "</s>", "<s>", "<pad>", "<unk>", "▁", "...", "''", "Dr.", "K.", "1,000.50", "10:30", "፡፡")


def hard_texts(count: int, seed: int = 0) -> Iterator[str]:
    """`count` strings: characters of every category, of the sets above, from words, decomposed and composed."""
    source = random.Random(seed)
    by_category: dict[str, list[str]] = {}
    for code in range(sys.maxunicode + 1):
        by_category.setdefault(unicodedata.category(chr(code)), []).append(chr(code))
    pools = [*by_category.values()]
    latin = "".join(chr(code) for code in range(0xC0, 0x250)) + "".join(map(chr, range(0x300, 0x345)))
    sets: list[Sequence[str]] = [TRICKY, TRICKY, NEWER, SPECIAL, latin, by_category["Mn"], by_category["Lo"]]
    for number in range(count):
        # Every fiftieth text is of one kind of character, the others of several.
        kinds = [source.choice(pools)] if number % 50 == 0 else [*source.choices(sets, k=2), source.choice(pools)]
        text = "".join(source.choice(source.choice(kinds)) for _ in range(source.randint(1, 40)))
        if number % 5 == 0:
            text = unicodedata.normalize(source.choice(("NFC", "NFD", "NFKD")), text)
        if number % 997 == 0:
            text *= 300
        # Two halves of a surrogate pair are one character in UTF-16.
        yield text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def as_read(text: str, encoder: WordEncoder) -> dict[str, Any]:
    """What this runtime makes of a text before the model: what another one must make of it."""
    words, offsets = split_words(text), TextOffsets(text)
    units = (lambda position: position, offsets.byte, offsets.utf16)
    return {
        "text": text,
        "words": [[unit(at) for unit in units for at in (word.start, word.end)] for word in words],
        "sentences": [len(sentence) for sentence in split_sentences(text, words)],
        "windows": as_windows([word.text for word in words], encoder),
    }


def as_windows(words: Sequence[str], encoder: WordEncoder) -> list[list[list[int]]]:
    """Windows of a sentence as lists: ids, positions of first sub-words, words, whether they are kept."""
    return [[values.astype(int).tolist() for values in window] for window in encoder.windows(words)]
