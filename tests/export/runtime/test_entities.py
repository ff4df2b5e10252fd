from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from export.runtime.entities import Entity, group

TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "E-PER", "S-LOC", "B-A-B", "I-A-B", "B", "I"]


@given(st.lists(st.sampled_from(TAGS), max_size=12))
def test_groups_as_seqeval_does(tags: list[str]) -> None:
    ours = [(entity.type, entity.start_word, entity.end_word - 1) for entity in group(tags)]
    assert ours == get_entities(tags)


def test_orphan_inside_tag_opens_an_entity() -> None:
    assert group(["O", "I-PER", "I-PER", "I-LOC"]) == [Entity("PER", 1, 3, 1.0), Entity("LOC", 3, 4, 1.0)]


def test_score_is_the_mean_over_the_words() -> None:
    first, second = group(["B-PER", "I-PER", "O", "B-LOC"], [0.9, 0.5, 0.1, 0.8])
    assert first.score == pytest.approx(0.7)
    assert second.score == pytest.approx(0.8)


def test_no_tags_have_no_entities() -> None:
    assert group([]) == []
    assert group(["O", "O"], [0.5, 0.5]) == []
