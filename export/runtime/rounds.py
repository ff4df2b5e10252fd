"""Measuring artifacts side by side: a process each, timed in turns A B C A B C."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .encode import WordEncoder
from .machine import describe_machine
from .measurement import (
    MEASURED_HERE,
    Bucket,
    ColdStart,
    Measurement,
    Sizes,
    Speedup,
    Throughput,
    summarize,
)
from .memory import Memory
from .process import WorkerProcess
from .protocol import MEMORY_TEXTS, Cost, Progress, Protocol, Steps, Subject
from .sizes import artifact_sizes, model_digest
from .texts import texts_of_length

SENTENCES = "sentences"  # the bucket of sentences as they are
PROBE_SECONDS = 1.0
Answer = dict[str, Any]


def measure_subjects(
    subjects: Sequence[Subject],
    sentences: Sequence[Sequence[str]],
    threads: int = 1,
    protocol: Protocol | None = None,
    zipped: bool = True,
    progress: Progress | None = None,
) -> dict[str, Measurement]:
    """Measure each subject in its own process, in turns, so that ratios hold on a noisy machine.

    The first subject is the reference: its tokenizer decides which texts have which length, all others get
    the same texts, and each has its speed-ups over it. A speed-up is the median over the rounds of the
    median over the texts of (reference's milliseconds / subject's milliseconds); see `Speedup`.

    Args:
        subjects: at least one, with different names.
        sentences: words of each sentence, real text.
        threads: of the models that do not say; the tokenizer has one.
        zipped: also deflate the files, a second per 30 MB.
        progress: called with (steps done, steps in all, what comes next).

    Raises:
        UserError: a worker fails, ends or hangs; an artifact lacks a file; there is no text.
    """
    plan = protocol or Protocol()
    sentences = [words for words in sentences if words]
    texts = texts_of(WordEncoder.load(subjects[0].folder), sentences, plan)
    steps = Steps(len(subjects) * (2 + plan.rounds * len(texts) + plan.cold_starts), progress)
    subjects = [replace(subject, threads=subject.threads or threads) for subject in subjects]
    weighed: dict[tuple[Path, Path], tuple[Sizes, str]] = {}
    for subject in subjects:
        steps.next(f"weighing {subject.name}")
        files = (subject.folder, subject.model)  # of one artifact at several settings they are the same
        if files not in weighed:
            weighed[files] = artifact_sizes(*files, zipped), model_digest(*files)
    answers: dict[tuple[str, str], list[Answer]] = {}
    loaded: dict[str, Answer] = {}
    with ExitStack() as stack:
        workers: dict[str, WorkerProcess] = {}
        for subject in subjects:
            steps.next(f"loading {subject.name}")
            worker = stack.enter_context(worker_of(subject))
            workers[subject.name] = worker
            loaded[subject.name] = load(worker, subject, plan.timeout)
            _warm(worker, texts, plan)
        for turn in range(plan.rounds):
            for bucket in texts:
                for name, worker in workers.items():
                    steps.next(f"timing {name}, {_spoken(bucket)}")
                    seconds = plan.seconds / plan.rounds
                    request = {
                        "bucket": bucket,
                        "start": turn * plan.runs,
                        "runs": plan.runs,
                        "seconds": seconds,
                    }
                    answer = worker.ask("time", plan.timeout + seconds, **request)
                    answers.setdefault((name, bucket), []).append(answer)
    cold, memory = _fresh_processes(subjects, texts, plan, steps)
    machine = describe_machine()
    first = subjects[0]
    return {
        subject.name: Measurement(
            name=subject.name,
            backend=subject.backend,
            basis=MEASURED_HERE,
            model_sha256=weighed[subject.folder, subject.model][1],
            measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
            threads=threads_of(subject),
            machine=machine,
            packages=tuple(sorted(loaded[subject.name]["packages"].items())),
            sizes=weighed[subject.folder, subject.model][0],
            cold_start=cold[subject.name],
            buckets=tuple(
                _bucket(length, answers[subject.name, str(length)], threads_of(subject)) for length in plan.lengths
            ),
            throughput=_throughput(answers[subject.name, SENTENCES]),
            memory=memory[subject.name],
            memory_imported=Memory(**loaded[subject.name]["memory_imported"]),
            reference=first.name if len(subjects) > 1 else None,
            speedups=_speedups(answers, first, subject, plan) if len(subjects) > 1 else (),
        )
        for subject in subjects
    }


def _spoken(bucket: str) -> str:
    return "sentences" if bucket == SENTENCES else f"{bucket} sub-words"


def texts_of(encoder: WordEncoder, sentences: Sequence[Sequence[str]], plan: Protocol) -> dict[str, list[list[str]]]:
    """The texts of each length of a protocol, and under SENTENCES those that stay as they are."""
    sizes: dict[str, int] = {}

    def subwords(word: str) -> int:
        if word not in sizes:
            sizes[word] = len(encoder.sub_words([word])[0])
        return sizes[word]

    count = plan.rounds * plan.runs
    texts = {str(length): texts_of_length(sentences, subwords, length, count) for length in plan.lengths}
    spread = min(count, len(sentences))
    texts[SENTENCES] = [list(sentences[index * len(sentences) // spread]) for index in range(spread)]
    return texts


def threads_of(subject: Subject) -> int:
    """Threads of a subject's model."""
    return subject.threads or 1


def worker_of(subject: Subject) -> WorkerProcess:
    """A process for a subject, which has loaded nothing yet."""
    return WorkerProcess(subject.name, subject.worker, threads_of(subject))


