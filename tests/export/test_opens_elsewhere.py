"""Variant and bundle folders open, as they are, in optimum and in transformers' pipeline, with the same tags."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optimum.onnxruntime import ORTModelForTokenClassification
from optimum.pipelines import pipeline as optimum_pipeline
from transformers import AutoTokenizer, pipeline

from export.bundle import write_bundle
from export.runtime.tagger import Tagger
from export.runtime.words import split_words
from export.variants import build_variant
from toolkit.data.types import Labelled

TEXTS = (
    "Rais Samia Suluhu Hassan alitembelea Arusha, tarehe 3 Mei 2021.",
    "Wakazi wa  Kisumu\nwalisema: “Ng'ombe 1,000 waliuzwa saa 10:30!”",
    "Ọlá lọ sí Èkó.",
)
OPENINGS: dict[str, Callable[[Path, str], Any]] = {
    "folder": lambda folder, file: ORTModelForTokenClassification.from_pretrained(folder),
    "folder and file": lambda folder, file: ORTModelForTokenClassification.from_pretrained(folder, file_name=file),
    "folder, subfolder and file": lambda folder, file: ORTModelForTokenClassification.from_pretrained(
        folder, subfolder="onnx", file_name=file
    ),
}


def first_sub_word_tags(answers: list[dict[str, Any]], tagger: Tagger, words: list[str]) -> list[str]:
    """What a pipeline, told to leave nothing out, says of each word's first sub-word."""
    (window,) = tagger.encoder.windows(words)
    assert [answer["index"] for answer in answers] == list(range(1, len(window.input_ids) - 1))
    return [answers[position - 1]["entity"] for position in window.first]


def assert_same_tags(tags: Any, folder: Path) -> None:
    tagger = Tagger.load(folder)
    seen = set()
    for text in TEXTS:
        words = [word.text for word in split_words(text)]
        expected = tagger.tag_words(words)
        assert first_sub_word_tags(tags(text), tagger, words) == expected
        seen.update(expected)
    assert len(seen) > 2


@pytest.mark.parametrize("opening", OPENINGS)
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_variant_folder_opens_in_optimum_and_transformers(exported: Any, precision: str, opening: str) -> None:
    folder = exported.fp32 if precision == "fp32" else exported.int8
    file = "model.onnx" if precision == "fp32" else "model_int8.onnx"
    model = OPENINGS[opening](folder, file)
    assert next(iter(model.config.id2label.values())) == "O"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert_same_tags(pipeline("token-classification", model=model, tokenizer=tokenizer, ignore_labels=[]), folder)


def test_optimums_own_pipeline_takes_the_folder_alone(exported: Any) -> None:
    tags = optimum_pipeline("token-classification", str(exported.int8), accelerator="ort", ignore_labels=[])
    assert_same_tags(tags, exported.int8)


def test_logits_in_optimum_are_those_of_our_session(exported: Any) -> None:
    import torch

    from export.variants import open_variant

    ids = np.array([[0, 9, 77, 200, 2], [0, 6, 2, 1, 1]])
    mask = (ids != 1).astype(np.int64)
    model = ORTModelForTokenClassification.from_pretrained(exported.int8, file_name="model_int8.onnx")
    output = model(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask))
    ours = open_variant("onnx-int8", exported.int8, {})(ids, mask)
    np.testing.assert_allclose(output.logits.numpy(), ours, atol=1e-5)


@pytest.mark.parametrize("form", ["fp32", "int8", "int8 with external data"])
def test_a_bundle_opens_like_the_variant_it_was_made_from(
    exported: Any, few: Labelled, details: Callable[..., Any], tmp_path: Path, form: str
) -> None:
    variant = exported.fp32 if form == "fp32" else exported.int8
    if form.endswith("external data"):
        variant = tmp_path / "external"
        build_variant("onnx-int8", exported.model, variant, exported.fp32, external_data=True)
    model = "onnx/model.onnx" if form == "fp32" else "onnx/model_int8.onnx"
    settled = details(model=model, dtype=form.split()[0], labels=few.labels, max_length=512)
    bundle = write_bundle(variant, settled, tmp_path / "bundle").folder
    assert AutoTokenizer.from_pretrained(bundle).model_max_length == 512
    opened = ORTModelForTokenClassification.from_pretrained(bundle)  # nothing but the folder
    assert opened.config.id2label == dict(enumerate(few.labels))
    for tags in (
        pipeline("token-classification", opened, tokenizer=AutoTokenizer.from_pretrained(bundle), ignore_labels=[]),
        optimum_pipeline("token-classification", str(bundle), accelerator="ort", ignore_labels=[]),
    ):
        assert_same_tags(tags, bundle)
