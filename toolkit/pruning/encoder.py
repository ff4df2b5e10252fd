"""The parts of an encoder that pruning touches: the same names in the XLM-R and the ELECTRA classes."""

from __future__ import annotations

from typing import Any, cast

from transformers import PreTrainedModel


def encoder(model: PreTrainedModel) -> Any:
    """The stack of transformer layers, whose classes share attribute names but no base class."""
    return cast(Any, model).base_model.encoder


def encoder_layers(model: PreTrainedModel) -> list[Any]:
    """The transformer layers, first to last."""
    return list(encoder(model).layer)


def remaining_heads(layer: Any, config: Any) -> list[int]:
    """The original indices, ascending, of the attention heads that `layer` still has."""
    return sorted(set(range(config.num_attention_heads)) - set(layer.attention.pruned_heads))


def parameter_count(model: PreTrainedModel) -> int:
    """Parameters of the whole model, embedding included."""
    return sum(parameter.numel() for parameter in model.parameters())
