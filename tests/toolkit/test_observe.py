"""Figures of an artifact on the device that its profile describes."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import toolkit.measure.estimate
from export.runtime.manifest import Setting
from toolkit.device_profile import DeviceProfile, load_device_profile
from toolkit.observe import Entry, Observer
from toolkit.prediction import TORCH
from toolkit.verdict import UNKNOWN, Figure

MEASURED = SimpleNamespace(
    buckets=[SimpleNamespace(length=64, tokens=71.5, total=SimpleNamespace(p95=3.0))],
    bucket=lambda length: MEASURED.buckets[0],
    sizes=SimpleNamespace(zipped=12),
    memory=SimpleNamespace(peak=7),
    cold_start=SimpleNamespace(total=0.5),
    machine=None,
)


def p95(profile: DeviceProfile, variant: str) -> Figure:
    artifact: Any = SimpleNamespace(path=Path("folder"))
    measured: Any = MEASURED
    entry = Entry("it", variant, artifact, "candidate", measurement=measured, setting=Setting(2, False))
    nothing: Any = None
    return Observer(nothing, nothing, profile).figures(entry).p95_ms


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    calls: list[tuple[Any, ...]] = []

    def estimate(*arguments: Any) -> Figure:
        calls.append(arguments)
        return Figure(12.0, "predicted", None, "from data sheets")

    monkeypatch.setattr(toolkit.measure.estimate, "estimate", estimate)
    return calls


def test_latency_on_another_device_is_estimated_for_the_length_and_setting_measured(asked: list[Any]) -> None:
    pi = load_device_profile("rpi4")
    assert p95(pi, "onnx-int8") == Figure(12.0, "predicted", None, "from data sheets")
    ((profile, model, threads, length, prepacking),) = asked
    assert (profile, model.as_posix()) == (pi, "folder/onnx/model_int8.onnx")
    assert (threads, length, prepacking) == (2, 71.5, False)


def test_what_was_measured_on_the_device_stands(asked: list[Any]) -> None:
    assert p95(load_device_profile("cpu"), "onnx-int8") == Figure(3.0, "measured here")
    assert asked == []


def test_a_calibrated_profile_of_this_machine_is_predicted_for_on_another(asked: list[Any]) -> None:
    class Calibrated(DeviceProfile):
        fingerprint = "of the machine it was calibrated on"  # type: ignore[assignment]

    cpu = load_device_profile("cpu")
    calibrated = Calibrated(**{field.name: getattr(cpu, field.name) for field in fields(cpu)})
    assert p95(calibrated, "onnx-int8").basis == "predicted"


def test_only_onnx_is_estimated(asked: list[Any]) -> None:
    for variant in (TORCH, "torchscript-int8"):
        assert p95(load_device_profile("rpi4"), variant) == Figure(3.0, "measured here")
    assert asked == []


def test_where_nothing_is_known_of_the_device_this_machine_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolkit.measure.estimate, "estimate", lambda *arguments: UNKNOWN)
    unknown = replace(load_device_profile("rpi4"), name="board")
    assert p95(unknown, "onnx-int8") == Figure(3.0, "measured here")
