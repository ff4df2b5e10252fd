"""Prices are found again from timings, and the checked error is that of artifacts that were left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibration.device.features import Work
from calibration.device.fit import Check, checked_error, fit_sweep
from calibration.device.model import FEATURES, Largest, model_ms, outside
from export.runtime.errors import UserError
from export.runtime.kernel_record import Sweep, Timing
from export.runtime.measurement import Summary

RATIO = 1.25


def summary(p50: float) -> Summary:
    return Summary(p50, 1.1 * p50, RATIO * p50, 1.3 * p50, 0.9 * p50, p50, 50)


def made_up_work(count: int) -> dict[str, Work]:
    """Artifacts whose features are all different, with weights on both sides of 4 MB."""
    random = np.random.default_rng(3)
    work = {}
    for number in range(count):
        scale = 2.0**number
        fixed = {"nodes": float(random.integers(30, 90)), "weight_bytes": 1e5 * scale}
        per_row = {
            "int8_macs": 1e5 * scale,
            "fp32_macs": 1e5 * scale * random.random(),
            "int8_outputs": 900.0 + number**3,
        }
        work[f"artifact {number}"] = Work(fixed, per_row, {"attention_macs": 100.0 * (1 + number % 3)}, ())
    return work


def cost(features: dict[str, float]) -> float:
    """Milliseconds on a device of known prices, whose cache holds 4 MB."""
    far = max(0.0, features["weight_bytes"] - 4 * 2**20)
    prices = {"nodes": 500, "int8_macs": 0.002, "fp32_macs": 0.01, "attention_macs": 0.02, "int8_outputs": 1.5}
    return 1e-6 * (sum(price * features[name] for name, price in prices.items()) + 0.05 * far)


def timed(work: dict[str, Work], change: Callable[[str, int, float], float] = lambda name, length, ms: ms) -> Sweep:
    timings = tuple(
        Timing(name, length, length - 0.5, summary(change(name, length, cost(each.features(length - 0.5)))), 0.0)
        for name, each in work.items()
        for length in (16, 32, 64, 128)
    )
    return Sweep(2, timings, ())


def test_the_prices_and_the_cache_of_a_device_are_found_again() -> None:
    work = made_up_work(12)
    model, checks = fit_sweep(timed(work), work)
    assert model.threads == 2 and model.cache_bytes == 4 * 2**20
    assert model.p95_ratio == pytest.approx(RATIO)
    assert model.prices.int8_macs == pytest.approx(0.002, rel=1e-3)
    assert model.prices.far_weight_bytes == pytest.approx(0.05, rel=1e-2)
    assert model.prices.gather_bytes == 0.0
    assert len(checks) == 48 and model.error.artifacts == 12 and model.error.cases == 48
    unseen = Work({"nodes": 50, "weight_bytes": 3e7}, {"int8_macs": 3e7, "int8_outputs": 2000}, {}, ())
    assert model_ms(model.prices, model.cache_bytes, unseen.features(50)) == pytest.approx(
        cost(unseen.features(50)), rel=0.01
    )


def test_an_artifact_is_predicted_without_its_own_timings() -> None:
    work = made_up_work(10)

    def twice(name: str, length: int, ms: float) -> float:
        return 2 * ms if name == "artifact 5" else ms

    _, honest = fit_sweep(timed(work), work)
    _, checks = fit_sweep(timed(work, twice), work)
    errors = {(check.artifact, check.length): check.p50_error for check in checks}
    # Whatever it takes itself, the others say what it should take: about half of it.
    assert all(errors["artifact 5", length] == pytest.approx(-0.5, abs=0.05) for length in (16, 32, 64, 128))
    alone = {(check.artifact, check.length): check.predicted_p50 for check in honest}
    again = {(check.artifact, check.length): check.predicted_p50 for check in checks}
    assert all(
        again["artifact 5", length] == pytest.approx(alone["artifact 5", length]) for length in (16, 32, 64, 128)
    )


def test_prices_are_never_negative_whatever_was_timed() -> None:
    work = made_up_work(8)
    random = np.random.default_rng(0)
    model, _ = fit_sweep(timed(work, lambda name, length, ms: ms * random.uniform(0.3, 3)), work)
    assert min(vars(model.prices).values()) >= 0 and max(vars(model.prices).values()) > 0
    assert model.error.p50_p90 > model.error.p50_median > 0.05


def test_kernels_have_no_part_in_the_fit() -> None:
    work = made_up_work(6)
    sweep = timed(work)
    kernel = Timing("product 256x256 int8", 64, 64.0, summary(1e6), 0.0)
    with_kernel, _ = fit_sweep(replace(sweep, timings=(*sweep.timings, kernel)), work)
    assert with_kernel == fit_sweep(sweep, work)[0]


def test_too_few_artifacts_cannot_be_checked() -> None:
    work = made_up_work(3)
    with pytest.raises(UserError, match=r"Only 3 standard artifacts were timed \(threads: 2\)"):
        fit_sweep(timed(work), work)


def test_the_checked_error_has_p50_and_p95() -> None:
    checks = [Check("a", n, 10.0, 10.0 + n, 20.0, 20.0 - 2 * n) for n in range(1, 11)]
    error = checked_error(checks)
    assert error.p50_median == pytest.approx(0.55) and error.p95_median == pytest.approx(0.55)
    assert error.p50_p90 == pytest.approx(0.91)
    assert (error.artifacts, error.cases) == (1, 10)


def test_beyond_the_largest_and_below_the_fastest_nothing_is_vouched_for() -> None:
    work = made_up_work(8)
    model, _ = fit_sweep(timed(work), work)
    inside = work["artifact 4"].features(64)
    assert outside(model, inside) is None
    for name in FEATURES:
        assert name in str(outside(model, {**inside, name: 1.01 * getattr(model.largest, name) + 1}))
    assert "ms were measured" in str(outside(model, dict.fromkeys(FEATURES, 0.0)))
    assert (
        isinstance(model.largest, Largest)
        and model.largest.int8_macs == work["artifact 7"].features(128)["int8_macs"]
    )


def test_the_data_files_of_a_plan_are_gone_after_counting(tmp_path: Path) -> None:
    from calibration.device.plan import count_plan, write_plan
    from calibration.device.shapes import Kernel

    plan = write_plan(tmp_path, [Kernel("k", "fp32", (32, 32), 80, (8,))], rounds=1)
    work = count_plan(tmp_path, plan)
    assert work["k"].features(8)["fp32_macs"] == 8 * 32 * 32
    assert {path.name for path in tmp_path.iterdir()} == {"00.onnx", "plan.json", "tokenizer.json"}
