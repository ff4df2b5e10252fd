"""What an emulated CPU answered against what this machine answers, and when the two agree.

fp32 answers must be equal but for rounding. int8 kernels of different CPUs round differently, so there entities
are compared: F1 of the emulated ones against the native ones, and each word with another tag is listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from export.runtime.answers import Agreement
from export.runtime.machine import Machine
from export.runtime.records import to_plain
from toolkit.counts import count_entities
from toolkit.emulation.arm_cpus import ArmCpu
from toolkit.emulation.sample import Sample

SCHEMA = 1
FP32_TOLERANCE = 1e-4  # of a logit
LOWEST_F1 = 99.5  # of int8 entities, native ones taken for right


@dataclass(frozen=True)
class WordAnswers:
    """The answer to one sentence.

    Attributes:
        ids: of each window that reached the model.
        tags: one per word.
        logits: float32 (words, labels).
    """

    ids: tuple[tuple[int, ...], ...]
    tags: tuple[str, ...]
    logits: np.ndarray


@dataclass(frozen=True)
class TagFlip:
    """A word that the emulated CPU tags otherwise.

    Attributes:
        sentence: its number in the split, from 1.
        index: of the word in the sentence, from 0.
        word: None where the text may not be passed on.
        margin: by how much the native tag led there.
    """

    sentence: int
    index: int
    word: str | None
    native: str
    emulated: str
    margin: float


@dataclass(frozen=True)
class CpuResult:
    """How one emulated CPU compares with this machine.

    Attributes:
        sentences, words: answered by both.
        same_ids: sentences whose windows of ids are equal.
        largest_logit_difference: over all words and labels; None where nothing was answered, or not in numbers.
        entities: in the native answers.
        f1: of the emulated entities against the native ones, 0..100; None where neither side has any.
        golden: the golden sentences replayed on this CPU; None for a model without them.
        problems: why the CPU disagrees, a line each; none where it agrees.
        emulator_seconds: of all its emulated processes together: nothing a device would take.
    """

    cpu: str
    stands_for: str
    sentences: int
    words: int
    same_ids: int
    largest_logit_difference: float | None
    entities: int
    f1: float | None
    flips: tuple[TagFlip, ...]
    golden: Agreement | None
    problems: tuple[str, ...]
    emulator_seconds: float

    @property
    def ok(self) -> bool:
        return not self.problems


@dataclass(frozen=True)
class EmulationReport:
    """The whole check: what evidence/emulation.json holds, without the sentences.

    Attributes:
        name: of the bundle or model folder.
        dtype: of the weights; decides the rule.
        emulator: QEMU's version, the digest of the emulated system, versions of Python and packages in it.
        native: this machine.
        notes: what to know when reading it, a sentence each.
    """

    name: str
    model_sha256: str
    dtype: str
    sample: Sample
    cpus: tuple[CpuResult, ...]
    emulator: Mapping[str, str | None]
    native: Machine
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return all(cpu.ok for cpu in self.cpus)

    def to_json(self) -> dict[str, Any]:
        """The object of evidence/emulation.json: no sentence of the sample is in it."""
        return {
            "schema": SCHEMA,
            "kind": "ARM emulation",
            "name": self.name,
            "model_sha256": self.model_sha256,
            "dtype": self.dtype,
            "rule": rule(self.dtype),
            "ok": self.ok,
            "sample": {
                "source": self.sample.source,
                "real_text": self.sample.real,
                "sentences": len(self.sample.numbers),
                "of": self.sample.of,
            },
            "cpus": [{**to_plain(cpu), "ok": cpu.ok} for cpu in self.cpus],
            "emulator": dict(self.emulator),
            "native": to_plain(self.native),
            "notes": list(self.notes),
        }


def rule(dtype: str) -> str:
    """When answers of a model of this dtype agree."""
    if dtype == "fp32":
        return f"ids equal, logits within {FP32_TOLERANCE:g}"
    return f"ids equal, entity F1 against the native answers at least {LOWEST_F1:g}"


def compare_cpu(
    cpu: ArmCpu,
    dtype: str,
    sample: Sample,
    native: Mapping[int, WordAnswers],
    emulated: Mapping[int, WordAnswers],
    golden: Agreement | None,
    failures: Sequence[str],
    seconds: float,
) -> CpuResult:
    """Compare what was answered, and judge it.

    Args:
        native, emulated: answers by sentence number; a number that `emulated` lacks counts as not answered.
        failures: what ended an emulated process before it was done.
        seconds: that the emulator took.
    """
    both = [(number, words) for number, words in _numbered(sample) if number in emulated]
    pairs = [(native[number], emulated[number]) for number, _ in both]
    counts = count_entities([one.tags for one, _ in pairs], [other.tags for _, other in pairs])
    result = CpuResult(
        cpu=cpu.name,
        stands_for=cpu.stands_for,
        sentences=len(both),
        words=sum(len(words) for _, words in both),
        same_ids=sum(one.ids == other.ids for one, other in pairs),
        largest_logit_difference=_largest_difference(pairs),
        entities=counts.support,
        f1=counts.f1 if counts.support or sum(counts.fp) else None,
        flips=tuple(
            flip
            for number, words in both
            for flip in _flips(number, words if sample.public else None, native[number], emulated[number])
        ),
        golden=golden,
        problems=(),
        emulator_seconds=round(seconds, 1),
    )
    return replace(result, problems=(*failures, *_problems(result, dtype)))


def _problems(result: CpuResult, dtype: str) -> Iterator[str]:
    difference = result.largest_logit_difference
    if other := result.sentences - result.same_ids:
        yield f"other ids reach the model in {other} of {result.sentences} sentences"
    if result.sentences and difference is None:
        yield "some logits are no numbers"
    elif dtype == "fp32" and difference is not None and difference > FP32_TOLERANCE:
        yield f"logits differ by {difference:.2g}, more than {FP32_TOLERANCE:g}"
    if dtype != "fp32" and result.f1 is not None and result.f1 < LOWEST_F1:
        yield (
            f"entity F1 against the native answers is {result.f1:.2f} over {result.entities} entities, "
            f"below {LOWEST_F1:g}"
        )
    golden = result.golden
    if golden is not None and not golden.ok:
        yield (
            f"golden sentences: {golden.same_ids} of {golden.sentences} with equal ids, {golden.same_tags} of "
            f"{golden.words} words with the golden tag, logits within {golden.largest_logit_difference or 0:.3g} "
            f"({golden.tolerance:g} allowed)"
        )


def _numbered(sample: Sample) -> Iterator[tuple[int, tuple[str, ...]]]:
    return zip(sample.numbers, sample.sentences, strict=True)


def _largest_difference(pairs: Sequence[tuple[WordAnswers, WordAnswers]]) -> float | None:
    """None also where a difference is no finite number."""
    with np.errstate(invalid="ignore"):
        differences = [float(np.abs(one.logits - other.logits).max(initial=0.0)) for one, other in pairs]
    largest = max(differences, default=0.0)
    return largest if differences and np.isfinite(differences).all() else None


def _flips(number: int, words: Sequence[str] | None, native: WordAnswers, emulated: WordAnswers) -> Iterator[TagFlip]:
    for index, (tag, other) in enumerate(zip(native.tags, emulated.tags, strict=True)):
        if tag != other:
            second, best = np.sort(native.logits[index])[-2:]
            word = None if words is None else words[index]
            yield TagFlip(number, index, word, tag, other, round(float(best - second), 4))
