"""Cuts a text into words as MasakhaNER does, with offsets into the user's own string.

One rule, written once over ten classes of characters, is used twice: here, on a string of class letters
(fast, standard library only), and as `SPLIT_PATTERN`, where each class letter is replaced by a character
set, for the pre-tokenizer inside tokenizer.json (Oniguruma) and for JavaScript (`u` flag).
README.md lists what the rule keeps and where it departs from the data.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from .characters import classes

# Class letters:
#   a small letter for all that words are made of: u upper-case, l lower-case, o other letters, n number signs and
#     private use, c unassigned
#   M combining mark    V variation selector, grapheme joiner
#   D decimal digit     A apostrophe                F full stop        N , : which join digits, as F does
#   X invisible: controls, zero-width and directional marks             S white space
#   P any other punctuation mark or symbol, always a word of its own
#
# A run of letters, marks and digits is one word; 1,000 and 10:30 are too. Invisible characters may stand
# inside a word, never at its edge. An apostrophe belongs to the word it touches (ng'ombe, ‘yan, bang'); two
# or more in a row are a quotation mark. Marks belong to the sign before them. Three full stops are one word,
# because the character … is, and SentencePiece's normalization turns it into three.
_RUN = "(?:[a-zM]+|D+(?:[FN]D+)*)(?:[XV]*(?:[a-zM]+|D+(?:[FN]D+)*))*"
RULE = f"A?{_RUN}(?:A{_RUN})*(?:A(?!A))?|AA+|FFF|[PAFN][MV]*"

APOSTROPHES = "'‘’‛´`′＇"
NUMBER_JOINERS = ",:"
# Emoji blocks as a whole, so that a sign newer than a runtime's Unicode tables is still no letter.
EMOJI = range(0x1F000, 0x1FB00)
JOINER_MARKS = (0x034F, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))

# The same classes as the inside of a regex character set, for engines that know Unicode properties. Emoji and
# supplementary selectors stand as themselves: Oniguruma and JavaScript have no common escape for them.
_SELECTORS = "\\u034F\\uFE00-\\uFE0F\U000e0100-\U000e01ef"
_EMOJI_SET = "\U0001f000-\U0001faff"
_SETS = {
    "[a-zM]": f"[^\\p{{Z}}\\p{{P}}\\p{{S}}\\p{{Nd}}\\p{{Cc}}\\p{{Cf}}\\p{{Cs}}{_SELECTORS}{_EMOJI_SET}]",
    "[XV]": f"[\\u0000-\\u0008\\u000E-\\u001F\\u007F-\\u0084\\u0086-\\u009F\\p{{Cf}}{_SELECTORS}]",
    "[PAFN]": f"[\\p{{P}}\\p{{S}}\\p{{Cs}}{_EMOJI_SET}]",
    "[MV]": "\\p{M}",
    "[FN]": f"[.{NUMBER_JOINERS}]",
    "A": f"[{APOSTROPHES}]",
    "D": "\\p{Nd}",
    "F": "\\.",
}

SPLIT_PATTERN: str = re.sub("|".join(re.escape(name) for name in _SETS), lambda found: _SETS[found.group()], RULE)
"""`RULE` as a regular expression whose matches are the words."""


class Word(NamedTuple):
    """One word and where it stands in the text: code-point offsets, `end` exclusive."""

    text: str
    start: int
    end: int


_rule = re.compile(RULE)


def split_words(text: str) -> list[Word]:
    """The words of `text` in order. Any string is fine, lone surrogates included; blank text has none.

    Guarantees: words don't overlap, `text[word.start:word.end] == word.text`, no word holds white space,
    and every character that is neither white space nor invisible is in exactly one word.
    """
    return [
        Word(text[start:end], start, end) for start, end in (found.span() for found in _rule.finditer(classes(text)))
    ]


def pre_tokenizer_json() -> dict[str, Any]:
    """The `pre_tokenizer` of tokenizer.json: the words of `SPLIT_PATTERN`, each with its own ▁ prefix."""
    split = {
        "type": "Split",
        "pattern": {"Regex": SPLIT_PATTERN},
        "behavior": "Removed",  # with `invert`, what lies between the words is removed
        "invert": True,
    }
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    return {"type": "Sequence", "pretokenizers": [split, metaspace]}
