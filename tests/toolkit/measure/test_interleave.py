from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from export.runtime.errors import UserError
from export.runtime.rounds import Protocol
from toolkit.measure.interleave import WORKERS, Candidate, measure_candidates

QUICK = Protocol(lengths=(8,), rounds=2, runs=2, warm_runs=1, warm_seconds=0.0, cold_starts=1)
SENTENCES = [["ab", "c"], ["b", "a", "ba"]]


def test_torch_artifacts_take_turns_in_processes_of_their_own(torch_folder: Path, torchscript: Path) -> None:
    steps: list[str] = []
    found = measure_candidates(
        [Candidate(name, "torchscript", torch_folder, torchscript) for name in ("teacher", "student")],
        SENTENCES,
        protocol=QUICK,
        progress=lambda done, total, what: steps.append(what),
    )
    assert list(found) == ["teacher", "student"]
    assert dict(found["student"].packages).keys() == {"torch"}
    assert found["student"].sizes.model == torchscript.stat().st_size
    assert found["student"].reference == "teacher"
    assert [speedup.length for speedup in found["student"].speedups] == [8, None]
    # One after the other in every round, never all runs of one first.
    timed = [what for what in steps if what.startswith("timing")]
    assert timed[:2] == ["timing teacher, 8 sub-words", "timing student, 8 sub-words"]
    assert timed == timed[:4] * 2
    if sys.platform == "linux":
        memory = found["teacher"].memory
        assert memory.peak and memory.peak > 100e6  # torch itself


def test_an_unknown_backend_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing can measure a 'tflite' artifact") as caught:
        measure_candidates([Candidate("x", "tflite", tmp_path)], SENTENCES)
    assert all(backend in caught.value.remedy for backend in WORKERS)


@pytest.mark.parametrize("names", [[], ["int8", "int8"]])
def test_candidates_need_names_that_differ(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(UserError, match="different names"):
        measure_candidates([Candidate(name, "onnx", tmp_path) for name in names], SENTENCES)


def test_a_folder_without_weights_is_named_before_anything_is_timed(torch_folder: Path) -> None:
    (torch_folder / "model.safetensors").unlink()
    steps: list[str] = []
    with pytest.raises(UserError, match=f"There is no model at {torch_folder}"):
        measure_candidates(
            [Candidate("teacher", "torch", torch_folder)],
            SENTENCES,
            protocol=QUICK,
            progress=lambda done, total, what: steps.append(what),
        )
    assert steps == ["weighing teacher"]


def test_measuring_imports_no_torch_into_this_process() -> None:
    code = (
        "import sys, toolkit.measure.interleave, toolkit.measure.torch_worker\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
