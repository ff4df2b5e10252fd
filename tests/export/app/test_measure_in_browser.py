"""The measuring part of the web app: its rules against the profiler's in Node, itself in headless Chromium."""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import jsonschema
import numpy as np
import pytest

from export.runtime.answers import Answer, compare, read_golden
from export.runtime.encode import WordEncoder
from export.runtime.measurement import summarize
from export.runtime.profile_record import Profile
from export.runtime.profiler import PROTOCOL, sentences_to_measure
from export.runtime.progress import remaining_seconds
from export.runtime.protocol import Protocol
from export.runtime.records import to_plain
from export.runtime.rounds import texts_of
from export.runtime.sustained import Slice as OneSlice
from export.runtime.sustained import _slowdown
from tests.export.app.measuring_page import MEASURE, MODULES, ROOT, TESTS, measure_in_chromium
from tests.export.runtime.browser import CHROMIUM
from tests.toolkit.reporting.made_devices import phone
from toolkit.phone_profile import import_profile
from toolkit.reporting.devices import devices_section
from toolkit.reporting.evidence import read_evidence

SCHEMA = ROOT / "export" / "profile.schema.json"
CASES = sorted(path.name for path in TESTS.glob("*.test.js"))
LONGEST_LINE, LONGEST_FILE = 118, 300

pytestmark = pytest.mark.xdist_group("node")


