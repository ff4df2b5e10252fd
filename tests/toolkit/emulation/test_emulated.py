"""The process whose answers are compared."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from export.bundle import write_bundle
from tests.export.conftest import build_details, build_variant
from toolkit.emulation import emulated
from toolkit.emulation.answering import MODULE, native_program


def test_the_worker_needs_no_more_than_a_device_has(tmp_path: Path) -> None:
    """Its imports are those of a bundle's tagger: an emulated Python has the three packages only."""
    bundle = write_bundle(build_variant(tmp_path / "variant"), build_details(), tmp_path / "bundle").folder
    request = tmp_path / "request.json"
    keys = {"folder": str(bundle), "model": str(bundle / "onnx" / "model.onnx"), "max_length": 64, "prepacking": True}
    request.write_text(
        json.dumps({**keys, "labels": ["O"] * 5, "sentences": [[1, ["Rais"]], [2, []]], "golden": True})
    )
    values: list[dict[str, object]] = []
    emulated.run(json.loads(request.read_text()), values.append)
    assert [value["sentence"] for value in values if "sentence" in value] == [1, 2]
    assert values[-1].keys() == {"agreement"}
    blocked = "; ".join(f"sys.modules['{name}'] = None" for name in ("torch", "transformers", "onnx", "rich"))
    code = f"import pathlib, sys; {blocked}; from {MODULE} import main; main(pathlib.Path(sys.argv[1]))"
    command = [sys.executable, "-P", "-c", code, str(request)]
    assert subprocess.run(command, env=dict(native_program().environment), capture_output=True).returncode == 0


def test_a_request_the_worker_cannot_do_is_answered_as_an_error(tmp_path: Path) -> None:
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"folder": str(tmp_path), "max_length": 64}))
    command = [sys.executable, "-P", "-m", MODULE, str(request)]
    done = subprocess.run(command, env=dict(native_program().environment), capture_output=True)
    assert done.returncode == 1
    assert "tokenizer.json" in json.loads(done.stdout.splitlines()[-1])["error"]
