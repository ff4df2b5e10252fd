"""Activation ranges lose as little as 256 levels can."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from calibration.ranges import activation_ranges, least_error_range
from export.runtime.errors import UserError


def scaled_by(factor: float) -> Any:
    """out = relu(x * factor), with `x * factor` as an inner tensor 'scaled'."""
    nodes = [
        helper.make_node("Mul", ["x", "factor"], ["scaled"]),
        helper.make_node("Relu", ["scaled"], ["out"]),
    ]
    graph = helper.make_graph(
        nodes,
        "scale",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [None])],
        [numpy_helper.from_array(np.array([factor], np.float32), "factor")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def feeds(values: np.ndarray, parts: int = 4) -> list[dict[str, np.ndarray]]:
    return [{"x": part.astype(np.float32)} for part in np.array_split(values, parts)]


def squared_error(values: np.ndarray, low: float, high: float) -> float:
    scale = (high - low) / 255
    zero = np.rint(-low / scale)
    rounded = (np.clip(np.rint(values / scale) + zero, 0, 255) - zero) * scale
    return float(((rounded - values) ** 2).mean())


def test_range_of_even_values_is_their_extremes() -> None:
    low, high = activation_ranges(scaled_by(2.0), ["scaled"], feeds(np.linspace(-1.0, 3.0, 2001)))["scaled"]
    assert (low, high) == (pytest.approx(-2.0, rel=1e-5), pytest.approx(6.0, rel=1e-5))


def test_single_outlier_is_clipped_for_the_precision_of_the_rest() -> None:
    values = np.append(np.random.default_rng(0).normal(size=400_000), 40.0)
    low, high = activation_ranges(scaled_by(1.0), ["scaled"], feeds(values))["scaled"]
    assert values[:-1].max() < high < 30.0
    assert squared_error(values, low, high) < 0.8 * squared_error(values, values.min(), values.max())


def test_many_outliers_are_kept() -> None:
    values = np.append(np.random.default_rng(0).normal(size=20_000), np.full(200, 40.0))
    _, high = activation_ranges(scaled_by(1.0), ["scaled"], feeds(values))["scaled"]
    assert high == pytest.approx(40.0, rel=0.05)


def test_histogram_search_is_as_good_as_a_search_on_the_values() -> None:
    values = np.random.default_rng(1).standard_t(4, size=20_000)
    counts, _ = np.histogram(values, 4096, (values.min(), values.max()))
    found = least_error_range(counts.astype(float), float(values.min()), float(values.max()))
    grid = np.geomspace(1.0, 0.1, 40)
    best = min(squared_error(values, values.min() * a, values.max() * b) for a in grid for b in grid)
    assert squared_error(values, *found) < 1.05 * best


@pytest.mark.parametrize(("start", "end"), [(0.5, 4.0), (-4.0, -0.5)])
def test_zero_lies_in_the_range_of_one_sided_values(start: float, end: float) -> None:
    low, high = activation_ranges(scaled_by(1.0), ["scaled"], feeds(np.linspace(start, end, 999)))["scaled"]
    assert (low, high) == (pytest.approx(min(start, 0.0)), pytest.approx(max(end, 0.0)))


def test_constant_zero_has_an_empty_range() -> None:
    assert activation_ranges(scaled_by(0.0), ["scaled"], feeds(np.ones(10)))["scaled"] == (0.0, 0.0)


def test_outputs_may_be_asked_for_and_the_model_stays_as_it_was() -> None:
    model = scaled_by(1.0)
    before = model.SerializeToString()
    ranges = activation_ranges(model, ["scaled", "out", "scaled"], feeds(np.linspace(-1, 1, 2001)))
    assert list(ranges) == ["scaled", "out"]
    assert ranges["out"][0] == 0.0
    assert model.SerializeToString() == before
    onnx.checker.check_model(model)


def test_no_inputs_is_a_user_error() -> None:
    with pytest.raises(UserError, match="no calibration inputs"):
        activation_ranges(scaled_by(1.0), ["scaled"], [])


@pytest.mark.parametrize("factor", [float("inf"), float("nan")])
def test_values_that_are_not_finite_are_a_user_error(factor: float) -> None:
    with pytest.raises(UserError, match=r"not finite \(scaled\)"):
        activation_ranges(scaled_by(factor), ["scaled"], feeds(np.ones(10)))
