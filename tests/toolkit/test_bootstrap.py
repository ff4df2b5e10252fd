"""Intervals and paired differences of F1."""

from __future__ import annotations

import numpy as np
import pytest

import toolkit.bootstrap
from toolkit.bootstrap import f1_interval, paired_bootstrap, paired_difference, relative_loss
from toolkit.counts import Counts


def tagger(found: list[bool], invented: int = 0) -> Counts:
    """Counts of a tagger on sentences of one entity each."""
    extra = [1 if i < invented else 0 for i in range(len(found))]
    return Counts(tuple(map(int, found)), tuple(extra), tuple(int(not f) for f in found))


def test_interval_agrees_with_drawing_sentences_one_by_one() -> None:
    generator = np.random.default_rng(3)
    counts = Counts(*(tuple(generator.integers(0, 4, size=50).tolist()) for _ in range(3)))
    f1s = []
    for _ in range(4000):
        drawn = generator.integers(0, 50, size=50)
        tp, fp, fn = counts.matrix[drawn].sum(axis=0)
        f1s.append(200 * tp / (2 * tp + fp + fn))
    assert f1_interval(counts) == pytest.approx(tuple(np.percentile(f1s, [2.5, 97.5])), abs=1.2)


def test_interval_of_five_hundred_sentences_has_the_width_theory_gives() -> None:
    # Half of 500 entities found, none invented: recall is binomial and F1 = 2r / (1 + r).
    low, high = f1_interval(tagger([i % 2 == 0 for i in range(500)]))
    spread = 1.96 * (0.25 / 500) ** 0.5
    expected = [200 * r / (1 + r) for r in (0.5 - spread, 0.5 + spread)]
    assert (low, high) == pytest.approx(expected, abs=0.8)


def test_the_same_counts_give_the_same_numbers_and_another_seed_others() -> None:
    a, b = tagger([i % 3 == 0 for i in range(100)]), tagger([i % 2 == 0 for i in range(100)])
    assert paired_difference(a, b) == paired_difference(a, b)
    assert paired_difference(a, b).mean != paired_difference(a, b, seed=1).mean


def test_interval_does_not_depend_on_how_many_resamples_fit_into_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = tagger([i % 3 == 0 for i in range(100)])
    whole = f1_interval(counts)
    monkeypatch.setattr(toolkit.bootstrap, "_BLOCK_CELLS", 750)
    assert f1_interval(counts) == whole


@pytest.mark.parametrize("counts", [Counts((), (), ()), Counts((0, 0), (0, 0), (0, 0))])
def test_without_entities_everything_is_zero(counts: Counts) -> None:
    assert f1_interval(counts) == (0.0, 0.0)
    difference = paired_difference(counts, counts)
    assert (difference.observed, difference.mean, difference.low, difference.high) == (0, 0, 0, 0)
    assert not difference.significant
    loss = relative_loss(counts, counts)
    assert (loss.observed, loss.low, loss.high) == (0.0, 0.0, 0.0)


def test_a_tagger_does_not_differ_from_itself() -> None:
    difference = paired_difference(tagger([True, False] * 50), tagger([True, False] * 50))
    assert (difference.mean, difference.low, difference.high) == (0.0, 0.0, 0.0)
    assert not difference.significant


def test_pairing_finds_a_small_difference_that_separate_intervals_hide() -> None:
    better = [i % 2 == 0 for i in range(400)]
    worse = [found and i % 40 != 0 for i, found in enumerate(better)]
    a, b = tagger(better), tagger(worse)
    assert f1_interval(a)[0] < f1_interval(b)[1]
    difference = paired_difference(a, b)
    assert difference.significant and 0 < difference.low < difference.observed < difference.high
    assert difference.observed == pytest.approx(a.f1 - b.f1)
    assert difference.mean == pytest.approx(difference.observed, abs=0.2)


def test_swapping_the_taggers_changes_the_sign_and_nothing_else() -> None:
    a, b = tagger([True] * 80 + [False] * 20), tagger([True] * 60 + [False] * 40)
    one, other = paired_difference(a, b), paired_difference(b, a)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))
    assert one.significant and other.significant


def test_a_difference_on_one_sentence_in_a_hundred_is_not_significant() -> None:
    difference = paired_difference(tagger([True] * 99 + [False]), tagger([True] * 100))
    assert difference.observed < 0 and not difference.significant


def test_paired_bootstrap_takes_tags() -> None:
    gold = [["B-PER", "I-PER"], ["O", "B-LOC"]] * 30
    cut = [["B-PER", "O"], ["O", "B-LOC"]] * 30
    difference = paired_bootstrap(gold, gold, cut)
    assert difference.observed == pytest.approx(50.0)
    assert difference.significant


def test_relative_loss_is_a_share_of_the_teachers_f1() -> None:
    teacher, student = tagger([True] * 200), tagger([i % 4 != 0 for i in range(200)])
    loss = relative_loss(student, teacher)
    assert loss.observed == pytest.approx(1 - student.f1 / 100)
    assert loss.low < loss.observed < loss.high
    assert relative_loss(teacher, student).observed < 0


def test_resamples_in_which_the_teacher_finds_nothing_make_no_nan() -> None:
    loss = relative_loss(tagger([False, True]), tagger([True, False]))
    assert np.isfinite([loss.observed, loss.low, loss.high]).all()


def test_counts_of_other_sentences_are_refused() -> None:
    with pytest.raises(ValueError, match="same sentences"):
        paired_difference(tagger([True]), tagger([True, True]))
    with pytest.raises(ValueError, match="same sentences"):
        relative_loss(Counts((1,), (0,), (1,)), Counts((1,), (0,), (0,)))
