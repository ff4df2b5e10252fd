"""Magnitude pruning takes exactly the smallest weights, and they stay zero under training."""

from __future__ import annotations

import pytest
import torch
from transformers import (
    ElectraConfig,
    ElectraForTokenClassification,
    PreTrainedModel,
    XLMRobertaConfig,
    XLMRobertaForTokenClassification,
)

from export.runtime.errors import UserError
from toolkit.pruning.magnitude import keep_masks, magnitude_prune, prunable_weights, share_of_zeros

SHAPE = {"vocab_size": 40, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
SHAPE |= {"intermediate_size": 24, "max_position_embeddings": 40, "pad_token_id": 1}
IDS = torch.tensor([[0, 7, 12, 30, 9, 2]])
LABELS = torch.tensor([[-100, 0, 1, 2, 0, -100]])
MATRICES_PER_LAYER = 6


def tiny(architecture: str = "xlm-r") -> PreTrainedModel:
    torch.manual_seed(0)
    if architecture == "electra":
        return ElectraForTokenClassification(ElectraConfig(**SHAPE, embedding_size=16, num_labels=3))
    return XLMRobertaForTokenClassification(XLMRobertaConfig(**SHAPE, num_labels=3))


@pytest.mark.parametrize("architecture", ["xlm-r", "electra"])
def test_only_matrices_of_transformer_layers_are_prunable(architecture: str) -> None:
    names = prunable_weights(tiny(architecture))
    assert len(names) == 2 * MATRICES_PER_LAYER
    assert all(".encoder.layer." in name and name.endswith(".weight") for name in names)
    with_embedding = prunable_weights(tiny(architecture), embeddings=True)
    assert {name.rsplit(".", 2)[-2] for name in with_embedding.keys() - names.keys()} == {"word_embeddings"}


@pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.95])
def test_global_pruning_zeroes_the_smallest_weights_of_all(sparsity: float) -> None:
    model = tiny()
    before = {name: weight.detach().clone() for name, weight in prunable_weights(model).items()}
    report = magnitude_prune(model, sparsity, "global")
    dropped, kept = [], []
    for name, weight in prunable_weights(model).items():
        dropped.append(before[name][weight == 0].abs())
        kept.append(before[name][weight != 0].abs())
        assert torch.equal(weight[weight != 0], before[name][weight != 0])
    total = sum(weight.numel() for weight in before.values())
    assert sum(map(len, dropped)) == round(sparsity * total)
    assert torch.cat(dropped).max() <= torch.cat(kept).min()
    assert report.sparsity == pytest.approx(sparsity, abs=1e-3)
    zeros = sum(int((parameter == 0).sum()) for parameter in model.parameters())
    assert report.overall == pytest.approx(zeros / model.num_parameters())


def test_layer_scope_takes_the_same_share_from_each_tensor() -> None:
    model = tiny()
    with torch.no_grad():
        next(iter(prunable_weights(model).values())).mul_(100)
    report = magnitude_prune(model, 0.5, "layer")
    assert set(report.tensors.values()) == {0.5}
    globally = magnitude_prune(model, 0.75, "global")
    assert len(set(globally.tensors.values())) > 1


def test_everything_else_is_left_alone() -> None:
    model = tiny()
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    pruned = magnitude_prune(model, 0.9).tensors
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name]) == (name not in pruned)


def test_no_sparsity_changes_nothing() -> None:
    model = tiny()
    before = {name: weight.detach().clone() for name, weight in prunable_weights(model).items()}
    assert magnitude_prune(model, 0.0).sparsity == 0
    assert all(torch.equal(weight, before[name]) for name, weight in prunable_weights(model).items())


def test_the_word_embedding_is_pruned_on_request() -> None:
    model = tiny("electra")
    report = magnitude_prune(model, 0.5, "layer", embeddings=True)
    assert report.tensors["electra.embeddings.word_embeddings.weight"] == pytest.approx(0.5, abs=0.01)


def test_equal_magnitudes_are_pruned_to_the_exact_share() -> None:
    model = tiny()
    with torch.no_grad():
        for weight in prunable_weights(model).values():
            weight.fill_(0.5)
    assert magnitude_prune(model, 0.3).sparsity == pytest.approx(0.3, abs=1e-4)


def test_zeros_already_there_count_towards_the_share() -> None:
    model = tiny()
    magnitude_prune(model, 0.6)
    before = {name: weight.detach().clone() for name, weight in prunable_weights(model).items()}
    assert magnitude_prune(model, 0.4).sparsity == pytest.approx(0.6, abs=1e-3)
    assert all(torch.equal(weight, before[name]) for name, weight in prunable_weights(model).items())


def train(model: PreTrainedModel, steps: int) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.05, weight_decay=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        model(input_ids=IDS, labels=LABELS).loss.backward()
        optimizer.step()


def test_pruned_weights_stay_zero_while_the_others_train() -> None:
    model = tiny()
    magnitude_prune(model, 0.7)
    masks = {name: weight.detach() == 0 for name, weight in prunable_weights(model).items()}
    before = {name: weight.detach().clone() for name, weight in prunable_weights(model).items()}
    names = set(model.state_dict())
    with keep_masks(model):
        train(model, steps=5)
    for name, weight in prunable_weights(model).items():
        assert torch.equal(weight == 0, masks[name])
        assert not torch.equal(weight, before[name])
    assert set(model.state_dict()) == names
    assert all(parameter._backward_hooks is None or not parameter._backward_hooks for parameter in model.parameters())


def test_without_the_masks_pruned_weights_come_back() -> None:
    model = tiny()
    magnitude_prune(model, 0.7)
    with keep_masks(model):
        pass
    train(model, steps=1)
    assert share_of_zeros(prunable_weights(model).values()) < 0.1


@pytest.mark.parametrize("sparsity", [-0.1, 1.0, 95, float("nan")])
def test_a_sparsity_that_is_no_share_is_refused(sparsity: float) -> None:
    with pytest.raises(UserError, match="not a share"):
        magnitude_prune(tiny(), sparsity)


def test_an_unknown_scope_is_refused() -> None:
    with pytest.raises(UserError, match="scope"):
        magnitude_prune(tiny(), 0.5, "everything")  # type: ignore[arg-type]
