"""What running and measuring need of a bundle's manifest.json, and the one place that knows its version."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import UserError
from .files import damaged, field, read_json

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Setting:
    """How a session runs.

    Attributes:
        threads: of the model; the tokenizer has one.
        prepacking: weights are kept re-ordered for speed, at the cost of memory.
    """

    threads: int
    prepacking: bool


@dataclass(frozen=True)
class Bundle:
    """A bundle as measuring sees it.

    Attributes:
        model: the .onnx file.
        setting: what the tagger uses by default.
        max_length: sub-words that the model takes at once, with <s> and </s>.
        tolerance: by how much a golden logit may differ from one CPU to another.
    """

    folder: Path
    name: str
    model: Path
    setting: Setting
    max_length: int
    labels: tuple[str, ...]
    languages: tuple[str, ...]
    tolerance: float


def read_manifest(folder: Path, optional: bool = False) -> dict[str, Any]:
    """The object in `folder`/manifest.json; {} if it is `optional` and missing.

    Raises:
        UserError: missing, damaged, or written for another version of the manifest's schema.
    """
    path = folder / "manifest.json"
    manifest = read_json(path, optional)
    version = field(path, manifest, "schema_version", int, SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        other = "a newer" if version > SCHEMA_VERSION else "an older"
        raise UserError(
            f"{path} is written for schema version {version}; this runtime reads version {SCHEMA_VERSION}.",
            f"Use the runtime/ inside that bundle or {other} toolkit, or make the bundle again with this one.",
        )
    return manifest


def read_bundle(folder: Path) -> Bundle:
    """Read what measuring needs of the bundle in `folder`.

    Raises:
        UserError: this is no bundle, its manifest is damaged or of another version, or the model is missing.
    """
    path = folder / "manifest.json"
    manifest = read_manifest(folder)
    session = field(path, manifest, "session", dict, {})
    golden = field(path, manifest, "golden", dict, {})
    model = folder / field(path, manifest, "model", str, "")
    if not model.resolve().is_relative_to(folder.resolve()):
        raise damaged(path, "its model lies outside the bundle")
    if not model.is_file():
        raise damaged(path, f"its model {model.name!r} is missing")
    return Bundle(
        folder=folder,
        name=field(path, manifest, "name", str, folder.name),
        model=model,
        setting=Setting(field(path, session, "threads", int, 1), field(path, session, "prepacking", bool, True)),
        max_length=field(path, manifest, "max_length", int, 512),
        labels=_strings(path, manifest, "labels"),
        languages=_strings(path, manifest, "languages"),
        tolerance=field(path, golden, "logit_tolerance", float, 0.0),
    )


def _strings(path: Path, manifest: dict[str, Any], key: str) -> tuple[str, ...]:
    values: list[Any] = field(path, manifest, key, list, [])
    if not all(isinstance(value, str) for value in values):
        raise damaged(path, f"{key} is {values!r}")
    return tuple(values)
