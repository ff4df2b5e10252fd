"""A prediction carries its checked error only where it was checked; anything else is an unverified estimate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calibration.device.calibrate import calibrate
from calibration.device.features import Work, count_work
from calibration.device.model import model_ms
from calibration.device.record import Calibration
from export.runtime.errors import UserError
from tests.calibration.device.simulated import ARTIFACTS, CACHE, KERNELS, P95_RATIO, PRICES, device
from toolkit.device_profile import DeviceProfile, load_device_profile
from toolkit.measure.estimate import estimate, predict
from toolkit.verdict import UNKNOWN, Figure, Figures, budget_verdicts


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return calibrate(device({1: 1.0, 2: 1.6}, noise=0.1), KERNELS, ARTIFACTS).calibration


@pytest.fixture(scope="module")
def board(calibration: Calibration) -> DeviceProfile:
    return replace(load_device_profile("rpi4"), calibration=calibration)


@pytest.fixture
def model(exported: Any) -> Path:
    """An artifact of a shape that no standard artifact has."""
    return Path(exported.int8 / "onnx" / "model_int8.onnx")


def test_an_artifact_that_had_no_part_in_the_fit_is_predicted(board: DeviceProfile, model: Path) -> None:
    truth = model_ms(PRICES, CACHE, count_work(model).features(16))
    found = estimate(board, model, 1, 16)
    assert board.calibration is not None
    by_threads = board.calibration.latency_model.for_threads(1)
    assert by_threads is not None
    assert found.basis == "predicted" and found.relative_error == by_threads.error.p95_p90
    assert found.value == pytest.approx(P95_RATIO * truth, rel=0.15)
    assert "on Test Board 1" in found.note and f"{by_threads.error.cases} left-out cases" in found.note
    faster = estimate(board, model, 2, 16)
    assert faster.value is not None and found.value is not None and faster.value < found.value


def test_p95_is_p50_by_the_ratio_seen(calibration: Calibration) -> None:
    latency = calibration.latency_model
    by_threads = latency.threads[0]
    work = Work({"nodes": 50, "weight_bytes": 5000}, {"int8_macs": 5000, "int8_outputs": 50}, {}, ())
    found = predict(latency, by_threads, work, 20)
    assert found.p50_ms == model_ms(by_threads.prices, by_threads.cache_bytes, work.features(20))
    assert found.p95_ms == pytest.approx(by_threads.p95_ratio * found.p50_ms)
    assert found.unverified is None


@pytest.mark.parametrize(
    ("length", "prepacking", "change", "why"),
    [
        (100, True, {}, "100 sub-words where 8 to 32 were measured"),
        (4, True, {}, "4 sub-words"),
        (16, False, {}, "prepacked"),
        (16, True, {"unknown": ("GatherBlockQuantized", "MatMulNBits")}, "GatherBlockQuantized, MatMulNBits"),
        (16, True, {"per_row": {"int8_macs": 1e9}}, "int8_macs"),
        (16, True, {"fixed": {"nodes": 1}, "per_row": {}, "per_pair": {}}, "ms were measured"),
    ],
)
def test_beyond_what_was_measured_a_prediction_is_unverified(
    calibration: Calibration, model: Path, length: float, prepacking: bool, change: dict[str, Any], why: str
) -> None:
    latency = calibration.latency_model
    work = replace(count_work(model), **change)
    found = predict(latency, latency.threads[0], work, length, prepacking)
    assert why in str(found.unverified) and found.p95_ms > 0


def test_an_unverified_prediction_decides_nothing(board: DeviceProfile, model: Path) -> None:
    found = estimate(board, model, 1, 100)
    assert found.value is not None and (found.basis, found.relative_error) == ("predicted", None)
    (row,) = (row for row in budget_verdicts(Figures(None, p95_ms=found), board) if row.name == "p95_ms")
    assert row.verdict == "undecided" and row.interval is None and row.basis == "unverified estimate"
    assert "an unverified estimate: 100 sub-words" in row.note


def test_a_device_that_nobody_calibrated_gets_an_unverified_estimate(model: Path) -> None:
    found = estimate(load_device_profile("rpi4"), model, 2, 64)
    assert found.value is not None and 0.1 < found.value < 100
    assert found.relative_error is None and "data sheets" in found.note


def test_a_number_of_threads_that_was_not_calibrated_falls_back_to_the_data_sheet(
    board: DeviceProfile, model: Path
) -> None:
    found = estimate(board, model, 4, 16)
    assert found.relative_error is None and "data sheets" in found.note


def test_nothing_is_made_up_where_nothing_is_known(model: Path) -> None:
    assert estimate(load_device_profile("web"), model, 1, 64) is UNKNOWN
    assert Figure() == UNKNOWN


def test_a_missing_model_is_named(board: DeviceProfile, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"There is no model at .*none\.onnx"):
        estimate(board, tmp_path / "none.onnx", 1, 16)
