"""The script that ships in a bundle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from export.runtime import measure, profiler
from export.runtime.errors import UserError
from export.runtime.measure import main
from export.runtime.profile_record import Profile
from export.runtime.profiler import Plan
from export.runtime.protocol import Protocol

TINY = Protocol(lengths=(64,), rounds=2, runs=10, warm_runs=1, warm_seconds=0.0, cold_starts=1)


def test_the_script_runs_inside_a_bundle_and_writes_nothing_but_evidence(bundle: Path, tmp_path: Path) -> None:
    before = {path for path in bundle.rglob("*") if path.is_file()}
    (tmp_path / "cwd").mkdir()
    done = subprocess.run(
        [sys.executable, str(bundle / "runtime" / "measure.py"), "--json", "--quick", "--threads", "1"],
        capture_output=True, text=True, cwd=tmp_path / "cwd", timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = Profile.from_json(json.loads(done.stdout))
    assert [bucket.length for bucket in found.measurement.buckets] == [16, 32, 64, 128]
    assert found.quick and found.agreement.ok
    written = {path for path in bundle.rglob("*") if path.is_file()} - before
    assert [path.parent.name for path in written] == ["evidence"]
    told = done.stderr.splitlines()
    assert told[0] == "  0 %  trying the model"
    assert all(line[3:6] == " % " for line in told)


def test_it_runs_as_a_module_of_an_unpacked_runtime(bundle: Path, tmp_path: Path) -> None:
    """The way a bundle is measured on a host without pip."""
    options = ["--quick", "--bundle", str(bundle), "--out", str(tmp_path / "new" / "profile.json")]
    done = subprocess.run(
        [sys.executable, "-B", "-P", "-m", "runtime.measure", *options],
        capture_output=True, text=True, cwd=tmp_path, timeout=120, env={**os.environ, "PYTHONPATH": str(bundle)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    Profile.from_json(json.loads((tmp_path / "new" / "profile.json").read_text("utf-8")))
    assert "recommended" in done.stdout


@pytest.mark.parametrize("arguments", [["measure.py"], ["-m", "runtime.measure"]])
def test_a_missing_package_is_named_without_a_traceback(bundle: Path, arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-S", *arguments], capture_output=True, text=True, timeout=60,
        cwd=bundle / "runtime" if arguments == ["measure.py"] else bundle,
        env={key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COV"))},
    )  # fmt: skip
    assert done.returncode == 2
    assert "numpy is not installed" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_workers_and_leaves_no_file(bundle: Path, number: signal.Signals) -> None:
    before = sorted(bundle.rglob("*"))
    process = subprocess.Popen(
        [sys.executable, str(bundle / "runtime" / "measure.py"), "--sustained", "5"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stderr is not None
    assert "trying the model" in process.stderr.readline()
    process.stderr.readline()  # well under way
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        os.kill(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else 128 + number)
    assert "Traceback" not in errors
    assert ("nothing was written" in errors) == (number == signal.SIGINT)
    with pytest.raises(ProcessLookupError):  # no worker of the group is left
        os.killpg(process.pid, 0)
    assert sorted(bundle.rglob("*")) == before


def test_interrupts_end_the_command_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*given: object, **options: object) -> None:
        raise KeyboardInterrupt

    def terminated(*given: object, **options: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(measure, "profile_bundle", interrupted)
    assert main([]) == 130
    assert capsys.readouterr().err == "Interrupted: nothing was written.\n"
    monkeypatch.setattr(measure, "profile_bundle", terminated)
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before


def test_the_script_explains_itself_wherever_it_lies(tmp_path: Path) -> None:
    script = Path(measure.__file__)
    done = subprocess.run(
        [sys.executable, script, "--help"], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert all(option in done.stdout for option in ("--sustained MINUTES", "--quick", "--out FILE", "--threads N"))


def test_the_command_prints_a_table(
    bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profiler, "PLAN", Plan(TINY, TINY))
    assert main(["--bundle", str(bundle), "--threads", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("cold start") for line in lines)
    assert lines[-1].startswith("written to") and lines[-1].endswith(".json")


def test_json_is_the_whole_record(
    bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profiler, "PLAN", Plan(TINY, TINY))
    assert main(["--bundle", str(bundle), "--json", "--out", str(bundle / "mine.json")]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((bundle / "mine.json").read_text("utf-8"))


def test_the_command_tells_errors_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--bundle", str(tmp_path / "absent")]) == 2
    error = capsys.readouterr().err
    assert "manifest.json is missing" in error and error.count("\n") == 1


def test_options_reach_the_profiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}

    def profile(bundle: Path, **options: object) -> None:
        given.update(options, bundle=bundle)
        raise UserError("seen")

    monkeypatch.setattr(measure, "profile_bundle", profile)
    main(["--bundle", "b", "--threads", "3", "--sustained", "2.5", "--quick", "--out", "f.json"])
    del given["progress"]
    assert given == {
        "bundle": Path("b"), "threads": 3, "sustained_minutes": 2.5, "quick": True, "out": Path("f.json"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("option", "value"),
    [*(("--threads", value) for value in ("0", "-1", "two", "99999"))]
    + [("--sustained", value) for value in ("-1", "ten", "nan", "1441")],
)
def test_numbers_that_make_no_sense_are_refused(option: str, value: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main([f"{option}={value}"])
    assert caught.value.code == 2
