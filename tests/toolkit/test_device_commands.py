"""The commands about devices reach what does the work; what that does is tested where it is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import calibration.device.plan
import export.runtime.profile_table
import export.runtime.profiler
import toolkit.emulation.emulate
import toolkit.emulation.text
import toolkit.measure.calibrate
import toolkit.phone_profile
import toolkit.remote.measuring
import toolkit.report
from toolkit.cli import main


@pytest.mark.parametrize(("right", "code"), [(True, 0), (False, 1)])
def test_profile_prints_what_it_measured_and_fails_on_wrong_answers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], right: bool, code: int
) -> None:
    def profile_bundle(path: Path, progress: Any, **options: Any) -> Any:
        assert (path, options) == (Path("b"), {"threads": 2, "sustained_minutes": 0.5, "quick": True})
        progress(1, 2, "round")
        return SimpleNamespace(agreement=SimpleNamespace(ok=right)), Path("b/evidence/here.json")

    monkeypatch.setattr(export.runtime.profiler, "profile_bundle", profile_bundle)
    monkeypatch.setattr(export.runtime.profile_table, "profile_rows", lambda found: [("p50", "1 ms")])
    assert main(["profile", "b", "--threads", "2", "--sustained", "0.5", "--quick"]) == code
    captured = capsys.readouterr()
    assert "p50         1 ms" in captured.out and "b/evidence/here.json" in captured.out
    assert "Measuring: 50 %" in captured.err


def test_profile_on_a_host_goes_over_ssh(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def profile_on_host(path: Path, target: str, progress: Any, **options: Any) -> Any:
        assert (path, target) == (Path("b"), "-pi")
        assert options == {
            "threads": None, "sustained_minutes": 0.0, "quick": False, "folder": "/data", "limit_s": 90.0,
        }  # fmt: skip
        progress(0.5)
        return SimpleNamespace(agreement=SimpleNamespace(ok=True)), Path("b/evidence/pi.json")

    monkeypatch.setattr(toolkit.remote.measuring, "profile_on_host", profile_on_host)
    monkeypatch.setattr(export.runtime.profile_table, "profile_rows", lambda found: [("p50", "1 ms")])
    assert main(["profile", "b", "--host=-pi", "--folder", "/data", "--limit", "1.5"]) == 0
    assert "b on -pi" in capsys.readouterr().out


@pytest.mark.parametrize(("right", "code"), [(True, 0), (False, 1)])
def test_what_a_phone_measured_is_shown_like_any_profile(
    right: bool, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def import_profile(bundle: Path, file: Path) -> Any:
        assert (bundle, file) == (Path("b"), Path("phone.json"))
        return SimpleNamespace(agreement=SimpleNamespace(ok=right)), Path("b/evidence/phone.json")

    monkeypatch.setattr(toolkit.phone_profile, "import_profile", import_profile)
    monkeypatch.setattr(export.runtime.profile_table, "profile_rows", lambda found: [("p50", "1 ms")])
    monkeypatch.setattr(toolkit.report, "update_report", lambda path: Path("b.report.html"))
    assert main(["profile", "b", "--file", "phone.json"]) == code
    shown = capsys.readouterr().out
    for text in ("b on phone.json", "p50         1 ms", "b/evidence/phone.json", "b.report.html"):
        assert text in shown


@pytest.mark.parametrize("option", ["--host=pi", "--threads=2", "--sustained=1", "--quick"])
def test_what_a_phone_measured_is_not_measured_again(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "b", "--file", "phone.json", option]) == 2
    assert f"cannot be asked for {option.split('=')[0]}." in capsys.readouterr().err


def test_a_sustained_run_has_a_sensible_length(capsys: pytest.CaptureFixture[str]) -> None:
    for length in ("-1", "nan", "soon", "1e9"):
        with pytest.raises(SystemExit, match="2"):
            main(["profile", "b", "--sustained", length])
        assert "is no number of minutes" in capsys.readouterr().err


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
