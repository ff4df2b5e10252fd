"""What each stage is: its version, the files that decide its result, and the libraries that do.

Changing one of a stage's source files changes its source digest; a test holds that digest against the one in
`stage_digests.json`. When the change alters results, raise the version (which makes stored results stale), then
record the new digests with `python -m toolkit.stages`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RECORD = Path(__file__).with_name("stage_digests.json")

_TRAINING = ("torch", "transformers", "accelerate", "tokenizers")
_TORCH = ("torch", "transformers")
_RUNTIME = ("onnxruntime", "tokenizers", "numpy")


@dataclass(frozen=True)
class Stage:
    """A stage's version, source files (relative to the repository) and result-changing libraries."""

    version: int
    sources: tuple[str, ...]
    libraries: tuple[str, ...]


_ENCODE = tuple(
    f"export/runtime/{name}.py" for name in ("words", "encode", "characters", "character_table", "normalization")
)
_SCORE = (
    "toolkit/evaluate.py",
    "toolkit/counts.py",
    "toolkit/bootstrap.py",
    "export/runtime/session.py",
)
_FIT = ("toolkit/training.py", "toolkit/features.py", "toolkit/data/labelled.py")
_MEASURED = (
    *("protocol", "rounds", "worker", "process", "measurement", "records"),
    *("memory", "machine", "sizes", "texts", "session"),
)
_MEASURE = (*(f"export/runtime/{name}.py" for name in _MEASURED), *_ENCODE)
_PRUNING = tuple(
    f"toolkit/pruning/{name}.py" for name in ("encoder", "importance", "magnitude", "structured", "sparsity")
)

STAGES: dict[str, Stage] = {
    "convert": Stage(1, ("toolkit/teacher.py", "toolkit/tokenizer.py"), ("transformers", "sentencepiece")),
    "teacher": Stage(1, ("toolkit/teacher.py", *_FIT, *_ENCODE), _TRAINING),
    "trim": Stage(1, ("toolkit/trim.py", "toolkit/tokenizer.py", *_ENCODE), ("tokenizers", "sentencepiece")),
    "signals": Stage(1, ("toolkit/signals.py", "toolkit/training.py", "toolkit/features.py", *_ENCODE), _TRAINING),
    "distill": Stage(
        1,
        (
            "toolkit/distill.py",
            "toolkit/student.py",
            "toolkit/losses.py",
            "toolkit/signals.py",
            *_PRUNING[:2],
            *_FIT,
            *_ENCODE,
        ),
        _TRAINING,
    ),
    "prune": Stage(1, ("toolkit/prune.py", "toolkit/recovery.py", *_PRUNING, *_FIT, *_ENCODE), _TRAINING),
    "variant": Stage(
        1,
        (
            "export/variants.py",
            "export/onnx.py",
            "export/quantize.py",
            "export/parity.py",
            "export/torchscript.py",
            "export/bnb.py",
            "calibration/static_int8.py",
            "calibration/ranges.py",
        ),
        ("torch", "transformers", "onnx", "onnxruntime", "optimum", "bitsandbytes"),
    ),
    "predict": Stage(1, ("toolkit/prediction.py", "export/parity.py", *_SCORE, *_ENCODE), (*_RUNTIME, *_TORCH)),
    "confidence": Stage(
        1,
        (
            "toolkit/prediction.py",
            "toolkit/raw_text.py",
            "calibration/confidence.py",
            "export/runtime/entities.py",
            *_SCORE,
            *_ENCODE,
        ),
        (*_RUNTIME, *_TORCH),
    ),
    "settings": Stage(1, ("export/runtime/settings.py", *_MEASURE), _RUNTIME),
    "measure": Stage(
        2,
        ("toolkit/measure/interleave.py", "toolkit/measure/torch_worker.py", *_MEASURE),
        (*_RUNTIME, *_TORCH),
    ),
}


def source_digest(stage: Stage) -> str:
    """sha256 over the stage's source files."""
    digest = hashlib.sha256()
    for name in stage.sources:
        digest.update(name.encode() + b"\0" + (ROOT / name).read_bytes() + b"\0")
    return digest.hexdigest()


def current_digests() -> dict[str, dict[str, object]]:
    """Version and source digest of every stage as the code stands."""
    return {
        name: {"version": stage.version, "source": source_digest(stage)} for name, stage in sorted(STAGES.items())
    }


if __name__ == "__main__":
    RECORD.write_text(json.dumps(current_digests(), indent=1) + "\n", encoding="utf-8")
