from __future__ import annotations

import pytest

from export.runtime.errors import UserError
from export.runtime.texts import texts_of_length

SENTENCES = [["aa", "b"], ["ccc"], ["dd", "e", "f"]]  # a letter is a sub-word here


def test_text_runs_on_over_sentences_until_it_is_full() -> None:
    assert texts_of_length(SENTENCES, len, 8, 1) == [["aa", "b", "ccc"]]


def test_every_text_begins_where_a_sentence_begins_and_wraps_round() -> None:
    texts = texts_of_length(SENTENCES, len, 10, 3)
    assert [text[0] for text in texts] == ["aa", "ccc", "dd"]
    assert texts[2] == ["dd", "e", "f", "aa", "b"]  # 9 of 10: "ccc" would not fit


def test_one_short_sentence_is_repeated() -> None:
    assert texts_of_length([["ab"]], len, 8, 5) == [["ab", "ab", "ab"]]


def test_beginnings_are_spread_over_the_sentences() -> None:
    sentences = [[chr(ord("a") + index)] for index in range(10)]
    assert [text[0] for text in texts_of_length(sentences, len, 4, 5)] == ["a", "c", "e", "g", "i"]


def test_a_word_that_does_not_fit_is_left_out_while_the_text_is_short() -> None:
    assert texts_of_length([["x" * 30, "ab", "cd"]], len, 10, 1) == [["ab", "cd", "ab", "cd"]]


def test_words_without_subwords_neither_fill_nor_hang() -> None:
    texts = texts_of_length([["", "ab"]], len, 6, 1)
    assert [word for word in texts[0] if word] == ["ab", "ab"]


@pytest.mark.parametrize("sentences", [[], [[]], [["", ""]], [["x" * 99]]])
def test_no_usable_text_is_an_error(sentences: list[list[str]]) -> None:
    with pytest.raises(UserError, match="no text to measure 16"):
        texts_of_length(sentences, len, 16, 4)
