"""Tags, scores and confidences of one artifact on the labelled data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from calibration.confidence import entity_reliability, fit_temperature
from export.parity import Logits
from export.runtime.encode import WordEncoder, word_logits
from export.variants import VARIANTS, open_variant
from toolkit.console import Advance, console
from toolkit.data.types import Labelled, Sentence
from toolkit.evaluate import entity_scores, predict
from toolkit.folders import folder_labels
from toolkit.raw_text import raw_text_scores
from toolkit.store import Artifact

TORCH = "torch-fp32"  # a model folder as it is, run by PyTorch: what every artifact is compared with
# Sub-words per window. Taggers are trained on single sentences and lose F1 on much longer windows: twenty dev
# sentences given as one text scored 44.6 in windows of 512, 65.9 in windows of 128 (mean of ten languages).
WINDOW = 128


def open_artifact(variant: str, artifact: Artifact) -> tuple[Logits, WordEncoder, tuple[str, ...]]:
    """Logits, word encoder and labels of a variant folder, or of a model folder as TORCH."""
    encoder = WordEncoder.load(artifact.path, WINDOW)
    if variant != TORCH:
        logits = open_variant(variant, artifact.path, artifact.report)
    else:
        from transformers import AutoModelForTokenClassification

        from export.parity import torch_logits

        logits = torch_logits(AutoModelForTokenClassification.from_pretrained(artifact.path))
    return logits, encoder, folder_labels(artifact.path)


@contextmanager
def one_torch_thread(variant: str) -> Iterator[None]:
    """Run torch on one thread, where the artifact is torch's.

    Sentences go in one by one: too little work to share. On a busy machine threads wait for each other ten times
    as long as they compute.
    """
    if variant in VARIANTS and VARIANTS[variant].backend == "onnx":
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def predict_splits(
    variant: str, artifact: Artifact, splits: Mapping[str, Sequence[Sentence]]
) -> tuple[dict[str, list[list[str]]], dict[str, dict[str, Any]]]:
    """Tags and Scores (as JSON) of each split."""
    logits, encoder, labels = open_artifact(variant, artifact)
    total = sum(map(len, splits.values()))
    tags: dict[str, list[list[str]]] = {}
    done = 0
    with one_torch_thread(variant), console.progress(f"Evaluating {variant}", total) as advance:
        for split, sentences in splits.items():
            tags[split] = predict(logits, encoder, labels, sentences, partial(_advance, advance, done))
            done += len(sentences)
    scores = {
        split: asdict(entity_scores([list(s.tags) for s in sentences], tags[split]))
        for split, sentences in splits.items()
    }
    return tags, scores


def _advance(advance: Advance, before: int, done: int, total: int) -> None:
    advance(before + done)


def confidence_and_raw_text(variant: str, artifact: Artifact, data: Labelled) -> dict[str, Any]:
    """Temperature fitted on dev, calibration error and reliability on test before and after, and raw-text scores.

    Returns:
        The `confidence` of a RunRecord with "raw_text" (Scores as JSON) beside it.
    """
    logits, encoder, labels = open_artifact(variant, artifact)
    total = len(data.dev) + 2 * len(data.test)
    with one_torch_thread(variant), console.progress("Calibrating confidences", total) as advance:
        dev = _rows(logits, encoder, data.dev, advance, 0)
        test = _rows(logits, encoder, data.test, advance, len(data.dev))
        done = len(data.dev) + len(data.test)
        raw = raw_text_scores(logits, encoder, labels, data.test, partial(_advance, advance, done))
    temperature = round(fit_temperature(dev, [sentence.tags for sentence in data.dev], labels), 4)
    gold = [sentence.tags for sentence in data.test]
    before, after = (entity_reliability(test, gold, labels, value) for value in (1.0, temperature))
    return {
        "temperature": temperature,
        "ece_before": before.expected_calibration_error,
        "ece_after": after.expected_calibration_error,
        "reliability_before": [asdict(bin_) for bin_ in before.bins],
        "reliability_after": [asdict(bin_) for bin_ in after.bins],
        "raw_text": asdict(raw),
    }


def _rows(
    logits: Logits, encoder: WordEncoder, sentences: Sequence[Sentence], advance: Advance, before: int
) -> list[np.ndarray]:
    """Word logits of each sentence, float32 (words, labels)."""
    found = []
    for number, sentence in enumerate(sentences, start=1):
        found.append(word_logits(logits, encoder, sentence.words))
        advance(before + number)
    return found
