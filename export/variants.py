"""The table of variants: (format, precision) pairs made from a model folder, and how each is opened again.

All answer `logits(input_ids, attention_mask)`. A variant folder is a model folder whose weights are the
variant's file; it is what a bundle is made from.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from export.bundle_details import MODEL_FOLDER_FILES
from export.parity import Logits
from export.runtime.errors import UserError

Backend = Literal["onnx", "torchscript", "bnb"]
QuantizeStatic = Callable[[Path, Path], Any]
"""fp32 ONNX file, file to write -> report: static int8, whose ranges come from calibration sentences."""


@dataclass(frozen=True)
class Variant:
    """One (format, precision) pair.

    Attributes:
        model: the model's file, or the folder of its weights, relative to the variant folder.
        needs_fp32: made from the fp32 ONNX file rather than from torch.
        needs_sample: needs calibration sentences.
    """

    backend: Backend
    precision: str
    model: str
    needs_fp32: bool = False
    needs_sample: bool = False


VARIANTS: dict[str, Variant] = {
    "onnx-fp32": Variant("onnx", "fp32", "onnx/model.onnx"),
    "onnx-int8": Variant("onnx", "int8", "onnx/model_int8.onnx", needs_fp32=True),
    "onnx-static-int8": Variant("onnx", "int8", "onnx/model_int8.onnx", needs_fp32=True, needs_sample=True),
    "torchscript-fp32": Variant("torchscript", "fp32", "torchscript/model.pt"),
    "torchscript-int8": Variant("torchscript", "int8", "torchscript/model_int8.pt"),
    "llm-int8": Variant("bnb", "int8", "gpu"),
}


def build_variant(
    name: str,
    model: Path,
    out: Path,
    fp32: Path | None = None,
    quantize_static: QuantizeStatic | None = None,
    external_data: bool = False,
) -> dict[str, Any]:
    """Write the variant `name` of the model folder `model` to `out` and return its exporter's report.

    Args:
        fp32: the onnx-fp32 variant folder of the same model, for variants made from it.
        quantize_static: makes static int8 with the calibration sample it holds.
        external_data: move ONNX weights to a file beside the graph, which devices map into memory.

    Raises:
        UserError: what the exporter raises, or something this machine cannot do, with the remedy.
    """
    variant = VARIANTS[name]
    target = out / variant.model
    if variant.needs_fp32:
        assert fp32 is not None, f"{name} is made from the onnx-fp32 variant"
        report: Any = _quantize(name, fp32 / VARIANTS["onnx-fp32"].model, target, quantize_static)
    elif variant.backend == "onnx":
        from export.onnx import export_onnx

        report = export_onnx(model, target)
    elif variant.backend == "torchscript":
        from export.torchscript import export_torchscript

        report = export_torchscript(model, target, "int8" if variant.precision == "int8" else "fp32")
    else:
        from export.bnb import export_llm_int8

        report = export_llm_int8(model, target)
    if external_data and variant.backend == "onnx":
        from export.quantize import to_external_data

        to_external_data(target)
    for file in MODEL_FOLDER_FILES:
        if (model / file).is_file():
            shutil.copyfile(model / file, out / file)
    return asdict(report)


def _quantize(name: str, fp32: Path, target: Path, quantize_static: QuantizeStatic | None) -> Any:
    if VARIANTS[name].needs_sample:
        assert quantize_static is not None, f"{name} needs calibration sentences"
        return quantize_static(fp32, target)
    from export.quantize import quantize_dynamic_int8

    return quantize_dynamic_int8(fp32, target)


def open_variant(name: str, folder: Path, report: dict[str, Any], threads: int = 1) -> Logits:
    """The logits of a variant that `build_variant` wrote; `report` holds the digest of a TorchScript file."""
    variant = VARIANTS[name]
    if variant.backend == "onnx":
        from export.runtime.session import open_session, session_logits

        return session_logits(open_session(folder / variant.model, threads))
    if variant.backend == "torchscript":
        from export.torchscript import torchscript_logits

        return torchscript_logits(folder / variant.model, report["sha256"])
    from export.bnb import bnb_logits

    return bnb_logits(folder / variant.model)


def can_build(name: str) -> str | None:
    """Why this machine cannot make the variant, in one line with the remedy; None where it can."""
    if VARIANTS[name].backend != "bnb":
        return None
    from export.bnb import usable_device

    try:
        usable_device(None)
    except UserError as error:
        return str(error)
    return None
