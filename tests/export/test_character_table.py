from __future__ import annotations

import unicodedata

import pytest

from export import character_table
from export.runtime.errors import UserError

same_unicode = pytest.mark.skipif(
    unicodedata.unidata_version != character_table.UNICODE,
    reason=f"needs a Python with Unicode {character_table.UNICODE} (3.11)",
)


@same_unicode
def test_both_runtimes_carry_the_table_that_would_be_made_now() -> None:
    text = character_table.table()
    assert character_table.PYTHON_FILE.read_text("utf-8") == character_table.python_source(text)
    assert character_table.JAVASCRIPT_FILE.read_text("utf-8") == character_table.javascript_source(text)


def test_packing_is_undone_from_the_last_pair_to_the_first() -> None:
    text = "u2lululu13lulu2lululululu2c5lulu" * 9
    packed, replacements = character_table.packed(text)
    assert len(packed) < len(text) / 4
    for short, *pair in reversed(replacements):
        packed = packed.replace(short, "".join(pair))
    assert packed == text


def test_another_version_of_unicode_makes_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unicodedata, "unidata_version", "15.0.0")
    with pytest.raises(UserError, match=r"has Unicode 15\.0\.0.*Use Python 3\.11"):
        character_table.table()
