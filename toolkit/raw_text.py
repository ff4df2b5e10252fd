"""F1 on text as people write it, beside F1 on a data set's own words.

A CoNLL sentence is put together again (punctuation back to its word), split by the runtime's own splitter and
tagged; entities are compared by characters. The distance between the two F1 is what the splitter costs.
"""

from __future__ import annotations

from collections.abc import Sequence

from export.runtime.characters import classes
from export.runtime.encode import Logits, WordEncoder
from export.runtime.entities import group
from export.runtime.words import split_words
from toolkit.bootstrap import SEED
from toolkit.counts import Span
from toolkit.data.types import Sentence
from toolkit.evaluate import Progress, Scores, predict, span_scores

_TO_THE_LEFT = frozenset(".,;:!?%)]}”’»…።፣፤፥፦፧፨፡،؛؟।")
_TO_THE_RIGHT = frozenset("([{“‘«$£#@")
_TO_BOTH = frozenset("-/_")
_QUOTES = frozenset("\"'")
_QUOTED_QUOTE = '""""'  # how a double quote of MasakhaNER came out of a CSV file


def raw_text_scores(
    logits: Logits,
    encoder: WordEncoder,
    labels: Sequence[str],
    sentences: Sequence[Sentence],
    progress: Progress | None = None,
    seed: int = SEED,
) -> Scores:
    """Scores on detokenised text: an entity is right when its type, first and last visible character are."""
    texts = [detokenise(sentence.words) for sentence in sentences]
    found = [split_words(text) for text, _ in texts]
    resplit = [Sentence(tuple(w.text for w in words), ("O",) * len(words)) for words in found]
    tags = predict(logits, encoder, labels, resplit, progress)
    gold = [
        _character_spans(text, sentence.tags, offsets)
        for (text, offsets), sentence in zip(texts, sentences, strict=True)
    ]
    pred = [
        _character_spans(text, tagged, [(w.start, w.end) for w in words])
        for (text, _), tagged, words in zip(texts, tags, found, strict=True)
    ]
    return span_scores(gold, pred, seed)


def detokenise(words: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """The words as running text, and the (start, end) of each word in it, in code points.

    Closing punctuation goes to the word before, opening punctuation to the word after, hyphens and slashes to
    both, straight quotes open and close in turn.
    """
    text, offsets, glued = "", [], True
    open_quotes: set[str] = set()
    for word in words:
        shown = '"' if word == _QUOTED_QUOTE else word
        closes = shown in open_quotes
        left = shown in _TO_THE_LEFT or shown in _TO_BOTH or closes
        right = shown in _TO_THE_RIGHT or shown in _TO_BOTH or (shown in _QUOTES and not closes)
        if shown in _QUOTES:
            open_quotes ^= {shown}
        if not (glued or left):
            text += " "
        offsets.append((len(text), len(text) + len(shown)))
        text += shown
        glued = right
    return text, offsets


def _character_spans(text: str, tags: Sequence[str], offsets: Sequence[tuple[int, int]]) -> set[Span]:
    """(type, start, end) of each entity in `text`, from its first to its last visible character."""
    return {(e.type, *_visible(text, offsets[e.start_word][0], offsets[e.end_word - 1][1])) for e in group(tags)}


def _visible(text: str, start: int, end: int) -> tuple[int, int]:
    """The range without white space, zero-width and directional marks at its edges; those never show."""
    shown = [at for at, letter in enumerate(classes(text[start:end]), start) if letter not in "XSV"]
    return (shown[0], shown[-1] + 1) if shown else (start, end)
