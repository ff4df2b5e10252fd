"""Cuts a text's words into sentences.

Taggers are trained on single sentences; a whole paragraph in one window costs them far more F1 than a wrong
cut does (README.md has the figures). So raw text is tagged sentence by sentence, given words as they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from .characters import classes
from .words import APOSTROPHES, Word

_FINAL = frozenset((*".!?…።፧፨؟।", "..."))
_FINAL_WITHOUT_SPACE = frozenset("።፧፨")
_CLOSING = frozenset("\"'’”»›)]}")
_ABBREVIATION = re.compile("[ulo]|u[^u]{0,2}")  # of classes of characters: see words.py
_LINE_BREAK = re.compile("[\n\v\f\r\x85\u2028\u2029]")


def split_sentences(text: str, words: Sequence[Word]) -> list[Sequence[Word]]:
    """The words of `text` (`split_words(text)`), cut into sentences; together they are all words in order.

    A sentence ends after . ! ? … and their kin, with any closing quotes and brackets, where white space
    follows; after an Ethiopic full stop in any case; and at a line break; but never before a lower-case
    letter. A full stop after a single letter, or after a capital and up to two small letters, is that of an
    initial, of ዓ.ም. or of a title (K. Dr. Hon.) and ends nothing.
    """
    cuts = [i for i, pair in enumerate(pairwise(words), start=1) if _ends(text, words, i, *pair)]
    return [words[start:end] for start, end in pairwise([0, *cuts, len(words)])] if words else []


def _ends(text: str, words: Sequence[Word], index: int, last: Word, following: Word) -> bool:
    """Whether a sentence ends between `last` = words[index - 1] and `following` = words[index]."""
    mark = last.text[0]
    spaced = last.end < following.start
    if not spaced and mark not in _FINAL_WITHOUT_SPACE and last.text != "፡":
        return False
    if _starts_lower(following.text):
        return False
    if spaced and _LINE_BREAK.search(text, last.end, following.start):
        return True
    position = index - 1
    while position > 0 and words[position].text in _CLOSING and _touches(words, position):
        position -= 1
    sign = words[position].text
    if sign == "፡":  # two word separators are how many keyboards write the full stop
        return position > 0 and words[position - 1].text == "፡" and _touches(words, position)
    return sign in _FINAL and not (sign == "." and position > 0 and _abbreviated(words, position))


def _touches(words: Sequence[Word], position: int) -> bool:
    return words[position - 1].end == words[position].start


def _abbreviated(words: Sequence[Word], position: int) -> bool:
    """Whether the full stop at `position` belongs to an initial or a title."""
    if not _touches(words, position):
        return False
    return _ABBREVIATION.fullmatch(classes(words[position - 1].text)) is not None


def _starts_lower(word: str) -> bool:
    letters = word.lstrip(APOSTROPHES)
    return classes(letters[:1]) == "l"
