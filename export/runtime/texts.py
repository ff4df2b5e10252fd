"""Real text cut to the lengths that latency is measured at."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .errors import UserError

LENGTHS = (16, 32, 64, 128)
MARKS = 2  # <s> and </s>
FULL_ENOUGH = 0.75


def texts_of_length(
    sentences: Sequence[Sequence[str]], subwords: Callable[[str], int], length: int, count: int
) -> list[list[str]]:
    """At most `count` texts of just under `length` sub-words, with <s> and </s>.

    Each text begins where a sentence begins and runs on over the sentences after it, round to the first
    again, until the next word would not fit. A word that does not fit while the text is still under three
    quarters of its length is left out. The beginnings are spread evenly over the sentences.

    Args:
        sentences: words of each sentence; at least one word among them has sub-words.
        subwords: how many sub-words a word becomes.
        length: sub-words to fill, with the two marks.
        count: texts to make; no more than there are sentences come back.

    Raises:
        UserError: no sentence has a word that fits.
    """
    count = min(count, len(sentences))
    starts = [index * len(sentences) // count for index in range(count)]
    texts = [_fill(sentences, subwords, start, length) for start in starts]
    texts = [text for text in texts if text]
    if not texts:
        raise UserError(
            f"There is no text to measure {length} sub-words with.", "Give sentences with at least one word."
        )
    return texts


def _fill(sentences: Sequence[Sequence[str]], subwords: Callable[[str], int], start: int, length: int) -> list[str]:
    text: list[str] = []
    used = MARKS
    while used < length:
        before = used
        # One round over all sentences; a round that adds nothing never will.
        for offset in range(len(sentences)):
            for word in sentences[(start + offset) % len(sentences)]:
                size = subwords(word)
                if used + size <= length:
                    text.append(word)
                    used += size
                elif used >= FULL_ENOUGH * length:
                    return text
            if used == length:
                return text
        if used == before:
            break
    return text if used > MARKS else []
