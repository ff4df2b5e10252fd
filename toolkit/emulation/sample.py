"""The sentences that two CPUs are compared on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from export.runtime.errors import UserError
from toolkit.data.builtin import DEMO_LANGUAGES, load_demo
from toolkit.data.builtin import NAME as DEMO
from toolkit.data.masakhaner import read_split
from toolkit.data.types import Sentence

SPLIT = "dev"
SENTENCES = 200


@dataclass(frozen=True)
class Text:
    """Which sentences to take.

    Attributes:
        data: CoNLL folder, whose dev split is taken; None is the demo text.
        lang: ISO 639-3 code; "" leaves it to the bundle.
        sentences: at most so many.
    """

    data: Path | None = None
    lang: str = ""
    sentences: int = SENTENCES


@dataclass(frozen=True)
class Sample:
    """Sentences to answer, spread evenly over a split.

    Attributes:
        source: what they are, for instance "demo text, swa, dev".
        real: text that people wrote; the demo text comes from templates.
        public: may be printed and stored: our own, and no data set of others.
        of: sentences of the split.
        numbers: which of them, from 1.
        sentences: their words.
    """

    source: str
    real: bool
    public: bool
    of: int
    numbers: tuple[int, ...]
    sentences: tuple[tuple[str, ...], ...]

    @property
    def words(self) -> int:
        """In all sentences."""
        return sum(map(len, self.sentences))


def choose_sample(text: Text) -> Sample:
    """The sentences, spread evenly over the split; none where there is no demo text in the language.

    Raises:
        UserError: `data` has no such split, or a bad line; fewer than one sentence is asked for.
    """
    if text.sentences < 1:
        raise UserError(f"{text.sentences} sentences prove nothing.", "Ask for one or more.")
    if text.data is not None:
        source = f"{text.data.resolve().name}, {text.lang}, {SPLIT}"
        return _spread(read_split(text.data, text.lang, SPLIT), text.sentences, source, ours=False)
    demo = load_demo(text.lang).dev if text.lang in DEMO_LANGUAGES else ()
    return _spread(demo, text.sentences, f"{DEMO}, {text.lang}, {SPLIT}", ours=True)


def _spread(sentences: Sequence[Sentence], count: int, source: str, *, ours: bool) -> Sample:
    total = len(sentences)
    count = min(count, total)
    chosen = [index * total // count for index in range(count)]
    words = tuple(sentences[index].words for index in chosen)
    return Sample(source, not ours, ours, total, tuple(index + 1 for index in chosen), words)
