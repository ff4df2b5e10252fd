from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.character_table import UNICODE, class_of
from export.runtime import character_table, characters
from export.runtime.characters import KEPT_CLASSES, Form, character_class, classes, normalize

same_unicode = pytest.mark.skipif(unicodedata.unidata_version != UNICODE, reason="needs the Unicode of the table")
FORMS: tuple[Form, ...] = ("NFC", "NFD", "NFKC", "NFKD")


@pytest.mark.parametrize(
    ("characters", "letter"),
    [
        ("AỌÑΩ", "u"), ("aọñŋωß", "l"), ("ሰאアǅʼª", "o"), ("፲½Ⅳ\ue000", "n"), ("\u0378\U0001e4ec\U000e1000", "c"),
        ("\u0301\u0e31\u0903", "M"), ("\ufe0f\u034f\U000e0100", "V"), ("0९𝟘", "D"), ("'’‘‛´`′＇", "A"), (".", "F"),
        (",:", "N"), ("\x00\u200b\u200d\u061c\ufeff", "X"), (" \t\n\x85\u2028\u3000", "S"),
        ("!።…€+😀\U0001faff\ud800", "P"),
    ],
)  # fmt: skip
def test_characters_have_their_class(characters: str, letter: str) -> None:
    assert classes(characters) == letter * len(characters)


@same_unicode
def test_the_table_is_this_pythons() -> None:
    assert character_table.UNICODE == UNICODE
    assert all(character_class(code) == class_of(code) for code in range(sys.maxunicode + 1))


@same_unicode
@given(st.text())
def test_normalization_is_this_pythons(text: str) -> None:
    for form in FORMS:
        assert normalize(form, text) == unicodedata.normalize(form, text)


def test_what_is_newer_than_the_table_parts_what_stands_around_it() -> None:
    newer = "\U0001e4ec"  # a mark of class 232 in Unicode 15: it would go behind U+0323
    assert normalize("NFC", f"e\u0301\u0323{newer}\u0323e\u0301") == f"ẹ\u0301{newer}\u0323é"
    assert normalize("NFC", "\U000105d2\u0307") == "\U000105d2\u0307"  # one letter in Unicode 16
    assert normalize("NFD", f"é{newer}") == f"e\u0301{newer}"


def test_no_more_than_a_bounded_number_of_characters_is_kept_in_memory() -> None:
    classes("".join(map(chr, range(0x4E00, 0x4E00 + 3 * KEPT_CLASSES))))
    assert 0 < len(characters._classes) <= KEPT_CLASSES
    assert classes("Arusha.") == "ulllllF"
