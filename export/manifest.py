"""manifest.json: what a bundle is. The form is published as manifest.schema.json beside this file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from export.names import collisions
from export.runtime.errors import UserError
from export.runtime.manifest import SCHEMA_VERSION
from export.strict_json import loads, violations

MANIFEST = "manifest.json"
GOLDEN = "golden.jsonl"
EVIDENCE = "evidence"
TEXT2LABELS = "text2labels"  # the format of an alternative: the tagger with its tokenizer in one ONNX graph
MAX_MANIFEST_BYTES = 16 * 2**20

COMMERCIAL = "commercial use allowed"
NON_COMMERCIAL = "non-commercial"

REMEDY = "Make the bundle again, or get a fresh copy."


@dataclass(frozen=True)
class FileEntry:
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Tensor:
    name: str
    dtype: str


@dataclass(frozen=True)
class Licence:
    """The licence of one input, such as the teacher or the training data."""

    what: str
    licence: str
    commercial: bool


@dataclass(frozen=True)
class Alternative:
    """The same tagger in another format; `requires` are the packages it needs besides the bundle's own."""

    format: str
    dtype: str
    files: tuple[str, ...]
    requires: tuple[str, ...] = ()


@dataclass(frozen=True)
class TestedRuntime:
    name: str
    version: str


@dataclass(frozen=True)
class KnownBadRuntime:
    name: str
    version: str
    reason: str


@dataclass(frozen=True)
class Manifest:
    """manifest.json, parsed. Paths are relative to the bundle, with forward slashes."""

    name: str
    languages: tuple[str, ...]
    labels: tuple[str, ...]
    max_length: int
    model: str
    external_data: tuple[str, ...]
    dtype: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    threads: int
    prepacking: bool
    temperature: float
    normalisation: str
    word_rule: str
    split_pattern: str
    golden_sentences: int
    logit_tolerance: float
    recipe: Mapping[str, Any]
    provenance: Mapping[str, Any]
    licence: str
    licences: tuple[Licence, ...]
    alternatives: tuple[Alternative, ...]
    requires: tuple[str, ...]
    tested_runtimes: tuple[TestedRuntime, ...]
    known_bad_runtimes: tuple[KnownBadRuntime, ...]
    files: Mapping[str, FileEntry]

    @property
    def model_sha256(self) -> str:
        """One digest for the model, external data included (see `model_digest`)."""
        return model_digest({name: entry.sha256 for name, entry in self.files.items()}, self.model_parts)

    @property
    def model_parts(self) -> tuple[str, ...]:
        return (self.model, *self.external_data)

    def to_json(self) -> dict[str, Any]:
        """The object that manifest.json holds."""
        return {
            "schema_version": SCHEMA_VERSION,
            "name": self.name,
            "task": "token-classification",
            "languages": list(self.languages),
            "labels": list(self.labels),
            "max_length": self.max_length,
            "model": self.model,
            "external_data": list(self.external_data),
            "dtype": self.dtype,
            "tensors": {
                "inputs": [asdict(tensor) for tensor in self.inputs],
                "outputs": [asdict(tensor) for tensor in self.outputs],
            },
            "session": {"threads": self.threads, "prepacking": self.prepacking},
            "confidence": {"temperature": self.temperature},
            "text": {
                "normalisation": self.normalisation,
                "words": self.word_rule,
                "split_pattern": self.split_pattern,
            },
            "golden": {
                "file": GOLDEN,
                "sentences": self.golden_sentences,
                "logit_tolerance": self.logit_tolerance,
            },
            "recipe": dict(self.recipe),
            "provenance": dict(self.provenance),
            "licence": self.licence,
            "licences": [asdict(licence) for licence in self.licences],
            "alternatives": [
                {**asdict(other), "files": list(other.files), "requires": list(other.requires)}
                for other in self.alternatives
            ],
            "requires": list(self.requires),
            "runtimes": {
                "tested": [asdict(runtime) for runtime in self.tested_runtimes],
                "known_bad": [asdict(runtime) for runtime in self.known_bad_runtimes],
            },
            "files": {name: asdict(entry) for name, entry in self.files.items()},
        }


def licence_line(licences: tuple[Licence, ...]) -> str:
    """'non-commercial' as soon as one input is."""
    return COMMERCIAL if all(licence.commercial for licence in licences) else NON_COMMERCIAL


def model_digest(digests: Mapping[str, str], parts: tuple[str, ...]) -> str:
    """sha256 of a model: of one file its own; of several that of their 'DIGEST  NAME' lines, in order."""
    if len(parts) == 1:
        return digests[parts[0]]
    lines = "".join(f"{digests[part]}  {part}\n" for part in parts)
    return hashlib.sha256(lines.encode()).hexdigest()


def file_entry(file: Path) -> FileEntry:
    """Size and sha256 of a file."""
    with file.open("rb") as stream:
        return FileEntry(file.stat().st_size, hashlib.file_digest(stream, "sha256").hexdigest())


