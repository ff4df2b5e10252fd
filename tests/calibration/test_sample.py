"""The calibration sample stands for the whole of train."""

from __future__ import annotations

import random
from typing import NamedTuple

import pytest

from calibration.sample import Sample, calibration_sample
from export.runtime.errors import UserError


class Tagged(NamedTuple):
    words: tuple[str, ...]
    tags: tuple[str, ...]


def sentence(length: int, *types: str, name: str = "w") -> Tagged:
    """A sentence of `length` words with one entity of each type at its start."""
    tags = [f"B-{kind}" for kind in types] + ["O"] * (length - len(types))
    return Tagged(tuple(f"{name}{number}" for number in range(length)), tuple(tags))


def corpus() -> list[Tagged]:
    """1,000 sentences in random order: half without an entity, 40 % PER, 10 % LOC; lengths 4 to 43 alike in each."""
    kinds: list[tuple[str, ...]] = [()] * 500 + [("PER",)] * 400 + [("LOC",)] * 100
    train = [sentence(4 + number % 40, *kind, name=f"s{number}-") for number, kind in enumerate(kinds)]
    random.Random(1).shuffle(train)
    return train


def share(sample: Sample, kind: str, name: str) -> tuple[float, float]:
    """The share of a stratum in the whole and in the sample."""
    stratum = next(stratum for stratum in sample.strata if (stratum.kind, stratum.name) == (kind, name))
    return stratum.whole / sample.whole, stratum.sampled / len(sample.sentences)


@pytest.mark.parametrize("seed", range(5))
def test_each_combination_of_types_and_each_length_has_its_share(seed: int) -> None:
    sample = calibration_sample(corpus(), 100, seed)
    assert len(sample.sentences) == 100
    for kind, name in [(stratum.kind, stratum.name) for stratum in sample.strata]:
        whole, sampled = share(sample, kind, name)
        assert sampled == pytest.approx(whole, abs=0.04), name


def test_account_counts_lengths_and_types() -> None:
    train = [sentence(3), sentence(9, "PER"), sentence(16, "PER", "LOC"), sentence(70, "LOC")]
    sample = calibration_sample(train, 4, 0)
    assert [(s.kind, s.name, s.whole, s.sampled) for s in sample.strata] == [
        ("length", "1-8 words", 1, 1),
        ("length", "9-16 words", 2, 2),
        ("length", "65 words and more", 1, 1),
        ("entity type", "LOC", 2, 2),
        ("entity type", "PER", 2, 2),
        ("entity type", "none", 1, 1),
    ]


@pytest.mark.parametrize("seed", range(10))
def test_rare_type_is_in_the_sample_even_where_its_share_rounds_to_nothing(seed: int) -> None:
    train = [*corpus(), sentence(5, "DATE")]
    sample = calibration_sample(train, 10, seed)
    assert len(sample.sentences) == 10
    assert {tag for chosen in sample.sentences for tag in chosen.tags} >= {"B-PER", "B-LOC", "B-DATE"}


def test_orphan_inside_tag_counts_as_an_entity() -> None:
    train = [sentence(5)] * 50 + [Tagged(("a", "b"), ("I-ORG", "O"))]
    sample = calibration_sample(train, 3, 0)
    assert share(sample, "entity type", "ORG") == (1 / 51, 1 / 3)


def test_same_arguments_give_the_same_sample_and_another_seed_another() -> None:
    first, again, other = (calibration_sample(corpus(), 40, seed) for seed in (3, 3, 4))
    assert first == again
    assert first.digest != other.digest
    assert len(set(first.sentences) - set(other.sentences)) > 10


def test_digest_follows_words_and_tags() -> None:
    base = calibration_sample([sentence(3, "PER")], 1, 0).digest
    assert len(base) == 64
    assert base != calibration_sample([sentence(3, "LOC")], 1, 0).digest
    assert base != calibration_sample([sentence(3, "PER", name="v")], 1, 0).digest


def test_sentences_keep_the_order_of_train_and_none_is_taken_twice() -> None:
    train = corpus()
    places = [train.index(chosen) for chosen in calibration_sample(train, 200, 0).sentences]
    assert places == sorted(set(places))


@pytest.mark.parametrize("size", [1, 2, 999, 1000, 5000])
def test_size_is_met_or_everything_is_taken(size: int) -> None:
    assert len(calibration_sample(corpus(), size, 0).sentences) == min(size, 1000)


def test_sentences_without_words_are_left_out() -> None:
    sample = calibration_sample([Tagged((), ()), sentence(2)], 2, 0)
    assert sample.whole == 1
    assert sample.sentences == (sentence(2),)


@pytest.mark.parametrize(("train", "size"), [([], 5), ([Tagged((), ())], 5), ([sentence(3)], 0)])
def test_nothing_to_sample_is_a_user_error(train: list[Tagged], size: int) -> None:
    with pytest.raises(UserError) as error:
        calibration_sample(train, size, 0)
    assert error.value.remedy
