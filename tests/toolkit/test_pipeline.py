"""The whole line on a teacher of 47,000 parameters: what a user gets, and what survives a kill."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from export.manifest import read_manifest
from export.text2labels import Text2Labels
from export.verify import verify_bundle
from toolkit.data.builtin import load_demo_corpus
from toolkit.data.conll import write_conll
from toolkit.data.types import Labelled
from toolkit.record import RunRecord, read_records

# One worker runs them all, so that the line's first run is shared.
pytestmark = pytest.mark.xdist_group("pipeline")
ROOT = Path(__file__).resolve().parents[2]
RECIPE = """
description = "tiny"
[fine_tune]
learning_rate = 1e-3
[trim]
pieces = 330
[student]
layers = 1
heads = 2
hidden = 16
ffn = 16
embedding = 8
[distill]
unlabelled_tokens = 2000
labelled_repeats = 1
[distill.training]
learning_rate = 1e-3
[gold_only]
learning_rate = 1e-3
epochs = 1
"""
PRUNE_RECIPE = """
description = "pruned, then trimmed"
[fine_tune]
learning_rate = 1e-3
[prune]
kind = "structured"
ffn = 32
[recover]
learning_rate = 1e-3
epochs = 1
[trim]
pieces = 330
when = "last"
"""
PROFILE = """
name = "tiny"
description = "a device for tests"
[device]
cores = 2
isa = "any"
ram_mb = 4000
int8 = "any"
this_machine = true
[run]
variants = [{variants}]
external_data = {external}
[budgets]
download_bytes = {download}
p95_ms = 10000.0
p95_length = 16
[quality]
max_f1_loss_relative = 1.0
"""
# The measuring protocol cut to what a test can wait for.
DRIVER = """
import functools, sys
import toolkit.observe
from export.runtime.rounds import Protocol
toolkit.observe.Protocol = functools.partial(
    Protocol, lengths=(16,), rounds=1, runs=2, seconds=0.1, warm_runs=1, warm_seconds=0.0, cold_starts=1)
