from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.runtime.sentences import split_sentences
from export.runtime.words import split_words


def sentences(text: str) -> list[str]:
    return [text[part[0].start : part[-1].end] for part in split_sentences(text, split_words(text))]


def test_sentence_lengths_match_the_golden_file(text_rules: list[dict[str, Any]]) -> None:
    for rule in text_rules:
        lengths = [len(part) for part in split_sentences(rule["text"], split_words(rule["text"]))]
        assert lengths == rule["sentences"], rule["id"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Juma alifika. Alikaa.", ["Juma alifika.", "Alikaa."]),
        ("“Karibu!” Alikaa.", ["“Karibu!”", "Alikaa."]),
        ("“Karibu!” alisema Juma.", ["“Karibu!” alisema Juma."]),
        ("Dr. Juma na K. Annan", ["Dr. Juma na K. Annan"]),
        ("Ni AU. Sawa", ["Ni AU.", "Sawa"]),
        ("newvision.co.ug. Sawa", ["newvision.co.ug.", "Sawa"]),
        ("አበበ ሮጠ።ጫልቱ አየች፡፡ እሷም", ["አበበ ሮጠ።", "ጫልቱ አየች፡፡", "እሷም"]),
        ("በ1983 ዓ.ም. ተወለደ", ["በ1983 ዓ.ም. ተወለደ"]),
        ("Habari\nJuma", ["Habari", "Juma"]),
        ("Juma alifika\nkutoka Pemba", ["Juma alifika\nkutoka Pemba"]),
        (". Juma", [".", "Juma"]),
        ("” Juma", ["” Juma"]),
    ],
)
def test_cuts(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("aA.!?።፡”' \n1\u0301\u200b"), max_size=40))
def test_sentences_are_all_words_in_order(text: str) -> None:
    words = split_words(text)
    parts = split_sentences(text, words)
    assert [word for part in parts for word in part] == words
    assert all(parts)
