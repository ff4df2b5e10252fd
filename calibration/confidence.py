"""Confidences that mean what they say: temperature scaling, and the calibration error of predicted entities.

After Guo et al. 2017, *On Calibration of Modern Neural Networks*: one temperature divides all logits, so the order
of a word's logits stays, and so do the tags. Guo takes the temperature under which the gold labels are likeliest.
What users see is the score of an entity, so here it is the one under which the entities' being right or wrong is
likeliest; README.md has both measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from export.runtime.entities import group

BINS = 15
TEMPERATURES = np.geomspace(0.1, 10.0, 81)
"""Where the search starts and ends; each step is 6 %."""

_HALVINGS = 30


@dataclass(frozen=True)
class ReliabilityBin:
    """Predicted entities with low < score <= high: how many, their mean score and the share that is right."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Reliability:
    """Calibration of the predicted entities of a split.

    Attributes:
        expected_calibration_error: 0 to 1, the mean over entities of |accuracy - confidence| of their bin; None
            where no entity was predicted.
        entities: how many were predicted.
        confidence: their mean score, 0 to 1; None where there are none.
        accuracy: the share that is right (their precision, 0 to 1); None where there are none.
        bins: the bins that hold entities, by score.
    """

    expected_calibration_error: float | None
    entities: int
    confidence: float | None
    accuracy: float | None
    bins: tuple[ReliabilityBin, ...]


def fit_temperature(
    word_logits: Sequence[np.ndarray], gold_tags: Sequence[Sequence[str]], labels: Sequence[str]
) -> float:
    """The temperature whose entity scores make what is right and wrong in dev likeliest.

    Right and wrong count as Platt's targets, (right + 1) / (right + 2) and 1 / (wrong + 2), so that a dev split
    where everything is right does not ask for certainty (Platt 1999, *Probabilistic Outputs for Support Vector
    Machines*). Without a predicted entity there is nothing to fit: 1.0.

    Args:
        word_logits: per sentence float (words, labels), as `export.runtime.encode.word_logits` gives them.
        gold_tags: per sentence one tag per word.
        labels: the model's id2label in order.

    Raises:
        ValueError: sentences or words differ in number.
    """
    found = _predicted(word_logits, gold_tags, labels)
    if not len(found.right):
        return 1.0
    right = int(found.right.sum())
    target = np.where(found.right, (right + 1) / (right + 2), 1 / (len(found.right) - right + 2))

    def loss(temperature: float) -> float:
        score = np.clip(found.scores(temperature), 1e-12, 1 - 1e-12)
        return float(-(target * np.log(score) + (1 - target) * np.log1p(-score)).mean())

    best = int(np.argmin([loss(temperature) for temperature in TEMPERATURES]))
    low, high = TEMPERATURES[max(best - 1, 0)], TEMPERATURES[min(best + 1, len(TEMPERATURES) - 1)]
    for _ in range(_HALVINGS):  # ternary search
        lower, upper = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, upper) if loss(lower) < loss(upper) else (lower, high)
    return float((low + high) / 2)


def entity_reliability(
    word_logits: Sequence[np.ndarray],
    gold_tags: Sequence[Sequence[str]],
    labels: Sequence[str],
    temperature: float = 1.0,
    bins: int = BINS,
) -> Reliability:
    """Scores of predicted entities against their being right, in `bins` of equal width.

    An entity's score is the mean over its words of the probability of the predicted tag. It is right where gold
    has an entity of its type over the same words; both are grouped as seqeval's default does.

    Args and raises: as `fit_temperature`.
    """
    found = _predicted(word_logits, gold_tags, labels)
    if not len(found.right):
        return Reliability(None, 0, None, None, ())
    scores, right = found.scores(temperature), found.right
    edges = np.linspace(0, 1, bins + 1)
    places = np.clip(np.searchsorted(edges, scores, side="left") - 1, 0, bins - 1)
    filled = tuple(
        ReliabilityBin(
            low=float(edges[place]),
            high=float(edges[place + 1]),
            count=int((places == place).sum()),
            confidence=float(scores[places == place].mean()),
            accuracy=float(right[places == place].mean()),
        )
        for place in np.unique(places)
    )
    error = sum(each.count * abs(each.accuracy - each.confidence) for each in filled) / len(scores)
    return Reliability(error, len(scores), float(scores.mean()), float(right.mean()), filled)


class _Predicted(NamedTuple):
    """Predicted entities of a split.

    logits: float64 (words, labels), the words of all entities in a row, each row less its maximum.
    begins: int64 (entities,), where each entity's words begin in it. right: bool (entities,).
    """

    logits: np.ndarray
    begins: np.ndarray
    right: np.ndarray

    def scores(self, temperature: float) -> np.ndarray:
        """Mean probability of the predicted tag, float64 (entities,)."""
        best = 1 / np.exp(self.logits / temperature).sum(axis=1)  # the predicted tag's logit is 0
        lengths = np.diff(self.begins, append=len(best))
        result: np.ndarray = np.add.reduceat(best, self.begins) / lengths
        return result


def _predicted(
    word_logits: Sequence[np.ndarray], gold_tags: Sequence[Sequence[str]], labels: Sequence[str]
) -> _Predicted:
    rows: list[np.ndarray] = []
    lengths: list[int] = []
    right: list[bool] = []
    for logits, gold in zip(word_logits, gold_tags, strict=True):
        if len(logits) != len(gold):
            raise ValueError(f"{len(logits)} rows of logits for {len(gold)} words")
        if not len(gold):
            continue
        expected = {entity[:3] for entity in group(gold)}
        shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
        for entity in group([labels[index] for index in logits.argmax(axis=1)]):
            rows.append(shifted[entity.start_word : entity.end_word])
            lengths.append(entity.end_word - entity.start_word)
            right.append(entity[:3] in expected)
    joined = np.concatenate(rows) if rows else np.zeros((0, len(labels)))
    begins = np.concatenate([[0], np.cumsum(lengths[:-1])]).astype(np.int64)
    return _Predicted(joined, begins[: len(right)], np.array(right, bool))