def load(worker: WorkerProcess, subject: Subject, timeout: float) -> Answer:
    """Have a worker open its artifact; `seconds`, `memory_imported` and `packages` as `Loaded` has them."""
    request = {"folder": str(subject.folder), "model": str(subject.model), "threads": threads_of(subject)}
    return worker.ask("load", timeout, **request, **dict(subject.options))


def rough_cost(subject: Subject, sentences: Sequence[Sequence[str]], timeout: float = Protocol.timeout) -> Cost:
    """Start an artifact once and let it answer a few sentences: enough to foresee how long a protocol takes.

    Raises:
        UserError: as `measure_subjects`.
    """
    with worker_of(subject) as worker:
        load(worker, subject, timeout)
        start = worker.clock()
        worker.ask("texts", timeout, bucket=SENTENCES, texts=[list(words) for words in sentences])
        answer = worker.ask("time", timeout, bucket=SENTENCES, start=0, runs=len(sentences), seconds=PROBE_SECONDS)
    return Cost(start, sum(answer["total_ms"]) / 1000 / sum(answer["tokens"]))


def _warm(worker: WorkerProcess, texts: dict[str, list[list[str]]], plan: Protocol) -> None:
    for bucket, texts_of_bucket in texts.items():
        worker.ask("texts", plan.timeout, bucket=bucket, texts=texts_of_bucket)
    for runs, seconds in ((plan.warm_runs, plan.timeout), (10**9, plan.warm_seconds)):
        request = {"bucket": str(max(plan.lengths)), "start": 0, "runs": runs, "seconds": seconds}
        worker.ask("time", plan.timeout + seconds, **request)


def _fresh_processes(
    subjects: Sequence[Subject],
    texts: dict[str, list[list[str]]],
    plan: Protocol,
    steps: Steps,
) -> tuple[dict[str, ColdStart], dict[str, Memory]]:
    """Cold starts, and memory in the first of the fresh processes.

    Memory is not read where latency was timed: those processes hold all texts and all samples as well.
    """
    samples: dict[str, list[dict[str, float]]] = {subject.name: [] for subject in subjects}
    memory: dict[str, Memory] = {}
    for _ in range(plan.cold_starts):
        for subject in subjects:
            steps.next(f"cold start of {subject.name}")
            had = samples[subject.name]
            if had and sum(sample["total"] for sample in had) >= plan.cold_seconds:
                continue
            with worker_of(subject) as worker:
                seconds = dict(load(worker, subject, plan.timeout)["seconds"])
                answer = worker.ask("answer", plan.timeout, words=texts[SENTENCES][0])
                total = worker.clock()
                seconds["first_answer"] = answer["seconds"]
                had.append({**seconds, "interpreter": total - sum(seconds.values()), "total": total})
                if subject.name not in memory:
                    for words in (words for bucket in texts.values() for words in bucket[:MEMORY_TEXTS]):
                        worker.ask("answer", plan.timeout, words=words)
                    memory[subject.name] = Memory(**worker.ask("memory", plan.timeout))
    return {name: _cold_start(had) for name, had in samples.items()}, memory


def _cold_start(samples: Sequence[dict[str, float]]) -> ColdStart:
    medians = {part: statistics.median(sample[part] for sample in samples) for part in samples[0]}
    return ColdStart(**medians, samples=len(samples))


def _joined(answers: Sequence[Answer], key: str) -> list[float]:
    return [value for answer in answers for value in answer[key]]


def _told_cpu(answers: Sequence[Answer], threads: int) -> bool:
    return threads == 1 and all(answer["cpu_ms"] is not None for answer in answers)


def _bucket(length: int, answers: Sequence[Answer], threads: int) -> Bucket:
    total, inference = _joined(answers, "total_ms"), _joined(answers, "inference_ms")
    tokens = _joined(answers, "tokens")
    cpu = _joined(answers, "cpu_ms") if _told_cpu(answers, threads) else None
    return Bucket(
        length=length,
        tokens=sum(tokens) / len(tokens),
        total=summarize(total),
        inference=summarize(inference),
        tokenization=summarize([both - model for both, model in zip(total, inference, strict=True)]),
        tokens_per_s=1000 * sum(tokens) / sum(total),
        waiting=None if cpu is None else max(0.0, 1 - sum(cpu) / sum(total)),
    )


def _throughput(answers: Sequence[Answer]) -> Throughput:
    total = _joined(answers, "total_ms")
    seconds = sum(total) / 1000
    return Throughput(
        latency=summarize(total),
        sentences_per_s=len(total) / seconds,
        tokens_per_s=sum(_joined(answers, "tokens")) / seconds,
    )


def _speedups(
    answers: dict[tuple[str, str], list[Answer]], reference: Subject, subject: Subject, plan: Protocol
) -> tuple[Speedup, ...]:
    speedups = []
    threads = max(threads_of(reference), threads_of(subject))
    for length in (*plan.lengths, None):
        base, mine = (answers[one.name, str(length or SENTENCES)] for one in (reference, subject))
        clock = "cpu_ms" if _told_cpu([*base, *mine], threads) else "total_ms"
        # A turn cut short by its time limit has fewer runs: compare the texts that both of them ran.
        ratios = [
            statistics.median(slow / fast for slow, fast in zip(one[clock], other[clock], strict=False))
            for one, other in zip(base, mine, strict=True)
        ]
        speedups.append(Speedup(length, statistics.median(ratios), min(ratios), max(ratios), len(ratios)))
    return tuple(speedups)
