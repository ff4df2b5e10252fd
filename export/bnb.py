"""LLM.int8() with bitsandbytes: Linear layers in int8, columns with outliers in half precision.

Dettmers et al. 2022, "LLM.int8(): 8-bit Matrix Multiplication for Transformers at Scale". Meant for GPUs;
runs on a CPU as well, so the path can be tested anywhere. The embedding table stays in half precision, and it
is most of a small multilingual encoder: the report says what it costs.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.atomic import new_folder_atomic
from export.onnx import max_length
from export.parity import Logits, ParityReport, compare, probe_inputs, torch_logits
from export.runtime.errors import UserError

HEAD = "classifier"
OUTLIER_THRESHOLD = 6.0  # the paper's
MOST_OVERHEAD = 64 * 1024  # safetensors header


@dataclass(frozen=True)
class LlmInt8Report:
    """What a folder saved by bitsandbytes holds.

    Attributes:
        device: where it was made and checked, 'cpu' or 'cuda'.
        bytes: of its model.safetensors.
        int8_layers: Linear layers that became Linear8bitLt.
        int8_bytes: their weights.
        embedding_bytes: the word embedding, in half precision.
        agreement: against torch fp32, on random ids.
    """

    device: str
    bytes: int
    int8_layers: int
    int8_bytes: int
    embedding_bytes: int
    agreement: ParityReport


def export_llm_int8(model_folder: Path, out: Path, device: str | None = None) -> LlmInt8Report:
    """Quantize `model_folder`'s token classifier with LLM.int8() and write it to `out`, a model folder.

    The tagging head stays in half precision. What was written is loaded again and must answer with the very
    same logits.

    Args:
        device: 'cuda' or 'cpu'; None takes a GPU where there is one.

    Raises:
        UserError: bitsandbytes, accelerate or the GPU is missing, a Linear layer was left as it was, the file
            has other bytes than its tensors explain, or it answers differently when reloaded.
    """
    device = usable_device(device)
    import torch
    from transformers import AutoModelForTokenClassification, BitsAndBytesConfig

    reference = AutoModelForTokenClassification.from_pretrained(model_folder, dtype=torch.float32)
    linears = sum(type(module) is torch.nn.Linear for module in reference.modules()) - 1
    config = reference.config
    probes = probe_inputs(config.vocab_size, max_length(config), config.pad_token_id)
    quantization = BitsAndBytesConfig(
        load_in_8bit=True, llm_int8_threshold=OUTLIER_THRESHOLD, llm_int8_skip_modules=[HEAD]
    )
    model = _load(model_folder, device, quantization_config=quantization)
    int8_layers, int8_bytes = _int8_layers(model)
    if int8_layers != linears:
        raise UserError(
            f"bitsandbytes made {int8_layers} of {linears} linear layers int8.",
            "Nothing was written. Use the pinned transformers and bitsandbytes (make setup).",
        )
    with new_folder_atomic(out) as folder:
        with _quiet():
            model.save_pretrained(folder)
        size = (folder / "model.safetensors").stat().st_size
        _require_bytes(model, size)
        logits, again = torch_logits(model, device), torch_logits(_load(folder, device), device)
        if not all(np.array_equal(logits(*probe), again(*probe)) for probe in probes):
            raise UserError(
                "The LLM.int8() model answers differently after saving and loading.",
                "Nothing was written. Use the pinned transformers and bitsandbytes (make setup).",
            )
    return LlmInt8Report(
        device=device,
        bytes=size,
        int8_layers=int8_layers,
        int8_bytes=int8_bytes,
        embedding_bytes=model.get_input_embeddings().weight.nbytes,
        agreement=compare(torch_logits(reference), again, probes),
    )


def bnb_logits(folder: Path, device: str | None = None) -> Logits:
    """Load a folder that `export_llm_int8` wrote, and answer the logits contract with it.

    Raises:
        UserError: bitsandbytes, accelerate or the GPU is missing, or the folder is not in LLM.int8().
    """
    device = usable_device(device)
    model = _load(folder, device)
    if not _int8_layers(model)[0]:
        raise UserError(f"{folder} is not an LLM.int8() model.", "Export it again with the variant llm-int8.")
    return torch_logits(model, device)


def usable_device(device: str | None) -> str:
    """'cuda' or 'cpu', as asked or as found.

    Raises:
        UserError: a package that LLM.int8() needs is missing, or a GPU is asked for where torch sees none.
    """
    try:
        import accelerate  # noqa: F401
        import torch

        with _quiet():
            import bitsandbytes  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"LLM.int8() needs the package {error.name}, which is not installed.",
            "Run make setup TARGET=gpu.",
        ) from error
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "No GPU that torch can use was found here.",
            "Run this on a machine with an NVIDIA GPU after make setup TARGET=gpu, or choose the device cpu.",
        )
    return device or ("cuda" if torch.cuda.is_available() else "cpu")


def _load(folder: Path, device: str, **options: Any) -> Any:
    import torch
    from transformers import AutoModelForTokenClassification

    with _quiet():
        model = AutoModelForTokenClassification.from_pretrained(
            folder, dtype=torch.float16, device_map={"": device}, local_files_only=True, **options
        )
    return model.eval()


def _int8_layers(model: Any) -> tuple[int, int]:
    """How many Linear8bitLt layers, and the bytes of their weights."""
    from bitsandbytes.nn import Linear8bitLt

    layers = [module for module in model.modules() if isinstance(module, Linear8bitLt)]
    return len(layers), sum(layer.weight.nbytes for layer in layers)


def _require_bytes(model: Any, size: int) -> None:
    """The file is as large as its tensors: int8 weights, one float32 scale per row, the rest as it is."""
    tensors = sum(tensor.nbytes for tensor in model.state_dict().values())
    if not 0 <= size - tensors <= MOST_OVERHEAD:
        raise UserError(
            f"LLM.int8() wrote {size:,} bytes where its tensors hold {tensors:,}.",
            "Nothing was written. Use the pinned transformers and bitsandbytes (make setup).",
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back warnings that are no news: 4-bit kernels that LLM.int8() never uses, types that are meant."""
    loggers = [logging.getLogger(name) for name in ("transformers", "bitsandbytes")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
