"""Times standard graphs on a device: `python -B -P -m runtime.kernels --plan plan.json --out result.json`.

Needs what the tagger needs and nothing else. Graphs take turns (A B C A B C) with the session settings of the
tagger: kernels by themselves, taggers from words to one row of logits per word. Beside them memory is copied and a
file is read cold. The result appears whole or not at all. Progress goes to stderr, a line "NN % what comes next"
per percent.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from .conditions import read_conditions
from .encode import WordEncoder, word_logits
from .errors import UserError
from .kernel_record import Graph, KernelPlan, KernelResult, LeftOut, Sweep, Timing, read_plan
from .machine import describe_machine
from .measurement import summarize
from .progress import ProgressLines
from .protocol import Progress
from .rates import cold_read, copy_rate, free_memory
from .session import load_onnxruntime, session_logits, session_options
from .texts import MARKS, texts_of_length
from .writing import write_result

BLOCK = 1 << 22  # bytes written at once
ROOM = 0.5  # share of the free memory that graphs may take together
PACKED = 1.5  # memory of a graph relative to its weights: they are laid out again for speed
NOISE = 0.05  # standard deviation of float weights: no product of them overflows or vanishes
BUSY = 0.05  # share of the time without the processor from which processor time is what counts
FINE_CLOCK = time.get_clock_info("process_time").resolution < 1e-5  # Windows counts in ticks of 16 ms
MORE_THREADS = (1, 2, 3, 4, 6, 8)


def time_plan(path: Path, work: Path, progress: Progress | None = None) -> KernelResult:
    """Carry out a plan.

    Args:
        path: plan.json; its graphs and tokenizer lie in the same folder, which is left as it is.
        work: a folder for a copy of the graphs and their data files while they are timed.
        progress: called with (expected milliseconds done, those in all, what comes next).

    Raises:
        UserError: the plan is missing or of another version, a file of it lies elsewhere, the disk is full, or
            no graph can be timed.
    """
    started = time.perf_counter()
    plan, digest = read_plan(path)
    machine, before = describe_machine(), read_conditions()
    cores = machine.cores or 1
    threads = plan.threads or tuple(count for count in MORE_THREADS if count <= cores)
    turns = len(threads) * plan.rounds * sum(len(graph.lengths) for graph in plan.graphs)
    steps = _Steps(turns + 2, plan.seconds, progress)
    with _prepared(path.parent, work, plan) as folder:
        steps.next("reading a file")
        largest = max(plan.data, key=lambda file: file.bytes, default=None)
        read = None if largest is None else cold_read(folder / largest.path)
        steps.next("copying memory")
        copied = copy_rate(plan.copy_bytes)
        texts = _Texts(path.parent, plan)
        sweeps = tuple(_sweep(folder, plan, texts, count, steps) for count in threads)
    return KernelResult(
        plan_sha256=digest,
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=time.perf_counter() - started,
        machine=machine,
        before=before,
        after=read_conditions(),
        copy_gb_s=copied,
        cold_read_mb_s=read,
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
        remedy = "Free some space on the device, or copy the plan again."
        raise UserError(f"Cannot prepare the graphs: {error.filename or work}: {error.strerror}.", remedy) from error


def _values(random: np.random.Generator, dtype: str, size: int) -> bytes:
    if dtype == "int8":
        return random.integers(-127, 128, size, dtype=np.int8).tobytes()
    return (random.standard_normal(-(-size // 4), np.float32) * np.float32(NOISE)).tobytes()[:size]


class _Texts:
    """Texts cut to the lengths of the taggers, and the tokenizer that they share."""

    def __init__(self, folder: Path, plan: KernelPlan) -> None:
        lengths = sorted({length for graph in plan.graphs if not graph.feeds for length in graph.lengths})
        self._folder, self._longest = folder, max(lengths, default=512)
        self.renew()
        sizes = {word: len(self.encoder.sub_words([word])[0]) for words in plan.text.sentences for word in words}
        sentences = plan.text.sentences
        self.of_length = {n: texts_of_length(sentences, sizes.__getitem__, n, len(sentences)) for n in lengths}
        self.tokens = {
            n: MARKS + sum(sizes[word] for words in texts for word in words) / len(texts)
            for n, texts in self.of_length.items()
        }

    def renew(self) -> None:
        """Read the tokenizer again: it remembers the words it has seen, and real text has new ones."""
        self.encoder = WordEncoder.load(self._folder, self._longest)


@dataclass(frozen=True)
class _Case:
    """A graph at one length, ready to run; `work` takes the number of the run."""

    graph: str
    length: int
    tokens: float
    work: Callable[[int], object]

    def run(self, number: int) -> tuple[float, float]:
        """Milliseconds by the clock and of processor time."""
        begun, cpu = time.perf_counter(), time.process_time()
        self.work(number)
        return 1000 * (time.perf_counter() - begun), 1000 * (time.process_time() - cpu)


def _sweep(folder: Path, plan: KernelPlan, texts: _Texts, threads: int, steps: _Steps) -> Sweep:
    """All graphs with `threads` threads each, as many of them in turns as fit in memory together."""
    timings: list[Timing] = []
    left_out: list[LeftOut] = []
    for group in _groups(plan.graphs, free_memory()):
        cases = list(_open(folder, group, plan, texts, threads, left_out))
        timings += _timings(cases, plan, texts, threads, steps)
    if not timings:
        message = f"No graph could be timed; {left_out[0].graph}: {left_out[0].reason}."
        raise UserError(message, "Close other programs, or use the onnxruntime that the toolkit names.")
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


def _timings(cases: Sequence[_Case], plan: KernelPlan, texts: _Texts, threads: int, steps: _Steps) -> list[Timing]:
    samples: list[list[tuple[float, float]]] = [[] for _ in cases]
    for turn in range(plan.rounds):
        texts.renew()
        for place, (case, had) in enumerate(zip(cases, samples, strict=True)):
            steps.next(f"timing {case.graph}, {case.length} sub-words, threads: {threads}")
            first = (turn * len(cases) + place) * plan.runs  # each turn has texts of its own, as far as they go
            case.run(first - 1)  # unrecorded: another graph had the caches
            had += _turn(case, first, plan)
    timings = []
    for case, had in zip(cases, samples, strict=True):
        clock, cpu = [both[0] for both in had], [both[1] for both in had]
        waiting = max(0.0, 1 - sum(cpu) / sum(clock)) if threads == 1 and FINE_CLOCK else None
        # What is to be predicted is the device, not what else runs on it while it is calibrated.
        own = cpu if (waiting or 0.0) > BUSY else clock
        timings.append(Timing(case.graph, case.length, case.tokens, summarize(own), waiting))
    return timings


def _turn(case: _Case, first: int, plan: KernelPlan) -> list[tuple[float, float]]:
    had: list[tuple[float, float]] = []
    deadline = time.perf_counter() + plan.seconds
    while len(had) < plan.runs and (not had or time.perf_counter() < deadline):
        had.append(case.run(first + len(had)))
    return had


def _open(
    folder: Path, graphs: Sequence[Graph], plan: KernelPlan, texts: _Texts, threads: int, left_out: list[LeftOut]
) -> Iterator[_Case]:
    """A warm session per graph; one that cannot be opened or run is added to `left_out` with its reason."""
    ort = load_onnxruntime()
    for graph in graphs:
        free = free_memory()
        if free is not None and PACKED * graph.bytes > free:
            left_out.append(LeftOut(graph.name, f"{graph.bytes / 1e6:.0f} MB of weights do not fit in memory"))
            continue
        try:
            options = session_options(threads)
            session = ort.InferenceSession(str(folder / graph.path), options, providers=["CPUExecutionProvider"])
            cases = [_case(graph, length, session, texts) for length in graph.lengths]
            for case in cases:
                for number in range(plan.warm_runs):
                    case.run(number)
        except Exception as error:  # onnxruntime's exceptions have no common base of their own
            left_out.append(LeftOut(graph.name, (str(error).splitlines() or [type(error).__name__])[0]))
        else:
            yield from cases


def _case(graph: Graph, length: int, session: Any, texts: _Texts) -> _Case:
    if graph.feeds:
        inputs = _inputs(graph, length)
        return _Case(graph.name, length, length, lambda number: session.run(None, inputs))
    logits, words = session_logits(session), texts.of_length[length]

    def tag(number: int) -> object:
        return word_logits(logits, texts.encoder, words[number % len(words)])

    return _Case(graph.name, length, texts.tokens[length], tag)


def _inputs(graph: Graph, length: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    shapes = [[length if size is None else size for size in feed.shape] for feed in graph.feeds]
    return {
        feed.name: random.integers(feed.low, feed.high, shape).astype(feed.dtype)
        for feed, shape in zip(graph.feeds, shapes, strict=True)
    }


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
        write_result(chosen.out, result.to_json())
    except UserError as error:
        sys.stderr.write(" ".join(str(error).split()) + "\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
