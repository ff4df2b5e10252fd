"""The process whose answers are compared: started once by this machine's Python, and once by each emulated one.

    python -m toolkit.emulation.emulated REQUEST

REQUEST is a JSON file: `folder` (holds tokenizer.json), `model`, `max_length`, `prepacking`, `labels`, `sentences`
([[number, [words]], …]) and `golden` (whether to replay golden.jsonl too). Answers are JSON objects, one a line, on
standard output. `doing` comes before each step, so that whoever reads knows what an emulated CPU died of:

    {"doing": "importing onnxruntime 1.31.1"}
    {"versions": {"python": …, "numpy": …, "onnxruntime": …, "tokenizers": …}}
    {"sentence": 3, "ids": [[…]], "tags": […], "logits": [[…]]}       ids per window, a row of logits per word
    {"golden": 7, "words": 12}                                        a line of golden.jsonl replayed
    {"agreement": {…}}                                                export.runtime.answers.Agreement
    {"error": …, "remedy": …}                                         what the user can mend

Standard library and export.runtime only. Times of an emulated process say nothing about a device, so there are none.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import resource
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.runtime.errors import UserError
from export.runtime.machine import package_version

if TYPE_CHECKING:
    from export.runtime.answers import Answer
    from export.runtime.encode import Logits, WordEncoder

PACKAGES = ("numpy", "tokenizers", "onnxruntime")
Report = Callable[[dict[str, Any]], None]


def run(request: dict[str, Any], report: Report) -> None:
    """Answer a request; each object that is due goes to `report`.

    Raises:
        UserError: the bundle cannot be opened, or the runtime refuses this CPU.
    """
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for package in PACKAGES:
        versions[package] = package_version(package)
        report({"doing": f"importing {package} {versions[package]}"})
        importlib.import_module(package)
    report({"versions": versions})

    from export.runtime.encode import WordEncoder
    from export.runtime.session import open_session, session_logits

    report({"doing": f"opening the model with onnxruntime {versions['onnxruntime']}"})
    encoder = WordEncoder.load(Path(request["folder"]), request["max_length"])
    logits = session_logits(open_session(Path(request["model"]), 1, request["prepacking"]))
    labels = request["labels"]
    for number, words in request["sentences"]:
        report({"doing": f"answering sentence {number} with onnxruntime {versions['onnxruntime']}"})
        report({"sentence": number, **answer_words(words, encoder, logits, labels)})
    if request["golden"]:
        _replay(Path(request["folder"]), encoder, logits, labels, report)


def answer_words(words: list[str], encoder: WordEncoder, logits: Logits, labels: list[str]) -> dict[str, Any]:
    """What reached the model and what came out: ids per window, a tag and a row of logits per word."""
    from export.runtime.encode import word_logits

    ids: list[list[int]] = []

    def recorded(input_ids: Any, attention_mask: Any) -> Any:
        ids.append(input_ids[0].tolist())
        return logits(input_ids, attention_mask)

    rows = word_logits(recorded, encoder, words)
    tags = [labels[index] for index in rows.argmax(axis=1)] if words else []
    return {"ids": ids, "tags": tags, "logits": rows.tolist()}


def _replay(folder: Path, encoder: WordEncoder, logits: Logits, labels: list[str], report: Report) -> None:
    from export.runtime.answers import answer, compare, read_golden
    from export.runtime.manifest import read_bundle

    def pairs() -> Iterator[tuple[Answer, Answer]]:
        for number, stored in enumerate(read_golden(folder), start=1):
            report({"doing": f"replaying line {number} of golden.jsonl"})
            yield stored, answer(stored.text, encoder, logits, labels)
            report({"golden": number, "words": len(stored.words)})

    report({"agreement": asdict(compare(pairs(), read_bundle(folder).tolerance))})


def main(path: Path) -> int:
    """Answer the request at `path` on standard output, which is kept from whatever libraries print."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash is an answer here, not a file of 100 MB
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def report(value: dict[str, Any]) -> None:
        answers.write(json.dumps(value).encode("ascii") + b"\n")
        answers.flush()

    report({"doing": "starting Python"})
    try:
        run(json.loads(path.read_bytes()), report)
    except UserError as error:
        report({"error": error.message, "remedy": error.remedy})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
