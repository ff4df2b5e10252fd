"""Times standard graphs on a device: `python -B -P -m runtime.kernels --plan plan.json --out result.json`.

Needs what the tagger needs and nothing else. Graphs take turns (A B C A B C) with the session settings of the
tagger; beside them the memory is copied, a file is read cold, and words are cut into sub-words. The result
appears whole or not at all. Progress goes to stderr, a line "NN % what comes next" per percent.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from .conditions import read_conditions
from .encode import WordEncoder, word_logits
from .errors import UserError
from .kernel_record import Graph, KernelPlan, KernelResult, LeftOut, Sweep, Timing, Tokenizing, read_plan
from .machine import describe_machine
from .measurement import summarize
from .progress import ProgressLines
from .protocol import Progress
from .rates import cold_read, copy_rate, free_memory
from .session import load_onnxruntime, session_options
from .texts import texts_of_length

BLOCK = 1 << 22  # bytes written at once
ROOM = 0.5  # share of the free memory that graphs may take together
PACKED = 1.5  # memory of a graph relative to its weights: they are laid out again for speed
NOISE = 0.05  # standard deviation of float weights: no product of them overflows or vanishes
TEXTS, LABELS = 25, 9  # per length; of the model that tokenization is timed without
MORE_THREADS = (1, 2, 3, 4, 6, 8)


def time_plan(path: Path, work: Path, progress: Progress | None = None) -> KernelResult:
    """Carry out a plan.

    Args:
        path: plan.json; its graphs and tokenizer lie in the same folder, which is left as it is.
        work: a folder for a copy of the graphs and their data files while they are timed.
        progress: called with (expected milliseconds done, those in all, what comes next).

    Raises:
        UserError: the plan is missing or of another version, a file of it lies elsewhere, the disk is full, or
            no graph can be opened.
    """
    started = time.perf_counter()
    plan, digest = read_plan(path)
    machine, before = describe_machine(), read_conditions()
    cores = machine.cores or 1
    threads = plan.threads or tuple(count for count in MORE_THREADS if count <= cores)
    turns = len(threads) * plan.rounds * sum(len(graph.lengths) for graph in plan.graphs)
    steps = _Steps(turns + 3, plan.seconds, progress)
    with _prepared(path.parent, work, plan) as folder:
        steps.next("reading a file")
        largest = max(plan.data, key=lambda file: file.bytes, default=None)
        read = None if largest is None else cold_read(folder / largest.path)
        steps.next("copying memory")
        copied = copy_rate(plan.copy_bytes)
        steps.next("tokenizing")
        tokenizing = _tokenizing(path.parent, plan)
        sweeps = tuple(_sweep(folder, plan, count, steps) for count in threads)
    return KernelResult(
        plan_sha256=digest,
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=time.perf_counter() - started,
        machine=machine,
        before=before,
        after=read_conditions(),
        copy_gb_s=copied,
        cold_read_mb_s=read,
        tokenizing=tokenizing,
        sweeps=sweeps,
    )


class _Steps:
    """Counts turns of equal length, in milliseconds."""

    def __init__(self, total: int, seconds: float, progress: Progress | None) -> None:
        each = max(1, round(1000 * seconds))
        self._done, self._each, self._total, self._progress = 0, each, each * total, progress

    def next(self, what: str) -> None:
        if self._progress:
            self._progress(self._done, self._total, what)
        self._done += self._each


@contextmanager
def _prepared(source: Path, work: Path, plan: KernelPlan) -> Iterator[Path]:
    """A folder with the graphs and their data files full of noise; gone at the end, whatever happens."""
    random = np.random.default_rng(0)
    try:
        with tempfile.TemporaryDirectory(prefix=".kernels.", dir=work) as name:
            folder = Path(name)
            for graph in plan.graphs:
                shutil.copyfile(source / graph.path, folder / graph.path)
            for file in plan.data:
                with (folder / file.path).open("wb") as stream:
                    for start in range(0, file.bytes, BLOCK):
                        stream.write(_values(random, file.dtype, min(BLOCK, file.bytes - start)))
                    stream.flush()
                    os.fsync(stream.fileno())
            yield folder
    except OSError as error:
        what = f"{error.filename or work}: {error.strerror}"
        raise UserError(
            f"Cannot prepare the graphs: {what}.", "Free some space on the device, or copy the plan again."
        ) from error


def _values(random: np.random.Generator, dtype: str, size: int) -> bytes:
    if dtype == "int8":
        return random.integers(-127, 128, size, dtype=np.int8).tobytes()
    return (random.standard_normal(-(-size // 4), np.float32) * np.float32(NOISE)).tobytes()[:size]


@dataclass(frozen=True)
class _Case:
    """A graph at one length, ready to run."""

    graph: str
    length: int
    session: Any
    feed: dict[str, np.ndarray]

    def run(self) -> tuple[float, float]:
        """Milliseconds by the clock and of processor time."""
        begun, cpu = time.perf_counter(), time.process_time()
        self.session.run(None, self.feed)
        return 1000 * (time.perf_counter() - begun), 1000 * (time.process_time() - cpu)


def _sweep(folder: Path, plan: KernelPlan, threads: int, steps: _Steps) -> Sweep:
    """All graphs with `threads` threads each, as many of them in turns as fit in memory together."""
    timings: list[Timing] = []
    left_out: list[LeftOut] = []
    for group in _groups(plan.graphs, free_memory()):
        cases = list(_open(folder, group, threads, left_out))
        timings += _timings(cases, plan, threads, steps)
    if not timings:
        raise UserError(
            f"No graph could be opened; {left_out[0].graph}: {left_out[0].reason}.",
            "Close other programs, or use the onnxruntime that the toolkit names.",
        )
    return Sweep(threads, tuple(timings), tuple(left_out))


def _groups(graphs: Sequence[Graph], free: int | None) -> list[list[Graph]]:
    """The graphs in order, cut where the next one would take more than `ROOM` of the free memory."""
    room = float("inf") if free is None else ROOM * free
    groups: list[list[Graph]] = [[]]
    taken = 0.0
    for graph in graphs:
        if groups[-1] and taken + PACKED * graph.bytes > room:
            groups.append([])
            taken = 0.0
        groups[-1].append(graph)
        taken += PACKED * graph.bytes
    return groups


def _timings(cases: Sequence[_Case], plan: KernelPlan, threads: int, steps: _Steps) -> list[Timing]:
    for case in cases:
        for _ in range(plan.warm_runs):
            case.run()
    samples: list[list[tuple[float, float]]] = [[] for _ in cases]
    for _ in range(plan.rounds):
        for case, had in zip(cases, samples, strict=True):
            steps.next(f"timing {case.graph}, {case.length} sub-words, threads: {threads}")
            case.run()  # unrecorded: another graph had the caches
            had += _turn(case, plan)
    timings = []
    for case, had in zip(cases, samples, strict=True):
        clock, cpu = [both[0] for both in had], [both[1] for both in had]
        waiting = max(0.0, 1 - sum(cpu) / sum(clock)) if threads == 1 else None
        timings.append(Timing(case.graph, case.length, summarize(clock), waiting))
    return timings


def _turn(case: _Case, plan: KernelPlan) -> list[tuple[float, float]]:
    had: list[tuple[float, float]] = []
    deadline = time.perf_counter() + plan.seconds
    while len(had) < plan.runs and (not had or time.perf_counter() < deadline):
        had.append(case.run())
    return had


def _open(folder: Path, graphs: Sequence[Graph], threads: int, left_out: list[LeftOut]) -> Iterator[_Case]:
    """A session per graph; one that cannot be opened is added to `left_out` with its reason."""
    ort = load_onnxruntime()
    random = np.random.default_rng(1)
    for graph in graphs:
        free = free_memory()
        if free is not None and PACKED * graph.bytes > free:
            left_out.append(LeftOut(graph.name, f"{graph.bytes / 1e6:.0f} MB of weights do not fit in memory"))
            continue
        try:
            options = session_options(threads)
            session = ort.InferenceSession(str(folder / graph.path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions have no common base of their own
            left_out.append(LeftOut(graph.name, (str(error).splitlines() or [type(error).__name__])[0]))
            continue
        for length in graph.lengths:
            yield _Case(graph.name, length, session, _feed(graph, length, random))


def _feed(graph: Graph, length: int, random: np.random.Generator) -> dict[str, np.ndarray]:
    return {
        feed.name: random.integers(
            feed.low, feed.high, [length if size is None else size for size in feed.shape]
        ).astype(feed.dtype)
        for feed in graph.feeds
    }


def _tokenizing(folder: Path, plan: KernelPlan) -> tuple[Tokenizing, ...]:
    """Words to windows and rows, with a model that takes no time."""
    text = plan.text
    encoder = WordEncoder.load(folder, max(text.lengths))
    none = np.zeros((1, max(text.lengths), LABELS), np.float32)

    def logits(input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        return none[:, : input_ids.shape[1]]

    def subwords(word: str) -> int:
        return len(encoder.sub_words([word])[0])

    found = []
    for length in text.lengths:
        texts = texts_of_length(text.sentences, subwords, length, TEXTS)
        samples = []
        for words in texts * plan.rounds:
            begun = time.perf_counter()
            word_logits(logits, encoder, words)
            samples.append(1000 * (time.perf_counter() - begun))
        tokens = [sum(window.input_ids.size for window in encoder.windows(words)) for words in texts]
        words_each = sum(map(len, texts)) / len(texts)
        found.append(Tokenizing(length, sum(tokens) / len(tokens), words_each, summarize(samples)))
    return tuple(found)


def _write(path: Path, text: str) -> None:
    """Whole or not at all: a temporary file beside it, flushed and renamed."""
    temporary: str | None = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise UserError(
            f"Cannot write {path}: {error.strerror}.", "Name a file in a folder with free space."
        ) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="kernels.py", description="Time the graphs of a plan on this machine and write the result as JSON."
    )
    parser.add_argument("--plan", type=Path, required=True, help="plan.json; its graphs lie beside it")
    parser.add_argument("--out", type=Path, required=True, help="the file to write")
    chosen = parser.parse_args(arguments)
    # Ending it by SIGTERM takes the data files along.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        result = time_plan(chosen.plan, chosen.out.absolute().parent, ProgressLines(sys.stderr))
        _write(chosen.out, json.dumps(result.to_json(), indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    except UserError as error:
        sys.stderr.write(" ".join(str(error).split()) + "\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
