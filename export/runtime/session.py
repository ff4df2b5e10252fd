"""An ONNX model opened the way small devices need it."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from .compatibility import refuse_known_bad
from .encode import Logits
from .errors import UserError

if TYPE_CHECKING:
    import onnxruntime as ort

INPUTS = ("input_ids", "attention_mask")
OUTPUT = "logits"


def load_onnxruntime() -> ModuleType:
    """onnxruntime, imported only where it is not known to end the process.

    Raises:
        UserError: this release is known to fail on this board, or this Python is a 32-bit program.
    """
    refuse_known_bad()
    import onnxruntime

    return onnxruntime


def session_options(threads: int = 1, prepacking: bool = True) -> ort.SessionOptions:
    """The settings of every session that tags or is measured; arguments as for `open_session`."""
    ort = load_onnxruntime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    # A planned arena for every length seen costs 4 MB at AfriBERTa's base shape and gains no time.
    options.enable_mem_pattern = False
    options.log_severity_level = 3  # errors only: warnings on stderr would read as ours
    # Spinning threads win milliseconds on an idle server and lose battery on everything else.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.add_session_config_entry("session.disable_prepacking", "0" if prepacking else "1")
    return options


def open_session(model: Path, threads: int = 1, prepacking: bool = True) -> ort.InferenceSession:
    """Open `model` on the CPU.

    Args:
        model: the .onnx file; external data, if any, beside it.
        threads: threads inside an operator; 0 lets onnxruntime take every core.
        prepacking: keep weights re-ordered for speed. Without it a model with external data is read straight
            from the memory-mapped file: a third of the RAM for 10 to 20 % more latency.

    Raises:
        UserError: the file is missing, is no ONNX model, or is no token classifier; this onnxruntime is known to
            fail on this board.
    """
    if not model.is_file():
        raise UserError(f"There is no model at {model}.", "Give a folder that has one or copy it again.")
    ort = load_onnxruntime()
    options = session_options(threads, prepacking)
    try:
        session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no common base of their own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"onnxruntime {ort.__version__} cannot open {model}: {reason}",
            "The file may be incomplete: copy the bundle again, or check it with `make verify`.",
        ) from error
    inputs = {value.name for value in session.get_inputs()}
    outputs = {value.name for value in session.get_outputs()}
    if inputs != set(INPUTS) or OUTPUT not in outputs:
        raise UserError(
            f"{model} is no token classifier of this kind: it takes {', '.join(sorted(inputs))} and gives "
            f"{', '.join(sorted(outputs))}.",
            f"A model that takes {' and '.join(INPUTS)} and gives {OUTPUT} is needed.",
        )
    return session


def session_logits(session: ort.InferenceSession) -> Logits:
    """The logits callable of a session: int64 (b, n), int64 (b, n) -> float32 (b, n, labels)."""

    def logits(input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        feed = dict(zip(INPUTS, (input_ids, attention_mask), strict=True))
        output: np.ndarray = session.run([OUTPUT], feed)[0]
        return output.astype(np.float32, copy=False)

    return logits
