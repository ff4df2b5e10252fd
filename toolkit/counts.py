"""Entities found, invented and missed, sentence by sentence: what entity F1 and its intervals are made of."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from export.runtime.entities import group

Span = tuple[str, int, int]
"""Entity type, first word and the word after the last (or characters, for raw text)."""


@dataclass(frozen=True)
class Counts:
    """How one set of predictions did on each sentence of one split.

    Attributes:
        tp: per sentence, predicted entities with the right type and boundaries.
        fp: per sentence, predicted entities that the gold tags do not have.
        fn: per sentence, gold entities that were not predicted.
    """

    tp: tuple[int, ...]
    fp: tuple[int, ...]
    fn: tuple[int, ...]

    @cached_property
    def matrix(self) -> np.ndarray:
        """int64 (sentences, 3): tp, fp, fn."""
        return np.array([self.tp, self.fp, self.fn], dtype=np.int64).T.reshape(-1, 3)

    @property
    def support(self) -> int:
        """Gold entities."""
        return sum(self.tp) + sum(self.fn)

    @property
    def precision(self) -> float:
        """0..100; 0 where nothing was predicted, as seqeval has it."""
        return 100.0 * _ratio(sum(self.tp), sum(self.tp) + sum(self.fp))

    @property
    def recall(self) -> float:
        """0..100; 0 where there is no gold entity, as seqeval has it."""
        return 100.0 * _ratio(sum(self.tp), self.support)

    @property
    def f1(self) -> float:
        """Micro-averaged entity F1, 0..100; 0 where there is nothing to find and nothing was found."""
        return 100.0 * _ratio(2 * sum(self.tp), 2 * sum(self.tp) + sum(self.fp) + sum(self.fn))


def _ratio(numerator: int, denominator: int) -> float:
    return numerator / denominator if denominator else 0.0


def entity_sets(tags: Sequence[Sequence[str]]) -> list[set[Span]]:
    """The entities of each sentence, grouped as seqeval's default does (an orphan I- opens one)."""
    return [{(e.type, e.start_word, e.end_word) for e in group(sentence)} for sentence in tags]


def count_spans(gold: Sequence[AbstractSet[Span]], pred: Sequence[AbstractSet[Span]]) -> Counts:
    """Counts over all entity types, from each sentence's gold and predicted spans."""
    tp = tuple(len(g & p) for g, p in zip(gold, pred, strict=True))
    return Counts(
        tp,
        tuple(len(p) - hit for p, hit in zip(pred, tp, strict=True)),
        tuple(len(g) - hit for g, hit in zip(gold, tp, strict=True)),
    )


def count_spans_by_type(gold: Sequence[AbstractSet[Span]], pred: Sequence[AbstractSet[Span]]) -> dict[str, Counts]:
    """Counts of each entity type that either side has, sorted by type."""
    types = sorted({span[0] for side in (gold, pred) for spans in side for span in spans})
    return {
        type_: count_spans(
            [{span for span in spans if span[0] == type_} for spans in gold],
            [{span for span in spans if span[0] == type_} for spans in pred],
        )
        for type_ in types
    }


def count_entities(gold: Sequence[Sequence[str]], pred: Sequence[Sequence[str]]) -> Counts:
    """Counts over all entity types, from tags.

    Args:
        gold, pred: one sequence of tags per sentence, of the same lengths.

    Raises:
        ValueError: the two differ in the number of sentences or of a sentence's tags.
    """
    check_aligned(gold, pred)
    return count_spans(entity_sets(gold), entity_sets(pred))


def check_aligned(gold: Sequence[Sequence[str]], pred: Sequence[Sequence[str]]) -> None:
    """Raise ValueError unless every sentence has as many gold tags as predicted ones."""
    if len(gold) != len(pred):
        raise ValueError(f"{len(gold)} gold sentences, but {len(pred)} predicted ones")
    for index, (g, p) in enumerate(zip(gold, pred, strict=True)):
        if len(g) != len(p):
            raise ValueError(f"sentence {index} has {len(g)} gold tags, but {len(p)} predicted ones")
