"""What a bundle holds besides its ONNX model: the selected format where that is another, and the one-graph tagger."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from export.manifest import TEXT2LABELS, Alternative
from export.sbom import Package, installed_packages
from export.text2labels import FILE, Parts, export_text2labels
from export.variants import VARIANTS
from toolkit.observe import Entry
from toolkit.store import Artifact, library_versions

FORMATS = {"torchscript": "torchscript", "bnb": "bitsandbytes"}


@dataclass(frozen=True)
class Contents:
    """The folder to bundle, and what it holds besides the ONNX variant.

    Attributes:
        folder: a stored artifact, or a copy of one with the alternatives in it.
        evidence: measured while they were made, by name.
    """

    folder: Path
    alternatives: tuple[Alternative, ...] = ()
    evidence: dict[str, Any] = field(default_factory=dict)

    def packages(self) -> tuple[Package, ...]:
        """What the alternatives need, as installed here."""
        needed = {name.partition("==")[0]: None for other in self.alternatives for name in other.requires}
        return installed_packages(tuple(needed))

    def rows(self) -> tuple[tuple[str, str], ...]:
        """A row of the model card for each alternative."""
        return tuple(
            (f"also as {other.format}", f"{', '.join(other.files)}; needs {', '.join(other.requires)}")
            for other in self.alternatives
        )


def bundle_contents(work: Path, chosen: Entry, shipped: Artifact, variant: str, parts: Parts | None) -> Contents:
    """The ONNX variant, joined by the selected one's files where that is another format.

    Args:
        work: the folder to copy to where anything joins it.
        shipped: the artifact of the ONNX `variant`.
        parts: the tagger that is to be one graph too, or None.

    Raises:
        UserError: the graph cannot be made, see `export_text2labels`.
    """
    contents = Contents(shipped.path)
    if chosen.variant == variant and parts is None:
        return contents
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(shipped.path, work)
    contents = Contents(work)
    if chosen.variant != variant:
        contents = replace(contents, alternatives=(_selected(work, chosen),))
    if parts is not None:
        report = export_text2labels(parts, work / FILE)
        other = Alternative(TEXT2LABELS, VARIANTS[variant].precision, (FILE,), report.requires)
        contents = Contents(work, (*contents.alternatives, other), {TEXT2LABELS: asdict(report)})
    return contents


def _selected(folder: Path, chosen: Entry) -> Alternative:
    selected = VARIANTS[chosen.variant]
    source = chosen.artifact.path / selected.model
    target = folder / selected.model
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    files = [target] if target.is_file() else [path for path in target.rglob("*") if path.is_file()]
    needed = ("torch",) if selected.backend == "torchscript" else ("torch", "transformers", "bitsandbytes")
    return Alternative(
        FORMATS[selected.backend],
        selected.precision,
        tuple(sorted(path.relative_to(folder).as_posix() for path in files)),
        tuple(f"{package}=={version}" for package, version in library_versions(needed).items()),
    )