from toolkit.cli import main
code = main(sys.argv[1:])
print("torch" if "torch" in sys.modules else "no torch", file=sys.stderr)
sys.exit(code)
"""


@dataclass(frozen=True)
class Bench:
    """Input folders and how to run the command on them."""

    root: Path
    cache: Path

    def command(self, out: str, recipe: str = RECIPE, **profile: str) -> list[str]:
        home = self.root / out
        home.mkdir(exist_ok=True)
        (home / "small.toml").write_text(recipe)
        settings = {"variants": '"onnx-int8", "onnx-fp32"', "external": "false", "download": "10_000_000"}
        (home / "tiny.toml").write_text(PROFILE.format(**(settings | profile)))
        options = {
            "lang": "swa",
            "target": home / "tiny.toml",
            "recipe": home / "small.toml",
            "teacher": self.root / "published",
            "data": self.root / "data",
            "corpus": self.root / "corpus",
            "out": home,
        }
        given = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        return [sys.executable, "-c", DRIVER, "bundle", *given, "--yes"]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "TOOLKIT_CACHE": str(self.cache), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}

    def run(self, out: str, recipe: str = RECIPE, **profile: str) -> subprocess.CompletedProcess[str]:
        command = self.command(out, recipe, **profile)
        return subprocess.run(
            command, env=self.environment, cwd=self.root, capture_output=True, text=True, timeout=280
        )

    def record(self, out: str) -> RunRecord:
        return read_records(self.root / out)[0]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, published: Path, few: Labelled) -> Bench:
    root = tmp_path_factory.mktemp("line")
    shutil.copytree(published, root / "published")
    for split in ("train", "dev", "test"):
        write_conll(root / "data" / "swa" / f"{split}.txt", getattr(few, split))
    (root / "corpus").mkdir()
    (root / "corpus" / "swa.txt").write_text("\n".join(load_demo_corpus("swa").paragraphs[:200]), encoding="utf-8")
    return Bench(root, root / "cache")


@pytest.fixture(scope="module")
def first(bench: Bench) -> subprocess.CompletedProcess[str]:
    return bench.run("first")


@pytest.fixture(scope="module")
def gpu(bench: Bench, first: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    return bench.run("gpu", variants='"llm-int8"')


def test_the_line_ends_in_a_bundle_that_verifies(bench: Bench, first: subprocess.CompletedProcess[str]) -> None:
    assert first.returncode == 0, first.stderr
    record = bench.record("first")
    report = verify_bundle(Path(record.bundle))
    assert report.ok, report.problems
    assert record.selected.role == "candidate"
    assert {"teacher", "distilled student", "gold-only student", "trimmed int8 teacher"} <= {
        candidate.name for candidate in record.candidates
    }
    assert [stage.name for stage in record.stages][:4] == ["teacher", "trim", "signals", "distill"]
    page = bench.root / "first" / f"{Path(record.bundle).name}.report.html"
    assert page.is_file() and record.selected.name in page.read_text("utf-8")
    for expected in ("F1, test", "download_bytes", "licence", record.bundle):
        assert expected in first.stdout


def test_the_bundle_says_what_it_was_made_from(bench: Bench, first: subprocess.CompletedProcess[str]) -> None:
    record = bench.record("first")
    manifest = read_manifest(Path(record.bundle) / "manifest.json")
    assert manifest.provenance["data"]["sha256"] == record.sources["data"]["digest"]
    assert manifest.provenance["teacher"]["name"] == "published"
    assert str(bench.root) not in (Path(record.bundle) / "manifest.json").read_text("utf-8")
    assert manifest.licence == "non-commercial"  # nobody stated a licence for any input


def test_no_sentence_of_the_data_enters_the_bundle_or_its_record(
    bench: Bench, few: Labelled, first: subprocess.CompletedProcess[str]
) -> None:
    record = bench.record("first")
    shown = (".json", ".jsonl", ".md")
    texts = [path.read_bytes() for path in Path(record.bundle).rglob("*") if path.suffix in shown]
    texts += [path.read_bytes() for path in (bench.root / "first").glob("*.*") if path.is_file()]
    for sentence in (*few.train, *few.dev, *few.test):
        if len(sentence.words) > 6:
            for form in (" ".join(sentence.words), json.dumps(list(sentence.words), ensure_ascii=False)):
                assert not any(form.encode() in text for text in texts)


def test_a_second_run_finds_everything_stored_and_needs_no_torch(
    bench: Bench, first: subprocess.CompletedProcess[str]
) -> None:
    archive = Path(bench.record("first").bundle + ".zip")
    before = archive.read_bytes()
    again = bench.run("first")
    assert again.returncode == 0, again.stderr
    assert "no torch" in again.stderr
    assert "done:" not in again.stderr
    assert archive.read_bytes() == before


def test_killed_in_the_middle_the_same_command_goes_on(bench: Bench, first: subprocess.CompletedProcess[str]) -> None:
    killed = Bench(bench.root, bench.root / "killed-cache")
    process = subprocess.Popen(
        killed.command("killed"), env=killed.environment, cwd=bench.root, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("Distilling"):
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not list((bench.root / "killed").glob("*.run.json"))
    again = killed.run("killed")
    assert again.returncode == 0, again.stderr
    assert "stored: teacher" in again.stderr and "stored: signals" in again.stderr
    assert "done: distill" in again.stderr
    expected = Path(bench.record("first").bundle + ".zip").read_bytes()
    assert Path(bench.record("killed").bundle + ".zip").read_bytes() == expected


def test_two_runs_at_once_on_one_cache_both_succeed(bench: Bench) -> None:
    shared = Bench(bench.root, bench.root / "shared-cache")
    processes = []
    for out in ("left", "right"):
        processes.append(
            subprocess.Popen(
                shared.command(out), env=shared.environment, cwd=bench.root, stderr=subprocess.PIPE, text=True
            )
        )
        time.sleep(0.5)
    messages = [process.communicate(timeout=280)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], messages
    left, right = (Path(bench.record(out).bundle + ".zip").read_bytes() for out in ("left", "right"))
    assert left == right


def test_a_failed_verdict_leaves_the_best_attempt_and_exits_1(
    bench: Bench, first: subprocess.CompletedProcess[str]
) -> None:
    run = bench.run("failed", download="1")
    assert run.returncode == 1, run.stderr
    record = bench.record("failed")
    assert record.verdict["overall"] == "fail"
    assert verify_bundle(Path(record.bundle)).ok


def test_other_formats_ship_beside_an_onnx_model_that_verify_can_check(
    bench: Bench, gpu: subprocess.CompletedProcess[str]
) -> None:
    assert gpu.returncode == 0, gpu.stderr
    bundle = Path(bench.record("gpu").bundle)
    manifest = read_manifest(bundle / "manifest.json")
    assert manifest.model == "onnx/model_int8.onnx"
    assert manifest.alternatives[0].format == "bitsandbytes"
    assert (bundle / "gpu" / "model.safetensors").is_file()
    assert verify_bundle(bundle).ok


@pytest.mark.skipif(
    importlib.util.find_spec("onnxruntime_extensions") is None, reason="needs onnxruntime-extensions: make setup"
)
def test_a_recipe_can_ask_for_the_tagger_as_one_graph_beside_any_other_format(
    bench: Bench, gpu: subprocess.CompletedProcess[str]
) -> None:
    run = bench.run("graph", f"text2labels = true\n{RECIPE}", variants='"llm-int8"')
    assert run.returncode == 0, run.stderr
    bundle = Path(bench.record("graph").bundle)
    assert verify_bundle(bundle).ok
    manifest = read_manifest(bundle / "manifest.json")
    assert [other.format for other in manifest.alternatives] == ["bitsandbytes", "text2labels"]
    assert manifest.alternatives[1].requires == ("onnxruntime-extensions==0.15.2",)
    assert manifest.model_sha256 == read_manifest(Path(bench.record("gpu").bundle) / "manifest.json").model_sha256
    assert "also as text2labels" in (bundle / "README.md").read_text("utf-8")
    found = Text2Labels(bundle / manifest.alternatives[1].files[0])("Rais Samia alitembelea Arusha.")
    assert [word.text for word in found] == ["Rais", "Samia", "alitembelea", "Arusha", "."]
    assert json.loads((bundle / "evidence" / "text2labels.json").read_bytes())["sentences"] > 30


def test_pruning_trimming_last_external_data_and_torchscript_work_together(
    bench: Bench, first: subprocess.CompletedProcess[str]
) -> None:
    variants = '"onnx-int8", "onnx-static-int8", "torchscript-int8"'
    run = bench.run("pruned", PRUNE_RECIPE, variants=variants, external="true")
    assert run.returncode == 0, run.stderr
    record = bench.record("pruned")
    assert {"prune", "trim"} <= {stage.name for stage in record.stages}
    bundle = Path(record.bundle)
    assert verify_bundle(bundle).ok
    manifest = read_manifest(bundle / "manifest.json")
    assert [Path(name).suffix for name in manifest.external_data] == [".onnx_data"]
    assert record.calibration_sample is not None and record.calibration_sample["size"] == len(
        range(min(200, record.calibration_sample["whole"]))
    )