class Sizes:
    """A tokenizer that knows only how many sub-words each word has."""

    def __init__(self, sizes: dict[str, int]) -> None:
        self.sizes = sizes

    def sub_words(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        (word,) = words
        return np.zeros(self.sizes[word]), np.zeros(self.sizes[word])


def text_cases() -> list[dict[str, Any]]:
    source = random.Random(0)
    cases = []
    for count in (1, 2, 3, 7, 8, 40) * 4:
        sizes = {f"w{n}": source.choice((1, 1, 2, 3, 5, 14, 40)) for n in range(30)} | {"only": 1, "nothing": 0}
        sentences = [[*source.choices(list(sizes), k=source.randint(1, 25)), "only"] for _ in range(count)]
        protocol = Protocol(rounds=source.randint(1, 4), runs=source.randint(1, 6))
        texts = texts_of(cast(WordEncoder, Sizes(sizes)), sentences, protocol)
        cases.append({"sentences": sentences, "sizes": sizes, "protocol": asdict(protocol), "texts": texts})
    return cases


def comparison_cases(golden: list[Answer]) -> list[dict[str, Any]]:
    """Golden answers against themselves, and against ones that differ in one thing each."""
    long = max(golden, key=lambda one: len(one.words))
    other = ["B-LOC" if tag == "O" else "O" for tag in long.tags]
    changes: list[dict[str, Any]] = [
        {}, {"words": ["x", *long.words[1:]]}, {"utf16": []}, {"bytes": [[0, 1]] * len(long.words)},
        {"windows": [{**long.windows[0], "ids": [0, 2]}]}, {"tags": long.tags[:-1]}, {"tags": other},
        {"tags": [other[0], *long.tags[1:]]}, {"logits": [[value + 0.3 for value in row] for row in long.logits]},
        {"margins": [margin + 0.7 for margin in long.margins]}, {"logits": long.logits[:-1]},
    ]  # fmt: skip
    cases = []
    for change in changes:
        for tolerance in (0.0, 0.5, 100.0):
            pairs = [(one, one) for one in golden[:5]] + [(long, replace(long, **change))]
            cases.append({
                "pairs": [[asdict(one), asdict(found)] for one, found in pairs],
                "tolerance": tolerance,
                "agreement": to_plain(compare(pairs, tolerance)),
            })  # fmt: skip
    wrong = replace(long, entities=[["PER", 0, 1]])
    pair = [asdict(wrong), asdict(wrong)]
    return [*cases, {"pairs": [pair], "tolerance": 1.0, "agreement": to_plain(compare([(wrong, wrong)], 1.0))}]


def all_cases(golden: list[Answer]) -> dict[str, Any]:
    source = np.random.default_rng(0)
    samples = [source.lognormal(size=count).tolist() for count in (1, 2, 3, 10, 50, 500)] + [[0.1] * 7]
    logits = [float(value) for value in source.normal(size=2000).astype(np.float32) * 8]
    slices = [source.lognormal(size=5 + n % 3).tolist() for n in range(23)]
    made = [OneSlice(6.0 * n, statistics.median(one), len(one), None, None, None) for n, one in enumerate(slices, 1)]
    nameless = replace(phone().measurement.machine, board=None, os="Android 14")
    phones = [phone(), replace(phone(), measurement=replace(phone().measurement, machine=nameless))]
    return {
        "texts": text_cases(),
        "sentences": [
            {"golden": [asdict(one) for one in golden], "languages": languages}
            | {"sentences": sentences_to_measure(golden, languages)}
            for languages in (["swa"], ["yor", "amh"], ["zul"], [])
        ],
        "summaries": [{"samples": one, "summary": asdict(summarize(one))} for one in samples],
        "medians": [{"samples": one, "median": statistics.median(one)} for one in samples],
        "roundings": [
            {"value": value, "rounded": float(np.round(np.float64(value), 4))}
            for value in (*logits, 0.03125, -0.03125, 0.00005, 0.00015, 1e4, -1e4)
        ],
        "comparisons": comparison_cases(golden),
        "protocol": asdict(PROTOCOL),
        "tenth": asdict(PROTOCOL.tenth()),
        "names": [{"profile": one.to_json(), "name": one.file_name} for one in phones],
        "slices": slices,
        "slowdown": _slowdown(made),
        "remaining": remaining_seconds(5, 5, 40),
    }


@pytest.fixture(scope="module")
def cases(finished_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Python makes of cases that JavaScript is asked too."""
    file = tmp_path_factory.mktemp("cases") / "cases.json"
    file.write_text(json.dumps(all_cases(read_golden(finished_bundle))), "utf-8")
    return file


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.parametrize("case", CASES)
def test_in_node(case: str, cases: Path) -> None:
    environment = {**os.environ, "CASES": str(cases)}
    done = subprocess.run(
        ["node", "--test", case], cwd=TESTS, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


@pytest.fixture(scope="module")
def report(finished_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a page in Chromium reports of measuring a bundle."""
    if CHROMIUM is None:
        pytest.skip("needs chromium")
    if not (MODULES / "onnxruntime-web").is_dir():
        pytest.skip("needs npm packages: cd tests/export/runtime/js && npm ci --ignore-scripts")
    return measure_in_chromium(finished_bundle, tmp_path_factory.mktemp("browser"))


def test_a_page_measures_what_the_schema_describes(report: dict[str, Any], finished_bundle: Path) -> None:
    assert "error" not in report and report["breaches"] == []
    data = report["profile"]
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text("utf-8"))).validate(data)
    profile = Profile.from_json(data)
    golden = read_golden(finished_bundle)
    assert profile.agreement.ok and profile.agreement.flips == ()
    assert profile.agreement.same_ids == profile.agreement.sentences == len(golden)
    assert profile.agreement.same_tags == profile.agreement.words == sum(len(one.words) for one in golden)
    assert profile.quick and profile.protocol == profile.sweep_protocol == PROTOCOL.tenth()
    cold = asdict(profile.measurement.cold_start)
    assert all(value > 0 for value in cold.values())
    parts = ("interpreter", "imports", "session", "tokenizer", "first_answer")
    assert sum(cold[part] for part in parts) <= cold["total"] * 1.1
    manifest = json.loads((finished_bundle / "manifest.json").read_text("utf-8"))
    encoder = WordEncoder.load(finished_bundle, manifest["max_length"])
    texts = texts_of(encoder, sentences_to_measure(golden, manifest["languages"]), profile.protocol)
    for bucket in profile.measurement.buckets:
        assert bucket.total.samples <= 50 and bucket.tokenization.minimum > 0
        windows = [encoder.windows(words) for words in texts[str(bucket.length)]]
        sizes = [sum(len(window.input_ids) for window in one) for one in windows]
        assert min(sizes) <= bucket.tokens <= max(sizes)


