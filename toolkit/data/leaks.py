"""What counts as the same sentence, and keeping dev and test sentences out of everything trained on."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from toolkit.data.types import Sentence

# A sentence is looked for inside paragraphs only when it is long enough to be nobody's coincidence;
# a shorter one only bans the paragraph that is that sentence and nothing else.
MIN_WORDS = 5
ANCHOR = 16  # characters of a sentence that index it; a shorter one is 'short' too

_LETTERS = re.compile(r"\w+")
_SPACES = re.compile(r"\s+")


def text_key(text: str) -> str:
    """What two spellings of one sentence share: NFC, case folded, letters and digits only.

    Spaces go too, so that tokenized text ("n' ụlọ .") meets running text ("n'ụlọ."). Text without a
    letter or digit is its own key.
    """
    joined = "".join(_pieces(text))
    return joined or _SPACES.sub("", text)


def sentence_key(sentence: Sentence) -> str:
    """`text_key` of the words of a sentence."""
    return text_key(" ".join(sentence.words))


def keys(*splits: Iterable[Sentence]) -> frozenset[str]:
    """The keys of every sentence in the splits."""
    return frozenset(sentence_key(sentence) for split in splits for sentence in split)


def without(sentences: Iterable[Sentence], banned: frozenset[str]) -> tuple[Sentence, ...]:
    """The sentences whose key is not banned, in order."""
    return tuple(sentence for sentence in sentences if sentence_key(sentence) not in banned)


class HeldOutText:
    """Tells whether a paragraph holds one of the held-out sentences.

    Each sentence is indexed by its first `ANCHOR` characters; a paragraph is looked up at each start
    of a word, so the cost is one dictionary access a word, whatever the number of sentences.
    """

    def __init__(self, sentences: Iterable[Sentence]) -> None:
        self._whole: set[str] = set()
        self._by_anchor: dict[str, list[str]] = {}
        for sentence in sentences:
            key = sentence_key(sentence)
            self._whole.add(key)
            if len(key) >= ANCHOR and sum(map(_has_letter, sentence.words)) >= MIN_WORDS:
                self._by_anchor.setdefault(key[:ANCHOR], []).append(key)

    def inside(self, paragraph: str) -> bool:
        """True if the paragraph is a held-out sentence or contains a long enough one."""
        pieces = _pieces(paragraph)
        joined = "".join(pieces)
        if (joined or _SPACES.sub("", paragraph)) in self._whole:
            return True
        start = 0
        for piece in pieces:
            for key in self._by_anchor.get(joined[start : start + ANCHOR], ()):
                if joined.startswith(key, start):
                    return True
            start += len(piece)
        return False


def _pieces(text: str) -> list[str]:
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return [piece for found in _LETTERS.findall(folded) if (piece := found.replace("_", ""))]


def _has_letter(word: str) -> bool:
    return _LETTERS.search(word) is not None
