"""Profiles a bundle on the machine it stands on: `python runtime/measure.py` inside a bundle.

Needs what the tagger needs and nothing else. The text is the bundle's own golden sentences, run on to fill
the lengths; the result goes to evidence/ and is tied to the model by its sha256.
"""

from __future__ import annotations

import sys

if not __package__:
    # A script's folder is not a package: start again as `runtime.measure`, with the bundle on the path.
    import runpy
    from pathlib import Path

    sys.dont_write_bytecode = True
    folder = Path(__file__).resolve().parent
    sys.path[0] = str(folder.parent)
    try:
        runpy.run_module(f"{folder.name}.measure", run_name="__main__", alter_sys=True)
    except ModuleNotFoundError as missing:
        raise SystemExit(
            f"{missing.name} is not installed. Run: python -m pip install numpy onnxruntime tokenizers"
        ) from None
    raise SystemExit

import argparse
import json
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .errors import UserError
from .files import damaged, field, read_json
from .measurement import Measurement
from .rounds import Progress, Protocol, Subject, measure_subjects

# At least 100 runs or 60 s at each length, after at least 5 runs and 1 s of warming up.
PROFILE = Protocol(seconds=60.0, warm_seconds=1.0)
BUSY = 0.05  # share of the time without the processor above which a latency says so


class Profile(NamedTuple):
    """A bundle's measurement and the evidence file it was written to."""

    measurement: Measurement
    path: Path


def profile_bundle(
    bundle: Path,
    sentences: Sequence[Sequence[str]] | None = None,
    threads: int | None = None,
    protocol: Protocol | None = None,
    progress: Progress | None = None,
) -> Profile:
    """Measure a bundle here and write evidence/profile-MACHINE-DIGEST.json into it.

    DIGEST is the first 8 characters of the model's sha256.

    Args:
        bundle: the bundle's folder.
        sentences: words of each sentence; None takes the bundle's golden sentences.
        threads: None takes the bundle's own setting.
        progress: called with (steps done, steps in all, what comes next).

    Raises:
        UserError: this is no bundle, a file of it is missing or unreadable, or evidence/ cannot be written.
    """
    path = bundle / "manifest.json"
    manifest = read_json(path)
    session = field(path, manifest, "session", dict, {})
    name = field(path, manifest, "name", str, bundle.name)
    model = bundle / field(path, manifest, "model", str, "")
    if not model.resolve().is_relative_to(bundle.resolve()):
        raise damaged(path, "its model lies outside the bundle")
    if not model.is_file():
        raise damaged(path, f"its model {model.name!r} is missing")
    options = (
        ("prepacking", field(path, session, "prepacking", bool, True)),
        ("max_length", field(path, manifest, "max_length", int, 512)),
    )
    threads = threads or field(path, session, "threads", int, 1)
    subject = Subject(name, "onnx", bundle, model, f"{__package__}.worker", options)
    text = sentences if sentences is not None else golden_words(bundle / "golden.jsonl")
    measurement = measure_subjects([subject], text, threads, protocol or PROFILE, progress=progress)[name]
    machine = measurement.machine
    slug = re.sub(r"[^a-z0-9]+", "-", (machine.board or machine.cpu or machine.architecture).lower()).strip("-")
    evidence = bundle / "evidence" / f"profile-{slug}-{measurement.model_sha256[:8]}.json"
    _write(evidence, json.dumps(measurement.to_json(), indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    return Profile(measurement, evidence)


def golden_words(path: Path) -> list[list[str]]:
    """The words of each golden sentence.

    Raises:
        UserError: the file is missing or damaged, or a line has no words.
    """
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        sentences = [json.loads(line)["words"] for line in lines]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise damaged(path, str(error)) from error
    for number, words in enumerate(sentences, start=1):
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise damaged(path, f"line {number} has no list of words")
    return sentences


def profile_rows(measurement: Measurement) -> list[tuple[str, str]]:
    """A profile as (what, value) lines for a table; what the machine does not tell is 'unknown'."""
    machine, cold, memory = measurement.machine, measurement.cold_start, measurement.memory
    sizes, speed = measurement.sizes, measurement.throughput
    parts = {
        "Python": cold.interpreter,
        "imports": cold.imports,
        "load": cold.load,
        "first answer": cold.first_answer,
    }
    split = ", ".join(f"{part} {seconds * 1000:.0f}" for part, seconds in parts.items())
    rows = [
        ("machine", f"{machine.board or machine.cpu or 'unknown'}, {machine.os}"),
        ("onnxruntime, threads", f"{machine.onnxruntime or 'unknown'}, {measurement.threads}"),
        ("model, tokenizer, labels", f"{_mb(sizes.total)} on disk, {_mb(sizes.zipped)} zipped"),
        ("cold start", f"{cold.total * 1000:.0f} ms: {split} (median of {cold.samples})"),
    ]
    for bucket in measurement.buckets:
        total, apart = bucket.total, bucket.tokenization.p50
        value = f"p50 {total.p50:.2f}, p95 {total.p95:.2f}, p99 {total.p99:.2f} ms"
        busy = f"; the machine was busy {bucket.waiting:.0%} of it" if (bucket.waiting or 0) > BUSY else ""
        value += f"; tokenization {apart:.2f} ({total.samples} runs{busy})"
        rows.append((f"{bucket.length} sub-words", value))
    return [
        *rows,
        ("throughput", f"{speed.sentences_per_s:.0f} sentences/s, {speed.tokens_per_s:.0f} sub-words/s"),
        ("memory", f"peak {_mb(memory.peak)}, anonymous {_mb(memory.anonymous)}"),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="measure.py",
        description="Measure a bundle on this machine: cold start, latency by length, memory, bytes. "
        "Takes about a minute and writes the result to the bundle's evidence folder.",
    )
    parser.add_argument("--bundle", type=Path, default=Path(__file__).resolve().parent.parent,
                        help="the bundle's folder (default: the one this file is in)")  # fmt: skip
    parser.add_argument(
        "--threads",
        type=_threads,
        metavar="N",
        help="threads of the model (default: the bundle's own setting)",
    )
    parser.add_argument("--json", action="store_true", help="print the whole record instead of a table")
    chosen = parser.parse_args(arguments)
    try:
        profile = profile_bundle(chosen.bundle, threads=chosen.threads)
    except UserError as error:
        sys.stderr.write(" ".join(str(error).split()) + "\n")
        return error.exit_code
    if chosen.json:
        sys.stdout.write(json.dumps(profile.measurement.to_json(), indent=1, sort_keys=True) + "\n")
        return 0
    rows = profile_rows(profile.measurement)
    width = max(len(what) for what, _ in rows)
    for what, value in [*rows, ("written to", str(profile.path))]:
        sys.stdout.write(f"{what:<{width}}  {value}\n")
    return 0


def _threads(value: str) -> int:
    if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= 1024:
        raise argparse.ArgumentTypeError(f"{value!r} is no number of threads (1 or more)")
    return int(value)


def _mb(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 1e6:.1f} MB"


def _write(path: Path, text: str) -> None:
    """Whole or not at all: a temporary file beside it, flushed and renamed."""
    temporary: str | None = None
    try:
        path.parent.mkdir(exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise UserError(f"Cannot write {path}: {error}.", "Copy the bundle to a place you can write to.") from error


if __name__ == "__main__":
    raise SystemExit(main())
