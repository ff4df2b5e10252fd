"""Starts the processes whose answers are compared, several at a time, and reads what they answer."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from export.runtime.answers import Agreement
from export.runtime.answers import Flip as GoldenFlip
from toolkit.emulation.record import WordAnswers

ROOT = Path(__file__).resolve().parents[2]
MODULE = "toolkit.emulation.emulated"
SILENCE = 600.0  # seconds without a line, after which a process counts as hung
OnWords = Callable[[int], None]
"""Called with the number of words that a process has answered since."""


@dataclass(frozen=True)
class Program:
    """How to run Python: the command up to its options, and the environment."""

    command: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass
class Answers:
    """What one process answered before it ended.

    Attributes:
        sentences: by number.
        started: the interpreter came up.
        failure: why it ended early; None where it did all it was asked.
        remedy: what to do about that, where the process itself knew.
        seconds: it took, in all.
    """

    sentences: dict[int, WordAnswers] = field(default_factory=dict)
    agreement: Agreement | None = None
    versions: dict[str, str | None] = field(default_factory=dict)
    started: bool = False
    failure: str | None = None
    remedy: str = ""
    seconds: float = 0.0


def native_program() -> Program:
    """This Python."""
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return Program((sys.executable,), {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"})


def emulated_program(qemu: Path, cpu: str, root: Path, python: Path, site: Path, bytecode: Path) -> Program:
    """The emulated Python, with none of this machine's settings.

    Args:
        root: what /proc, /lib and /usr are to it.
        site: its packages.
        bytecode: where it keeps compiled modules; without, each start takes 1.5 s longer.
    """
    environment = {
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": f"{site}:{ROOT}",
        "PYTHONPYCACHEPREFIX": str(bytecode),
    }
    return Program((str(qemu), "-cpu", cpu, "-L", str(root), str(python)), environment)


def answer_all(tasks: Sequence[tuple[Program, Path]], folder: Path, jobs: int, on_words: OnWords) -> list[Answers]:
    """Run one process for each (program, request file), at most `jobs` at a time; none outlives this call.

    Args:
        folder: where the processes run.
        on_words: called as answers come in, never twice at a time.
    """
    processes = _Processes(folder, on_words)
    with ThreadPoolExecutor(jobs) as pool:
        answers = [pool.submit(processes.answer, program, request) for program, request in tasks]
        try:
            return [answer.result() for answer in answers]
        except BaseException:  # Ctrl-C too
            pool.shutdown(wait=False, cancel_futures=True)
            processes.kill()
            raise


class _Processes:
    """Those running now. `answer` is called by several threads, `kill` by the one that waits for them."""

    def __init__(self, folder: Path, on_words: OnWords) -> None:
        self._folder, self._on_words = folder, on_words
        self._running: set[subprocess.Popen[bytes]] = set()
        self._killed = False
        self._lock = threading.Lock()

    def kill(self) -> None:
        """End all, and every one that is started later."""
        with self._lock:
            self._killed = True
            for process in self._running:
                process.kill()

    def answer(self, program: Program, request: Path) -> Answers:
        """Start a process and read its answers until it ends or hangs."""
        found = Answers()
        begun = time.monotonic()
        doing = "starting"
        # -P: no module of the current folder is imported.
        command = [*program.command, "-P", "-m", MODULE, str(request)]
        with (
            tempfile.TemporaryFile(dir=self._folder) as errors,
            subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, cwd=self._folder,
                env=dict(program.environment),
            ) as process,
            self._watched(process),
        ):  # fmt: skip
            assert process.stdout is not None
            try:
                for line in _lines(process.stdout):
                    value = json.loads(line)
                    doing = value.get("doing", doing)
                    found.started = True
                    words = _take(value, found)
                    with self._lock:
                        self._on_words(words)
                status = process.wait()
                if status and found.failure is None:
                    found.failure = f"{_ended(status)} while {doing}{_last_words(errors)}"
            except TimeoutError:
                found.failure = f"no answer for {SILENCE:.0f} s while {doing}"
        found.seconds = time.monotonic() - begun
        return found

    @contextmanager
    def _watched(self, process: subprocess.Popen[bytes]) -> Iterator[None]:
        """Among those running, and ended in any case when this block ends."""
        with self._lock:
            self._running.add(process)
            if self._killed:
                process.kill()
        try:
            yield
        finally:
            with self._lock:
                self._running.remove(process)
            process.kill()


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Whole lines as they come; TimeoutError where none comes for SILENCE seconds."""
    rest = b""
    while select.select([stream], [], [], SILENCE)[0]:
        chunk = os.read(stream.fileno(), 2**16)
        if not chunk:
            return
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    raise TimeoutError


def _take(value: dict[str, Any], found: Answers) -> int:
    """Keep what a line says; returns the words it answers."""
    if "sentence" in value:
        ids = tuple(tuple(window) for window in value["ids"])
        logits = np.array(value["logits"], np.float32)
        found.sentences[value["sentence"]] = WordAnswers(ids, tuple(value["tags"]), logits)
        return len(value["tags"])
    if "golden" in value:
        return int(value["words"])
    if "agreement" in value:
        flips = tuple(GoldenFlip(**flip) for flip in value["agreement"].pop("flips"))
        found.agreement = Agreement(**value["agreement"], flips=flips)
    elif "versions" in value:
        found.versions = value["versions"]
    elif "error" in value:
        found.failure, found.remedy = value["error"].removesuffix("."), value["remedy"]
    return 0


def _ended(status: int) -> str:
    if status > 0:
        return f"ended with exit status {status}"
    number = signal.Signals(-status)
    return f"killed by {number.name} ({(signal.strsignal(number) or 'unknown').lower()})"


def _last_words(errors: IO[bytes]) -> str:
    """The last line on standard error; QEMU's about the signal says no more than the signal."""
    errors.seek(0)
    lines = errors.read().decode("utf-8", errors="replace").splitlines()
    spoken = [line.strip() for line in lines if line.strip() and not line.startswith("qemu: uncaught target signal")]
    return f": {spoken[-1][:300]}" if spoken else ""
