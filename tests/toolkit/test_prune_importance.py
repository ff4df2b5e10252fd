"""First-order importance against explicit gates, for both architectures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import (
    ElectraConfig,
    ElectraForTokenClassification,
    PreTrainedModel,
    XLMRobertaConfig,
    XLMRobertaForTokenClassification,
)

from toolkit.features import Example, collate
from toolkit.pruning.encoder import encoder_layers
from toolkit.pruning.importance import (
    Batch,
    ffn_importance,
    head_importance,
    importance_batches,
    layer_importance,
)

SHAPE = {"vocab_size": 40, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
SHAPE |= {"intermediate_size": 24, "max_position_embeddings": 40, "pad_token_id": 1}


def tiny(architecture: str) -> PreTrainedModel:
    torch.manual_seed(0)
    if architecture == "electra":
        return ElectraForTokenClassification(ElectraConfig(**SHAPE, embedding_size=16, num_labels=3)).eval()
    return XLMRobertaForTokenClassification(XLMRobertaConfig(**SHAPE, num_labels=3)).eval()


def example(length: int, seed: int) -> Example:
    draw = np.random.default_rng(seed)
    first = np.arange(1, length - 1, 2)
    return {
        "input_ids": draw.integers(4, 40, length),
        "first": first,
        "labels": draw.integers(0, 3, len(first)),
    }


def sentence(length: int, seed: int) -> Batch:
    return collate([example(length, seed)], pad_id=1)


def loss_of(model: PreTrainedModel, batch: Batch, **options: torch.Tensor) -> torch.Tensor:
    output = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], **options)
    labelled = output.logits[batch["rows"], batch["positions"]].log_softmax(-1)
    return -labelled.gather(1, batch["labels"][:, None]).sum()


@pytest.mark.parametrize("architecture", ["xlm-r", "electra"])
def test_head_importance_is_the_gradient_of_a_head_mask(architecture: str) -> None:
    model = tiny(architecture)
    sentences = [sentence(7, seed=1), sentence(12, seed=2)]
    expected = torch.zeros(2, 4)
    for one in sentences:
        gates = torch.ones(2, 4, requires_grad=True)
        expected += torch.autograd.grad(loss_of(model, one, head_mask=gates), gates)[0].abs() / len(sentences)
    assert torch.allclose(torch.stack(head_importance(model, sentences)), expected, rtol=1e-3, atol=1e-6)
    assert expected.min() > 0


@pytest.mark.parametrize("architecture", ["xlm-r", "electra"])
def test_ffn_importance_is_the_gradient_of_a_gate_on_each_neuron(architecture: str) -> None:
    model = tiny(architecture)
    one = sentence(9, seed=3)
    gates = [torch.ones(24, requires_grad=True) for _ in range(2)]
    handles = [
        layer.intermediate.register_forward_hook(lambda module, args, output, gate=gate: output * gate)
        for layer, gate in zip(encoder_layers(model), gates, strict=True)
    ]
    expected = [gradient.abs() for gradient in torch.autograd.grad(loss_of(model, one), gates)]
    for handle in handles:
        handle.remove()
    for scores, gate_gradient in zip(ffn_importance(model, [one]), expected, strict=True):
        assert torch.allclose(scores, gate_gradient, rtol=1e-3, atol=1e-6)


def test_importance_does_not_depend_on_how_sentences_are_batched() -> None:
    model = tiny("xlm-r")
    examples = [example(length, seed=length) for length in (5, 9, 14)]
    alone = [collate([one], pad_id=1) for one in examples]
    one_by_one = head_importance(model, alone) + ffn_importance(model, alone)
    batch = [collate(examples, pad_id=1)]
    together = head_importance(model, batch) + ffn_importance(model, batch)
    for single, padded in zip(one_by_one, together, strict=True):
        assert torch.allclose(single, padded, rtol=1e-3, atol=1e-6)


def test_the_sample_is_seeded_and_holds_each_example_once() -> None:
    examples = [example(length, seed=length) for length in range(4, 34)]
    batches = importance_batches(examples, pad_id=1, sentences=20, tokens_per_batch=100)
    lengths = torch.cat([batch["attention_mask"].sum(1) for batch in batches])
    assert len(lengths) == len(set(lengths.tolist())) == 20
    assert all(batch["input_ids"].numel() <= 100 for batch in batches)
    again = importance_batches(examples, pad_id=1, sentences=20, tokens_per_batch=100)
    assert all(torch.equal(a["input_ids"], b["input_ids"]) for a, b in zip(batches, again, strict=True))
    everything = importance_batches(examples, pad_id=1)
    assert sum(len(batch["input_ids"]) for batch in everything) == 30


def test_a_layer_is_worth_its_heads_and_neurons_together() -> None:
    model = tiny("electra")
    data = [sentence(9, seed=3)]
    units = zip(head_importance(model, data), ffn_importance(model, data), strict=True)
    expected = torch.stack([heads.sum() + neurons.sum() for heads, neurons in units])
    assert torch.allclose(layer_importance(model, data), expected)


def test_importance_leaves_no_gradients_and_no_hooks_behind() -> None:
    model = tiny("xlm-r")
    layer_importance(model, [sentence(5, seed=1)])
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_importance_without_data_or_labels_is_refused() -> None:
    model = tiny("xlm-r")
    with pytest.raises(ValueError, match="no batch"):
        head_importance(model, [])
    unlabelled = {**sentence(5, seed=1), "labels": torch.tensor([-100, -100])}
    with pytest.raises(ValueError, match="no label"):
        ffn_importance(model, [unlabelled])
