"""What a student is trained on: each term is nothing when it imitates perfectly, and pulls when it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional

from toolkit.features import IGNORED
from toolkit.losses import (
    Batch,
    TaskAgnosticLoss,
    TaskSpecificLoss,
    mask_tokens,
    masked_language_model,
    normalised_mse,
    soft_cross_entropy,
)
from toolkit.recipe import DistillConfig
from toolkit.student import encoder_of

ARCHITECTURES = ["xlm-roberta", "electra"]
MASK = 401
Build = Callable[..., Any]


def batch(labelled: bool = True) -> Batch:
    """Two sentences of which the first has three words and the second one; the second is unlabelled."""
    return {
        "input_ids": torch.tensor([[0, 5, 77, 200, 9, 2], [0, 6, 12, 2, 1, 1]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]]),
        "rows": torch.tensor([0, 0, 0, 1]),
        "positions": torch.tensor([1, 2, 4, 1]),
        "labels": torch.tensor([1, 0, 3, IGNORED] if labelled else [IGNORED] * 4),
    }


def word_logits(model: Any, words: Batch) -> torch.Tensor:
    output = model(input_ids=words["input_ids"], attention_mask=words["attention_mask"])
    return output.logits[words["rows"], words["positions"]]


def config(**weights: float) -> DistillConfig:
    return DistillConfig(**{"gold": 0.0, "logits": 0.0, **weights})  # type: ignore[arg-type]


def test_imitated_logits_cost_nothing_and_others_what_the_formula_says() -> None:
    student, teacher = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([[0.0, 1.0, 3.0]])
    assert float(soft_cross_entropy(teacher, teacher, 2.0)) == pytest.approx(0, abs=1e-7)
    p, q = (torch.softmax(logits / 2, -1) for logits in (teacher, student))
    expected = 4 * float((p * (p / q).log()).sum())
    assert float(soft_cross_entropy(student, teacher, 2.0)) == pytest.approx(expected, rel=1e-5)


def test_the_squared_temperature_keeps_the_gradients_size() -> None:
    sizes = []
    for temperature in (10.0, 100.0):
        student = torch.tensor([[0.5, 0.0, -0.5]], requires_grad=True)
        soft_cross_entropy(student, torch.tensor([[0.0, 0.5, 0.2]]), temperature).backward()
        sizes.append(float(student.grad.abs().sum()))  # type: ignore[union-attr]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)


def test_the_mean_over_words_is_taken() -> None:
    student, teacher = torch.randn(1, 5), torch.randn(1, 5)
    one = soft_cross_entropy(student, teacher, 2.0)
    three = soft_cross_entropy(student.repeat(3, 1), teacher.repeat(3, 1), 2.0)
    assert torch.allclose(one, three)


def test_hidden_states_are_compared_without_their_scale() -> None:
    states = torch.randn(4, 16, generator=torch.Generator().manual_seed(0))
    assert float(normalised_mse(3 * states + 1, states)) == pytest.approx(0, abs=1e-6)
    assert float(normalised_mse(-states, states)) == pytest.approx(4, rel=1e-3)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("term", ["logits", "hidden", "attention"])
def test_a_teacher_that_imitates_itself_has_nothing_to_learn(
    build_model: Build, architecture: str, term: str
) -> None:
    teacher = build_model(architecture)
    words = batch()
    words["teacher_logits"] = word_logits(teacher, words).detach()
    assert float(TaskSpecificLoss(config(**{term: 1.0}), teacher)(teacher, words)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("term", ["gold", "logits", "hidden", "attention"])
def test_every_term_pulls_the_student(build_model: Build, architecture: str, term: str) -> None:
    teacher = build_model(seed=1)
    student = build_model(architecture, num_hidden_layers=1, num_attention_heads=4)
    words = batch()
    words["teacher_logits"] = word_logits(teacher, words).detach()
    loss = TaskSpecificLoss(config(**{term: 1.0}), teacher)
    before = loss(student, words)
    before.backward()
    query = encoder_of(student).encoder.layer[0].attention.self.query.weight
    assert float(query.grad.abs().sum()) > 0
    assert all(parameter.grad is None for parameter in teacher.parameters())
    with torch.no_grad():
        for parameter in student.parameters():
            if parameter.grad is not None:
                parameter -= 1e-3 * parameter.grad / parameter.grad.norm().clamp(min=1e-9)
    assert float(loss(student, words)) < float(before)


def test_terms_are_added_with_their_weights(build_model: Build) -> None:
    teacher, student, words = build_model(seed=1), build_model(), batch()
    words["teacher_logits"] = word_logits(teacher, words).detach()
    terms = {
        name: float(TaskSpecificLoss(config(**{name: 1.0}), teacher)(student, words))
        for name in ("gold", "logits", "hidden", "attention")
    }
    weights = {"gold": 0.5, "logits": 2.0, "hidden": 3.0, "attention": 0.25}
    together = float(TaskSpecificLoss(config(**weights), teacher)(student, words))
    assert min(terms.values()) > 1e-4
    assert together == pytest.approx(sum(weights[name] * terms[name] for name in terms), rel=1e-5)


def test_a_gold_label_weighs_the_same_among_few_and_many_unlabelled_words(build_model: Build) -> None:
    student, words = build_model(), batch()
    found = float(TaskSpecificLoss(config(gold=2.0), None)(student, words))
    labelled = words["labels"] != IGNORED
    logits = word_logits(student, words)[labelled]
    expected = 2 * functional.cross_entropy(logits, words["labels"][labelled], reduction="sum") / 4
    assert found == pytest.approx(float(expected), rel=1e-5)


def test_unlabelled_sentences_are_not_compared_inside(build_model: Build) -> None:
    teacher, student = build_model(seed=1), build_model()
    words = batch()
    loss = TaskSpecificLoss(config(hidden=1.0, attention=1.0), teacher)
    before = float(loss(student, words))
    words["input_ids"][1, 1:3] = torch.tensor([300, 301])
    assert float(loss(student, words)) == pytest.approx(before, rel=1e-6)
    words["input_ids"][0, 1] = 300
    assert float(loss(student, words)) != pytest.approx(before, rel=1e-3)


def test_padding_is_not_compared_inside(build_model: Build) -> None:
    teacher, student = build_model(seed=1), build_model()
    words = batch()
    words["labels"] = torch.tensor([1, 0, 3, 2])
    loss = TaskSpecificLoss(config(hidden=1.0, attention=1.0), teacher)
    longer = {**words}
    for name, value in (("input_ids", 1), ("attention_mask", 0)):
        longer[name] = functional.pad(words[name], (0, 5), value=value)
    assert float(loss(student, longer)) == pytest.approx(float(loss(student, words)), rel=1e-4)


def test_a_batch_without_labels_leaves_the_logits_term(build_model: Build) -> None:
    teacher, student = build_model(seed=1), build_model()
    words = batch(labelled=False)
    words["teacher_logits"] = word_logits(teacher, words).detach()
    all_terms = TaskSpecificLoss(config(gold=1.0, logits=1.0, hidden=1.0, attention=1.0), teacher)
    only = TaskSpecificLoss(config(logits=1.0), None)
    assert float(all_terms(student, words)) == pytest.approx(float(only(student, words)), rel=1e-6)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_projections_bring_a_narrow_student_to_the_teachers_width(build_model: Build, architecture: str) -> None:
    teacher, student = build_model(seed=1), build_model(architecture, hidden_size=16)
    student.distill_projections = torch.nn.ModuleList(torch.nn.Linear(16, 32) for _ in range(2))
    loss = TaskSpecificLoss(config(hidden=1.0), teacher)(student, batch())
    loss.backward()
    assert all(float(layer.weight.grad.abs().sum()) > 0 for layer in student.distill_projections)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("width", [16, 32])
def test_task_agnostic_loss_reaches_encoder_head_and_table(build_model: Build, architecture: str, width: int) -> None:
    student = build_model(architecture, hidden_size=width)
    model = masked_language_model(student)
    if width != 32:
        model.distill_projections = torch.nn.ModuleList(torch.nn.Linear(width, 32) for _ in range(2))
    words = batch(labelled=False)
    words["teacher_hidden"] = torch.randn(4, 32)
    torch.manual_seed(0)
    TaskAgnosticLoss(config(hidden=1.0), MASK)(model, words).backward()
    encoder = encoder_of(student)
    assert encoder is encoder_of(model)
    assert float(encoder.encoder.layer[0].intermediate.dense.weight.grad.abs().sum()) > 0
    table = encoder.embeddings.word_embeddings.weight
    # Tied: rows of pieces that the text does not have learn that they were not the masked ones.
    assert float(table.grad[300:400].abs().sum()) > 0
    assert model.get_output_embeddings().weight is table


def test_task_agnostic_loss_is_cross_entropy_over_masked_positions_plus_hidden_states(build_model: Build) -> None:
    student = build_model()
    model, words = masked_language_model(student), batch(labelled=False)
    torch.manual_seed(3)
    ids, chosen = mask_tokens(words["input_ids"], MASK)
    output = model(input_ids=ids, attention_mask=words["attention_mask"], output_hidden_states=True)
    cross_entropy = functional.cross_entropy(output.logits[chosen], words["input_ids"][chosen])
    states = output.hidden_states[-1][words["rows"], words["positions"]]
    words["teacher_hidden"] = torch.randn(4, 32)
    expected = cross_entropy + 2 * normalised_mse(states, words["teacher_hidden"])
    torch.manual_seed(3)
    assert float(TaskAgnosticLoss(config(hidden=2.0), MASK)(model, words)) == pytest.approx(float(expected), rel=1e-5)


def test_both_losses_see_through_the_wrapper_for_several_gpus(build_model: Build) -> None:
    teacher, student, words = build_model(seed=1), build_model(hidden_size=16), batch()
    student.distill_projections = torch.nn.ModuleList(torch.nn.Linear(16, 32) for _ in range(2))
    specific = TaskSpecificLoss(config(hidden=1.0), teacher)
    assert torch.equal(specific(torch.nn.DataParallel(student), words), specific(student, words))
    model = masked_language_model(student)
    losses = []
    for wrapped in (torch.nn.DataParallel(model), model):
        torch.manual_seed(0)
        losses.append(TaskAgnosticLoss(config(), MASK)(wrapped, words))
    assert torch.equal(*losses)


def test_fifteen_percent_are_masked_in_the_shares_of_bert() -> None:
    torch.manual_seed(0)
    ids = torch.randint(4, MASK, (200, 100))
    ids[:, 0], ids[:, 90], ids[:, 91:] = 0, 2, 1
    masked, chosen = mask_tokens(ids, MASK)
    assert chosen.sum() / (200 * 89) == pytest.approx(0.15, abs=0.01)
    assert not chosen[ids < 3].any() and torch.equal(masked[~chosen], ids[~chosen])
    became, was = masked[chosen], ids[chosen]
    assert (became == MASK).float().mean() == pytest.approx(0.8, abs=0.03)
    assert (became == was).float().mean() == pytest.approx(0.1, abs=0.03)
    others = became[(became != MASK) & (became != was)]
    assert len(others) / len(became) == pytest.approx(0.1, abs=0.03)
    assert others.min() >= 4 and others.max() < MASK and len(others.unique()) > 100


def test_the_shortest_text_has_one_masked_position() -> None:
    ids = torch.tensor([[0, 3, 2, 1], [0, 9, 3, 2]])
    for seed in range(20):
        torch.manual_seed(seed)
        _, chosen = mask_tokens(ids, MASK)
        assert 1 <= int(chosen.sum()) <= 3 and not chosen[ids < 3].any()
    torch.manual_seed(0)
    _, chosen = mask_tokens(torch.tensor([[0, 3, 2]]), MASK)  # nothing but <unk>
    assert chosen.tolist() == [[False, True, False]]
