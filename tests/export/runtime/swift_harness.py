"""The program of tests/export/runtime/swift, compiled with the sources of runtime/swift, and what it is asked."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.runtime.encode import WordEncoder
from tests.export.runtime.hard_texts import as_read
from tests.export.runtime.swift_toolchain import PROJECT, WITHOUT, Toolchain, compiled, toolchain

TESTS = Path(__file__).with_name("swift")
PACKAGE = PROJECT / "export" / "runtime" / "swift"
LIBRARY = sorted((PACKAGE / "Sources" / "AfribertaEdge").glob("*.swift"))

needs_swift = pytest.mark.skipif(toolchain() is None, reason=WITHOUT)


class Harness:
    """The compiled harness, and a folder that it sees as its own."""

    def __init__(self, work: Path) -> None:
        self.swift, self.work = present_toolchain(), work
        shutil.copy(compiled(self.swift, "Harness", [*LIBRARY, TESTS / "main.swift"]), work / "harness")

    def bundle(self, folder: Path) -> str:
        """A bundle's files where the harness sees them."""
        name = f"bundle-{len(list(self.work.iterdir()))}"
        shutil.copytree(folder, self.work / name, ignore=shutil.ignore_patterns("runtime", "evidence"))
        return name

    def lines(self, values: Iterable[Any]) -> str:
        name = f"lines-{len(list(self.work.iterdir()))}.jsonl"
        (self.work / name).write_text("".join(json.dumps(value) + "\n" for value in values), "utf-8")
        return name

    def ask(self, *arguments: str) -> list[Any]:
        """What a command prints that needs no model."""
        return [json.loads(line) for line in self.swift.run(self.work, "./harness", *arguments).split("\n") if line]

    def ask_with_model(self, logits: Callable[[np.ndarray, np.ndarray], np.ndarray], *arguments: str) -> list[Any]:
        """What a command prints, while its questions for logits are answered."""
        command = self.swift.command(self.work, ["./harness", *arguments])
        found = []
        with subprocess.Popen(
            command, cwd=self.work, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        ) as process:
            assert process.stdin and process.stdout
            for line in process.stdout:
                said = json.loads(line)
                if "logits" not in said:
                    found.append(said)
                    continue
                ids = np.array([said["logits"]], np.int64)
                row = logits(ids, np.ones_like(ids))[0].ravel()
                process.stdin.write(json.dumps(row.astype(float).tolist()) + "\n")
                process.stdin.flush()
        assert process.returncode == 0
        return found


def present_toolchain() -> Toolchain:
    """Swift, in a test that is marked with `needs_swift`."""
    found = toolchain()
    assert found
    return found


def encodable(texts: Iterable[str]) -> Iterator[str]:
    return (text for text in texts if not any("\ud800" <= character <= "\udfff" for character in text))


def compare(harness: Harness, folder: Path, max_length: int, texts: Iterable[str]) -> dict[str, Any]:
    """Counts of texts and words read, after a check that nothing differs."""
    encoder = WordEncoder.load(folder, max_length)
    (harness.work / "compared").mkdir(exist_ok=True)
    shutil.copy(folder / "tokenizer.json", harness.work / "compared")
    lines = harness.lines(as_read(text, encoder) for text in encodable(texts))
    report: dict[str, Any] = harness.ask("compare", "compared", str(max_length), lines)[0]
    assert (report["offsets"], report["sentences"], report["ids"]) == (0, 0, 0), report["examples"]
    return report
