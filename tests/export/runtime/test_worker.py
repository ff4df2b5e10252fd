from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.runtime.process import WorkerProcess
from export.runtime.worker import Loaded, Request, load_onnx, serve


def load_request(artifact: Path, model: str = "onnx/model.onnx") -> dict[str, Any]:
    paths = {"folder": str(artifact), "model": str(artifact / model)}
    return {"cmd": "load", **paths, "threads": 1, "prepacking": True, "max_length": 512}


def converse(*requests: dict[str, Any]) -> list[dict[str, Any]]:
    answers = io.BytesIO()
    serve(load_onnx, io.BytesIO("\n".join(json.dumps(request) for request in requests).encode()), answers)
    return [json.loads(line) for line in answers.getvalue().splitlines()]


def test_the_onnx_worker_holds_nothing_but_what_a_bundle_ships(variant: Path) -> None:
    with WorkerProcess("tiny", "export.runtime.worker", threads=1) as worker:
        before = set(worker.ask("modules", 60)["modules"])
        answer = worker.ask(**load_request(variant), timeout=60)
        worker.ask("answer", 60, words=["ab", "cd"])
        after = set(worker.ask("modules", 60)["modules"])
        memory = worker.ask("memory", 60)
    assert not {"numpy", "onnxruntime", "tokenizers"} & before  # so that `load` times their import
    assert {"numpy", "onnxruntime", "tokenizers", "export"} <= after
    assert not {"torch", "transformers", "toolkit", "calibration", "huggingface_hub", "onnx", "scipy"} & after
    assert answer["seconds"]["imports"] > 0.005
    if memory["peak"] is not None:
        assert memory["peak"] < 150e6
        assert memory["peak"] >= memory["resident"] > answer["memory_imported"]["anonymous"]


def test_timed_runs_count_time_in_and_around_the_model(variant: Path) -> None:
    texts = [["ab", "cd"], ["a", "b", "c"], ["ab"]]
    *_, answer = converse(
        load_request(variant),
        {"cmd": "texts", "bucket": "16", "texts": texts},
        {"cmd": "time", "bucket": "16", "start": 2, "runs": 4, "seconds": 60},
    )
    assert len(answer["total_ms"]) == len(answer["inference_ms"]) == 4
    assert all(0 < model < both for model, both in zip(answer["inference_ms"], answer["total_ms"], strict=True))
    # "ab" is ▁ a b; from text 2 on, round to the first and to itself again.
    assert answer["tokens"] == [5, 8, 8, 5]


def test_a_turn_ends_with_its_time_and_has_at_least_one_run(variant: Path) -> None:
    *_, answer = converse(
        load_request(variant),
        {"cmd": "texts", "bucket": "16", "texts": [["ab"]]},
        {"cmd": "time", "bucket": "16", "start": 0, "runs": 1000, "seconds": 0},
    )
    assert len(answer["total_ms"]) == 1


def test_a_golden_text_is_answered_whole(bundle: Path) -> None:
    golden = json.loads((bundle / "golden.jsonl").read_text("utf-8").split("\n")[0])
    labels = json.loads((bundle / "manifest.json").read_text())["labels"]
    request = load_request(bundle) | {"max_length": 64}
    _, found, failed = converse(
        request,
        {"cmd": "golden", "text": golden["text"], "labels": labels},
        {"cmd": "golden", "text": golden["text"], "labels": labels[:2]},
    )
    assert found == golden | {"why": ""}
    assert "outputs for 2 labels" in failed["error"]


def test_a_failure_the_user_can_mend_is_answered_and_the_worker_lives_on(variant: Path) -> None:
    failed, loaded = converse(load_request(variant, "absent.onnx"), load_request(variant))
    assert "absent.onnx" in failed["error"] and failed["remedy"]
    assert set(loaded["seconds"]) == {"imports", "session", "tokenizer"}


def test_quit_and_the_end_of_input_end_the_worker(variant: Path) -> None:
    assert converse({"cmd": "quit"}, {"cmd": "memory"}) == []
    assert converse() == []


def test_any_other_failure_ends_the_worker(variant: Path) -> None:
    def load(request: Request) -> Loaded:
        loaded = load_onnx(request)

        def logits(input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
            raise FloatingPointError("broken kernel")

        return loaded._replace(logits=logits)

    lines = [load_request(variant), {"cmd": "answer", "words": ["ab"]}]
    with pytest.raises(FloatingPointError, match="broken kernel"):
        serve(load, io.BytesIO("\n".join(map(json.dumps, lines)).encode()), io.BytesIO())


def test_what_a_library_prints_does_not_garble_the_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "noisy_worker.py").write_text(
        "import os\n"
        "from export.runtime.errors import UserError\n"
        "from export.runtime.worker import run_worker\n"
        "def load(request):\n"
        "    print('hello')\n"
        "    os.write(1, b'from C\\n')\n"
        "    raise UserError('loaded', 'nothing')\n"
        "run_worker(load)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with WorkerProcess("noisy", "noisy_worker", 1) as worker, pytest.raises(Exception, match="noisy: loaded"):
        worker.ask("load", 60)
