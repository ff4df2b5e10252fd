"""A plan is carried out with the tagger's three packages, in turns, and leaves nothing behind."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from export.runtime import kernels
from export.runtime.errors import UserError
from export.runtime.kernel_record import DataFile, Feed, Graph, KernelPlan, KernelResult, TextPlan
from export.runtime.kernels import main, time_plan

ROOT = Path(__file__).resolve().parents[3]
ROWS, WIDTH = 50, 32
IDS = Feed("input_ids", "int64", (1, None), 4, ROWS)


def build_graph(path: Path, data: str, location: str = "float32.data") -> None:
    """Rows of a table that lies in a data file."""
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["b", "n"])
    kind = TensorProto.INT8 if data == "int8" else TensorProto.FLOAT
    out = helper.make_tensor_value_info("logits", kind, ["b", "n", WIDTH])
    table = TensorProto(name="table", data_type=kind, dims=[ROWS, WIDTH], data_location=TensorProto.EXTERNAL)
    size = ROWS * WIDTH * (1 if data == "int8" else 4)
    for key, value in (("location", location), ("offset", 0), ("length", size)):
        table.external_data.add(key=key, value=str(value))
    node = helper.make_node("Gather", ["table", "input_ids"], ["logits"])
    graph = helper.make_graph([node], "g", [ids], [out], [table])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


@pytest.fixture
def plan(tmp_path: Path, bundle_folder: Path) -> Path:
    """Two graphs and a tokenizer, quick."""
    folder = tmp_path / "plan"
    folder.mkdir()
    shutil.copy(bundle_folder / "tokenizer.json", folder)
    build_graph(folder / "a.onnx", "float32")
    build_graph(folder / "b.onnx", "int8", "int8.data")
    content = KernelPlan(
        data=(DataFile("float32.data", "float32", 4 * ROWS * WIDTH), DataFile("int8.data", "int8", ROWS * WIDTH)),
        graphs=(
            Graph("a", "a.onnx", 4 * ROWS * WIDTH, (8, 16), (IDS,)),
            Graph("b", "b.onnx", ROWS * WIDTH, (8,), (IDS,)),
        ),
        text=TextPlan("tokenizer.json", (("Samia", "Suluhu"), ("na", "Hassan", "Arusha"))),
        threads=(1, 2),
        rounds=3,
        runs=4,
        seconds=5.0,
        warm_runs=1,
        copy_bytes=8_388_608,
    )
    return save(folder / "plan.json", content)


def save(path: Path, plan: KernelPlan) -> Path:
    path.write_text(json.dumps(plan.to_json()), "utf-8")
    return path


def load(path: Path) -> KernelPlan:
    return KernelPlan.from_json(json.loads(path.read_bytes()))


def test_every_graph_is_timed_at_every_length_with_every_number_of_threads(plan: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    result = time_plan(plan, tmp_path, lambda done, total, what: told.append((done, total, what)))
    assert [sweep.threads for sweep in result.sweeps] == [1, 2]
    for sweep in result.sweeps:
        assert [(timing.graph, timing.length) for timing in sweep.timings] == [("a", 8), ("a", 16), ("b", 8)]
        assert all(timing.latency.samples == 3 * 4 and timing.latency.minimum > 0 for timing in sweep.timings)
        assert all((timing.waiting is None) == (sweep.threads == 2) for timing in sweep.timings)
        assert sweep.left_out == ()
    assert result.copy_gb_s is None or result.copy_gb_s > 0
    assert result.seconds > 0 and result.machine.onnxruntime
    # 2 steps before, then 3 rounds of 3 cases with 2 settings; the total is known from the first.
    assert len(told) == 2 + 18 and {total for _, total, _ in told} == {20 * 5000}
    assert [done for done, _, _ in told] == [5000 * number for number in range(20)]


@pytest.fixture
def tagger(plan: Path, bundle_folder: Path) -> Path:
    """The plan with a graph that is given words."""
    shutil.copy(bundle_folder / "onnx" / "model.onnx", plan.parent / "tagger.onnx")
    content = load(plan)
    graphs = (content.graphs[0], Graph("tagger", "tagger.onnx", 100, (5, 9), ()))
    return save(plan, replace(content, graphs=graphs, threads=(1,), rounds=2, runs=2, seconds=60.0))


def test_a_tagger_is_timed_from_words_to_rows(tagger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, tuple[str, ...]]] = []
    real = kernels.word_logits

    def spy(logits: Any, encoder: Any, words: Any) -> np.ndarray:
        seen.append((id(encoder), tuple(words)))
        return real(logits, encoder, words)

    monkeypatch.setattr(kernels, "word_logits", spy)
    timings = time_plan(tagger, tmp_path).sweeps[0].timings
    assert [(timing.graph, timing.length) for timing in timings] == [
        ("a", 8),
        ("a", 16),
        ("tagger", 5),
        ("tagger", 9),
    ]
    assert [timing.tokens for timing in timings[:2]] == [8, 16]
    # <s>, </s> and the words that fit: a name is one sub-word, "na" three.
    assert [timing.tokens for timing in timings[2:]] == [
        pytest.approx((4 + 5) / 2),
        pytest.approx((9 + 9) / 2, abs=1),
    ]
    assert len(seen) == 2 * (1 + 2 * 3)  # warm-up, then in each round one more than is recorded
    assert len({words for _, words in seen}) > 2 and len({encoder for encoder, _ in seen}) > 1


def test_graphs_take_turns(plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, int]] = []
    monkeypatch.setattr(
        kernels._Case, "run", lambda case, number: ran.append((case.graph, case.length)) or (1.0, 0.75)
    )
    save(plan, replace(load(plan), threads=(1,), rounds=2, runs=2, warm_runs=1))
    result = time_plan(plan, tmp_path)
    cases = [("a", 8), ("a", 16), ("b", 8)]
    # Warm-up, then each turn has one run more than are recorded: another graph had the caches.
    assert ran == cases + 2 * [case for case in cases for _ in range(3)]
    assert [timing.waiting for timing in result.sweeps[0].timings] == [pytest.approx(0.25)] * 3


def test_waiting_for_another_program_counts_only_with_more_than_one_thread(
    plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels._Case, "run", lambda case, number: (1.0, 0.75))
    one, two = time_plan(plan, tmp_path).sweeps
    assert {timing.latency.p50 for timing in one.timings} == {0.75}
    assert {timing.latency.p50 for timing in two.timings} == {1.0}
    monkeypatch.setattr(kernels, "FINE_CLOCK", False)
    coarse = time_plan(plan, tmp_path).sweeps[0].timings[0]
    assert coarse.latency.p50 == 1.0 and coarse.waiting is None
    monkeypatch.setattr(kernels, "FINE_CLOCK", True)
    monkeypatch.setattr(kernels._Case, "run", lambda case, number: (1.0, 0.97))
    assert time_plan(plan, tmp_path).sweeps[0].timings[0].latency.p50 == 1.0  # an idle device is timed by the clock


def test_a_turn_ends_when_its_time_is_over_but_never_empty(plan: Path, tmp_path: Path) -> None:
    save(plan, replace(load(plan), threads=(1,), seconds=0.0, rounds=2))
    assert {timing.latency.samples for timing in time_plan(plan, tmp_path).sweeps[0].timings} == {2}


def test_the_plans_folder_is_left_as_it_is_and_the_data_files_are_gone(plan: Path, tmp_path: Path) -> None:
    for path in plan.parent.iterdir():
        path.chmod(0o444)
    plan.parent.chmod(0o555)
    before = {path.name: path.read_bytes() for path in plan.parent.iterdir()}
    work = tmp_path / "work"
    work.mkdir()
    time_plan(plan, work)
    plan.parent.chmod(0o755)
    assert {path.name: path.read_bytes() for path in plan.parent.iterdir()} == before
    assert list(work.iterdir()) == []


def test_weights_are_noise_of_the_right_kind() -> None:
    random = np.random.default_rng(0)
    whole = np.frombuffer(kernels._values(random, "int8", 10_000), np.int8)
    assert len(whole) == 10_000 and (whole.min(), whole.max()) == (-127, 127)
    floats = np.frombuffer(kernels._values(random, "float32", 40_000), np.float32)
    assert np.isfinite(floats).all() and floats.std() == pytest.approx(0.05, rel=0.05)
    assert len(kernels._values(random, "float32", 1001)) == 1001


def test_threads_are_the_devices_own_where_the_plan_leaves_them_open(
    plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = replace(kernels.describe_machine(), cores=4)
    monkeypatch.setattr(kernels, "describe_machine", lambda: machine)
    save(plan, replace(load(plan), threads=(), rounds=1, runs=1))
    assert [sweep.threads for sweep in time_plan(plan, tmp_path).sweeps] == [1, 2, 3, 4]


def test_graphs_that_do_not_fit_in_memory_together_are_timed_one_group_after_another() -> None:
    graphs = [Graph(str(size), "x", size, (8,), ()) for size in (10, 20, 30, 100, 5)]
    sizes = lambda free: [[graph.bytes for graph in group] for group in kernels._groups(graphs, free)]  # noqa: E731
    assert sizes(None) == [[10, 20, 30, 100, 5]]
    assert sizes(200) == [[10, 20, 30], [100], [5]]  # half of it, at one and a half bytes per byte of weights
    assert sizes(1) == [[10], [20], [30], [100], [5]]
    assert kernels._groups([], 1) == [[]]


def test_a_graph_that_cannot_be_opened_is_left_out_with_its_reason(
    plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (plan.parent / "b.onnx").write_bytes(b"no graph")
    monkeypatch.setattr(kernels, "free_memory", lambda: 7000)  # a needs 9600 of it
    content = load(plan)
    fits = replace(content.graphs[0], name="fits", bytes=1000)
    save(plan, replace(content, graphs=(*content.graphs, fits), threads=(1,), rounds=1))
    sweep = time_plan(plan, tmp_path).sweeps[0]
    assert {timing.graph for timing in sweep.timings} == {"fits"}
    assert [left.graph for left in sweep.left_out] == ["a", "b"]
    assert "do not fit in memory" in sweep.left_out[0].reason and sweep.left_out[1].reason


def test_a_graph_that_fails_when_it_runs_is_left_out_too(plan: Path, tmp_path: Path) -> None:
    content = load(plan)
    beyond = replace(content.graphs[0], name="beyond", feeds=(replace(IDS, low=ROWS, high=ROWS + 1),))
    save(plan, replace(content, graphs=(*content.graphs, beyond), threads=(1,), rounds=1))
    (left,) = time_plan(plan, tmp_path).sweeps[0].left_out
    assert left.graph == "beyond" and "out of data bounds" in left.reason


def test_a_device_that_opens_nothing_says_why(plan: Path, tmp_path: Path) -> None:
    for name in ("a.onnx", "b.onnx"):
        (plan.parent / name).write_bytes(b"no graph")
    with pytest.raises(UserError, match="No graph could be timed; a: "):
        time_plan(plan, tmp_path)


def test_a_full_disk_is_told_and_leaves_nothing(plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"Cannot prepare the graphs: .*No space left on device"):
        time_plan(plan, work)
    assert list(work.iterdir()) == []


def test_a_missing_graph_is_named(plan: Path, tmp_path: Path) -> None:
    (plan.parent / "a.onnx").unlink()
    with pytest.raises(UserError, match=r"Cannot prepare the graphs: .*a\.onnx"):
        time_plan(plan, tmp_path)


def test_the_command_writes_the_result_whole(plan: Path, tmp_path: Path) -> None:
    out = tmp_path / "result.json"
    assert main(["--plan", str(plan), "--out", str(out)]) == 0
    assert KernelResult.from_json(json.loads(out.read_bytes())).sweeps
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_bad_input_is_one_line_and_exit_code_2(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--plan", str(tmp_path / "none.json"), "--out", str(tmp_path / "out.json")]) == 2
    assert capsys.readouterr().err.startswith("Cannot read ")
    assert main(["--plan", str(plan), "--out", str(tmp_path / "no" / "out.json")]) == 2
    assert "Cannot prepare the graphs" in capsys.readouterr().err
    (tmp_path / "taken").mkdir()
    assert main(["--plan", str(plan), "--out", str(tmp_path / "taken")]) == 2
    lines = capsys.readouterr().err.strip().split("\n")
    assert "Cannot write" in lines[-1]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def start(plan: Path, out: Path, package: str, path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-B", "-P", "-m", f"{package}.kernels", "--plan", str(plan), "--out", str(out)]
    return subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(path)}, stderr=subprocess.PIPE, text=True, cwd=out.parent
    )


def test_it_runs_as_runtime_kernels_on_a_device(plan: Path, tmp_path: Path) -> None:
    process = start(plan, tmp_path / "out.json", "runtime", ROOT / "export")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert errors.lstrip().startswith("0 %  reading a file")
    assert KernelResult.from_json(json.loads((tmp_path / "out.json").read_bytes())).plan_sha256


def test_ending_it_takes_its_files_along(plan: Path, tmp_path: Path) -> None:
    save(plan, replace(load(plan), rounds=1_000_000))
    work = tmp_path / "work"
    work.mkdir()
    process = start(plan, work / "out.json", "export.runtime", ROOT)
    assert process.stderr is not None
    process.stderr.readline()
    deadline = time.monotonic() + 30
    while not list(work.glob(".kernels.*/int8.data")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 128 + signal.SIGTERM
    process.stderr.close()
    assert list(work.iterdir()) == []
