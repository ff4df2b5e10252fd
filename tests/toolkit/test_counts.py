"""Counting entities per sentence."""

from __future__ import annotations

import pytest

from toolkit.counts import Counts, count_entities, count_spans_by_type, entity_sets


def test_an_entity_counts_only_with_its_type_and_both_boundaries() -> None:
    gold = [["B-PER", "I-PER", "O", "B-LOC"], ["B-ORG", "O"], ["O"]]
    pred = [["B-PER", "O", "O", "B-LOC"], ["B-LOC", "O"], ["B-DATE"]]
    counts = count_entities(gold, pred)
    assert counts == Counts(tp=(1, 0, 0), fp=(1, 1, 1), fn=(1, 1, 0))
    assert counts.support == 3
    assert counts.precision == pytest.approx(100 / 4)
    assert counts.recall == pytest.approx(100 / 3)
    assert counts.f1 == pytest.approx(200 / 7)


def test_nothing_to_find_and_nothing_found_is_zero_not_nan() -> None:
    counts = count_entities([["O"]], [["O"]])
    assert (counts.f1, counts.precision, counts.recall, counts.support) == (0.0, 0.0, 0.0, 0)
    assert count_entities([], []).matrix.shape == (0, 3)


def test_types_of_either_side_are_listed_and_sum_to_the_whole() -> None:
    gold, pred = entity_sets([["B-PER", "B-LOC"], ["O"]]), entity_sets([["B-PER", "B-ORG"], ["B-PER"]])
    by_type = count_spans_by_type(gold, pred)
    assert list(by_type) == ["LOC", "ORG", "PER"]
    assert by_type["PER"] == Counts(tp=(1, 0), fp=(0, 1), fn=(0, 0))
    assert by_type["ORG"].support == 0 and by_type["LOC"].support == 1


def test_sentences_that_do_not_line_up_are_refused() -> None:
    with pytest.raises(ValueError, match="2 gold sentences, but 1"):
        count_entities([["O"], ["O"]], [["O"]])
    with pytest.raises(ValueError, match="sentence 1 has 2 gold tags, but 1"):
        count_entities([["O"], ["O", "O"]], [["O"], ["O"]])
