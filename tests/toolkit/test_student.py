"""What a student takes over from its teacher, and what shape it gets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers import (
    AutoModelForTokenClassification,
    ElectraForTokenClassification,
    XLMRobertaForTokenClassification,
)

from export.runtime.encode import WordEncoder
from export.runtime.errors import UserError
from toolkit.data.types import Labelled
from toolkit.features import examples
from toolkit.recipe import StudentConfig
from toolkit.student import build_student, encoder_of, layer_map

ROWS = 402
IDS = torch.tensor([[0, 5, 77, 200, 401, 9, 2], [0, 6, 12, 2, 1, 1, 1]])


@pytest.fixture(scope="module")
def tagger(teacher: Path) -> Any:
    return AutoModelForTokenClassification.from_pretrained(teacher, attn_implementation="eager").eval()


@pytest.fixture(scope="module")
def text(teacher: Path, few: Labelled) -> list[torch.Tensor]:
    """Ids of real text."""
    found = examples(WordEncoder.load(teacher), [sentence.words for sentence in few.train])
    return [torch.from_numpy(example["input_ids"]) for example in found]


def outputs(model: Any, ids: torch.Tensor = IDS) -> Any:
    with torch.inference_mode():
        return model.eval()(input_ids=ids, attention_mask=(ids != 1).long(), output_hidden_states=True)


def embedded(encoder: Any, ids: torch.Tensor) -> torch.Tensor:
    """What goes into the first layer, float32 (b, n, hidden)."""
    with torch.inference_mode():
        states = encoder.embeddings(input_ids=ids)
        return encoder.embeddings_project(states) if hasattr(encoder, "embeddings_project") else states


def explained(prediction: torch.Tensor, target: torch.Tensor) -> float:
    """R2 of a prediction, both (n, width)."""
    return float(1 - (prediction - target).square().sum() / (target - target.mean(0)).square().sum())


@pytest.mark.parametrize(
    ("teacher_layers", "student_layers", "expected"),
    [
        (4, 4, [0, 1, 2, 3]),
        (8, 4, [1, 3, 5, 7]),
        (10, 4, [1, 4, 7, 9]),
        (8, 6, [0, 2, 3, 4, 6, 7]),
        (2, 1, [1]),
        (4, 6, [0, 0, 1, 2, 2, 3]),
        (2, 8, [0, 0, 0, 0, 0, 1, 1, 1]),
    ],
)
def test_layers_are_mapped_evenly_and_the_last_to_the_last(
    teacher_layers: int, student_layers: int, expected: list[int]
) -> None:
    assert layer_map(teacher_layers, student_layers) == expected


def test_a_student_of_the_teachers_shape_is_the_teacher(tagger: Any, text: list[torch.Tensor]) -> None:
    student, report = build_student(tagger, StudentConfig(layers=2, heads=2), ROWS, text)
    assert isinstance(student, XLMRobertaForTokenClassification)
    assert torch.equal(outputs(student).logits, outputs(tagger).logits)
    assert report.taken_over == ("embeddings", "layers 1, 2", "tagging head")
    assert report.embedding_variance == 1.0
    assert report.parameters == sum(parameter.numel() for parameter in tagger.parameters())
    assert student.config.id2label == tagger.config.id2label


def test_fewer_layers_start_from_evenly_spaced_ones(tagger: Any, text: list[torch.Tensor]) -> None:
    student, report = build_student(tagger, StudentConfig(layers=1, heads=2), ROWS, text)
    (layer,) = student.roberta.encoder.layer
    expected = tagger.roberta.encoder.layer[1].state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in layer.state_dict().items())
    assert "layers 2" in report.taken_over


def test_other_heads_cut_the_same_matrices_anew(tagger: Any, text: list[torch.Tensor]) -> None:
    student, _ = build_student(tagger, StudentConfig(layers=2, heads=4), ROWS, text)
    query = student.roberta.encoder.layer[0].attention.self.query.weight
    assert torch.equal(query, tagger.roberta.encoder.layer[0].attention.self.query.weight)
    assert student.roberta.encoder.layer[0].attention.self.num_attention_heads == 4
    assert not torch.allclose(outputs(student).logits, outputs(tagger).logits)


def test_a_narrower_feed_forward_layer_keeps_the_most_important_neurons(
    tagger: Any, text: list[torch.Tensor]
) -> None:
    importance = [torch.arange(64.0), 63 - torch.arange(64.0)]
    student, report = build_student(tagger, StudentConfig(layers=2, heads=2, ffn=24), ROWS, text, importance)
    for layer, kept in ((0, slice(40, 64)), (1, slice(0, 24))):
        small, large = (model.roberta.encoder.layer[layer] for model in (student, tagger))
        assert torch.equal(small.intermediate.dense.weight, large.intermediate.dense.weight[kept])
        assert torch.equal(small.intermediate.dense.bias, large.intermediate.dense.bias[kept])
        assert torch.equal(small.output.dense.weight, large.output.dense.weight[:, kept])
    assert report.taken_over[2] == "the 24 most important feed-forward neurons of each"


def test_a_wider_feed_forward_layer_is_new_and_attention_is_taken_over(tagger: Any, text: list[torch.Tensor]) -> None:
    student, _ = build_student(tagger, StudentConfig(layers=2, heads=2, ffn=96), ROWS, text)
    small, large = (model.roberta.encoder.layer[0] for model in (student, tagger))
    assert small.output.dense.weight.shape == (32, 96)
    assert torch.equal(small.attention.output.dense.weight, large.attention.output.dense.weight)


def test_an_embedding_one_narrower_stands_in_for_the_teachers(tagger: Any, text: list[torch.Tensor]) -> None:
    student, report = build_student(tagger, StudentConfig(layers=2, heads=2, embedding=31), ROWS, text)
    assert isinstance(student, ElectraForTokenClassification)
    assert report.embedding_variance is not None and 0.95 < report.embedding_variance < 1
    assert report.taken_over[:2] == (
        "embeddings, first 31 principal components",
        "embedding projection by least squares",
    )
    # Positions are counted from pad + 1 in the teacher and from 0 in the student: moved by one, this fails.
    targets = torch.cat([embedded(tagger.roberta, ids[None])[0] for ids in text])
    found = torch.cat([embedded(student.electra, ids[None])[0] for ids in text])
    assert explained(found, targets) > 0.94
    logits = [outputs(model, text[0][None]).logits for model in (student, tagger)]
    assert (logits[0] - logits[1]).abs().mean() < 0.5 * logits[1].std()


def test_positions_of_a_narrow_student_are_the_teachers(tagger: Any, text: list[torch.Tensor]) -> None:
    student, _ = build_student(tagger, StudentConfig(layers=1, heads=2, embedding=31), ROWS, text)
    source = tagger.roberta.embeddings.position_embeddings.weight[2:]
    target = student.electra.embeddings.position_embeddings.weight
    assert student.config.max_position_embeddings == len(target) == len(source) == 512
    # An orthonormal basis keeps angles but for what it leaves out.
    before, after = (nn.functional.normalize(rows) @ nn.functional.normalize(rows).T for rows in (source, target))
    assert (before - after).abs().mean() < 0.05


def test_a_narrower_table_keeps_less_variance(tagger: Any, text: list[torch.Tensor]) -> None:
    kept = [
        build_student(tagger, StudentConfig(layers=1, heads=2, embedding=width), ROWS, text)[1].embedding_variance
        for width in (31, 16, 4)
    ]
    assert None not in kept and kept == sorted(kept, reverse=True)  # type: ignore[type-var]
    # Random rows have no direction that stands out: a share of the width is a share of the variance.
    assert kept[1] == pytest.approx(16 / 32, abs=0.12)


def test_frequent_pieces_are_kept_more_faithfully(tagger: Any) -> None:
    frequent = torch.arange(10, 14)
    text = [frequent.repeat(20)] * 40
    student, _ = build_student(tagger, StudentConfig(layers=1, heads=2, embedding=4), ROWS, text)
    table = tagger.roberta.embeddings.word_embeddings.weight
    small = student.electra.embeddings.word_embeddings.weight
    kept = small.square().sum(1) / (table - table.mean(0)).square().sum(1)
    assert kept[frequent].mean() > 0.9 > 0.3 > kept[100:].mean()


def test_a_narrower_xlm_r_student_has_its_positions_behind_the_padding(tagger: Any, text: list[torch.Tensor]) -> None:
    student, report = build_student(tagger, StudentConfig(layers=1, heads=2, hidden=16), ROWS, text)
    assert isinstance(student, XLMRobertaForTokenClassification)
    assert report.taken_over == ("embeddings, first 16 principal components",)
    positions = [model.roberta.embeddings.position_embeddings.weight for model in (student, tagger)]
    before, after = (nn.functional.normalize(rows[2:]) for rows in (positions[1], positions[0]))
    same = ((before @ before.T) * (after @ after.T)).mean()
    shifted = ((before @ before.T)[1:, 1:] * (after @ after.T)[:-1, :-1]).mean()
    assert same > 2 * shifted or shifted <= 0
    assert not positions[0][1].any()  # the padding's own row
    assert outputs(student).logits.shape == (2, 7, 9)


def test_a_student_wider_than_the_teacher_starts_fresh(tagger: Any, text: list[torch.Tensor]) -> None:
    student, report = build_student(tagger, StudentConfig(layers=2, heads=4, hidden=48), ROWS, text)
    assert report.taken_over == () and report.embedding_variance is None
    assert student.config.hidden_size == 48
    assert outputs(student).logits.shape == (2, 7, 9)


def test_a_random_start_takes_nothing_over(tagger: Any, text: list[torch.Tensor]) -> None:
    torch.manual_seed(1)
    student, report = build_student(tagger, StudentConfig(layers=2, heads=2, start="random"), ROWS, text)
    assert report.taken_over == () and report.embedding_variance is None
    own, theirs = (model.roberta.embeddings.word_embeddings.weight for model in (student, tagger))
    assert abs(np.corrcoef(own.detach().flatten(), theirs.detach().flatten())[0, 1]) < 0.1


@pytest.mark.parametrize("embedding", [0, 16])
def test_a_student_saves_and_loads_with_the_same_logits(
    tagger: Any, text: list[torch.Tensor], tmp_path: Path, embedding: int
) -> None:
    student, _ = build_student(tagger, StudentConfig(layers=2, heads=2, embedding=embedding), ROWS, text)
    student.save_pretrained(tmp_path)
    again = AutoModelForTokenClassification.from_pretrained(tmp_path)
    assert type(again) is type(student)
    assert torch.allclose(outputs(again).logits, outputs(student).logits, atol=1e-6)
    assert again.config.hidden_dropout_prob == again.config.attention_probs_dropout_prob == 0.0


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (StudentConfig(layers=2, heads=3), "width 32 cannot have 3 heads"),
        (StudentConfig(layers=2, heads=2, hidden=16, embedding=24), r"embedding \(24\) is wider than its hidden"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(tagger: Any, shape: StudentConfig, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        build_student(tagger, shape, ROWS, [])


@pytest.mark.parametrize("architecture", ["xlm-roberta", "electra"])
def test_the_encoder_is_what_lies_below_the_head(build_model: Callable[..., Any], architecture: str) -> None:
    model = build_model(architecture)
    states = encoder_of(model)(input_ids=IDS, attention_mask=(IDS != 1).long())[0]
    assert torch.equal(model.classifier(states), outputs(model).logits)
