"""Which sentences stand for a language when activation ranges are measured.

Systematic sampling after sorting (Cochran 1977, *Sampling Techniques*, chapter 8: implicit stratification):
sentences are sorted by the entity types they hold and then by length, and every n-th one is taken. Each
combination of types gets its proportional share to within one sentence, spread evenly over its lengths.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from export.atomic import canonical_json
from export.runtime.entities import group
from export.runtime.errors import UserError

LENGTH_BUCKETS = ((1, 8), (9, 16), (17, 32), (33, 64), (65, None))
"""Sentence lengths in words, both ends included; only the account uses them."""


class TaggedSentence(Protocol):
    """A sentence with one tag (O, B-TYPE, I-TYPE) per word."""

    @property
    def words(self) -> tuple[str, ...]: ...
    @property
    def tags(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Stratum:
    """How many sentences of a kind there are in train and in the sample.

    Attributes:
        kind: "length" or "entity type"; the lengths add up to all sentences, the types overlap.
        name: "9-16 words", an entity type, or "none" for sentences without an entity.
    """

    kind: str
    name: str
    whole: int
    sampled: int


@dataclass(frozen=True)
class Sample:
    """Sentences drawn from train, in train's order.

    Attributes:
        digest: sha256 of their words and tags.
        seed: decides between sentences that the strata do not tell apart.
        whole: sentences in train.
        strata: the sample against the whole, for the report.
    """

    sentences: tuple[TaggedSentence, ...]
    digest: str
    seed: int
    whole: int
    strata: tuple[Stratum, ...]


def calibration_sample(train: Sequence[TaggedSentence], size: int, seed: int) -> Sample:
    """Draw `size` sentences of `train`, or all where it has no more, stratified by entity types and length.

    Each entity type of `train` is in the sample, however rare, as long as `size` is not below the number of
    types. The same arguments always give the same sample. Sentences without words are left out.

    Raises:
        UserError: `train` has no words, or `size` is below 1.
    """
    if size < 1:
        raise UserError(f"A calibration sample of {size} sentences is empty.", "Give a size of 1 or more.")
    usable = [number for number, sentence in enumerate(train) if sentence.words]
    if not usable:
        raise UserError("The training split has no sentences to calibrate with.", "Check the data folder.")
    types = {number: _types(train[number]) for number in usable}
    chooser = random.Random(seed)
    order = usable[:]
    chooser.shuffle(order)  # the sort is stable: equal sentences stay in random order
    order.sort(key=lambda number: (sorted(types[number]), len(train[number].words)))
    chosen = _one_per_type(order, types, chooser)[:size]
    rest = [number for number in order if number not in chosen]
    chosen += _every_nth(rest, size - len(chosen), chooser.random())
    sentences = tuple(train[number] for number in sorted(chosen))
    return Sample(
        sentences=sentences,
        digest=_digest(sentences),
        seed=seed,
        whole=len(usable),
        strata=_account([train[number] for number in usable], sentences),
    )


def _types(sentence: TaggedSentence) -> frozenset[str]:
    return frozenset(entity.type for entity in group(sentence.tags))


def _one_per_type(order: list[int], types: dict[int, frozenset[str]], chooser: random.Random) -> list[int]:
    """A random sentence for each entity type that those chosen before lack, rarest type first."""
    holders: dict[str, list[int]] = {}
    for number in order:
        for name in types[number]:
            holders.setdefault(name, []).append(number)
    chosen: list[int] = []
    for _, name in sorted((len(numbers), name) for name, numbers in holders.items()):
        if not any(name in types[number] for number in chosen):
            chosen.append(chooser.choice(holders[name]))
    return chosen


def _every_nth(items: list[int], size: int, start: float) -> list[int]:
    """`size` items at equal distances, the first within the first distance; `start` is in [0, 1)."""
    if size >= len(items):
        return items
    return [items[int((step + start) * len(items) / size)] for step in range(size)]


def _account(whole: Sequence[TaggedSentence], sampled: Sequence[TaggedSentence]) -> tuple[Stratum, ...]:
    strata = []
    for low, high in LENGTH_BUCKETS:
        name = f"{low}-{high} words" if high else f"{low} words and more"
        counts = [
            sum(low <= len(sentence.words) <= (high or len(sentence.words)) for sentence in sentences)
            for sentences in (whole, sampled)
        ]
        strata.append(Stratum("length", name, *counts))
    of_whole, of_sample = _holders(whole), _holders(sampled)
    strata += [Stratum("entity type", name, of_whole[name], of_sample.get(name, 0)) for name in sorted(of_whole)]
    return tuple(stratum for stratum in strata if stratum.whole)


def _holders(sentences: Iterable[TaggedSentence]) -> dict[str, int]:
    """Sentences that hold each entity type, and under "none" those that hold no entity."""
    counts: dict[str, int] = {}
    for sentence in sentences:
        for name in _types(sentence) or {"none"}:
            counts[name] = counts.get(name, 0) + 1
    return counts


def _digest(sentences: Sequence[TaggedSentence]) -> str:
    content = [[list(sentence.words), list(sentence.tags)] for sentence in sentences]
    return hashlib.sha256(canonical_json(content).encode("utf-8", "surrogatepass")).hexdigest()
