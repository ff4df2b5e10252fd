"""The commands about devices reach what does the work; what that does is tested where it is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import calibration.device.plan
import toolkit.emulation.emulate
import toolkit.emulation.text
import toolkit.measure.calibrate
import toolkit.remote.measuring
import toolkit.report
from toolkit.cli import main


@pytest.fixture
def calibrated(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Calls of the calibration, whose runner is asked for one plan."""
    calls: list[Any] = []

    def calibrate(name: str, run: Any, **options: Any) -> Any:
        calls.append((name, options, run(Path("folder"))))
        return SimpleNamespace(path=Path("device_profiles/my-pi.toml"))

    monkeypatch.setattr(toolkit.measure.calibrate, "calibrate_device", calibrate)
    monkeypatch.setattr(toolkit.measure.calibrate, "calibration_rows", lambda found: [("error", "9 %")])
    return calls


def test_a_device_is_calibrated_here(
    calibrated: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run_here(progress: Any) -> Any:
        progress(50, "timing")
        return lambda folder: b"here"

    monkeypatch.setattr(toolkit.measure.calibrate, "run_here", run_here)
    assert main(["calibrate-device", "my-pi", "--like", "rpi4"]) == 0
    assert calibrated == [("my-pi", {"like": "rpi4", "overwrite": False}, b"here")]
    shown = capsys.readouterr()
    assert "error  9 %" in shown.out and "TARGET=my-pi" in shown.out
    assert "Calibrating: 50 %" in shown.err


def test_a_device_is_calibrated_over_ssh(calibrated: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def run_on_host(
        host: str, module: str, arguments: list[str], folders: Any, limit_s: float, progress: Any
    ) -> bytes:
        plan = calibration.device.plan.PLAN
        assert (host, module, arguments) == ("pi at /data", "runtime.kernels", ["--plan", f"{{plan}}/{plan}"])
        assert (folders, limit_s) == ({"plan": Path("folder")}, 300.0)
        progress(0.5)
        return b"there"

    monkeypatch.setattr(toolkit.remote.measuring, "connect", lambda target, folder: f"{target} at {folder}")
    monkeypatch.setattr(toolkit.remote.measuring, "run_on_host", run_on_host)
    assert main(["calibrate-device", "my-pi", "--host", "pi", "--folder", "/data", "--limit", "5"]) == 0
    assert calibrated[0][2] == b"there"


@pytest.mark.parametrize("name", ["", "My Pi", "../x"])
def test_a_bad_name_is_told_before_anything_is_measured(
    name: str, calibrated: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate-device", "--", name]) == 2
    assert calibrated == []
    assert "->" in capsys.readouterr().err


@pytest.mark.parametrize(("right", "code"), [(True, 0), (False, 1)])
def test_emulation_fails_where_a_processor_disagrees(
    right: bool, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def emulate(path: Path, text: Any, cache: Path, cpus: Any, progress: Any) -> Any:
        assert (path, text.lang, text.sentences, cpus) == (Path("b"), "luo", 20, ["cortex-a53"])
        assert cache.name == "emulation"
        progress(1, 2, "answering")
        return SimpleNamespace(ok=right, name="it")

    monkeypatch.setattr(toolkit.emulation.emulate, "emulate_bundle", emulate)
    monkeypatch.setattr(toolkit.emulation.text, "emulation_rows", lambda found: [("cortex-a53",) * 9])
    monkeypatch.setattr(toolkit.emulation.text, "emulation_lines", lambda found: ["sentence 3 differs"])
    monkeypatch.setattr(toolkit.report, "update_report", lambda path: Path("b.report.html"))
    arguments = ["--lang", "luo", "--sentences", "20", "--cpu", "cortex-a53"]
    assert main(["emulate", "b", *arguments]) == code
    shown = capsys.readouterr().out
    assert "it on emulated ARM" in shown and "sentence 3 differs" in shown and "report: b.report.html" in shown
