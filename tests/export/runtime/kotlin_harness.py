"""runtime/kotlin on a JVM, with a harness that answers in JSON: kotlin/Harness.kt lists what it can be asked.

The model itself runs here, and onnxruntime's classes are stand-ins. Needs Java 17 and the compiler that
`python tests/export/runtime/kotlin_compiler.py` gets.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.runtime.encode import Logits
from tests.export.runtime import kotlin_compiler

TESTS = Path(__file__).with_name("kotlin")
ROOT = TESTS.parents[3]
RUNTIME = ROOT / "export" / "runtime" / "kotlin"
PACKAGE = Path("kotlin", "afriberta", "edge")

needs_kotlin = [
    pytest.mark.skipif(
        kotlin_compiler.jars() is None,
        reason="needs java 17 and its compiler: python tests/export/runtime/kotlin_compiler.py",
    ),
    pytest.mark.xdist_group("kotlin"),  # compiled once
]


@cache
def classpath() -> str:
    """The class path of the compiled runtime and harness."""
    sources = sorted((RUNTIME / "src" / "main" / PACKAGE).glob("*.kt"))
    replay = RUNTIME / "src" / "replay" / PACKAGE / "Replay.kt"
    java = sorted((TESTS / "stubs").rglob("*.java"))
    return kotlin_compiler.classpath([*sources, replay, TESTS / "Harness.kt"], java)


def run(*arguments: str | Path, logits: Logits | None = None) -> list[Any]:
    """What the harness answers, one value a line; `logits` is the model that it asks."""
    command = ["java", "-cp", classpath(), "HarnessKt", *map(str, arguments)]
    pipe = subprocess.PIPE
    answers = []
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        told = []
        for line in process.stdout:
            if line.startswith("ids ") and logits is not None:
                ids = np.array([json.loads(line[4:])], np.int64)
                process.stdin.write(json.dumps(logits(ids, np.ones_like(ids))[0].ravel().tolist()) + "\n")
                process.stdin.flush()
            elif line.startswith(("{", "[")):
                answers.append(json.loads(line))
            else:
                told.append(line)
    assert process.returncode == 0, "".join(told)
    return answers


def write_lines(path: Path, values: Iterable[Any]) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values), "utf-8")
    return path
