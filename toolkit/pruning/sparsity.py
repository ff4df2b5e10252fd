"""What zeros in a saved model are worth: bytes as they lie, bytes zipped, and where the zeros are."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from export.runtime.errors import UserError

# The weight matrices inside a transformer layer, as `magnitude.prunable_weights` picks them in a live model.
LAYER_MATRIX = re.compile(r"(?:^|\.)encoder\.layer\.(\d+)\..*\.weight$")


def sparsity_account(folder: Path) -> dict[str, Any]:
    """Count the zeros in `folder`/model.safetensors and weigh the file.

    RSS and latency belong to the same account and are measured by `toolkit.measure` on the exported model.

    Returns:
        dense_bytes: the file as it lies, which is also what a runtime loads.
        zipped_bytes: the file after deflate at level 9, the most that zeros can save on a download.
        model, encoder, other: {parameters, zeros, sparsity} over all tensors, over the weight matrices of the
            transformer layers (those that magnitude pruning takes), and over everything else.
        layers: the same per transformer layer, first to last.
        All sparsities are shares, 0 to 1.

    Raises:
        UserError: the file is missing or is no safetensors file.
    """
    file = folder / "model.safetensors"
    if not file.is_file():
        raise UserError(f"{folder} has no model.safetensors.", "Give the folder of a saved model.")
    counts = _zeros_per_tensor(file)
    layer_of = {name: int(match[1]) for name, count in counts.items() if (match := _layer(name, count))}
    return {
        "dense_bytes": file.stat().st_size,
        "zipped_bytes": _deflated_size(file),
        "model": _total(counts.values()),
        "encoder": _total(counts[name] for name in layer_of),
        "other": _total(count for name, count in counts.items() if name not in layer_of),
        "layers": [
            _total(counts[name] for name in layer_of if layer_of[name] == layer)
            for layer in sorted(set(layer_of.values()))
        ],
    }


def _layer(name: str, count: tuple[int, int, int]) -> re.Match[str] | None:
    return LAYER_MATRIX.search(name) if count[2] == 2 else None


def _zeros_per_tensor(file: Path) -> dict[str, tuple[int, int, int]]:
    """Elements, zeros and number of dimensions of each tensor, by name."""
    counts = {}
    try:
        with safe_open(file, framework="pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - safe_open is no mapping
                tensor = tensors.get_tensor(name)
                counts[name] = (tensor.numel(), tensor.numel() - int(tensor.count_nonzero()), tensor.dim())
    except SafetensorError as error:
        raise UserError(
            f"{file} is not a complete safetensors file ({error}).", "Run the stage that made it again."
        ) from error
    return counts


def _total(counts: Iterable[tuple[int, int, int]]) -> dict[str, Any]:
    parameters = zeros = 0
    for tensor_parameters, tensor_zeros, _ in counts:
        parameters += tensor_parameters
        zeros += tensor_zeros
    return {"parameters": parameters, "zeros": zeros, "sparsity": zeros / max(parameters, 1)}


def _deflated_size(file: Path) -> int:
    deflate = zlib.compressobj(9)
    size = 0
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            size += len(deflate.compress(block))
    return size + len(deflate.flush())
