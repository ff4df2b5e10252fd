"""Training examples: every word decided once, its label beside it, batches within their budget."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from export.runtime.encode import WordEncoder
from toolkit.data.labelled import label_ids
from toolkit.data.types import Labelled
from toolkit.features import IGNORED, Batches, Example, collate, examples

LENGTHS = [int(length) for length in np.random.default_rng(0).integers(3, 60, 200)]


def test_an_example_puts_each_label_on_its_words_first_sub_word(teacher: Path, few: Labelled) -> None:
    encoder = WordEncoder.load(teacher)
    sentences = [sentence.words for sentence in few.train]
    found = examples(encoder, sentences, label_ids(few.labels, few.train))
    assert [example["sentence"] for example in found] == list(range(len(few.train)))
    for example, sentence in zip(found, few.train, strict=True):
        assert [few.labels[i] for i in example["labels"]] == list(sentence.tags)
        assert example["words"].tolist() == list(range(len(sentence.words)))
        for word, position in zip(sentence.words, example["first"], strict=True):
            assert example["input_ids"][position] == encoder.sub_words([word])[0][0]


def test_words_without_sub_words_are_left_out(teacher: Path) -> None:
    encoder = WordEncoder.load(teacher)
    (example,) = examples(encoder, [("Rais", "\u200b", "Samia"), ("\u200b",)], [[1, 2, 3], [4]])
    assert example["words"].tolist() == [0, 2] and example["labels"].tolist() == [1, 3]


def test_unlabelled_words_are_ignored_by_the_loss(teacher: Path) -> None:
    (example,) = examples(WordEncoder.load(teacher), [("Rais", "Samia")])
    assert example["labels"].tolist() == [IGNORED, IGNORED] == [-100, -100]


def test_of_a_long_sentence_every_word_is_decided_once(teacher: Path, demo: Labelled) -> None:
    words = [word for sentence in demo.train[:12] for word in sentence.words]
    gold = list(range(len(words)))
    encoder = WordEncoder.load(teacher, 40)
    found = examples(encoder, [words], [gold])
    assert len(found) > 3 and max(len(example["input_ids"]) for example in found) <= 40
    decided = np.concatenate([example["words"] for example in found])
    assert sorted(decided.tolist()) == gold
    assert np.array_equal(decided, np.concatenate([example["labels"] for example in found]))
    for example in found:
        first_ids = [encoder.sub_words([words[i]])[0][0] for i in example["words"]]
        assert example["input_ids"][example["first"]].tolist() == first_ids


def test_batches_hold_each_example_once_and_keep_to_their_budget() -> None:
    batches = list(Batches(LENGTHS, tokens_per_batch=120, seed=1))
    assert sorted(index for batch in batches for index in batch) == list(range(len(LENGTHS)))
    padded = [len(batch) * max(LENGTHS[i] for i in batch) for batch in batches]
    assert max(padded) <= 120
    assert sum(LENGTHS) / sum(padded) > 0.9  # like lengths: little padding
    assert len(batches) < 1.5 * sum(LENGTHS) / 120


def test_an_example_longer_than_the_budget_is_a_batch_of_its_own() -> None:
    assert sorted(Batches([5, 500, 6], tokens_per_batch=20, seed=1)) == [[0, 2], [1]]


def test_epochs_are_the_same_for_the_same_seed_and_differ_from_each_other() -> None:
    first, again, other_seed = (Batches(LENGTHS, 120, seed) for seed in (1, 1, 2))
    epochs = []
    for epoch in range(3):
        first.set_epoch(epoch)
        again.set_epoch(epoch)
        assert list(first) == list(again) and len(list(first)) == len(first)
        epochs.append(list(first))
    assert epochs[0] != epochs[1] != epochs[2]
    assert list(other_seed) != epochs[0]


def test_without_shuffling_batches_go_from_short_to_long() -> None:
    order = [LENGTHS[i] for batch in Batches(LENGTHS, 120, 0, shuffle=False) for i in batch]
    assert order == sorted(LENGTHS)


def test_collate_pads_and_says_where_the_words_are() -> None:
    one: Example = {"input_ids": np.array([0, 7, 8, 2]), "first": np.array([1, 2]), "labels": np.array([3, 0])}
    two: Example = {"input_ids": np.array([0, 9, 2]), "first": np.array([1]), "labels": np.array([IGNORED])}
    batch = collate([one, two], pad_id=1)
    assert batch["input_ids"].tolist() == [[0, 7, 8, 2], [0, 9, 2, 1]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    assert batch["input_ids"][batch["rows"], batch["positions"]].tolist() == [7, 8, 9]
    assert batch["labels"].tolist() == [3, 0, IGNORED]
    assert {tensor.dtype for tensor in batch.values()} == {torch.int64}


@pytest.mark.parametrize("name", ["teacher_logits", "teacher_hidden"])
def test_collate_puts_the_teachers_rows_in_the_order_of_the_words(name: str) -> None:
    parts = [
        {"input_ids": np.array([0, 7, 2]), "first": np.array([1]), "labels": np.array([0])}
        | {name: np.full((1, 4), value, np.float16)}
        for value in (0.5, 1.5)
    ]
    batch = collate(parts, pad_id=1)
    assert batch[name].dtype == torch.float32 and batch[name][:, 0].tolist() == [0.5, 1.5]
