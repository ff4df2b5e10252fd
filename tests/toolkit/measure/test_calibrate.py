"""A calibration writes a profile that is read again, keeps what is the user's, and overwrites nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calibration.device.plan import PLAN, write_plan
from calibration.device.shapes import PIECES
from export.runtime.errors import UserError
from export.runtime.kernel_record import KernelResult
from export.runtime.machine import describe_machine, machine_fingerprint
from tests.calibration.device.simulated import ARTIFACTS, KERNELS, MACHINE, device
from toolkit.device_profile import PROFILES, load_device_profile
from toolkit.measure import calibrate as module
from toolkit.measure.calibrate import CalibratedDevice, calibrate_device, calibration_rows, run_here

Run = Callable[[Path], bytes]


def calibrated(folder: Path, run: Run | None = None, name: str = "my-pi", **options: Any) -> CalibratedDevice:
    items = {"kernels": KERNELS, "artifacts": ARTIFACTS}
    return calibrate_device(name, run or device(), profiles=folder, **items, **options)


def board(name: str | None, architecture: str = "aarch64", **changes: Any) -> Run:
    def change(result: KernelResult) -> KernelResult:
        machine = replace(MACHINE, board=name, architecture=architecture, **changes)
        return replace(result, machine=machine)

    return device(change=change)


def test_the_profile_is_read_again_with_all_that_was_measured(tmp_path: Path) -> None:
    found = calibrated(tmp_path)
    assert found.path == tmp_path / "my-pi.toml"
    profile = load_device_profile(str(found.path))
    assert profile.name == "my-pi" and profile.cores == 2 and profile.ram_mb == 1000
    assert profile.isa == "aarch64 Cortex-A72" and profile.int8 == "NEON only, no dot product"
    assert profile.threads == 2 and profile.variants[0] == "onnx-int8"
    assert not profile.this_machine and profile.fingerprint == machine_fingerprint(MACHINE)
    assert profile.calibration is not None
    written, model = profile.calibration.latency_model, found.calibrated.calibration.latency_model
    for one, other in zip(written.threads, model.threads, strict=True):
        assert one.largest == other.largest and one.cache_bytes == other.cache_bytes
        assert one.error.p95_p90 == pytest.approx(other.error.p95_p90, rel=1e-5)
        assert one.prices.int8_macs == pytest.approx(other.prices.int8_macs, rel=1e-5)
    assert found.path.read_text().startswith("# Written by `make calibrate-device`.")


def test_an_unknown_board_gets_no_budgets(tmp_path: Path) -> None:
    profile = calibrated(tmp_path).profile
    assert profile.budgets.p95_ms is None and profile.budgets.download_bytes is None
    assert set(profile.basis.values()) == {"not stated"} and not profile.external_data


@pytest.mark.parametrize(
    ("run", "like"),
    [
        (board("Raspberry Pi 4 Model B Rev 1.4"), "rpi4"),
        (board("Raspberry Pi Zero 2 W Rev 1.0"), "rpi-zero2w"),
        (board("Raspberry Pi 5 Model B Rev 1.0"), "rpi5"),
        (board(None, "x86_64", cpu="AMD EPYC"), "cpu"),
    ],
)
def test_budgets_are_those_of_the_nearest_shipped_profile(tmp_path: Path, run: Run, like: str) -> None:
    profile, near = calibrated(tmp_path, run).profile, load_device_profile(like)
    assert profile.budgets == near.budgets and profile.external_data == near.external_data
    assert profile.basis["p95_ms"] == f"as {like}: {near.basis['p95_ms']}"
    assert "our choice" in profile.basis["p95_ms"]


def test_the_target_to_take_budgets_from_can_be_named(tmp_path: Path) -> None:
    assert calibrated(tmp_path, like="android-low").profile.budgets == load_device_profile("android-low").budgets
    with pytest.raises(UserError, match="Unknown target 'rpi3'"):
        calibrated(tmp_path, like="rpi3")


def test_calibrating_again_keeps_what_users_write_and_chooses_threads_anew(tmp_path: Path) -> None:
    path = calibrated(tmp_path, board("Raspberry Pi 4 Model B")).path
    text = path.read_text("utf-8").replace("p95_ms = 100.0", "p95_ms = 77.0")
    path.write_text(text.replace('description = "', 'description = "the one on the roof: '), "utf-8")
    profile = calibrated(tmp_path, device({1: 1.0, 2: 1.01})).profile
    assert profile.budgets.p95_ms == 77.0 and profile.description.startswith("the one on the roof: ")
    assert profile.threads == 1
    fresh = calibrated(tmp_path, board("Raspberry Pi 4 Model B"), overwrite=True).profile
    assert fresh.budgets.p95_ms == 100.0


def test_a_profile_of_someone_elses_is_not_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "my-pi.toml"
    path.write_bytes((PROFILES / "rpi4.toml").read_bytes())

    def never(folder: Path) -> bytes:
        raise AssertionError("measured before looking")

    with pytest.raises(UserError, match=r"a profile at .*my-pi\.toml that no calibration wrote"):
        calibrated(tmp_path, never)
    assert path.read_bytes() == (PROFILES / "rpi4.toml").read_bytes()
    assert calibrated(tmp_path, overwrite=True).profile.calibration is not None


@pytest.mark.parametrize("name", ["My Pi", "../pi", "pi.toml", "", "-pi"])
def test_a_name_that_no_folder_may_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="cannot be called"):
        calibrated(tmp_path, name=name)


def test_nonsense_in_what_is_kept_is_told_before_measuring_and_in_the_rest_made_anew(tmp_path: Path) -> None:
    path = calibrated(tmp_path).path
    text = path.read_text("utf-8")
    path.write_text(text.replace("p95_ratio = 1.25", "p95_ratio = -1.0"), "utf-8")
    with pytest.raises(UserError, match=r"my-pi\.toml: latency_model\.threads\[0\]\.p95_ratio"):
        load_device_profile(str(path))
    assert calibrated(tmp_path).profile.calibration is not None
    path.write_text(text.replace("external_data = false", "external_data = 3"), "utf-8")
    with pytest.raises(UserError, match=r"my-pi\.toml: run\.external_data"):
        calibrated(tmp_path, lambda folder: b"measured before looking")


def test_a_device_that_fails_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        calibrated(tmp_path, lambda folder: b"{}")
    assert list(tmp_path.iterdir()) == []


def test_what_the_device_does_not_tell_is_left_out(tmp_path: Path) -> None:
    profile = calibrated(tmp_path, board(None, ram=None, flags=None, cpu=None, cores=None)).profile
    assert profile.ram_mb is None and profile.int8 == "not told by the machine"
    assert profile.cores == 2 and profile.isa == "aarch64"  # it ran two threads


def test_the_table_prints_the_error_with_the_name_of_the_processor(tmp_path: Path) -> None:
    rows = dict(calibration_rows(calibrated(tmp_path)))
    assert rows["measured on"] == "Test Board 1"
    assert "8 artifacts left out" in rows["error, 1 thread"] and "8 artifacts" in rows["error, 2 threads"]
    assert rows["memory copy"] == "4.5 GB/s" and rows["cold file read"] == "unknown"
    assert rows["product fp32, 1 thread"].endswith("GMAC/s") and rows["written to"].endswith("my-pi.toml")


def test_this_machine_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    real = replace(ARTIFACTS[0], shape=replace(ARTIFACTS[0].shape, pieces=PIECES))
    plan = write_plan(tmp_path, (*KERNELS, real), threads=(1,), rounds=1, runs=1, copy_bytes=1 << 23)
    told: list[tuple[int, str]] = []
    data = run_here(lambda percent, what: told.append((percent, what)))(tmp_path)
    result = KernelResult.from_json(json.loads(data))
    assert len(result.sweeps[0].timings) == sum(len(graph.lengths) for graph in plan.graphs)
    assert result.machine == describe_machine()
    assert told and told[0][0] == 0 and "reading" in told[0][1]


def test_a_process_that_fails_is_told_with_its_last_line(tmp_path: Path) -> None:
    (tmp_path / PLAN).write_text("{}")
    with pytest.raises(UserError, match=r"exit status 2\): This is no kernel plan"):
        run_here()(tmp_path)


def test_a_process_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setattr(module.sys, "executable", str(slow))
    with pytest.raises(UserError, match="exit status -9"):
        run_here(timeout=0.2)(tmp_path)
