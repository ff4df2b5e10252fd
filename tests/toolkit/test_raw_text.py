"""Scores on text as people write it."""

from __future__ import annotations

import numpy as np
import pytest

import toolkit.raw_text
from toolkit.data.types import Sentence
from toolkit.raw_text import detokenise, raw_text_scores


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("Amina", "alifika", "Kisumu", "."), "Amina alifika Kisumu."),
        (("(", "Kisumu", ")", ",", "jana"), "(Kisumu), jana"),
        (("CAC", "-", "40"), "CAC-40"),
        (("alisema", '"', "ndiyo", '"', "jana"), 'alisema "ndiyo" jana'),
        (("alisema", '""""', "ndiyo", '""""', "."), 'alisema "ndiyo".'),
        (("“", "ነው", "”", "።"), "“ነው”።"),
        (("50", "%", "ya", "$", "3"), "50% ya $3"),
        (("ng'ombe", "—", "wa"), "ng'ombe — wa"),
        ((), ""),
    ],
)
def test_words_become_text_as_people_write_it(words: tuple[str, ...], text: str) -> None:
    written, offsets = detokenise(words)
    assert written == text
    shown = tuple('"' if word == '""""' else word for word in words)
    assert tuple(written[start:end] for start, end in offsets) == shown


def scores_when_the_tagger_says(
    monkeypatch: pytest.MonkeyPatch, sentence: Sentence, tag_of: dict[str, str]
) -> tuple[float, list[str]]:
    """F1 on raw text of a tagger that looks words up, and the words it saw."""
    seen: list[str] = []

    def predict(*arguments: object) -> list[list[str]]:
        sentences = arguments[3]
        assert isinstance(sentences, list)
        seen.extend(sentences[0].words)
        return [[tag_of.get(word, "O") for word in s.words] for s in sentences]

    monkeypatch.setattr(toolkit.raw_text, "predict", predict)
    scores = raw_text_scores(lambda ids, mask: np.zeros((1, 1, 1)), None, ("O",), [sentence])  # type: ignore[arg-type]
    return scores.f1, seen


def test_a_name_before_a_full_stop_is_found_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = Sentence(("Alifika", "Kisumu", "."), ("O", "B-LOC", "O"))
    f1, seen = scores_when_the_tagger_says(monkeypatch, sentence, {"Kisumu": "B-LOC"})
    assert (f1, seen) == (100.0, ["Alifika", "Kisumu", "."])


def test_a_word_that_the_splitter_cuts_is_right_only_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = Sentence(("Dar-es-Salaam",), ("B-LOC",))
    whole = {"Dar": "B-LOC", "-": "I-LOC", "es": "I-LOC", "Salaam": "I-LOC"}
    assert scores_when_the_tagger_says(monkeypatch, sentence, whole)[0] == 100.0
    assert scores_when_the_tagger_says(monkeypatch, sentence, {"Dar": "B-LOC"})[0] == 0.0


def test_words_that_the_splitter_joins_are_compared_by_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = Sentence(("saa", "10:30", "jana"), ("O", "B-DATE", "I-DATE"))
    tags = {"10:30": "B-DATE", "jana": "I-DATE"}
    assert scores_when_the_tagger_says(monkeypatch, sentence, tags)[0] == 100.0


def test_invisible_characters_at_the_edge_of_a_word_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = Sentence(("\u200bKisumu\u200f", "jana"), ("B-LOC", "O"))
    f1, seen = scores_when_the_tagger_says(monkeypatch, sentence, {"Kisumu": "B-LOC"})
    assert (f1, seen) == (100.0, ["Kisumu", "jana"])


def test_an_entity_of_invisible_characters_alone_can_only_be_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = Sentence(("\u200b", "Kisumu"), ("B-LOC", "B-LOC"))
    f1, _ = scores_when_the_tagger_says(monkeypatch, sentence, {"Kisumu": "B-LOC"})
    assert f1 == pytest.approx(200 / 3)
