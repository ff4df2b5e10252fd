from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from export.runtime.errors import UserError
from export.runtime.session import open_session, session_logits

ROOT = Path(__file__).resolve().parents[3]
TABLE = np.arange(12, dtype=np.float32).reshape(4, 3)


def test_logits_answer_the_contract(tmp_path: Path, write_model: Callable[..., None]) -> None:
    write_model(tmp_path / "model.onnx", TABLE)
    logits = session_logits(open_session(tmp_path / "model.onnx"))
    ids = np.array([[3, 1], [0, 2]], np.int64)
    answer = logits(ids, np.array([[1, 1], [1, 0]], np.int64))
    assert answer.dtype == np.float32
    np.testing.assert_array_equal(answer, [[TABLE[3], TABLE[1]], [TABLE[0], np.zeros(3)]])


def test_session_has_the_settings_asked_for(tmp_path: Path, write_model: Callable[..., None]) -> None:
    write_model(tmp_path / "model.onnx", TABLE)
    options = open_session(tmp_path / "model.onnx", threads=2, prepacking=False).get_session_options()
    assert options.intra_op_num_threads == 2
    assert options.inter_op_num_threads == 1
    assert options.get_session_config_entry("session.disable_prepacking") == "1"
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    packed = open_session(tmp_path / "model.onnx").get_session_options()
    assert packed.intra_op_num_threads == 1
    assert packed.get_session_config_entry("session.disable_prepacking") == "0"


def test_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no model at .*model\.onnx"):
        open_session(tmp_path / "model.onnx")


@pytest.mark.parametrize("content", [b"", b"not a model", bytes(range(256)) * 20])
def test_damaged_model_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"cannot open .*model\.onnx"):
        open_session(path)


def test_model_with_other_inputs_is_refused(tmp_path: Path, write_model: Callable[..., None]) -> None:
    write_model(tmp_path / "model.onnx", TABLE, inputs=("tokens", "attention_mask"))
    with pytest.raises(UserError, match="no token classifier of this kind: it takes attention_mask, tokens"):
        open_session(tmp_path / "model.onnx")


def test_onnxruntime_reports_to_nobody(tmp_path: Path) -> None:
    script = """
import os, sys, export.runtime.session as session
session.load_onnxruntime()
assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
threads = [open(f"/proc/self/task/{task}/comm").read() for task in os.listdir("/proc/self/task")]
sys.exit(len(threads) - 1)
"""
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, cwd=ROOT, check=False)
    assert done.returncode == 0  # no thread of its own …
    assert list(tmp_path.iterdir()) == []  # … and no record in the user's folder
