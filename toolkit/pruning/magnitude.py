"""Unstructured magnitude pruning: the smallest weights become zero; no tensor changes its shape.

Zeros make a download smaller, since they compress, and nothing faster: no engine that this project exports to
skips them. `toolkit.pruning.sparsity` gives the account.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from export.runtime.errors import UserError
from toolkit.pruning.encoder import encoder

Scope = Literal["global", "layer"]


@dataclass(frozen=True)
class SparsityReport:
    """What magnitude pruning did.

    Attributes:
        scope: 'global' or 'layer'.
        requested: the share of zeros asked for in the pruned tensors, 0 to 1.
        sparsity: the share of zeros that the pruned tensors now have.
        overall: the share of zeros over all parameters of the model, embedding included.
        tensors: share of zeros per pruned tensor, by parameter name.
    """

    scope: Scope
    requested: float
    sparsity: float
    overall: float
    tensors: dict[str, float]


def prunable_weights(model: PreTrainedModel, embeddings: bool = False) -> dict[str, nn.Parameter]:
    """The weights that magnitude pruning may zero, by name.

    These are the weight matrices of every Linear in the transformer layers (attention and feed-forward).
    Biases, LayerNorms, positions and the tagging head stay whole: they are under 1 % of the weights and each
    of their values touches every position. The word embedding joins on request.
    """
    inside = {id(module) for module in encoder(model).modules() if isinstance(module, nn.Linear)}
    if embeddings:
        inside.add(id(model.get_input_embeddings()))
    return {f"{name}.weight": module.weight for name, module in model.named_modules() if id(module) in inside}


@torch.no_grad()
def magnitude_prune(
    model: PreTrainedModel, sparsity: float, scope: Scope = "global", embeddings: bool = False
) -> SparsityReport:
    """Set the weights of smallest magnitude to zero, in place.

    Args:
        model: any encoder, with a tagging head or without.
        sparsity: share of the prunable weights that ends as zero, 0 to below 1 (the paper goes from 0.10 to
            0.95); met to the weight. Zeros that are there already count towards it.
        scope: 'global' compares weights across all tensors, so some lose more than others; 'layer' takes the
            same share from each tensor.
        embeddings: prune the word embedding as well.

    Raises:
        UserError: sparsity outside [0, 1), or an unknown scope.
    """
    if not 0 <= sparsity < 1:
        raise UserError(f"Sparsity {sparsity} is not a share.", "Give a number from 0 to below 1, such as 0.5.")
    if scope not in ("global", "layer"):
        raise UserError(f"Unknown pruning scope '{scope}'.", "Choose global or layer.")
    weights = prunable_weights(model, embeddings)
    groups = [list(weights.values())] if scope == "global" else [[weight] for weight in weights.values()]
    for group in groups:
        magnitudes = torch.cat([weight.detach().abs().flatten() for weight in group])
        kept = _largest_mask(magnitudes, round(sparsity * len(magnitudes)))
        sizes = [weight.numel() for weight in group]
        for weight, mask in zip(group, kept.split(sizes), strict=True):
            weight.mul_(mask.view_as(weight))
    return SparsityReport(
        scope=scope,
        requested=sparsity,
        sparsity=share_of_zeros(weights.values()),
        overall=share_of_zeros(model.parameters()),
        tensors={name: share_of_zeros([weight]) for name, weight in weights.items()},
    )


@contextmanager
def keep_masks(model: PreTrainedModel, embeddings: bool = False) -> Iterator[None]:
    """Weights that are zero on entry stay zero while any optimizer trains the model inside the block.

    Their gradients are masked: with no gradient, no momentum and nothing for weight decay to scale, AdamW and
    SGD leave them at exactly zero. Hooks on the parameters do it, so the training loop need not know, and
    nothing of it is left in the model or its saved file.
    """

    def masked(weight: nn.Parameter) -> torch.utils.hooks.RemovableHandle:
        # A pruned weight never moves, so it is its own mask, on whatever device the trainer put it.
        return weight.register_hook(lambda gradient: gradient * (weight.detach() != 0))

    handles = [masked(weight) for weight in prunable_weights(model, embeddings).values()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def share_of_zeros(tensors: Iterable[Tensor]) -> float:
    """Zeros over elements, 0 to 1, of all tensors together."""
    zeros = elements = 0
    for tensor in tensors:
        elements += tensor.numel()
        zeros += tensor.numel() - int(tensor.count_nonzero())
    return zeros / elements


def _largest_mask(magnitudes: Tensor, drop: int) -> Tensor:
    """Bool (n,): False at exactly the `drop` smallest; among equals the first go."""
    if drop == 0:
        return torch.ones_like(magnitudes, dtype=torch.bool)
    threshold = magnitudes.kthvalue(drop).values
    kept = magnitudes > threshold
    surplus = drop - int((magnitudes < threshold).sum())
    kept[(magnitudes == threshold).nonzero().flatten()[surplus:]] = True
    return kept
