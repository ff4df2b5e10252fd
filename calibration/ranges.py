"""Between which values an activation is represented in int8.

The range of a tensor is the one whose 256 levels give the least mean squared error over the calibration inputs
(Nagel et al. 2021, *A White Paper on Neural Network Quantization*, section 3.1). README.md compares it with the
extremes, percentiles and entropy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from export.runtime.errors import UserError

Feed = Mapping[str, np.ndarray]
Range = tuple[float, float]

BINS = 4096
LEVELS = 256
_SHRINK = np.geomspace(1.0, 0.1, 24)
"""Candidate ends of the range, as shares of the extremes."""


def activation_ranges(model: Any, tensors: Sequence[str], inputs: Sequence[Feed]) -> dict[str, Range]:
    """The (lowest, highest) value to represent of each of `tensors`; 0 always lies between them.

    The inputs run twice, for the extremes and then for histograms between them, so that memory does not grow
    with the sample.

    Args:
        model: the fp32 onnx.ModelProto; it is left as it is.
        tensors: names of float tensors inside its graph.
        inputs: feeds of the graph, input name -> array.

    Raises:
        UserError: no inputs, or the model gives values that are not finite.
    """
    names = list(dict.fromkeys(tensors))
    if not inputs:
        raise UserError("There are no calibration inputs.", "Give at least one sentence to calibrate with.")
    session = _session_with_outputs(model, names)
    low, high = np.zeros(len(names)), np.zeros(len(names))
    for feed in inputs:
        for index, values in enumerate(session.run(names, dict(feed))):
            low[index], high[index] = min(low[index], values.min()), max(high[index], values.max())
            if not np.isfinite([values.min(), values.max()]).all():
                raise UserError(
                    f"The model's activations are not finite ({names[index]}).",
                    "Its weights are damaged or its training diverged: train it again.",
                )
    counts = np.zeros((len(names), BINS))
    for feed in inputs:
        for index, values in enumerate(session.run(names, dict(feed))):
            counts[index] += np.histogram(values, BINS, (low[index], max(high[index], low[index] + 1e-9)))[0]
    return {
        name: least_error_range(counts[index], float(low[index]), float(high[index]))
        for index, name in enumerate(names)
    }


def least_error_range(counts: np.ndarray, low: float, high: float) -> Range:
    """The range with the least squared rounding and clipping error, int8 asymmetric.

    Args:
        counts: float64 (bins,), histogram with equal bins between `low` and `high`.
        low, high: the extremes, low <= 0 <= high.
    """
    edges = np.linspace(low, high, len(counts) + 1)
    centres = (edges[:-1] + edges[1:]) / 2
    filled = counts > 0
    values, weights = centres[filled], counts[filled]
    best, best_error = (low, high), np.inf
    lows = low * _SHRINK if low < 0 else np.zeros(1)
    highs = high * _SHRINK if high > 0 else np.zeros(1)
    for bottom in lows:
        scales = np.maximum((highs[:, None] - bottom) / (LEVELS - 1), 1e-12)
        zero = np.rint(-bottom / scales)
        levels = np.clip(np.rint(values / scales) + zero, 0, LEVELS - 1)
        errors = (((levels - zero) * scales - values) ** 2) @ weights
        if errors.min() < best_error:
            best, best_error = (float(bottom), float(highs[errors.argmin()])), errors.min()
    return best


def _session_with_outputs(model: Any, names: Sequence[str]) -> Any:
    """A session over a copy of `model` that can also answer the inner tensors `names`."""
    import onnx
    import onnxruntime as ort

    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    given = {output.name for output in opened.graph.output}
    for name in names:
        if name not in given:
            opened.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(opened.SerializeToString(), options, providers=["CPUExecutionProvider"])