def tensors(values: Iterable[Any]) -> tuple[Tensor, ...]:
    """Names and dtypes of an onnxruntime session's inputs or outputs ('tensor(float)' is float32)."""
    types = ((value.name, value.type.removeprefix("tensor(").removesuffix(")")) for value in values)
    return tuple(Tensor(name, {"float": "float32"}.get(dtype, dtype)) for name, dtype in types)


@cache
def schema() -> dict[str, Any]:
    """The published JSON Schema of manifest.json."""
    value: dict[str, Any] = json.loads((Path(__file__).parent / "manifest.schema.json").read_text("utf-8"))
    return value


def read_manifest(path: Path) -> Manifest:
    """Parse the manifest file at `path`.

    Raises:
        UserError: missing, too large, not a manifest this version reads, or contradicting itself.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}).", "Give the folder or zip that `make bundle` wrote."
        ) from error
    if len(data) > MAX_MANIFEST_BYTES:
        raise UserError(f"{path}: more than the {MAX_MANIFEST_BYTES} bytes of any manifest.", REMEDY)
    manifest = parse_manifest(data, str(path))
    if problems := list(inconsistencies(manifest)):
        raise UserError(f"{path}: {'; '.join(problems[:5])}.", REMEDY)
    return manifest


def parse_manifest(data: bytes, name: str = MANIFEST) -> Manifest:
    """Parse the bytes of a manifest.

    Raises:
        UserError: for another schema version, or each way in which it breaks the schema, in one message.
    """
    value = loads(data, name)
    version = value.get("schema_version") if isinstance(value, dict) else None
    if isinstance(version, int) and not isinstance(version, bool) and version != SCHEMA_VERSION:
        newer = "a newer toolkit" if version > SCHEMA_VERSION else "an older toolkit"
        raise UserError(
            f"{name}: written for schema version {version}; this toolkit reads version {SCHEMA_VERSION}.",
            f"Use {newer}, or make the bundle again with this one (make bundle).",
        )
    problems = list(violations(value, schema()))
    if problems:
        more = f" (and {len(problems) - 5} more)" if len(problems) > 5 else ""
        raise UserError(f"{name}: {'; '.join(problems[:5])}{more}.", REMEDY)
    return _from_json(value)


def inconsistencies(manifest: Manifest) -> Iterator[str]:
    """What a JSON Schema cannot say: how the parts of a manifest must fit together."""
    if manifest.labels[0] != "O":
        yield "labels: the first must be O"
    if manifest.licence != licence_line(manifest.licences):
        yield f"licence: must be {licence_line(manifest.licences)!r}, as the licences of the inputs say"
    others = (name for other in manifest.alternatives for name in other.files)
    needed = (*manifest.model_parts, *others, GOLDEN, "config.json", "tokenizer.json")
    yield from (f"files: {name} must be among them" for name in needed if name not in manifest.files)
    yield from (
        f"files: {name} must not be among them"
        for name in manifest.files
        if name == MANIFEST or name.split("/")[0] == EVIDENCE
    )
    yield from (f"files: {problem}" for problem in collisions(manifest.files))


def _from_json(value: dict[str, Any]) -> Manifest:
    tensors, text, golden, runtimes = (value[key] for key in ("tensors", "text", "golden", "runtimes"))
    return Manifest(
        name=value["name"],
        languages=tuple(value["languages"]),
        labels=tuple(value["labels"]),
        max_length=int(value["max_length"]),
        model=value["model"],
        external_data=tuple(value["external_data"]),
        dtype=value["dtype"],
        inputs=tuple(Tensor(**tensor) for tensor in tensors["inputs"]),
        outputs=tuple(Tensor(**tensor) for tensor in tensors["outputs"]),
        threads=int(value["session"]["threads"]),
        prepacking=value["session"]["prepacking"],
        temperature=float(value["confidence"]["temperature"]),
        normalisation=text["normalisation"],
        word_rule=text["words"],
        split_pattern=text["split_pattern"],
        golden_sentences=int(golden["sentences"]),
        logit_tolerance=float(golden["logit_tolerance"]),
        recipe=value["recipe"],
        provenance=value["provenance"],
        licence=value["licence"],
        licences=tuple(Licence(**licence) for licence in value["licences"]),
        alternatives=tuple(
            Alternative(other["format"], other["dtype"], tuple(other["files"]), tuple(other["requires"]))
            for other in value["alternatives"]
        ),
        requires=tuple(value["requires"]),
        tested_runtimes=tuple(TestedRuntime(**runtime) for runtime in runtimes["tested"]),
        known_bad_runtimes=tuple(KnownBadRuntime(**runtime) for runtime in runtimes["known_bad"]),
        files={name: FileEntry(int(e["bytes"]), e["sha256"]) for name, e in value["files"].items()},
    )
