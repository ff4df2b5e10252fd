from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from export import character_table
from export.runtime.errors import UserError

same_unicode = pytest.mark.skipif(
    unicodedata.unidata_version != character_table.UNICODE,
    reason=f"needs a Python with Unicode {character_table.UNICODE} (3.11)",
)


@same_unicode
@pytest.mark.parametrize("file", character_table.SOURCES, ids=lambda file: file.suffix)
def test_every_runtime_carries_the_table_that_would_be_made_now(file: Path) -> None:
    assert file.read_text("utf-8") == character_table.SOURCES[file](character_table.table())


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
