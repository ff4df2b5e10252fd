from __future__ import annotations

import unicodedata

import pytest

from toolkit.data.leaks import HeldOutText, keys, sentence_key, without
from toolkit.data.types import Sentence


def sentence(text: str) -> Sentence:
    words = tuple(text.split())
    return Sentence(words, ("O",) * len(words))


HELD = sentence("Ng'ombe wa Bwana Otieno walikula nyasi , jana .")


@pytest.mark.parametrize(
    "paragraph",
    [
        "Ng'ombe wa Bwana Otieno walikula nyasi, jana.",
        "Habari: NG’OMBE WA BWANA OTIENO  walikula nyasi jana! Kisha wakalala.",
        "(ng'ombe wa Bwana Otieno walikula nyasi jana)",
    ],
)
def test_a_paragraph_that_holds_the_sentence_in_other_dress_is_found(paragraph: str) -> None:
    assert HeldOutText([HELD]).inside(paragraph)


@pytest.mark.parametrize(
    "paragraph",
    ["Ng'ombe wa Bwana Otieno walikula majani jana.", "wa Bwana Otieno walikula nyasi jana", "", "..."],
)
def test_a_paragraph_with_part_of_the_sentence_is_not(paragraph: str) -> None:
    assert not HeldOutText([HELD]).inside(paragraph)


def test_composed_and_decomposed_text_meet() -> None:
    text = "Ọjọ́ tí ó dára ni ọjọ́ òní jẹ́"
    held = HeldOutText([sentence(unicodedata.normalize("NFC", text))])
    assert held.inside("Àwa: " + unicodedata.normalize("NFD", text) + " .")


def test_a_short_sentence_bans_only_the_paragraph_that_is_it() -> None:
    held = HeldOutText([sentence("Habari za leo ."), sentence("…")])
    assert held.inside("Habari za leo!")
    assert held.inside(" … ")
    assert not held.inside("Habari za leo ni nzuri sana kuliko za jana.")
    assert not held.inside("Haya …")


def test_ethiopic_sentences_are_found_without_their_punctuation() -> None:
    held = HeldOutText([sentence("አበበ በሶ በላ ፣ ጫላ ጩቤ ጨበጠ በገበያ ።")])
    assert held.inside("ትናንት አበበ በሶ በላ፣ ጫላ ጩቤ ጨበጠ በገበያ።")


def test_sentences_with_nothing_but_symbols_differ_from_each_other() -> None:
    assert sentence_key(sentence("! !")) == sentence_key(sentence("!!")) != sentence_key(sentence("?"))
    assert without([sentence("! !"), sentence("?")], keys([sentence("!!")])) == (sentence("?"),)
