from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

import pytest

from export.runtime import rounds
from export.runtime.errors import UserError
from export.runtime.measurement import Measurement
from export.runtime.rounds import Protocol, Subject, measure_subjects, rough_cost

SENTENCES = [["ab", "cd", "a"], ["b", "c"], ["ab", "ab", "ab", "cd"]]
QUICK = Protocol(
    lengths=(8, 16), rounds=3, runs=4, seconds=3.0, warm_runs=1, warm_seconds=0.0, cold_starts=2, timeout=60.0
)


def subject(artifact: Path, name: str) -> Subject:
    model = artifact / "onnx" / "model.onnx"
    return Subject(
        name, "onnx", artifact, model, "export.runtime.worker", (("prepacking", True), ("max_length", 512))
    )


class ScriptedWorker:
    """Stands for WorkerProcess: answers from a table of milliseconds and writes down what it was asked."""

    asked: ClassVar[list[tuple[str, str, str]]] = []
    milliseconds: ClassVar[dict[str, float]] = {}
    slow_rounds: ClassVar[dict[tuple[int, str], float]] = {}
    tells_cpu: ClassVar[bool] = True

    def __init__(self, name: str, module: str, threads: int) -> None:
        self.name = name
        self.turns: dict[str, int] = {}

    def __enter__(self) -> ScriptedWorker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.asked.append((self.name, "closed", ""))

    def clock(self) -> float:
        return {"a": 1.0, "b": 0.5, "c": 0.25}[self.name]

    def ask(self, cmd: str, timeout: float, **fields: Any) -> dict[str, Any]:
        if cmd == "load":
            memory = {"peak": None, "resident": None, "anonymous": None, "file_backed": None}
            seconds = {"imports": 0.1, "session": 0.05, "tokenizer": 0.02}
            return {"seconds": seconds, "memory_imported": memory, "packages": {}}
        if cmd == "memory":
            return {"peak": 7, "resident": 6, "anonymous": 5, "file_backed": 1}
        if cmd == "answer":
            return {"seconds": 0.01}
        if cmd == "time" and fields["runs"] == QUICK.runs:
            bucket = fields["bucket"]
            self.asked.append((self.name, "time", bucket))
            turn = self.turns[bucket] = self.turns.get(bucket, -1) + 1
            assert fields["start"] == turn * QUICK.runs
            # A busy machine takes the processor away from whoever needs it longest.
            one = self.milliseconds[self.name] * self.slow_rounds.get((turn, self.name), 1.0)
            # Texts differ in length; a slow artifact gets through fewer of them.
            runs = 4 if self.name != "a" else 3
            total = [one * (1 + text) for text in range(runs)]
            cpu = [self.milliseconds[self.name] * (1 + text) for text in range(runs)] if self.tells_cpu else None
            inference = [0.75 * milliseconds for milliseconds in total]
            return {"total_ms": total, "inference_ms": inference, "cpu_ms": cpu, "tokens": [10] * runs}
        return {}


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> type[ScriptedWorker]:
    monkeypatch.setattr(rounds, "WorkerProcess", ScriptedWorker)
    ScriptedWorker.asked = []
    ScriptedWorker.milliseconds = {"a": 10.0, "b": 5.0, "c": 2.0}
    ScriptedWorker.slow_rounds = {}
    ScriptedWorker.tells_cpu = True
    return ScriptedWorker


def measure(artifact: Path, names: str = "abc", **options: Any) -> dict[str, Measurement]:
    return measure_subjects([subject(artifact, name) for name in names], SENTENCES, 1, QUICK, **options)


def test_artifacts_take_turns_at_each_length(variant: Path, scripted: type[ScriptedWorker]) -> None:
    measure(variant)
    turns = [(name, bucket) for name, cmd, bucket in scripted.asked if cmd == "time"]
    one_round = [(name, bucket) for bucket in ("8", "16", "sentences") for name in "abc"]
    assert turns == one_round * QUICK.rounds


def test_speedups_compare_the_same_texts(variant: Path, scripted: type[ScriptedWorker]) -> None:
    found = measure(variant)
    assert {name: {s.median for s in found[name].speedups} for name in "abc"} == {
        "a": {1.0},
        "b": {2.0},
        "c": {5.0},
    }
    assert [s.length for s in found["b"].speedups] == [8, 16, None]
    assert found["a"].reference == found["c"].reference == "a"


@pytest.mark.parametrize("tells_cpu", [True, False])
def test_ratios_hold_when_the_machine_is_slow_for_a_while(
    variant: Path, scripted: type[ScriptedWorker], tells_cpu: bool
) -> None:
    scripted.tells_cpu = tells_cpu
    scripted.slow_rounds = {(turn, name): slow for turn, slow in ((1, 3.0), (2, 1.7)) for name in "abc"}
    found = measure(variant)["c"]
    assert [(s.median, s.low, s.high, s.rounds) for s in found.speedups] == [pytest.approx((5.0, 5.0, 5.0, 3))] * 3


def test_with_one_thread_a_busy_machine_does_not_flatter_the_small(
    variant: Path, scripted: type[ScriptedWorker]
) -> None:
    scripted.slow_rounds = {(turn, "a"): 4.0 for turn in range(QUICK.rounds)}
    found = measure(variant)
    assert {s.median for s in found["c"].speedups} == {5.0}
    assert found["a"].bucket(16).waiting == pytest.approx(0.75)
    assert found["c"].bucket(16).waiting == pytest.approx(0.0)
    assert found["a"].bucket(16).total.p50 == 80.0  # latency stays what the clock said


