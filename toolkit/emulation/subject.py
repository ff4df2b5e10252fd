"""What can be run on another CPU and compared: a bundle, or the folder of an ONNX variant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from export.manifest import MANIFEST, file_entry, model_digest, read_manifest
from export.onnx_scan import scan_onnx
from export.runtime.answers import read_golden
from export.runtime.errors import UserError
from export.runtime.files import damaged
from export.verify import verified
from toolkit.folders import folder_labels
from toolkit.prediction import WINDOW


@dataclass(frozen=True)
class Subject:
    """What is checked: a bundle, or the folder of an ONNX variant.

    Attributes:
        golden_words: of its golden sentences; 0 where it has none.
    """

    name: str
    folder: Path
    model: Path
    dtype: str
    max_length: int
    prepacking: bool
    labels: tuple[str, ...]
    languages: tuple[str, ...]
    model_sha256: str
    golden_words: int


@contextmanager
def open_bundle(bundle: Path) -> Iterator[Subject]:
    """A sound bundle, folder or zip; a zip is unpacked, with all checks, into a temporary folder.

    Raises:
        UserError: there is no bundle, or verify finds a problem.
    """
    with verified(bundle) as (report, folder):
        if not report.ok:
            raise UserError(
                f"{bundle} is not a sound bundle: {report.problems[0]}", "`make verify` lists all that is wrong."
            )
        yield _bundle_subject(folder)


def _bundle_subject(folder: Path) -> Subject:
    manifest = read_manifest(folder / MANIFEST)
    return Subject(
        name=manifest.name,
        folder=folder.resolve(),
        model=folder.resolve() / manifest.model,
        dtype=manifest.dtype,
        max_length=manifest.max_length,
        prepacking=manifest.prepacking,
        labels=manifest.labels,
        languages=manifest.languages,
        model_sha256=manifest.model_sha256,
        golden_words=sum(len(stored.words) for stored in read_golden(folder)),
    )


def open_model(folder: Path) -> Subject:
    """The folder of a variant: one onnx/*.onnx, tokenizer.json and config.json.

    Raises:
        UserError: something is missing, or the model reaches for files outside its folder.
    """
    models = sorted(folder.glob("onnx/*.onnx"))
    if len(models) != 1 or not all((folder / name).is_file() for name in ("config.json", "tokenizer.json")):
        raise UserError(
            f"{folder} has {len(models)} files onnx/*.onnx; one is needed, with config.json and tokenizer.json.",
            "Give the folder of an ONNX variant, or a bundle with BUNDLE=PATH.",
        )
    beside = frozenset(file.name for file in models[0].parent.iterdir() if file.is_file() and not file.is_symlink())
    scan = scan_onnx(models[0])
    if problem := next(scan.problems(beside), None):
        raise UserError(f"{models[0]} {problem}.", "Use a model that stands alone.")
    try:
        labels = folder_labels(folder)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise damaged(folder / "config.json", "it names no labels") from error
    parts = tuple(f"onnx/{name}" for name in (models[0].name, *sorted(scan.locations)))
    return Subject(
        name=folder.resolve().name,
        folder=folder.resolve(),
        model=models[0].resolve(),
        dtype=models[0].stem.removeprefix("model").removeprefix("_") or "fp32",
        max_length=WINDOW,
        prepacking=True,
        labels=labels,
        languages=(),
        model_sha256=model_digest({part: file_entry(folder / part).sha256 for part in parts}, parts),
        golden_words=0,
    )
