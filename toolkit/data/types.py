"""What the rest of the toolkit sees of data: sentences with tags, and paragraphs without."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sentence:
    """One sentence of a CoNLL file: as many tags as words."""

    words: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Labelled:
    """A tagged data set in one language.

    Attributes:
        name: "MasakhaNER 1.0", "MasakhaNER 2.0", "demo text" or the folder's name.
        lang: ISO 639-3 code.
        labels: every tag the data uses, "O" first; the order is the model's id2label.
        train, dev, test: the splits; dev decides, test is only reported.
        licence: what the annotations may be used for.
        source: hub id@commit, "folder" or "built-in".
        digest: sha256 of language, labels and splits.
        notes: one line per quirk handled, with its count.
    """

    name: str
    lang: str
    labels: tuple[str, ...]
    train: tuple[Sentence, ...]
    dev: tuple[Sentence, ...]
    test: tuple[Sentence, ...]
    licence: str
    source: str
    digest: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Corpus:
    """Unlabelled text in one language, free of the labelled data's dev and test sentences.

    Attributes:
        name: the folder's name, the hub id or "demo text".
        lang: ISO 639-3 code.
        paragraphs: one non-empty line each.
        licence: what the text may be used for.
        source: hub id@commit, "folder" or "built-in".
        digest: sha256 of the paragraphs.
        removed: paragraphs dropped because they hold a dev or test sentence.
        notes: what was skipped and why, with counts.
    """

    name: str
    lang: str
    paragraphs: tuple[str, ...]
    licence: str
    source: str
    digest: str
    removed: int
    notes: tuple[str, ...] = ()
