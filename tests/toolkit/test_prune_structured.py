"""Heads, neurons and layers really leave the model, the right ones do, and the result reloads."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForTokenClassification,
    ElectraConfig,
    ElectraForTokenClassification,
    PreTrainedModel,
    XLMRobertaConfig,
    XLMRobertaForTokenClassification,
)

from export.runtime.errors import UserError
from toolkit.pruning.encoder import encoder_layers
from toolkit.pruning.structured import select_ffn, select_heads, select_layers, structured_prune

SHAPE = {"vocab_size": 40, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4}
SHAPE |= {"intermediate_size": 24, "max_position_embeddings": 40, "pad_token_id": 1}
IDS = torch.tensor([[0, 7, 12, 30, 9, 2], [0, 5, 6, 2, 1, 1]])
MASK = (IDS != 1).long()
WORDS = {"rows": torch.tensor([0, 0, 0, 1, 1]), "positions": torch.tensor([1, 2, 4, 1, 2])}
BATCHES = [{"input_ids": IDS, "attention_mask": MASK, "labels": torch.tensor([0, 1, 2, 2, 1]), **WORDS}]
both = pytest.mark.parametrize("architecture", ["xlm-r", "electra"])


def tiny(architecture: str) -> PreTrainedModel:
    torch.manual_seed(0)
    if architecture == "electra":
        model = ElectraForTokenClassification(ElectraConfig(**SHAPE, embedding_size=16, num_labels=3))
    else:
        model = XLMRobertaForTokenClassification(XLMRobertaConfig(**SHAPE, num_labels=3))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


@torch.no_grad()
def logits(model: PreTrainedModel) -> torch.Tensor:
    return model(input_ids=IDS, attention_mask=MASK).logits[MASK.bool()]


def silence(model: PreTrainedModel, heads: list[list[int]], neurons: list[list[int]]) -> None:
    """Cut what these units send on, so that removing them must change nothing."""
    with torch.no_grad():
        for layer, dead_heads, dead_neurons in zip(encoder_layers(model), heads, neurons, strict=True):
            for head in dead_heads:
                layer.attention.output.dense.weight[:, head * 8 : head * 8 + 8] = 0
            layer.output.dense.weight[:, dead_neurons] = 0


@both
def test_units_that_contribute_nothing_are_the_ones_removed(architecture: str) -> None:
    model = tiny(architecture)
    dead_neurons = [[0, 5, 9, 23], [1, 2, 3, 4], [20, 21, 22, 23]]
    silence(model, heads=[[0, 3], [2], []], neurons=dead_neurons)
    before = logits(model)
    report = structured_prune(model, BATCHES, heads_to_keep=9, ffn_to_keep=20)
    assert report.heads == ((1, 2), (0, 1, 3), (0, 1, 2, 3))
    assert torch.allclose(logits(model), before, atol=1e-5)
    width = 3 * 3 * (32 * 8 + 8) + 3 * 32 * 8  # three heads less of query, key, value, and of the output
    neurons = 3 * 4 * (32 + 1 + 32)
    assert report.parameters_before - report.parameters_after == width + neurons


@both
def test_a_pruned_model_reloads_with_uneven_heads(architecture: str, tmp_path: Path) -> None:
    model = tiny(architecture)
    select_heads(model, [[1], [0, 2, 3], [0, 1, 2, 3]])
    select_ffn(model, [torch.tensor([0, 3, 7])] * 3)
    model.save_pretrained(tmp_path)
    again = AutoModelForTokenClassification.from_pretrained(tmp_path).eval()
    assert [layer.attention.self.num_attention_heads for layer in encoder_layers(again)] == [1, 3, 4]
    assert encoder_layers(again)[0].intermediate.dense.weight.shape == (3, 32)
    assert torch.equal(logits(again), logits(model))


@both
def test_a_reloaded_model_can_be_pruned_again(architecture: str, tmp_path: Path) -> None:
    model = tiny(architecture)
    select_heads(model, [[1, 3], [0, 2, 3], [0, 1, 2, 3]])
    model.save_pretrained(tmp_path / "once")
    model = AutoModelForTokenClassification.from_pretrained(tmp_path / "once").eval()
    report = structured_prune(model, BATCHES, heads_to_keep=2, ffn_to_keep=6, layers_to_keep=[1, 2])
    assert report.layers == (1, 2)
    assert len(report.heads[0]) == 1 and report.heads[0][0] in (0, 2, 3)
    model.save_pretrained(tmp_path / "twice")
    again = AutoModelForTokenClassification.from_pretrained(tmp_path / "twice").eval()
    assert torch.equal(logits(again), logits(model))


@both
def test_a_dropped_layer_is_skipped_and_the_rest_renumbered(architecture: str, tmp_path: Path) -> None:
    model = tiny(architecture)
    states: list[torch.Tensor] = []
    second, third = encoder_layers(model)[1:]
    third.register_forward_pre_hook(lambda module, args: states.append(args[0].clone()))
    select_layers(model, [0, 2])
    logits(model)
    first_output: list[torch.Tensor] = []
    encoder_layers(model)[0].register_forward_hook(lambda m, a, output: first_output.append(output[0]))
    logits(model)
    assert torch.equal(states[-1], first_output[-1])
    assert second not in list(model.modules())
    assert model.config.num_hidden_layers == 2
    assert [layer.attention.self.layer_idx for layer in encoder_layers(model)] == [0, 1]


def test_the_layer_that_changes_least_is_dropped() -> None:
    model = tiny("xlm-r")
    silence(model, heads=[[], [0, 1, 2, 3], []], neurons=[[], list(range(24)), []])
    report = structured_prune(model, BATCHES, layers_to_keep=2)
    assert report.layers == (0, 2)


def test_every_layer_keeps_a_head() -> None:
    model = tiny("xlm-r")
    silence(model, heads=[[0, 1, 2, 3], [], []], neurons=[[], [], []])
    report = structured_prune(model, BATCHES, heads_to_keep=5)
    assert len(report.heads[0]) == 1
    assert sum(len(heads) for heads in report.heads) == 5


@pytest.mark.parametrize(
    "request_",
    [
        {"heads_to_keep": 2},
        {"heads_to_keep": 13},
        {"ffn_to_keep": 0},
        {"ffn_to_keep": 25},
        {"layers_to_keep": 0},
        {"layers_to_keep": 4},
        {"layers_to_keep": []},
        {"layers_to_keep": [0, 3]},
        {"layers_to_keep": [-1]},
        {"layers_to_keep": [1, 1]},
    ],
)
def test_numbers_that_the_model_does_not_have_are_refused(request_: dict[str, object]) -> None:
    with pytest.raises(UserError, match="Pruning cannot keep"):
        structured_prune(tiny("xlm-r"), BATCHES, **request_)  # type: ignore[arg-type]


def test_layers_of_different_feed_forward_width_are_refused() -> None:
    with pytest.raises(ValueError, match="same number"):
        select_ffn(tiny("xlm-r"), [torch.arange(3), torch.arange(4), torch.arange(3)])
