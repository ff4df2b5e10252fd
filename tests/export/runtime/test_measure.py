from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from export.runtime.errors import UserError
from export.runtime.measure import golden_words, main, profile_bundle, profile_rows
from export.runtime.measurement import Measurement
from export.runtime.memory import Memory
from export.runtime.rounds import Protocol
from export.verify import verify_bundle

QUICK = Protocol(lengths=(8,), rounds=1, runs=2, warm_runs=1, warm_seconds=0.0, cold_starts=1)


def change_manifest(bundle: Path, **changes: Any) -> None:
    path = bundle / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_profile_is_evidence_tied_to_the_model(bundle: Path) -> None:
    change_manifest(bundle, session={"threads": 2, "prepacking": False})
    profile = profile_bundle(bundle, protocol=QUICK)
    digest = hashlib.sha256((bundle / "onnx" / "model.onnx").read_bytes()).hexdigest()
    assert profile.path.parent == bundle / "evidence"
    assert profile.path.name.startswith("profile-") and profile.path.name.endswith(f"-{digest[:8]}.json")
    assert Measurement.from_json(json.loads(profile.path.read_text())) == profile.measurement
    assert profile.measurement.model_sha256 == digest
    assert profile.measurement.threads == 2  # the bundle's own setting
    assert not [path for path in profile.path.parent.iterdir() if path.name.startswith(".")]


def test_verify_accepts_a_profile_as_evidence_of_this_model(bundle: Path) -> None:
    profile_bundle(bundle, protocol=QUICK)
    assert verify_bundle(bundle).problems == ()


def test_a_line_separator_inside_a_text_ends_no_line(tmp_path: Path) -> None:
    path = tmp_path / "golden.jsonl"
    path.write_text('{"text": "ab\u2028cd", "words": ["ab", "cd"]}\n', encoding="utf-8")
    assert golden_words(path) == [["ab", "cd"]]


def test_threads_and_text_can_be_chosen(bundle: Path) -> None:
    (bundle / "golden.jsonl").unlink()
    found = profile_bundle(bundle, sentences=[["ab"]], threads=1, protocol=QUICK).measurement
    assert found.threads == 1
    assert found.throughput.latency.samples == 2


def test_the_script_runs_inside_a_bundle_and_writes_nothing_but_evidence(bundle: Path, tmp_path: Path) -> None:
    before = {path for path in bundle.rglob("*") if path.is_file()}
    (tmp_path / "cwd").mkdir()
    done = subprocess.run(
        [sys.executable, str(bundle / "runtime" / "measure.py"), "--json", "--threads", "1"],
        capture_output=True, text=True, cwd=tmp_path / "cwd", timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = Measurement.from_json(json.loads(done.stdout))
    assert [bucket.length for bucket in found.buckets] == [16, 32, 64, 128]
    assert all(bucket.total.samples >= 100 for bucket in found.buckets)
    written = {path for path in bundle.rglob("*") if path.is_file()} - before
    assert [path.parent.name for path in written] == ["evidence"]


def test_a_table_says_unknown_where_nothing_is_known(bundle: Path) -> None:
    found = profile_bundle(bundle, protocol=QUICK).measurement
    rows = dict(profile_rows(dataclasses.replace(found, memory=Memory(None, None, None, None))))
    assert rows["memory"] == "peak unknown, anonymous unknown"
    assert "p95" in rows["8 sub-words"]
    assert "median of 1" in rows["cold start"]


def test_the_command_prints_a_table(
    bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.runtime.measure.PROFILE", QUICK)
    assert main(["--bundle", str(bundle), "--threads", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("cold start") for line in lines)
    assert lines[-1].startswith("written to") and lines[-1].endswith(".json")


def test_the_command_tells_errors_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--bundle", str(tmp_path / "absent")]) == 2
    error = capsys.readouterr().err
    assert "manifest.json is missing" in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"session": []}, r"manifest.json cannot be used: session is \[\]"),
        ({"session": {"threads": "x"}}, "manifest.json cannot be used: threads is 'x'"),
        ({"model": 3}, "manifest.json cannot be used: model is 3"),
        ({"model": None}, "its model .* is missing"),
        ({"model": "../../model.onnx"}, "its model lies outside the bundle"),
        ({"model": "/etc/hostname"}, "its model lies outside the bundle"),
        ({"model": "onnx/absent.onnx"}, "its model 'absent.onnx' is missing"),
    ],
)
def test_a_damaged_manifest_is_an_error_without_a_traceback(
    bundle: Path, changes: dict[str, Any], message: str
) -> None:
    change_manifest(bundle, **changes)
    with pytest.raises(UserError, match=message):
        profile_bundle(bundle, protocol=QUICK)


@pytest.mark.parametrize("threads", ["0", "-1", "two", "99999"])
def test_threads_that_are_no_number_of_threads_are_refused(threads: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--threads", threads])
    assert caught.value.code == 2


@pytest.mark.parametrize("line", ["{", "3", '{"text": "a"}', '{"words": [1]}', '{"words": "ab"}'])
def test_a_damaged_golden_line_is_an_error(tmp_path: Path, line: str) -> None:
    path = tmp_path / "golden.jsonl"
    path.write_text('{"words": ["ab"]}\n' + line + "\n")
    with pytest.raises(UserError, match=r"golden\.jsonl cannot be used"):
        golden_words(path)


def test_evidence_that_cannot_be_written_is_an_error(bundle: Path) -> None:
    shutil.rmtree(bundle / "evidence")
    (bundle / "evidence").write_text("a file is in the way")
    with pytest.raises(UserError, match="Cannot write"):
        profile_bundle(bundle, protocol=QUICK)
