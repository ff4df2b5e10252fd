"""How sure an F1, or a difference of two, is: the bootstrap over sentences (Efron 1979; pairs: Koehn 2004).

A test split has a few hundred sentences and about a thousand entities, so a point estimate alone means
little. Both systems of a pair are scored on the same resampled sentences, which cancels what makes a sample
hard for both. Everything is drawn from one seed: the same counts always give the same interval.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.counts import Counts, count_entities

RESAMPLES = 1000
CONFIDENCE = 0.95
SEED = 20210615
_BLOCK_CELLS = 4_000_000  # resampled sentences held in memory at once


@dataclass(frozen=True)
class Difference:
    """F1 of a minus F1 of b, in points (0..100 scale).

    Attributes:
        observed: on the split as it is.
        mean: over the resamples.
        low, high: 95 % percentile interval.
        significant: the interval excludes zero.
    """

    observed: float
    mean: float
    low: float
    high: float
    significant: bool


@dataclass(frozen=True)
class RelativeLoss:
    """1 - F1 of the student / F1 of the teacher, on the same sentences; negative where the student is better.

    Attributes:
        observed: on the split as it is.
        low, high: 95 % percentile interval.
    """

    observed: float
    low: float
    high: float


def f1_interval(counts: Counts, seed: int = SEED) -> tuple[float, float]:
    """95 % interval of micro F1 (0..100); (0, 0) where there is no entity on either side."""
    return _percentiles(_resampled_f1([counts], seed)[0])


def paired_bootstrap(
    gold: Sequence[Sequence[str]],
    pred_a: Sequence[Sequence[str]],
    pred_b: Sequence[Sequence[str]],
    seed: int = SEED,
) -> Difference:
    """Whether tagger a beats tagger b on the same sentences, from tags.

    Raises:
        ValueError: the three do not line up.
    """
    return paired_difference(count_entities(gold, pred_a), count_entities(gold, pred_b), seed)


def paired_difference(a: Counts, b: Counts, seed: int = SEED) -> Difference:
    """`paired_bootstrap` from counts on the same sentences.

    Raises:
        ValueError: a and b do not count the same gold entities.
    """
    check_same_gold(a, b)
    f1_a, f1_b = _resampled_f1([a, b], seed)
    differences = f1_a - f1_b
    low, high = _percentiles(differences)
    mean = float(differences.mean()) if differences.size else 0.0
    return Difference(a.f1 - b.f1, mean, low, high, low > 0.0 or high < 0.0)


def relative_loss(student: Counts, teacher: Counts, seed: int = SEED) -> RelativeLoss:
    """What share of the teacher's F1 the student loses, with its paired interval.

    A resample in which the teacher finds nothing has no ratio: it counts as no loss. Callers must judge a
    teacher whose observed F1 is 0 themselves.

    Raises:
        ValueError: student and teacher do not count the same gold entities.
    """
    check_same_gold(student, teacher)
    f1_student, f1_teacher = _resampled_f1([student, teacher], seed)
    known = f1_teacher > 0.0
    losses = np.zeros_like(f1_teacher)
    losses[known] = 1.0 - f1_student[known] / f1_teacher[known]
    observed = 1.0 - student.f1 / teacher.f1 if teacher.f1 > 0.0 else 0.0
    return RelativeLoss(observed, *_percentiles(losses))


def check_same_gold(a: Counts, b: Counts) -> None:
    """Raise ValueError unless both have the same gold entities in each sentence: a pair shares its split."""
    gold_a, gold_b = a.matrix[:, [0, 2]].sum(axis=1), b.matrix[:, [0, 2]].sum(axis=1)
    if not np.array_equal(gold_a, gold_b):
        raise ValueError("a paired comparison needs both taggers' counts on the same sentences")


def _resampled_f1(systems: Sequence[Counts], seed: int) -> list[np.ndarray]:
    """Per system, float64 (RESAMPLES,) F1 on sentences drawn with replacement, the same ones for each system.

    Without sentences the arrays are empty.
    """
    sentences = len(systems[0].tp)
    matrix = np.concatenate([system.matrix for system in systems], axis=1).astype(np.float64)
    totals = [weights @ matrix for weights in _resample_weights(sentences, seed)]
    drawn = np.concatenate(totals) if totals else np.zeros((0, matrix.shape[1]))
    return [_f1(drawn[:, 3 * i : 3 * i + 3]) for i in range(len(systems))]


def _resample_weights(sentences: int, seed: int) -> Iterator[np.ndarray]:
    """Blocks of float64 (resamples, sentences): how often each sentence was drawn, RESAMPLES rows in all."""
    if not sentences:
        return
    generator = np.random.default_rng(seed)
    block = max(1, min(RESAMPLES, _BLOCK_CELLS // sentences))
    for start in range(0, RESAMPLES, block):
        rows = min(block, RESAMPLES - start)
        drawn = generator.integers(0, sentences, size=(rows, sentences))
        cells = drawn + np.arange(rows)[:, None] * sentences
        yield np.bincount(cells.ravel(), minlength=rows * sentences).reshape(rows, sentences).astype(float)


def _f1(totals: np.ndarray) -> np.ndarray:
    """float64 (n,) F1 in 0..100 from (n, 3) sums of tp, fp, fn; 0 where all are 0."""
    tp, fp, fn = totals.T
    denominator = 2 * tp + fp + fn
    return 200.0 * np.divide(tp, denominator, out=np.zeros_like(tp), where=denominator > 0)


def _percentiles(values: np.ndarray) -> tuple[float, float]:
    if not values.size:
        return 0.0, 0.0
    tail = 100.0 * (1.0 - CONFIDENCE) / 2.0
    low, high = np.percentile(values, [tail, 100.0 - tail])
    return float(low), float(high)
