"""Structured pruning: heads, feed-forward neurons and layers are taken out: smaller and faster.

What is left is an ordinary Hugging Face model: `config.pruned_heads`, `config.intermediate_size` and
`config.num_hidden_layers` describe it, and `from_pretrained` reads it back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import prune_linear_layer

from export.runtime.errors import UserError
from toolkit.pruning.encoder import encoder, encoder_layers, parameter_count, remaining_heads
from toolkit.pruning.importance import Batch, ffn_importance, head_importance, layer_importance


@dataclass(frozen=True)
class StructuredReport:
    """What structured pruning kept.

    Attributes:
        layers: original indices of the layers kept, in their order.
        heads: per kept layer, the original indices of the heads kept.
        intermediate_size: feed-forward neurons per layer.
        parameters_before, parameters_after: of the whole model, embedding included.
    """

    layers: tuple[int, ...]
    heads: tuple[tuple[int, ...], ...]
    intermediate_size: int
    parameters_before: int
    parameters_after: int


def structured_prune(
    model: PreTrainedModel,
    batches: Sequence[Batch],
    heads_to_keep: int | None = None,
    ffn_to_keep: int | None = None,
    layers_to_keep: int | Sequence[int] | None = None,
) -> StructuredReport:
    """Remove the least important parts of `model`, in place; layers first, the rest is judged without them.

    Args:
        model: an XLM-R or ELECTRA tagger.
        batches: labelled batches on which importance is measured (`importance.importance_batches`).
        heads_to_keep: attention heads in the whole encoder, at least one per layer that remains; layers
            may keep different numbers.
        ffn_to_keep: feed-forward neurons per layer; each layer keeps its own most important ones.
        layers_to_keep: how many layers, chosen by importance, or the very indices.

    Raises:
        UserError: a number that the model does not have, or that leaves a layer without heads.
    """
    before = parameter_count(model)
    layers = choose_layers(model, batches, layers_to_keep)
    select_layers(model, layers)
    # Both are judged on the same model, before either removal disturbs the other.
    heads = choose_heads(model, batches, heads_to_keep)
    neurons = choose_ffn(model, batches, ffn_to_keep)
    select_heads(model, heads)
    select_ffn(model, neurons)
    return StructuredReport(
        layers=tuple(layers),
        heads=tuple(tuple(remaining_heads(layer, model.config)) for layer in encoder_layers(model)),
        intermediate_size=model.config.intermediate_size,
        parameters_before=before,
        parameters_after=parameter_count(model),
    )


def choose_layers(model: PreTrainedModel, batches: Sequence[Batch], keep: int | Sequence[int] | None) -> list[int]:
    """Indices of the layers to keep, ascending: all for None, the most important for a number.

    Raises:
        UserError: not between 1 and the number of layers, an unknown index or one named twice.
    """
    count = len(encoder_layers(model))
    if keep is None:
        return list(range(count))
    if isinstance(keep, int):
        _check_between("layers", keep, 1, count)
        importance = layer_importance(model, batches) if keep < count else torch.zeros(count)
        return _largest(importance, keep)
    if not keep or len(set(keep)) != len(keep) or min(keep) < 0 or max(keep) >= count:
        raise UserError(
            f"Pruning cannot keep layers {list(keep)}: the model has layers 0 to {count - 1}.",
            "Name each layer to keep once.",
        )
    return sorted(keep)


def choose_heads(model: PreTrainedModel, batches: Sequence[Batch], keep: int | None) -> list[list[int]]:
    """Per layer, the positions of the heads to keep among those it has now; `keep` counts the whole encoder.

    Layers are compared by importance as it is. Michel et al. 2019 divide it by its norm within each layer;
    on a tagger of 4 layers × 4 heads that cost 3 F1 more at half of the heads (mean of five languages).

    Raises:
        UserError: fewer than one head per layer, or more than there are.
    """
    counts = [layer.attention.self.num_attention_heads for layer in encoder_layers(model)]
    if keep is None or keep == sum(counts):
        return [list(range(count)) for count in counts]
    _check_between("attention heads", keep, len(counts), sum(counts))
    importance = head_importance(model, batches)
    chosen = [_largest(scores, 1) for scores in importance]
    rest = [
        (float(score), layer, head)
        for layer, scores in enumerate(importance)
        for head, score in enumerate(scores)
        if head not in chosen[layer]
    ]
    for _, layer, head in sorted(rest, key=lambda unit: -unit[0])[: keep - len(counts)]:
        chosen[layer].append(head)
    return [sorted(heads) for heads in chosen]


def choose_ffn(model: PreTrainedModel, batches: Sequence[Batch], keep: int | None) -> list[Tensor]:
    """Per layer, the ascending indices, int64 (keep,), of its most important feed-forward neurons.

    Raises:
        UserError: not between 1 and the present width.
    """
    width = model.config.intermediate_size
    if keep is None or keep == width:
        return [torch.arange(width) for _ in encoder_layers(model)]
    _check_between("feed-forward neurons", keep, 1, width)
    return [torch.tensor(_largest(scores, keep)) for scores in ffn_importance(model, batches)]


def select_layers(model: PreTrainedModel, indices: Sequence[int]) -> None:
    """Keep the layers at `indices` in that order, in place, and renumber them."""
    layers = encoder_layers(model)
    kept = [layers[index] for index in indices]
    for position, layer in enumerate(kept):
        layer.attention.self.layer_idx = position
    encoder(model).layer = nn.ModuleList(kept)
    model.config.num_hidden_layers = len(kept)
    _record_pruned_heads(model)


def select_heads(model: PreTrainedModel, positions_per_layer: Sequence[Sequence[int]]) -> None:
    """Keep, in each layer, the heads at these positions among those it has now; in place."""
    for layer, positions in zip(encoder_layers(model), positions_per_layer, strict=True):
        present = remaining_heads(layer, model.config)
        layer.attention.prune_heads(set(present) - {present[position] for position in positions})
    _record_pruned_heads(model)


def select_ffn(model: PreTrainedModel, indices_per_layer: Sequence[Tensor]) -> None:
    """Keep, in each layer, the feed-forward neurons at these indices, int64 (kept,); in place.

    Raises:
        ValueError: layers would keep different numbers; `config.intermediate_size` has room for one.
    """
    widths = {len(indices) for indices in indices_per_layer}
    if len(widths) != 1:
        raise ValueError(f"every layer keeps the same number of feed-forward neurons, not {sorted(widths)}")
    for layer, indices in zip(encoder_layers(model), indices_per_layer, strict=True):
        rows = cast(torch.LongTensor, indices)
        layer.intermediate.dense = prune_linear_layer(layer.intermediate.dense, rows)
        layer.output.dense = prune_linear_layer(layer.output.dense, rows, dim=1)
    model.config.intermediate_size = widths.pop()


def _record_pruned_heads(model: PreTrainedModel) -> None:
    # from_pretrained builds whole layers, prunes what the config lists, then loads the weights.
    model.config.pruned_heads = {
        index: sorted(layer.attention.pruned_heads)
        for index, layer in enumerate(encoder_layers(model))
        if layer.attention.pruned_heads
    }


def _largest(scores: Tensor, count: int) -> list[int]:
    return sorted(scores.argsort(descending=True, stable=True)[:count].tolist())


def _check_between(what: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise UserError(
            f"Pruning cannot keep {value} {what}: this model allows {least} to {most}.",
            "Change the number in the recipe's prune section.",
        )
