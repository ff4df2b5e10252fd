"""The pruning stage: a smaller or sparser model folder out of a model folder.

`pruning/magnitude.py` sets small weights to zero and changes no shape; `pruning/structured.py` takes heads,
feed-forward neurons and layers out by first-order importance (`pruning/importance.py`). Importing this module
loads no torch, so recipes can be read without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from export.atomic import new_folder_atomic
from export.runtime.errors import UserError
from toolkit.folders import copy_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from toolkit.pruning.importance import Batch
    from toolkit.pruning.magnitude import SparsityReport
    from toolkit.pruning.structured import StructuredReport

    Recover = Callable[[PreTrainedModel], PreTrainedModel]


@dataclass(frozen=True)
class PruneConfig:
    """How to prune.

    Attributes:
        kind: 'magnitude' (zeros, same shapes) or 'structured' (parts removed).
        sparsity: magnitude: share of the transformer layers' weights to zero; the paper: 0.10 to 0.95.
        scope: magnitude: compare weights 'global'ly or within each 'layer''s tensors.
        when: magnitude: 'before' fine-tuning (`recover` then trains under the mask) or 'after' it (nothing is
            trained). Structured pruning is followed by `recover` either way.
        embeddings: magnitude: prune the word embedding as well.
        heads: structured: attention heads to keep in the whole encoder, at least one per layer.
        ffn: structured: feed-forward neurons to keep per layer.
        layers: structured: how many layers to keep, or which. None, in these three, keeps all.
    """

    kind: Literal["magnitude", "structured"]
    sparsity: float = 0.5
    scope: Literal["global", "layer"] = "global"
    when: Literal["before", "after"] = "after"
    embeddings: bool = False
    heads: int | None = None
    ffn: int | None = None
    layers: int | tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse what no model could be pruned by; what a certain model allows is checked on it.

        Raises:
            UserError: an unknown choice, a sparsity outside (0, 1), or structured pruning of nothing.
        """
        choices = {
            "kind": ("magnitude", "structured"),
            "scope": ("global", "layer"),
            "when": ("before", "after"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise UserError(f"Unknown prune {name} '{getattr(self, name)}'.", f"Choose {' or '.join(allowed)}.")
        if self.kind == "magnitude" and not 0 < self.sparsity < 1:
            raise UserError(
                f"Prune sparsity {self.sparsity} is not between 0 and 1.", "0.5 zeroes half of the weights."
            )
        if self.kind == "structured" and (self.heads, self.ffn, self.layers) == (None, None, None):
            raise UserError("Structured pruning was asked to keep everything.", "Set heads, ffn or layers.")


@dataclass(frozen=True)
class PruneReport:
    """What pruning did.

    Attributes:
        recovered: whether `recover` trained the pruned model.
        bytes_before: of the model.safetensors that came in; bytes after stand in `account`.
        account: dense and zipped bytes and zeros of the result, see `pruning.sparsity.sparsity_account`.
        magnitude, structured: the report of the kind that ran; None for the other.
    """

    recovered: bool
    bytes_before: int
    account: dict[str, Any]
    magnitude: SparsityReport | None
    structured: StructuredReport | None


def prune(
    teacher: Path,
    batches: Sequence[Batch],
    config: PruneConfig,
    out: Path,
    recover: Recover | None = None,
    labels: Sequence[str] | None = None,
    seed: int = 1,
) -> PruneReport:
    """Prune the model in `teacher` and write the result to `out` as a model folder.

    Args:
        teacher: a model folder with config.json and model.safetensors.
        batches: labelled, from `importance_batches`, for structured pruning; magnitude pruning reads none.
        config: what to prune.
        out: a new folder, written whole or not at all, with the tokenizer's files of `teacher`.
        recover: trains the model it is given and returns it. Pruned weights stay zero whatever optimizer it
            uses. Called after structured pruning, and after magnitude pruning 'before' fine-tuning.
        labels: where `teacher` has no tagging head yet (a masked language model), the labels of the new one.
        seed: of that new head's weights.

    Raises:
        UserError: `teacher` has no weights or no tagging head and no `labels`, numbers that the model does
            not allow, or pruning 'before' fine-tuning without `recover`.
    """
    from toolkit.pruning.magnitude import keep_masks, magnitude_prune, prunable_weights, share_of_zeros
    from toolkit.pruning.sparsity import sparsity_account
    from toolkit.pruning.structured import structured_prune

    trains = recover is not None and (config.kind == "structured" or config.when == "before")
    if config.kind == "magnitude" and config.when == "before" and recover is None:
        raise UserError("Pruning before fine-tuning needs training afterwards.", 'Set when = "after" in the recipe.')
    model = _load(teacher, labels, seed)
    magnitude = structured = None
    if config.kind == "magnitude":
        magnitude = magnitude_prune(model, config.sparsity, config.scope, config.embeddings)
    else:
        structured = structured_prune(model, batches, config.heads, config.ffn, config.layers)
    if recover is not None and trains:
        with keep_masks(model, config.embeddings) if magnitude else nullcontext():
            model = recover(model)
        zeros = share_of_zeros(prunable_weights(model, config.embeddings).values())
        if magnitude and zeros < magnitude.sparsity:
            raise RuntimeError("recover returned a model that was trained without the pruning mask")
    with new_folder_atomic(out) as folder:
        model.save_pretrained(folder)
        copy_tokenizer(teacher, folder)
        account = sparsity_account(folder)
    return PruneReport(
        recovered=trains,
        bytes_before=(teacher / "model.safetensors").stat().st_size,
        account=account,
        magnitude=magnitude,
        structured=structured,
    )


def _load(teacher: Path, labels: Sequence[str] | None, seed: int) -> PreTrainedModel:
    """The tagger in `teacher`, float32, with a new head for `labels` where it has none."""
    import torch
    from transformers import AutoConfig, AutoModelForTokenClassification

    for name in ("config.json", "model.safetensors"):
        if not (teacher / name).is_file():
            raise UserError(f"{teacher} has no {name}.", "Give the folder of a saved model with safetensors weights.")
    config = AutoConfig.from_pretrained(teacher)
    names: dict[str, Any] = {}
    if not any(name.endswith("ForTokenClassification") for name in config.architectures or ()):
        if labels is None:
            raise UserError(f"The model in {teacher} has no tagging head.", "Fine-tune it before pruning it.")
        names = {
            "id2label": dict(enumerate(labels)),
            "label2id": {label: index for index, label in enumerate(labels)},
        }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: PreTrainedModel = AutoModelForTokenClassification.from_pretrained(
            teacher, dtype=torch.float32, **names
        )
    return model
