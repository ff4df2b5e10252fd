"""Tags, scores and confidences of one artifact on the labelled data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from export.parity import Logits
from export.runtime.encode import WordEncoder
from export.variants import open_variant
from toolkit.console import Advance, console
from toolkit.data.types import Sentence
from toolkit.evaluate import entity_scores, predict
from toolkit.folders import folder_labels
from toolkit.store import Artifact

TORCH = "torch-fp32"


def open_artifact(variant: str, artifact: Artifact) -> tuple[Logits, WordEncoder, tuple[str, ...]]:
    """Logits, word encoder and labels of a variant folder, or of a model folder as TORCH."""
    encoder = WordEncoder.load(artifact.path)
    if variant != TORCH:
        logits = open_variant(variant, artifact.path, artifact.report)
    else:
        from transformers import AutoModelForTokenClassification

        from export.parity import torch_logits

        logits = torch_logits(AutoModelForTokenClassification.from_pretrained(artifact.path))
    return logits, encoder, folder_labels(artifact.path)


def predict_splits(
    variant: str, artifact: Artifact, splits: Mapping[str, Sequence[Sentence]]
) -> tuple[dict[str, list[list[str]]], dict[str, dict[str, Any]]]:
    """Tags and Scores (as JSON) of each split."""
    logits, encoder, labels = open_artifact(variant, artifact)
    total = sum(map(len, splits.values()))
    tags: dict[str, list[list[str]]] = {}
    done = 0
    with console.progress(f"Evaluating {variant}", total) as advance:
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
    return {"temperature": 1.0, "raw_text": {}}