@pytest.mark.parametrize(("threads", "tells_cpu"), [(2, True), (1, False)])
def test_processor_time_of_several_threads_or_unknown_decides_nothing(
    variant: Path, scripted: type[ScriptedWorker], threads: int, tells_cpu: bool
) -> None:
    scripted.tells_cpu = tells_cpu
    scripted.slow_rounds = {(turn, "a"): 4.0 for turn in range(QUICK.rounds)}
    found = measure_subjects([subject(variant, name) for name in "ac"], SENTENCES, threads, QUICK)
    assert {s.median for s in found["c"].speedups} == {20.0}
    assert found["a"].bucket(16).waiting is None


def test_a_subject_may_have_threads_of_its_own(variant: Path, scripted: type[ScriptedWorker]) -> None:
    scripted.slow_rounds = {(turn, "c"): 2.0 for turn in range(QUICK.rounds)}
    subjects = [
        dataclasses.replace(subject(variant, name), threads=threads) for name, threads in (("a", 1), ("c", 2))
    ]
    found = measure_subjects([*subjects, subject(variant, "b")], SENTENCES, 1, QUICK)
    assert {name: found[name].threads for name in "abc"} == {"a": 1, "b": 1, "c": 2}
    # Two threads against one: the clock counts, and it saw the slow rounds.
    assert {s.median for s in found["c"].speedups} == {2.5}
    assert {s.median for s in found["b"].speedups} == {2.0}


def test_one_artifact_at_several_settings_is_weighed_once(
    variant: Path, scripted: type[ScriptedWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    weighed: list[Path] = []
    digest = rounds.model_digest
    monkeypatch.setattr(rounds, "model_digest", lambda folder, model: weighed.append(model) or digest(folder, model))
    assert measure(variant, "ab")["b"].model_sha256 == measure(variant, "c")["c"].model_sha256
    assert len(weighed) == 2  # once for each call


def test_a_rough_cost_is_that_of_one_start_and_a_few_sentences(variant: Path) -> None:
    cost = rough_cost(subject(variant, "a"), SENTENCES)
    assert 0.02 < cost.start < 20
    assert 0 < cost.sub_word < 0.05


def test_statistics_come_from_every_run_of_every_round(variant: Path, scripted: type[ScriptedWorker]) -> None:
    found = measure(variant)["b"]
    bucket = found.bucket(16)
    assert (bucket.total.samples, bucket.tokens) == (12, 10.0)
    assert (bucket.total.p50, bucket.total.minimum, bucket.total.mean) == (12.5, 5.0, 12.5)
    assert (bucket.inference.p50, bucket.tokenization.p50) == pytest.approx((9.375, 3.125))
    assert bucket.tokens_per_s == pytest.approx(120 / 0.150)
    assert found.throughput.sentences_per_s == pytest.approx(12 / 0.150)
    assert found.throughput.tokens_per_s == pytest.approx(120 / 0.150)


def test_cold_start_is_split_and_sums_up(variant: Path, scripted: type[ScriptedWorker]) -> None:
    cold = measure(variant)["b"].cold_start
    assert (cold.imports, cold.load, cold.first_answer) == pytest.approx((0.1, 0.07, 0.01))
    assert cold.interpreter == pytest.approx(0.5 - 0.18)
    assert (cold.total, cold.samples) == (0.5, 2)


def test_slow_cold_starts_are_not_repeated(variant: Path, scripted: type[ScriptedWorker]) -> None:
    plan = dataclasses.replace(QUICK, cold_starts=4, cold_seconds=1.0)
    found = measure_subjects([subject(variant, name) for name in "abc"], SENTENCES, 1, plan)
    assert [found[name].cold_start.samples for name in "abc"] == [1, 2, 4]


def test_what_was_not_told_stays_none(variant: Path, scripted: type[ScriptedWorker]) -> None:
    found = measure(variant, "a", zipped=False)["a"]
    assert found.memory.peak == 7
    assert found.memory_imported.peak is None
    assert found.sizes.zipped is None
    assert (found.reference, found.speedups) == (None, ())


def test_progress_counts_up_to_its_total(variant: Path, scripted: type[ScriptedWorker]) -> None:
    seen: list[tuple[int, int, str]] = []
    measure(variant, progress=lambda done, total, what: seen.append((done, total, what)))
    assert [done for done, _, _ in seen] == list(range(len(seen)))
    assert {total for _, total, _ in seen} == {len(seen)}
    assert (3, len(seen), "loading a") in seen
    assert any(what == "timing b, 16 sub-words" for _, _, what in seen)


def test_two_real_artifacts_are_measured_in_processes_of_their_own(variant: Path) -> None:
    found = measure(variant, "ab")["b"]
    assert found.basis == "measured here"
    assert [bucket.length for bucket in found.buckets] == [8, 16]
    assert all(6 <= bucket.tokens <= bucket.length for bucket in found.buckets)
    assert all(bucket.total.samples == 12 for bucket in found.buckets)
    assert found.bucket(8).total.p50 < 50
    assert found.cold_start.samples == 2
    assert min(found.cold_start.interpreter, found.cold_start.session, found.cold_start.tokenizer) > 0
    if sys.platform == "linux":
        assert found.memory.peak and found.memory_imported.peak
        assert found.memory_imported.peak <= found.memory.peak < 150e6
    assert Measurement.from_json(found.to_json()) == found


def test_a_broken_model_names_the_artifact(variant: Path) -> None:
    (variant / "onnx" / "model.onnx").write_bytes(b"no model")
    with pytest.raises(UserError, match=r"Measuring a: onnxruntime .* cannot open"):
        measure(variant, "a")


@pytest.mark.parametrize("sentences", [[], [[]]])
def test_no_text_is_an_error(variant: Path, sentences: list[list[str]]) -> None:
    with pytest.raises(UserError, match="no text to measure 8"):
        measure_subjects([subject(variant, "a")], sentences, 1, QUICK)
