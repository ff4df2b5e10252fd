"""What a bundle is told about itself, and what its writer reports back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from export.card import Card
from export.manifest import Alternative, KnownBadRuntime, Licence, Manifest, TestedRuntime
from export.runtime.compatibility import KNOWN_BAD
from export.runtime.files import LABEL_FILES, TOKENIZER_FILES
from export.sbom import Package, installed_packages

# What the model folder of transformers consists of, besides the weights.
MODEL_FOLDER_FILES = (*LABEL_FILES, *TOKENIZER_FILES)
# How far logits move between CPUs. Seen with a tagger of 11 M parameters made on a CPU with VNNI: float32 by
# 0.0001; int8 by 0.03 on ARM, and by 0.46 on x86 with AVX2 but no VNNI, where sums saturate (one tag of 1,026
# changed).
TOLERANCES = {"fp32": 0.01}
DEFAULT_TOLERANCE = 1.0
KNOWN_BAD_RUNTIMES = tuple(KnownBadRuntime("onnxruntime", bad.version, bad.reason) for bad in KNOWN_BAD)
NORMALISATION = "the normalizer of tokenizer.json, applied to each word; offsets refer to the text before it"
WORD_RULE = (
    "punctuation and symbols stand apart; apostrophes inside a word, and . , : between digits, do not; "
    "each word is encoded alone"
)


@dataclass(frozen=True)
class BundleDetails:
    """What a bundle says about itself; the rest follows from the files of the variant folder.

    Attributes:
        name: for people, such as "swa edge int8".
        model: the ONNX model, relative to the variant folder, such as onnx/model_int8.onnx.
        dtype: of its weights: fp32, int8 …
        labels: in the order of the model's outputs, "O" first.
        languages: ISO 639-3.
        max_length: sub-words in one window, <s> and </s> included.
        recipe, provenance: JSON objects; provenance holds teacher, data and corpus with commits and digests.
        licences: of every input; the bundle's own follows from them.
        logit_tolerance: None takes the usual one of the dtype.
        alternatives: the same tagger in other formats; their files lie in the variant folder too.
        packages: what the ONNX model needs.
        alternative_packages: what only the alternatives need.
        evidence: name -> JSON object, written to evidence/NAME.json with the model's digest.
    """

    name: str
    model: str
    dtype: str
    labels: tuple[str, ...]
    languages: tuple[str, ...]
    max_length: int
    recipe: Mapping[str, Any]
    provenance: Mapping[str, Any]
    licences: tuple[Licence, ...]
    card: Card
    temperature: float = 1.0
    threads: int = 1
    prepacking: bool = True
    logit_tolerance: float | None = None
    normalisation: str = NORMALISATION
    word_rule: str = WORD_RULE
    alternatives: tuple[Alternative, ...] = ()
    tested_runtimes: tuple[TestedRuntime, ...] = ()
    known_bad_runtimes: tuple[KnownBadRuntime, ...] = KNOWN_BAD_RUNTIMES
    packages: tuple[Package, ...] = field(default_factory=installed_packages)
    alternative_packages: tuple[Package, ...] = ()
    evidence: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    zip_evidence: bool = False


@dataclass(frozen=True)
class BundleReport:
    """A written bundle.

    Attributes:
        bytes: of all files but evidence/.
        zipped: bytes of each file in the zip, without the zip's headers.
        essential_zip_bytes: of these, model, tokenizer and labels.
    """

    folder: Path
    archive: Path
    manifest: Manifest
    manifest_sha256: str
    bytes: int
    zip_bytes: int
    zipped: Mapping[str, int]

    @property
    def essential_zip_bytes(self) -> int:
        essential = (*self.manifest.model_parts, *MODEL_FOLDER_FILES)
        return sum(size for name, size in self.zipped.items() if name in essential)
