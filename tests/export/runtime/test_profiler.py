from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from pathlib import Path

import jsonschema
import pytest

import export
from export.runtime import profiler
from export.runtime.answers import read_golden
from export.runtime.energy import Meter
from export.runtime.errors import UserError
from export.runtime.manifest import Setting
from export.runtime.profile_record import Profile
from export.runtime.profiler import PLAN, Plan, profile_bundle, sentences_to_measure
from export.runtime.protocol import Protocol
from export.verify import verify_bundle

TINY = Protocol(lengths=(8,), rounds=2, runs=20, warm_runs=1, warm_seconds=0.0, cold_starts=1)


@pytest.fixture(autouse=True)
def tiny_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiler, "PLAN", Plan(TINY, dataclasses.replace(TINY, lengths=(64,)), 0.1, 0.2, 0.2))


def test_the_usual_plan_is_what_the_documents_promise() -> None:
    usual = PLAN.protocol
    assert usual.lengths == (16, 32, 64, 128)
    assert usual.rounds * usual.runs >= 100 and usual.seconds == 60.0
    assert usual.warm_runs >= 5 and usual.warm_seconds >= 1.0
    assert not PLAN.quick


def test_a_profile_is_evidence_tied_to_the_model(bundle: Path) -> None:
    steps: list[tuple[int, int, str]] = []
    profile, path = profile_bundle(bundle, progress=lambda *now: steps.append(now))
    digest = hashlib.sha256((bundle / "onnx" / "model.onnx").read_bytes()).hexdigest()
    assert path == bundle / "evidence" / profile.file_name
    assert profile.model_sha256 == digest and digest[:8] in path.name
    written = json.loads(path.read_text("utf-8"))
    assert Profile.from_json(written) == profile
    schema = json.loads((Path(export.__file__).parent / "profile.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(written)
    assert verify_bundle(bundle).problems == ()

    assert profile.setting == Setting(1, True) and profile.host is None
    assert profile.agreement.ok and profile.agreement.same_ids == profile.agreement.sentences
    assert [found.setting.threads for found in profile.settings] == list(range(1, len(profile.settings) + 1))
    assert (profile.energy, profile.sustained) == (None, None)
    assert (profile.quick, profile.protocol) == (False, TINY)

    assert steps[0] == (0, 1, "trying the model")
    shares = [done / total for done, total, _ in steps]
    assert shares == sorted(shares) and shares[-1] <= 1
    assert {total for _, total, _ in steps[1:]} == {steps[-1][1]}
    told = {what for _, _, what in steps}
    assert {"replaying the golden sentences", "timing swa tiny, 8 sub-words"} <= told


def test_all_options_together(
    bundle: Path, external_variant: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights beside the model, a meter, a sustained run, other threads, another file."""
    for file in (external_variant / "onnx").iterdir():
        shutil.copyfile(file, bundle / "onnx" / file.name)
    joules = iter(range(10**6))
    meter = Meter("counter", "board", lambda: (next(joules),), lambda a, b, seconds: b[0] - a[0], 60.0)
    monkeypatch.setattr(profiler, "open_meter", lambda: meter)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    profile, path = profile_bundle(bundle, threads=2, sustained_minutes=1 / 120, out=tmp_path / "new" / "mine.json")
    assert path == tmp_path / "new" / "mine.json"
    assert Profile.from_json(json.loads(path.read_text("utf-8"))) == profile
    assert profile.setting == Setting(2, True) and profile.measurement.threads == 2
    assert {found.setting for found in profile.settings} == {
        Setting(1, True), Setting(2, True), Setting(1, False), Setting(2, False),
    }  # fmt: skip
    assert profile.recommended in {found.setting for found in profile.settings}
    assert profile.energy and profile.energy.meter == "counter"
    assert profile.sustained and len(profile.sustained.slices) >= 2
    assert [entry.name for entry in path.parent.iterdir()] == ["mine.json"]


def test_a_battery_is_no_meter_for_seconds(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meter = Meter("battery BAT0", "battery", lambda: (1.0,), lambda a, b, seconds: seconds, 1.0)
    monkeypatch.setattr(profiler, "open_meter", lambda: meter)
    assert profile_bundle(bundle)[0].energy is None


def test_quick_is_a_tenth_and_says_so(bundle: Path) -> None:
    profile, _ = profile_bundle(bundle, sustained_minutes=1 / 30, quick=True)
    assert profile.quick
    assert profile.protocol == TINY.tenth() and profile.sweep_protocol.runs == 2
    assert profile.measurement.bucket(8).total.samples == 4
    assert profile.sustained and profile.sustained.minutes < 1 / 60


def test_text_is_that_of_the_bundles_languages(finished_bundle: Path) -> None:
    golden = read_golden(finished_bundle)
    own = sentences_to_measure(golden, ("swa",))
    assert own == [line.words for line in golden if line.why == "swa"] and len(own) >= 8
    assert len(sentences_to_measure(golden, ("xyz",))) == len([line for line in golden if line.words])


def test_what_cannot_be_written_is_told_before_anything_is_measured(bundle: Path) -> None:
    steps: list[str] = []
    shutil.rmtree(bundle / "evidence")
    (bundle / "evidence").write_text("a file is in the way")
    with pytest.raises(UserError, match="Cannot write"):
        profile_bundle(bundle, progress=lambda done, total, what: steps.append(what))
    with pytest.raises(UserError, match="it is a folder"):
        profile_bundle(bundle, out=bundle)
    assert steps == []


def test_an_interrupted_profile_leaves_no_file(bundle: Path) -> None:
    before = sorted(bundle.rglob("*"))

    def interrupt(done: int, total: int, what: str) -> None:
        if what.startswith("timing 1 thread"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        profile_bundle(bundle, progress=interrupt)
    assert sorted(bundle.rglob("*")) == before
