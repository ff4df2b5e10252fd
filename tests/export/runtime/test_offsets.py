from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from export.runtime.offsets import TextOffsets


def test_offsets_match_the_golden_file(text_rules: list[dict[str, Any]]) -> None:
    for rule in text_rules:
        offsets = TextOffsets(rule["text"])
        for text, start, end, *others in rule["words"]:
            found = [offsets.byte(start), offsets.byte(end), offsets.utf16(start), offsets.utf16(end)]
            assert found == others, (rule["id"], text)


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=30))
def test_offsets_are_the_lengths_of_the_encoded_prefix(text: str) -> None:
    offsets = TextOffsets(text)
    for position in range(len(text) + 1):
        # Encoded one by one: Python joins no surrogates, and neither do we.
        prefix = text[:position]
        assert offsets.byte(position) == sum(len(c.encode("utf-8", "surrogatepass")) for c in prefix)
        assert offsets.utf16(position) == sum(len(c.encode("utf-16-le", "surrogatepass")) for c in prefix) // 2


def test_a_lone_surrogate_takes_the_room_of_the_replacement_character() -> None:
    assert TextOffsets("\ud800a").byte(1) == len("\ufffd".encode())
    assert TextOffsets("\ud800a").utf16(1) == 1