def test_what_a_browser_does_not_tell_is_null(report: dict[str, Any], finished_bundle: Path) -> None:
    data = report["profile"]
    measurement = data["measurement"]
    machine = measurement["machine"]
    untold = {name for name, value in machine.items() if value is None}
    assert untold >= {"cpu", "flags", "ram", "kernel", "python", "numpy", "tokenizers"}
    assert set(measurement["memory"].values()) == set(data["before"].values()) == {None}
    assert (data["energy"], data["sustained"], data["host"]) == (None, None, None)
    assert dict(measurement["packages"]).keys() == {"browser", "onnxruntime-web"}
    manifest = json.loads((finished_bundle / "manifest.json").read_text("utf-8"))
    sizes = {name: entry["bytes"] for name, entry in manifest["files"].items()}
    assert measurement["sizes"]["model"] == sizes[manifest["model"]] and measurement["sizes"]["zipped"] is None


def test_the_panel_tells_what_came_out_and_what_went_wrong(report: dict[str, Any]) -> None:
    assert "manifest.json cannot be read: the server answers 404" in report["refused"]
    assert "Check the connection" in report["refused"]
    assert (report["cancelled"], report["replaced"], report["profiles"]) == ("Cancelled.", 1, 1)
    assert report["busy"] == [True, True] and report["labelled"]
    assert report["download"] == Profile.from_json(report["profile"]).file_name
    shown = report["shown"]
    assert "<b>made up</b>" in shown["text"] and not shown["markup"]
    assert "128 sub-words" in shown["text"] and "0 flipped" in shown["text"]
    assert shown["focused"] == "What this phone does"


def test_wrong_answers_and_flips_are_told_as_text(report: dict[str, Any]) -> None:
    warned = report["warned"]
    assert "Wrong answers: do not use this bundle on this phone." in warned["text"]
    assert "Line 1, “<img src=x>”: B-PER instead of O" in warned["text"] and not warned["markup"]


def test_a_phone_that_shares_no_json_shares_it_as_text(report: dict[str, Any]) -> None:
    assert report["shared"] == [[f"{report['download']}.txt", "device profile"]]


def test_work_without_a_pause_is_recorded_and_progress_only_grows(report: dict[str, Any]) -> None:
    profile = Profile.from_json(report["profile"] | {"sustained": report["sustained"]})
    assert profile.sustained is not None and profile.sustained.length == 64
    (one,) = profile.sustained.slices
    assert profile.sustained.minutes >= 0.03 and one.runs > 10 and one.p50_ms > 0
    shares = [done / total for done, total in report["told"]]
    assert shares == sorted(shares) and shares[0] == 0 and 0.3 < shares[-1] <= 1


def test_its_profile_is_taken_in_and_shown(report: dict[str, Any], bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / report["download"]
    file.write_text(json.dumps(report["profile"]), "utf-8")
    profile, written = import_profile(bundle, file)
    assert written == bundle / "evidence" / profile.file_name
    evidence = read_evidence(bundle)
    assert [device.profile for device in evidence.devices] == [profile] and evidence.left_out == ()
    section = devices_section(evidence)
    assert section is not None and section.title == "On devices"


def test_sources_are_short() -> None:
    for file in (*MEASURE.iterdir(), *TESTS.iterdir()):
        lines = file.read_text("utf-8").splitlines()
        assert len(lines) <= LONGEST_FILE, file.name
        assert max(map(len, lines)) <= LONGEST_LINE, file.name
