from __future__ import annotations

import base64
import struct
from pathlib import Path
from typing import Any

import pytest

from export.runtime.files import read_json
from export.runtime.normalization import CharacterMap, read_normalizer
from tests.export.runtime.hard_texts import hard_texts


@pytest.fixture(scope="module")
def character_map(teacher: Path) -> str:
    """The character map that SentencePiece gives its models (nmt_nfkc), in base64."""
    steps = read_json(teacher / "tokenizer.json")["normalizer"]["normalizers"]
    (found,) = (step["precompiled_charsmap"] for step in steps if step["type"] == "Precompiled")
    return str(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("Ng'ombe ọ̀ ሰላም", "Ng'ombe ọ̀ ሰላም"),
        ("ﬁ½Ⅳ㎏™…", "fi1⁄2IVkgTM..."),
        ("ｶﾞ", "ガ"),  # the longest entry: ｶ alone is カ
        ("e\u0323\u0301", "ẹ\u0301"),  # of NFD it composes what it has, and drops nothing
        ("①\u0300", "1\u0300"),  # by grapheme the mark would be lost
        ("\ufeff\u200b\x01\x7f\u2028", "   "),
        ("Ka\x00no", "Ka\x00no"),
        ("𝔎𞤀😀", "K𞤀😀"),
    ],
)
def test_the_longest_entry_is_replaced(character_map: str, text: str, expected: str) -> None:
    assert CharacterMap(character_map)(text) == expected


def test_a_map_reads_text_as_sentencepiece_does(character_map: str, teacher: Path) -> None:
    import sentencepiece

    model = sentencepiece.SentencePieceProcessor(model_file=str(teacher / "sentencepiece.bpe.model"))
    read = CharacterMap(character_map)
    texts = [text.replace("\x00", "") for text in hard_texts(2000, seed=4)]
    texts = [text for text in texts if not any("\ud800" <= character <= "\udfff" for character in text)]
    assert len(texts) > 1000
    for text in texts:
        words = [word for word in read(text).split(" ") if word]
        assert "".join(f"▁{word}" for word in words) == model.normalize(text), ascii(text)


def test_steps_follow_each_other() -> None:
    steps: list[dict[str, Any]] = [
        {"type": "NFKC"},
        {"type": "Strip", "strip_left": True, "strip_right": True},
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "\\"},
    ]
    normalizer = read_normalizer({"type": "Sequence", "normalizers": steps})
    assert normalizer("\u3000\n ｎａ  \xa0Kano \x85") == "na\\Kano"
    assert read_normalizer(None)(" ﬁ ") == " ﬁ "
    left = read_normalizer({"type": "Strip", "strip_left": True, "strip_right": False})
    assert left("  a ") == "a "


@pytest.mark.parametrize(
    "specification",
    [
        {"type": "Lowercase"},
        {"type": "Replace", "pattern": {"String": "a"}, "content": "b"},
        {"type": "Precompiled", "precompiled_charsmap": "no base64!"},
        {"type": "Precompiled", "precompiled_charsmap": ""},
        {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(struct.pack("<I", 400) + b"short").decode()},
    ],
)
def test_other_normalizers_are_refused(specification: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        read_normalizer(specification)


def test_a_damaged_map_ends_where_its_trie_does() -> None:
    units = struct.pack("<II", 4, 1 << 10)  # one root, whose children would lie beyond the end
    assert CharacterMap(base64.b64encode(units + b"\0" * 4).decode())("Kano") == "Kano"


def trie(units: dict[int, int], strings: bytes) -> str:
    """A character map of these units, in base64."""
    filled = [units.get(index, 0) for index in range(max(units) + 1)]
    return base64.b64encode(struct.pack(f"<I{len(filled)}I", 4 * len(filled), *filled) + strings).decode()


def test_plain_words_are_rewritten_where_the_map_has_an_entry_for_one(character_map: str) -> None:
    a = ord("a")
    one_letter = {0: 1 << 10, 1 ^ a: a | 1 << 8 | 1 << 10, a: 0x80000000}  # "a", replaced by the string at 0
    assert CharacterMap(trie(one_letter, b"b\0"))("Kano") == "Kbno"
    assert CharacterMap(character_map)._keeps_plain


def test_a_trie_that_goes_in_circles_ends() -> None:
    a = ord("a")
    circle = {0: 1 << 10, 1 ^ a: a | (1 ^ a ^ 1) << 10}  # below "a" comes the root's level again
    assert CharacterMap(trie(circle, b"\0"))("Kano") == "Kano"
