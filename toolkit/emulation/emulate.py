"""ARM without ARM: does a bundle answer on a Cortex-A53, A72 or A76 what it answers here?

QEMU's user-mode emulator runs an aarch64 Python with the very wheels that a board gets. The same sentences pass
tokenizer and model there and here, and the golden ones the word splitter too. That proves equal answers and
nothing about speed: emulated time is never a device's.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from export.atomic import disk_full_explained, write_json_atomic
from export.manifest import EVIDENCE
from export.runtime.errors import UserError
from export.runtime.machine import describe_machine
from export.runtime.protocol import Progress
from toolkit.emulation.answering import Answers, Program, answer_all, emulated_program, native_program
from toolkit.emulation.arm_cpus import CPUS, ArmCpu, arm_cpus
from toolkit.emulation.record import CpuResult, EmulationReport, WordAnswers, compare_cpu
from toolkit.emulation.sample import Sample, Text, choose_sample
from toolkit.emulation.subject import Subject, open_bundle, open_model
from toolkit.emulation.sysroot import Qemu, Sysroot, build_sysroot, cpu_root, find_qemu
from toolkit.remote.wheels import device_site

EVIDENCE_FILE = f"{EVIDENCE}/emulation.json"
_FEWEST = 20  # sentences, for which it pays to start a process


@dataclass(frozen=True)
class Emulator:
    """All that an emulated process needs."""

    qemu: Qemu
    sysroot: Sysroot
    site: Path
    bytecode: Path

    def program(self, cpu: ArmCpu, folder: Path) -> Program:
        """Python on that CPU; `folder` becomes the root it sees."""
        root = cpu_root(self.sysroot, cpu, folder)
        return emulated_program(self.qemu.path, cpu.name, root, self.sysroot.python, self.site, self.bytecode)


def emulate_bundle(
    bundle: Path,
    text: Text,
    cache: Path,
    cpus: Sequence[str] = CPUS,
    progress: Progress | None = None,
    site: Path | None = None,
) -> EmulationReport:
    """Check a bundle, folder or zip; what was found is written to a folder's evidence/.

    Args:
        text: what to answer besides the golden sentences; without a language, in the bundle's first.
        cache: where the emulated system is kept.
        cpus: names out of `CPUS`.
        progress: called with (words answered, words in all, what is being done).
        site: unpacked aarch64 wheels to use instead of those this toolkit pins; then no evidence is written.

    Raises:
        UserError: no sound bundle, no such text, or this machine cannot emulate.
    """
    with open_bundle(bundle) as subject:
        report = _emulate(subject, text, cache, cpus, progress, site)
    if bundle.is_dir() and site is None:
        write_json_atomic(bundle / EVIDENCE_FILE, report.to_json())
    return report


def emulate_model(
    folder: Path,
    text: Text,
    cache: Path,
    cpus: Sequence[str] = CPUS,
    progress: Progress | None = None,
    site: Path | None = None,
) -> EmulationReport:
    """`emulate_bundle` for the folder of an ONNX variant, such as the fp32 one; it has no golden sentences."""
    return _emulate(open_model(folder), text, cache, cpus, progress, site)


def prepare(cache: Path, cpus: Sequence[ArmCpu], site: Path | None = None) -> Emulator:
    """QEMU, the system and its wheels, downloaded the first time.

    Raises:
        UserError: this machine cannot emulate, or something cannot be downloaded.
    """
    sysroot = build_sysroot(cache)
    qemu = find_qemu(cache, cpus)
    return Emulator(qemu, sysroot, site or device_site("aarch64", sysroot.version), cache / "bytecode")


def _emulate(
    subject: Subject, text: Text, cache: Path, cpus: Sequence[str], progress: Progress | None, site: Path | None
) -> EmulationReport:
    chosen = arm_cpus(cpus)
    sample = _sample(subject, text)
    done, total = 0, len(chosen) * (sample.words + subject.golden_words)

    def advance(words: int) -> None:
        nonlocal done
        done += words
        if progress is not None:
            progress(done, total, "answering on emulated CPUs")

    advance(0)
    emulator = prepare(cache.resolve(), chosen, site)
    with (
        disk_full_explained(Path(tempfile.gettempdir())),
        tempfile.TemporaryDirectory(prefix="emulate-") as temporary,
    ):
        folder = Path(temporary)
        native = _native_answers(subject, sample, folder)
        jobs = len(os.sched_getaffinity(0))
        requests = _requests(subject, sample, folder, jobs)
        programs = [emulator.program(cpu, folder / cpu.name) for cpu in chosen]
        tasks = [(program, request) for request in requests for program in programs]
        answers = answer_all(tasks, folder, jobs, advance)
    if dead := next((found for found in answers if not found.started), None):
        raise UserError(
            f"The emulated Python does not start ({dead.failure}).", f"Delete {cache} and run the same command again."
        )
    results = tuple(
        _result(cpu, subject, sample, native, answers[index :: len(chosen)]) for index, cpu in enumerate(chosen)
    )
    versions = next((found.versions for found in answers if found.versions), {})
    return EmulationReport(
        name=subject.name,
        model_sha256=subject.model_sha256,
        dtype=subject.dtype,
        sample=sample,
        cpus=results,
        emulator={"qemu": emulator.qemu.version, "system": emulator.sysroot.digest, **versions},
        native=describe_machine(),
        notes=tuple(_notes(sample, results, versions)),
    )


def _sample(subject: Subject, text: Text) -> Sample:
    lang = text.lang or next(iter(subject.languages), "")
    if not lang:
        raise UserError(f"{subject.name} does not say its language.", "Name it: --lang swa (with make: LANG=swa).")
    sample = choose_sample(replace(text, lang=lang))
    if not sample.sentences and not subject.golden_words:
        raise UserError(f"There is no demo text in {lang!r}.", "Name a CoNLL folder: --data (with make: DATA=PATH).")
    return sample


def _requests(subject: Subject, sample: Sample, folder: Path, parts: int) -> list[Path]:
    """Request files that share out the sentences, in about equal numbers of words; the first has the golden ones."""
    parts = max(1, min(parts, len(sample.numbers) // _FEWEST))
    shares: list[list[tuple[int, tuple[str, ...]]]] = [[] for _ in range(parts)]
    loads = [subject.golden_words, *[0] * (parts - 1)]
    for number, words in zip(sample.numbers, sample.sentences, strict=True):
        least = loads.index(min(loads))
        shares[least].append((number, words))
        loads[least] += len(words)
    return [
        _request(subject, folder / f"part{index}.json", share, golden=index == 0 and subject.golden_words > 0)
        for index, share in enumerate(shares)
    ]


def _request(subject: Subject, path: Path, sentences: Sequence[tuple[int, Sequence[str]]], *, golden: bool) -> Path:
    request = {
        "folder": str(subject.folder),
        "model": str(subject.model),
        "max_length": subject.max_length,
        "prepacking": subject.prepacking,
        "labels": subject.labels,
        "sentences": sentences,
        "golden": golden,
    }
    path.write_text(json.dumps(request), "ascii")
    return path


def _native_answers(subject: Subject, sample: Sample, folder: Path) -> dict[int, WordAnswers]:
    numbered = list(zip(sample.numbers, sample.sentences, strict=True))
    request = _request(subject, folder / "native.json", numbered, golden=False)
    found = answer_all([(native_program(), request)], folder, 1, lambda words: None)[0]
    if found.failure:
        raise UserError(f"{subject.name} does not run on this machine: {found.failure}.", found.remedy)
    return found.sentences


def _result(
    cpu: ArmCpu, subject: Subject, sample: Sample, native: dict[int, WordAnswers], parts: Sequence[Answers]
) -> CpuResult:
    return compare_cpu(
        cpu,
        subject.dtype,
        sample,
        native,
        {number: answer for part in parts for number, answer in part.sentences.items()},
        next((part.agreement for part in parts if part.agreement), None),
        tuple(dict.fromkeys(part.failure for part in parts if part.failure)),
        sum(part.seconds for part in parts),
    )


def _notes(sample: Sample, results: Sequence[CpuResult], versions: Mapping[str, str | None]) -> Iterator[str]:
    here = describe_machine()
    if platform.machine() in ("aarch64", "arm64"):
        yield "This machine is ARM itself: `make profile` measures it directly, without an emulator."
    if not sample.real:
        yield "The sentences are templates; name tagged text of the language for a check on real text (DATA=PATH)."
    for name in ("numpy", "onnxruntime", "tokenizers"):
        if name in versions and versions[name] != getattr(here, name):
            yield f"{name} is {versions[name]} on the emulated CPUs and {getattr(here, name)} here."
    if any(result.flips for result in results):
        yield "A flip where the native tag led by little is rounding: int8 kernels of different CPUs differ."
