"""Scores, predictions and bundles over labelled sentences."""

from __future__ import annotations

import json
import random
import warnings
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from seqeval.metrics import classification_report, f1_score, precision_score, recall_score

from export.runtime.encode import WordEncoder
from export.runtime.errors import UserError
from toolkit.data.types import Sentence
from toolkit.evaluate import entity_scores, evaluate_bundle, predict

LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁Amina", "▁Kisumu", "▁na", "▁Otieno", "▁ziwa", "<mask>"]


def tokenizer_json() -> dict[str, object]:
    special = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
    return {
        "version": "1.0",
        "added_tokens": [
            {
                "id": PIECES.index(token),
                "content": token,
                "special": True,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
            }
            for token in special
        ],
        "normalizer": None,
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "Unigram",
            "unk_id": 3,
            "vocab": [[piece, 0.0 if piece in special else -1.0] for piece in PIECES],
        },
    }


def label_table() -> np.ndarray:
    """Persons for Amina and Otieno, places for Kisumu and ziwa: float32 (pieces, labels), one-hot rows."""
    label_of = {"▁Amina": 1, "▁Otieno": 2, "▁Kisumu": 3, "▁ziwa": 4}
    return np.eye(len(LABELS), dtype=np.float32)[[label_of.get(piece, 0) for piece in PIECES]]


