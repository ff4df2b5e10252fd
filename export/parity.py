"""Does an exported artifact still compute what the torch model computes?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from export.runtime.errors import UserError

Logits = Callable[[np.ndarray, np.ndarray], np.ndarray]

# Smallest input, odd lengths, a padded batch, and the longest input that the position table takes.
SHAPES = ((1, 1), (1, 7), (3, 33), (4, 510))


@dataclass(frozen=True)
class ParityReport:
    """Largest and mean absolute logit difference and the share of equal tags over the checked positions."""

    max_difference: float
    mean_difference: float
    tags_equal: float
    positions: int


def torch_logits(model: Any, device: str = "cpu") -> Logits:
    """The `logits(input_ids, attention_mask)` contract over anything of torch's that takes the two, on `device`.

    A model may return a tensor, a tuple led by it, or a dict (transformers' outputs are dicts).
    """
    import torch

    if isinstance(model, torch.nn.Module):
        model.eval()

    def logits(input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        ids, mask = (torch.from_numpy(array).to(device) for array in (input_ids, attention_mask))
        with torch.inference_mode():
            output = model(ids, mask)
        if isinstance(output, dict):
            output = output["logits"]
        first = output[0] if isinstance(output, tuple) else output
        result: np.ndarray = first.float().cpu().numpy()
        return result

    return logits


def probe_inputs(vocab_size: int, max_length: int, pad_id: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Random input_ids and attention_mask, int64 (batch, sequence), at `SHAPES`; batches carry padding."""
    random = np.random.default_rng(seed)
    probes = []
    for batch, length in SHAPES:
        length = min(length, max_length)
        ids = random.integers(min(4, vocab_size - 1), vocab_size, (batch, length), dtype=np.int64)
        mask = np.ones_like(ids)
        for row in range(1, batch):
            mask[row, max(1, length - row * (length // batch)) :] = 0
        ids[mask == 0] = pad_id
        probes.append((ids, mask))
    return probes


def compare(reference: Logits, candidate: Logits, inputs: list[tuple[np.ndarray, np.ndarray]]) -> ParityReport:
    """Compare two artifacts on the unpadded positions of `inputs`."""
    differences, equal = [], []
    for ids, mask in inputs:
        kept = mask.astype(bool)
        expected, found = reference(ids, mask)[kept], candidate(ids, mask)[kept]
        differences.append(np.abs(expected - found).max(axis=-1))
        equal.append(expected.argmax(axis=-1) == found.argmax(axis=-1))
    every = np.concatenate(differences)
    return ParityReport(float(every.max()), float(every.mean()), float(np.concatenate(equal).mean()), int(every.size))


def require_parity(report: ParityReport, what: str, tolerance: float = 1e-3) -> None:
    """Raise when an fp32 export strays from torch by more than rounding.

    Raises:
        UserError: a logit differs by more than `tolerance`.
    """
    if not report.max_difference <= tolerance:  # also catches NaN
        raise UserError(
            f"{what} differs from torch by up to {report.max_difference:.2g} in a logit (limit {tolerance:g}).",
            "Nothing was written. Use the pinned versions (make setup) and report the model's config.json.",
        )
