"""What a hub reads of a model card, and whether it would take it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from export.bundle import write_bundle
from export.card import Card, CardScore
from export.front_matter import ISO_639_1
from export.manifest import Licence
from tests.toolkit.card_rules import card_problems, front_matter_of
from toolkit.languages import LANGUAGES

Details = Callable[..., Any]
COMMIT = "5503434ddd753f426f4b38109466949a1217c2bb"
SCORES = (
    CardScore("MasakhaNER 1.0", "swa", "dev", 84.13, 80.9, 87.2, 665),
    CardScore("MasakhaNER 1.0", "swa", "test", 79.999, 77.8, 82.2, 1179),
)


@pytest.fixture
def front(variant: Path, details: Details, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    def make(**changes: Any) -> dict[str, Any]:
        bundle = write_bundle(variant, details(**changes), tmp_path / "bundle").folder
        card = (bundle / "README.md").read_text("utf-8")
        assert card_problems(card) == []
        return front_matter_of(card)

    return make


def test_a_bundle_from_the_hub_names_its_sources(front: Callable[..., dict[str, Any]]) -> None:
    found = front(
        card=Card("A tagger.", SCORES),
        name="swa edge int8",
        licences=(Licence("labels", "CC BY-NC 4.0", False),),
        provenance={
            "teacher": {"source": "hub", "name": "castorini/afriberta_base", "sha256": "0"},
            "data": {"source": f"masakhane/masakhaner@{COMMIT}", "name": "MasakhaNER 1.0"},
        },
    )
    assert found["base_model"] == "castorini/afriberta_base"
    assert found["datasets"] == ["masakhane/masakhaner"]
    assert (found["license"], found["license_name"]) == ("other", "non-commercial")
    assert found["language"] == ["sw"]
    assert (found["pipeline_tag"], found["library_name"]) == ("token-classification", "transformers.js")
    (model,) = found["model-index"]
    assert model["name"] == "swa edge int8"
    dev, test = model["results"]
    assert (dev["dataset"]["split"], test["dataset"]["split"]) == ("dev", "test")
    assert test["dataset"]["type"] == "masakhane/masakhaner"
    assert test["metrics"] == [{"type": "f1", "name": "entity F1 (seqeval)", "value": 0.8}]


def test_demo_text_and_folders_of_this_machine_are_no_public_data(front: Callable[..., dict[str, Any]]) -> None:
    found = front(
        provenance={
            "teacher": {"source": "folder", "name": "castorini/afriberta_base"},
            "data": {"source": "built-in", "name": "demo text"},
        }
    )
    assert "base_model" not in found and "datasets" not in found
    (result,) = found["model-index"][0]["results"]
    assert result["dataset"] == {"type": "demo-text", "name": "demo text (swa)", "config": "swa", "split": "test"}
    assert result["metrics"][0]["value"] == 0.5
    assert found["license_name"] == "commercial-use-allowed"


def test_a_bundle_without_scores_claims_none(front: Callable[..., dict[str, Any]]) -> None:
    found = front(card=Card("A tagger."))
    assert "model-index" not in found and "metrics" not in found


@pytest.mark.parametrize("name", ["a: b # c", "---\n[x]", 'q"\\u0041', "naïve 😀 Ọ", "\x7f\x85\u2028", "yes"])
def test_any_name_is_read_back_as_it_was(front: Callable[..., dict[str, Any]], name: str) -> None:
    found = front(name=name, card=Card("A tagger.", (CardScore(name, "swa", "test", 1.0, 0.0, 2.0, 3),)))
    assert found["model-index"][0]["name"] == name
    assert found["model-index"][0]["results"][0]["dataset"]["name"] == f"{name} (swa)"


def test_huggingface_hub_reads_the_scores(variant: Path, details: Details, tmp_path: Path) -> None:
    bundle = write_bundle(variant, details(card=Card("A tagger.", SCORES)), tmp_path / "bundle").folder
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = ModelCard.load(bundle / "README.md").data
    assert [(result.dataset_split, result.metric_value) for result in data.eval_results] == [
        ("dev", 0.8413),
        ("test", 0.8),
    ]


def test_languages_of_the_toolkit_have_codes_that_hubs_list() -> None:
    assert set(ISO_639_1) <= set(LANGUAGES)
    assert set(LANGUAGES) - set(ISO_639_1) == {"bbj", "fon", "luo", "mos", "pcm"}  # ISO 639-1 has none for them
    assert len(set(ISO_639_1.values())) == len(ISO_639_1)