def logits(input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
    assert attention_mask.all() and len(input_ids) == 1  # batch 1, no padding
    rows: np.ndarray = label_table()[input_ids]
    return rows


def encoder(max_length: int = 512) -> WordEncoder:
    return WordEncoder(tokenizer_json(), max_length)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle folder whose model looks each sub-word up in `label_table`."""
    folder = tmp_path / "bundle"
    (folder / "onnx").mkdir(parents=True)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json()), encoding="utf-8")
    config = {"id2label": {str(i): label for i, label in enumerate(LABELS)}}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    ids, mask, rows = (
        onnx.helper.make_tensor_value_info(name, kind, shape)
        for name, kind, shape in (
            ("input_ids", onnx.TensorProto.INT64, ["b", "n"]),
            ("attention_mask", onnx.TensorProto.INT64, ["b", "n"]),
            ("logits", onnx.TensorProto.FLOAT, ["b", "n", len(LABELS)]),
        )
    )
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Gather", ["table", "input_ids"], ["logits"])],
        "lookup",
        [ids, mask],
        [rows],
        [onnx.numpy_helper.from_array(label_table(), "table")],
    )
    opset = onnx.helper.make_opsetid("", 17)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), folder / "onnx" / "model.onnx")
    return folder


def random_tags(generator: random.Random, labels: list[str]) -> list[list[str]]:
    return [generator.choices(labels, k=generator.randint(1, 12)) for _ in range(generator.randint(1, 40))]


@pytest.mark.parametrize("seed", range(12))
def test_scores_equal_seqevals_default_on_random_tags(seed: int) -> None:
    # Random tags are full of orphan I-, of I- after another type, and of entities at sentence ends.
    generator = random.Random(seed)
    types = ["PER", "LOC", "ORG", "DATE", "multi-part"][: 1 + seed % 5]
    labels = ["O", "O", *(f"{prefix}-{type_}" for type_ in types for prefix in "BI")]
    gold = random_tags(generator, labels)
    pred = [[t if generator.random() < 0.7 else generator.choice(labels) for t in tags] for tags in gold]
    scores = entity_scores(gold, pred)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert scores.f1 == pytest.approx(100 * f1_score(gold, pred), abs=1e-9)
        assert scores.precision == pytest.approx(100 * precision_score(gold, pred), abs=1e-9)
        assert scores.recall == pytest.approx(100 * recall_score(gold, pred), abs=1e-9)
        report = classification_report(gold, pred, output_dict=True)
    assert scores.support == report["micro avg"]["support"]
    assert set(scores.per_type) == {name for name in report if not name.endswith(" avg")}
    for type_, row in scores.per_type.items():
        theirs = report[type_]
        ours = (row["precision"] / 100, row["recall"] / 100, row["f1"] / 100, row["support"])
        assert ours == pytest.approx((theirs["precision"], theirs["recall"], theirs["f1-score"], theirs["support"]))


def test_intervals_hold_the_scores() -> None:
    gold = [["B-PER", "O", "B-LOC"], ["B-LOC", "I-LOC"], ["O"]] * 20
    pred = [["B-PER", "O", "O"], ["B-LOC", "I-LOC"], ["O"]] * 20
    scores = entity_scores(gold, pred)
    assert scores.interval[0] < scores.f1 < scores.interval[1] <= 100.0
    assert scores.per_type["PER"]["interval"] == (100.0, 100.0)
    low, high = scores.per_type["LOC"]["interval"]
    assert low < scores.per_type["LOC"]["f1"] < high


def test_no_entities_score_zero_without_nan() -> None:
    scores = entity_scores([["O", "O"]], [["O", "O"]])
    assert (scores.f1, scores.support, scores.per_type, scores.interval) == (0.0, 0, {}, (0.0, 0.0))
    assert entity_scores([["O"]], [["B-PER"]]).per_type["PER"]["support"] == 0


def test_misaligned_tags_are_refused() -> None:
    with pytest.raises(ValueError, match="sentence 0"):
        entity_scores([["O", "O"]], [["O"]])


def test_prediction_gives_one_tag_per_word_even_where_a_word_has_no_sub_words() -> None:
    steps: list[tuple[int, int]] = []
    sentences = [
        Sentence(("Amina", "Otieno", "na", "Kisumu"), ("O",) * 4),
        Sentence(("\ufe0f", "ziwa"), ("O",) * 2),
    ]
    tags = predict(logits, encoder(), LABELS, sentences, lambda done, total: steps.append((done, total)))
    assert tags[0] == ["B-PER", "I-PER", "O", "B-LOC"]
    assert len(tags[1]) == 2 and tags[1][1] == "I-LOC"
    assert steps == [(1, 2), (2, 2)]


def test_prediction_truncates_nothing() -> None:
    words = ("na",) * 40 + ("Amina", "Otieno")
    tags = predict(logits, encoder(max_length=8), LABELS, [Sentence(words, ("O",) * 42)])
    assert tags == [["O"] * 40 + ["B-PER", "I-PER"]]


SENTENCES = (
    Sentence(("Amina", "na", "Kisumu"), ("B-PER", "O", "B-LOC")),
    Sentence(("Otieno", "na", "ziwa"), ("B-PER", "O", "O")),
)


def test_a_bundle_is_scored_on_what_it_predicts(bundle: Path) -> None:
    steps: list[tuple[int, int]] = []
    evaluation = evaluate_bundle(bundle, SENTENCES, LABELS, lambda done, total: steps.append((done, total)))
    assert steps == [(1, 2), (2, 2)]
    assert [s.words for s in evaluation.predictions] == [s.words for s in SENTENCES]
    assert [s.tags for s in evaluation.predictions] == [
        ("B-PER", "O", "B-LOC"),
        ("I-PER", "O", "I-LOC"),
    ]
    # The orphan I-PER opens an entity, which is right; I-LOC opens one that gold does not have.
    assert evaluation.scores.precision == pytest.approx(75.0)
    assert evaluation.scores.recall == pytest.approx(100.0)
    assert evaluation.notes == ()


def test_a_zipped_bundle_scores_the_same(bundle: Path, tmp_path: Path) -> None:
    packed = tmp_path / "bundle.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in bundle.rglob("*.*"):
            archive.write(file, file.relative_to(bundle))
    assert evaluate_bundle(packed, SENTENCES, LABELS) == evaluate_bundle(bundle, SENTENCES, LABELS)


def test_a_zip_that_escapes_is_refused(tmp_path: Path) -> None:
    packed = tmp_path / "bundle.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../config.json", "{}")
    with pytest.raises(UserError, match="not a sound bundle"):
        evaluate_bundle(packed, SENTENCES, LABELS)
    assert not (tmp_path.parent / "config.json").exists()


def test_a_model_that_reaches_out_of_its_folder_is_refused(bundle: Path) -> None:
    path = bundle / "onnx" / "model.onnx"
    model = onnx.load(path)
    table = model.graph.initializer[0]
    (bundle / "weights.bin").write_bytes(table.raw_data)
    table.ClearField("raw_data")
    table.data_location = onnx.TensorProto.EXTERNAL
    table.external_data.add(key="location", value="../weights.bin")
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match=r"model\.onnx keeps weights in '\.\./weights\.bin'"):
        evaluate_bundle(bundle, SENTENCES, LABELS)


def test_a_folder_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"config\.json"):
        evaluate_bundle(tmp_path / "nowhere", SENTENCES, LABELS)


def test_labels_that_the_bundle_does_not_know_are_refused_with_both_lists(bundle: Path) -> None:
    with pytest.raises(UserError) as caught:
        evaluate_bundle(bundle, SENTENCES, ("O", "B-PER", "B-ORG"))
    assert "O, B-PER, I-PER, B-LOC, I-LOC" in caught.value.message
    assert "O, B-PER, B-ORG" in caught.value.message


def test_types_that_only_the_bundle_knows_are_noted(bundle: Path) -> None:
    evaluation = evaluate_bundle(bundle, SENTENCES[:1], ("O", "B-PER", "I-PER"))
    assert evaluation.notes == ("The data has no LOC: every such entity the bundle finds counts as wrong.",)
