"""TorchScript: fp32 and dynamic int8, traced, frozen and checked against torch.

All use of `torch.ao.quantization`, which torch means to retire, is in this module.
"""

from __future__ import annotations

import hashlib
import io
import warnings
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from export.atomic import write_bytes_atomic
from export.onnx import max_length
from export.parity import Logits, ParityReport, compare, probe_inputs, require_parity, torch_logits
from export.runtime.errors import UserError

Precision = Literal["fp32", "int8"]

# Bytes per parameter that a file may take, and what code and rounding may add: more means a part stayed wide
# or a weight was stored twice.
MOST_BYTES = {"fp32": 4.1, "int8": 1.5}
CODE_BYTES = 512 * 1024


@dataclass(frozen=True)
class TorchScriptReport:
    """What a TorchScript file holds.

    Attributes:
        bytes: of the file.
        sha256: its digest; `torchscript_logits` loads nothing else.
        parameters: of the model it was made from.
        operators: the operators that carry weights, and fused attention, by name with their count.
        activation_bits: int8: what inputs of a linear layer are rounded to, 7 where 8 would saturate.
        parity: the file against the very module it was traced from.
        agreement: the file against torch fp32, on random ids.
    """

    bytes: int
    sha256: str
    parameters: int
    operators: dict[str, int]
    activation_bits: int | None
    parity: ParityReport
    agreement: ParityReport


def export_torchscript(model_folder: Path, out: Path, precision: Precision) -> TorchScriptReport:
    """Write `model_folder`'s token classifier to `out` (a .pt file) with dynamic batch and length.

    The program maps input_ids and attention_mask, int64 (batch, sequence), to logits, float32
    (batch, sequence, labels). In int8 Linear weights have a scale per output channel, embedding tables one
    per row, and activations are rounded at run time.

    Raises:
        UserError: an unknown precision, a layer or table that stayed in floating point, more bytes than the
            precision explains, or logits other than those of the module that was traced.
    """
    from transformers import AutoModelForTokenClassification

    if precision not in MOST_BYTES:
        raise UserError(f"TorchScript has no precision '{precision}'.", f"Choose {' or '.join(MOST_BYTES)}.")
    model = AutoModelForTokenClassification.from_pretrained(model_folder, dtype=torch.float32).eval()
    probes = probe_inputs(model.config.vocab_size, max_length(model.config), model.config.pad_token_id)
    source = _quantized(model) if precision == "int8" else model
    data = _traced(source, probes[2])
    program = torch.jit.load(io.BytesIO(data)).eval()
    operators = weight_operators(program)
    if precision == "int8":
        _require_int8(model, operators)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    if len(data) > MOST_BYTES[precision] * parameters + CODE_BYTES:
        raise UserError(
            f"TorchScript {precision} takes {len(data):,} bytes for {parameters:,} parameters.",
            "Part was stored wider or twice; nothing was written. Use the pinned torch (make setup).",
        )
    logits = torch_logits(program)
    parity = compare(torch_logits(source), logits, probes)
    require_parity(parity, out.name)
    write_bytes_atomic(out, data)
    return TorchScriptReport(
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        parameters=parameters,
        operators=operators,
        activation_bits=_activation_bits() if precision == "int8" else None,
        parity=parity,
        agreement=compare(torch_logits(model), logits, probes),
    )


def torchscript_logits(path: Path, digest_expected: str) -> Logits:
    """Load a TorchScript file that this machine made, and answer the logits contract with it.

    A TorchScript file is a program, so its bytes must be those whose sha256 was recorded at export.

    Raises:
        UserError: the file is missing or has another digest; nothing of it is loaded.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.", "Export the model again.") from error
    if hashlib.sha256(data).hexdigest() != digest_expected:
        raise UserError(
            f"{path} is a program, and not the one that was exported here (its sha256 differs).",
            "It was not loaded. Export the model again.",
        )
    return torch_logits(torch.jit.load(io.BytesIO(data)).eval())


def weight_operators(program: Any) -> dict[str, int]:
    """Count the operators of a TorchScript program that carry weights, and fused attention."""
    counted = ("linear", "embedding", "scaled_dot_product_attention")
    kinds = [node.kind() for node in program.inlined_graph.nodes()]
    return dict(sorted(Counter(kind for kind in kinds if any(name in kind for name in counted)).items()))


class _LogitsOnly(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        output: Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        return output


def _traced(model: nn.Module, example: tuple[np.ndarray, np.ndarray]) -> bytes:
    inputs = tuple(map(torch.from_numpy, example))
    buffer = io.BytesIO()
    # The tracer warns of every shape read in Python; `compare` shows over several shapes that none was fixed.
    with warnings.catch_warnings(), torch.inference_mode(False), torch.no_grad():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(_LogitsOnly(model).eval(), inputs, check_trace=False)
        torch.jit.save(torch.jit.freeze(traced), buffer)
    return _without_source_paths(buffer.getvalue())


def _without_source_paths(archive: bytes) -> bytes:
    """Leave out the debug records: they name the folders of the machine that traced the model."""
    kept = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(kept, "w") as target:
        for record in source.infolist():
            if not record.filename.endswith(".debug_pkl"):
                target.writestr(zipfile.ZipInfo(record.filename), source.read(record))
    return kept.getvalue()


def _quantized(model: nn.Module) -> nn.Module:
    """A copy of `model` with int8 Linear layers and embedding tables."""
    import torch.ao.quantization as ao

    by_type = {nn.Linear: ao.per_channel_dynamic_qconfig, nn.Embedding: ao.float_qparams_weight_only_qconfig}
    settings = {name: by_type[kind] for name, kind in _int8_modules(model).items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantized: nn.Module = ao.quantize_dynamic(model, settings)
    if _activation_bits() == 8:
        for module in quantized.modules():
            if isinstance(module, torch.ao.nn.quantized.dynamic.Linear):
                module.version = 3  # modules of version 4 round activations to 7 bits
    return quantized


def _int8_modules(model: nn.Module) -> dict[str, type[nn.Module]]:
    # The token type table has a row or two, and its ids arrive in a layout that the int8 lookup refuses.
    return {
        name: type(module)
        for name, module in model.named_modules()
        if type(module) in (nn.Linear, nn.Embedding) and not name.endswith("token_type_embeddings")
    }


def _require_int8(model: nn.Module, operators: dict[str, int]) -> None:
    wanted = Counter(_int8_modules(model).values())
    linear = operators.get("quantized::linear_dynamic", 0)
    tables = operators.get("quantized::embedding_byte", 0)
    if linear != wanted[nn.Linear] or tables != wanted[nn.Embedding]:
        raise UserError(
            f"Only {linear} of {wanted[nn.Linear]} linear layers and {tables} of {wanted[nn.Embedding]} "
            "embedding tables became int8 in TorchScript.",
            "Nothing was written. Use the pinned torch (make setup).",
        )


def _activation_bits() -> int:
    """8 where the processor adds int8 products without saturating (AVX512-VNNI), else 7."""
    return 8 if torch.cpu._is_vnni_supported() else 7
