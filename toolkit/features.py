"""Sentences to training examples: sub-word windows with one label per word."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from export.runtime.encode import WordEncoder

Example = dict[str, Any]
IGNORED = -100  # torch's cross_entropy skips this target


def examples(
    encoder: WordEncoder,
    sentences: Sequence[Sequence[str]],
    label_ids: Sequence[Sequence[int]] | None = None,
) -> list[Example]:
    """One example per window of each sentence; windows without a word to decide are left out.

    An example holds input_ids int64 (n,), first int64 (k,) positions of the words it decides, words int64 (k,)
    their indices in the sentence, sentence (its index), and labels int64 (k,), IGNORED without gold labels.
    """
    found = []
    for index, words in enumerate(sentences):
        for window in encoder.windows(words):
            if not window.keep.any():
                continue
            kept = window.words[window.keep]
            gold = np.full(len(kept), IGNORED) if label_ids is None else np.asarray(label_ids[index])[kept]
            found.append(
                {
                    "input_ids": window.input_ids,
                    "first": window.first[window.keep],
                    "words": kept,
                    "sentence": index,
                    "labels": gold.astype(np.int64),
                }
            )
    return found


class Batches:
    """Batches of like length holding at most `tokens_per_batch` sub-words with padding; seeded, re-shuffled per
    epoch. A torch batch sampler."""

    def __init__(self, lengths: Sequence[int], tokens_per_batch: int, seed: int, shuffle: bool = True) -> None:
        self.lengths = lengths
        self.tokens_per_batch = tokens_per_batch
        self.seed = seed
        self.shuffle = shuffle
        self.epoch = 0
        self._count = len(self._arrange(0))

    def set_epoch(self, epoch: int) -> None:
        """Trainer and accelerate call this before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self._arrange(self.epoch))

    def _arrange(self, epoch: int) -> list[list[int]]:
        # Every epoch must have as many batches as the first, or a resumed run would lose count: the grouping
        # is fixed, members of equal length and the order of batches vary.
        draw = random.Random(f"{self.seed}-{epoch}")
        order = list(range(len(self.lengths)))
        if self.shuffle:
            draw.shuffle(order)
        order.sort(key=lambda i: self.lengths[i])
        batches: list[list[int]] = []
        current: list[int] = []
        for i in order:
            if current and self.lengths[i] * (len(current) + 1) > self.tokens_per_batch:
                batches.append(current)
                current = []
            current.append(i)
        if current:
            batches.append(current)
        if self.shuffle:
            draw.shuffle(batches)
        return batches


def collate(batch: Sequence[Example], pad_id: int) -> dict[str, torch.Tensor]:
    """Pad a batch.

    Returns input_ids and attention_mask int64 (b, n); rows and positions int64 (k,): where the batch's k words
    stand; labels int64 (k,); and teacher_logits float32 (k, labels) and teacher_hidden float32 (k, width) where
    the examples carry them.
    """
    length = max(len(example["input_ids"]) for example in batch)
    ids = np.full((len(batch), length), pad_id, np.int64)
    mask = np.zeros((len(batch), length), np.int64)
    for row, example in enumerate(batch):
        ids[row, : len(example["input_ids"])] = example["input_ids"]
        mask[row, : len(example["input_ids"])] = 1
    rows = np.repeat(np.arange(len(batch)), [len(example["first"]) for example in batch])
    tensors = {
        "input_ids": ids,
        "attention_mask": mask,
        "rows": rows,
        "positions": np.concatenate([example["first"] for example in batch]),
        "labels": np.concatenate([example["labels"] for example in batch]),
    }
    for name in ("teacher_logits", "teacher_hidden"):
        if name in batch[0]:
            tensors[name] = np.concatenate([example[name] for example in batch]).astype(np.float32)
    return {name: torch.from_numpy(value) for name, value in tensors.items()}
