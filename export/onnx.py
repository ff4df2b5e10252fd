"""ONNX fp32: export through optimum's configuration, fuse, and check against torch.

The export itself is torch's trace-based exporter (opset 17), which onnxruntime's optimizer can fuse: each
attention block becomes one `Attention` operator. The newer dynamo exporter gives graphs that it does not fuse.
optimum's own validation checks one shape in a process that it spawns; `export.parity` checks the smallest,
padded and longest inputs in this one.
"""

from __future__ import annotations

import io
import logging
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from export.atomic import disk_full_explained
from export.parity import ParityReport, compare, probe_inputs, require_parity, torch_logits
from export.runtime.errors import UserError
from export.runtime.session import open_session, session_logits

OPSET = 17
INPUT_NAMES = ("input_ids", "attention_mask")


@dataclass(frozen=True)
class OnnxReport:
    """What an ONNX file holds: its size, operator counts and how many blocks were fused."""

    bytes: int
    operators: dict[str, int]
    fused_attention: int
    layers: int
    parity: ParityReport | None = None


def export_onnx(model_folder: Path, out: Path) -> OnnxReport:
    """Write `model_folder`'s token classifier as a fused fp32 ONNX file with dynamic batch and length.

    The graph maps input_ids and attention_mask, int64 (batch, sequence), to logits, float32
    (batch, sequence, labels).

    Raises:
        UserError: the graph's outputs differ from torch's, or a layer was not fused.
    """
    from optimum.exporters.onnx import export
    from transformers import AutoModelForTokenClassification

    model = AutoModelForTokenClassification.from_pretrained(
        model_folder, attn_implementation="eager", trust_remote_code=False
    ).eval()
    onnx_config = _token_classification_config(model)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as work, disk_full_explained(out):
        raw = Path(work) / "raw.onnx"
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of branches made constant by tracing: parity is checked at other lengths
            export(model, onnx_config, raw, opset=OPSET)
        fused = Path(work) / out.name
        _fuse(raw, fused, model.config)
        report = describe(fused, model.config.num_hidden_layers)
        if report.fused_attention != report.layers:
            raise UserError(
                f"Only {report.fused_attention} of {report.layers} attention blocks were fused in {out.name}.",
                "onnxruntime's optimizer does not know this graph; use the pinned versions (make setup).",
            )
        parity = compare(
            torch_logits(model),
            session_logits(open_session(fused)),
            probe_inputs(model.config.vocab_size, max_length(model.config), model.config.pad_token_id),
        )
        require_parity(parity, out.name)
        fused.replace(out)
    return replace(report, parity=parity)


def max_length(config: Any) -> int:
    """Longest input in sub-words: XLM-R's position table starts behind the padding index, ELECTRA's at 0."""
    offset = config.pad_token_id + 1 if config.model_type == "xlm-roberta" else 0
    return int(config.max_position_embeddings - offset)


def describe(path: Path, layers: int) -> OnnxReport:
    """Count the operators of an ONNX file; `layers` is the number of encoder layers it should hold."""
    import onnx

    operators = Counter(node.op_type for node in onnx.load(path, load_external_data=False).graph.node)
    attention = sum(operators[name] for name in ("Attention", "QAttention"))
    return OnnxReport(path.stat().st_size, dict(sorted(operators.items())), attention, layers)


def _token_classification_config(model: Any) -> Any:
    """optimum's export configuration for the task, reduced to the two inputs that every bundle takes."""
    from optimum.exporters.tasks import TasksManager

    constructor = TasksManager.get_exporter_config_constructor(
        "onnx", model=model, task="token-classification", library_name="transformers"
    )
    base = constructor.func if hasattr(constructor, "func") else constructor

    class TwoInputs(base):  # type: ignore[misc, valid-type]
        @property
        def inputs(self) -> dict[str, dict[int, str]]:
            return {name: {0: "batch_size", 1: "sequence_length"} for name in INPUT_NAMES}

    return TwoInputs(model.config, task="token-classification")


def _fuse(source: Path, target: Path, config: Any) -> None:
    """Fuse attention, layer normalisation and GELU with onnxruntime's transformer optimizer."""
    from onnxruntime.transformers.fusion_options import FusionOptions
    from onnxruntime.transformers.optimizer import optimize_model

    options = FusionOptions("bert")
    # The embedding fusion would swallow the table that is quantized row by row later.
    options.enable_embed_layer_norm = False
    pruned = bool(getattr(config, "pruned_heads", None))
    narrow = getattr(config, "embedding_size", config.hidden_size) != config.hidden_size
    with _quiet_optimizer():
        optimized = optimize_model(
            str(source),
            model_type="bert",
            # 0: read from the graph. Heads differ by layer after pruning, widths by table in a narrow student.
            num_heads=0 if pruned or narrow else config.num_attention_heads,
            hidden_size=0 if pruned or narrow else config.hidden_size,
            optimization_options=options,
            opt_level=0,
        )
    optimized.save_model_to_file(str(target))  # also declares the domain of the fused operators


@contextmanager
def _quiet_optimizer() -> Iterator[None]:
    """Without its remarks on widths: pruned heads and narrow embeddings are as intended, and parity is checked."""
    logger = logging.getLogger("onnxruntime.transformers")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(before)
