"""The measured process: holds one artifact and answers requests, one JSON object per line.

    {"cmd": "load", "folder": …, "model": …, …}                seconds of imports, session, tokenizer
    {"cmd": "answer", "words": […]}                            seconds of one sentence
    {"cmd": "texts", "bucket": "32", "texts": [[…], …]}        keeps the texts
    {"cmd": "time", "bucket": "32", "start": 0, "runs": 20, "seconds": 2}
                                                               milliseconds in all and in the model
    {"cmd": "golden", "text": …, "labels": […]}                the text's `Answer`
    {"cmd": "memory"}                                          what the process holds now and held at most
    {"cmd": "modules"}                                         top-level packages it has imported
    {"cmd": "quit"}

Nothing is imported before `load` asks for it beyond what this file needs, so that the imports are timed and
the memory is that of the artifact's own smallest process. A failure the user can mend is answered as
{"error": …, "remedy": …}; any other ends the process with its traceback on stderr. End of input ends it too,
so no worker outlives the process that started it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from .errors import UserError
from .memory import Memory, read_memory

if TYPE_CHECKING:
    import numpy as np

    from .encode import Logits, WordEncoder

Request = dict[str, Any]


class Loaded(NamedTuple):
    """An artifact ready to answer, and what loading it cost."""

    logits: Logits
    encoder: WordEncoder
    seconds: dict[str, float]
    memory_imported: Memory
    packages: dict[str, str]


class Run(NamedTuple):
    """Milliseconds in all, in the model and of processor time, and sub-words with <s> and </s>."""

    total_ms: float
    inference_ms: float
    cpu_ms: float
    tokens: int


def load_onnx(request: Request) -> Loaded:
    """Open an ONNX model with the session settings a tagger uses.

    Args:
        request: `folder` (holds tokenizer.json), `model` (the file), `threads`, `prepacking`, `max_length`.
    """
    started = time.perf_counter()
    from .encode import WordEncoder
    from .session import load_onnxruntime, open_session, session_logits

    load_onnxruntime()
    imported = time.perf_counter()
    memory = read_memory()
    # The tokenizer first, as the tagger does it: the session then reuses what parsing it has freed.
    encoder = WordEncoder.load(Path(request["folder"]), request["max_length"])
    read = time.perf_counter()
    model, threads, prepacking = Path(request["model"]), request["threads"], request["prepacking"]
    session = open_session(model, threads=threads, prepacking=prepacking)
    opened = time.perf_counter()
    seconds = {"imports": imported - started, "tokenizer": read - imported, "session": opened - read}
    return Loaded(session_logits(session), encoder, seconds, memory, {})


def serve(load: Callable[[Request], Loaded], requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until `quit` or the end of input.

    Args:
        load: opens the artifact that a `load` request names.
    """
    worker = _Worker(load)
    for line in requests:
        request = json.loads(line)
        if request["cmd"] == "quit":
            break
        try:
            answer = worker.reply(request)
        except UserError as error:
            answer = {"error": error.message, "remedy": error.remedy}
        answers.write(json.dumps(answer).encode("ascii") + b"\n")
        answers.flush()


def run_worker(load: Callable[[Request], Loaded]) -> None:
    """`serve` on this process's stdin and stdout, with stdout kept from whatever libraries print."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends its workers
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(load, sys.stdin.buffer, answers)


class _Worker:
    def __init__(self, load: Callable[[Request], Loaded]) -> None:
        self._load = load
        self._texts: dict[str, list[list[str]]] = {}

    def reply(self, request: Request) -> dict[str, Any]:
        commands: dict[str, Callable[[Request], dict[str, Any]]] = {
            "load": self._open, "answer": self._answer, "texts": self._keep, "time": self._time,
            "golden": self._golden,
            "memory": lambda _: asdict(read_memory()),
            "modules": lambda _: {"modules": sorted({name.partition(".")[0] for name in sys.modules})},
        }  # fmt: skip
        return commands[request["cmd"]](request)

    def _open(self, request: Request) -> dict[str, Any]:
        self._artifact = self._load(request)
        return {
            "seconds": self._artifact.seconds,
            "memory_imported": asdict(self._artifact.memory_imported),
            "packages": self._artifact.packages,
        }

    def _answer(self, request: Request) -> dict[str, Any]:
        return {"seconds": self._run(request["words"]).total_ms / 1000}

    def _golden(self, request: Request) -> dict[str, Any]:
        from .answers import answer

        return asdict(answer(request["text"], self._artifact.encoder, self._artifact.logits, request["labels"]))

    def _keep(self, request: Request) -> dict[str, Any]:
        self._texts[request["bucket"]] = request["texts"]
        return {}

    def _time(self, request: Request) -> dict[str, Any]:
        """Timed runs from text `start` on, until `runs` or `seconds` is reached, and at least one.

        One run goes unrecorded before them: another process had the caches.
        """
        texts, start = self._texts[request["bucket"]], request["start"]
        self._run(texts[(start - 1) % len(texts)])
        runs: list[Run] = []
        deadline = time.perf_counter() + request["seconds"]
        while len(runs) < request["runs"] and (not runs or time.perf_counter() < deadline):
            runs.append(self._run(texts[(start + len(runs)) % len(texts)]))
        total, inference, cpu, tokens = zip(*runs, strict=True)
        # Windows counts processor time in ticks of 16 ms.
        fine = time.get_clock_info("process_time").resolution < 1e-5
        return {"total_ms": total, "inference_ms": inference, "cpu_ms": cpu if fine else None, "tokens": tokens}

    def _run(self, words: list[str]) -> Run:
        """One sentence, from words to one row of logits per word."""
        from .encode import word_logits

        seconds = 0.0
        tokens = 0

        def timed(input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
            nonlocal seconds, tokens
            begun = time.perf_counter()
            rows = self._artifact.logits(input_ids, attention_mask)
            seconds += time.perf_counter() - begun
            tokens += input_ids.size
            return rows

        started, cpu_started = time.perf_counter(), time.process_time()
        word_logits(timed, self._artifact.encoder, words)
        cpu, total = time.process_time() - cpu_started, time.perf_counter() - started
        return Run(round(total * 1000, 6), round(seconds * 1000, 6), round(cpu * 1000, 6), tokens)


if __name__ == "__main__":
    run_worker(load_onnx)
