"""The bytes of an artifact: which files count, what they take on disk and in a zip."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

from .errors import UserError
from .files import LABEL_FILES, TOKENIZER_FILES
from .measurement import Sizes

WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
CHUNK = 1 << 20


def model_files(model: Path) -> list[Path]:
    """The files that hold a model, sorted: a file with its external data, or a folder's weights.

    Args:
        model: a model file (.onnx, .pt) or a Hugging Face folder with safetensors weights.

    Raises:
        UserError: there is no such file, or the folder holds no weights.
    """
    if model.is_dir():
        files = sorted(path for pattern in WEIGHTS for path in model.glob(pattern))
    else:
        # transformers.js and onnx name external data after the model: model.onnx_data, model.onnx.data
        files = sorted(path for path in model.parent.glob(f"{model.name}*") if _belongs(path.name, model.name))
    if not files or (not model.is_dir() and model not in files):
        raise UserError(f"There is no model at {model}.", "Name a model file or a folder with *.safetensors.")
    return files


def artifact_sizes(folder: Path, model: Path, zipped: bool = True) -> Sizes:
    """Bytes of model, tokenizer and labels, apart and zipped together.

    Args:
        folder: holds the tokenizer's files and config.json (the labels); those that are absent count nothing.
        model: as for `model_files`.
        zipped: also deflate them, which takes a second per 30 MB.
    """
    models = model_files(model)
    tokenizers = [folder / name for name in TOKENIZER_FILES if (folder / name).is_file()]
    labels = [folder / name for name in LABEL_FILES if (folder / name).is_file()]
    return Sizes(
        model=_bytes(models),
        tokenizer=_bytes(tokenizers),
        labels=_bytes(labels),
        zipped=zipped_bytes([*models, *tokenizers, *labels]) if zipped else None,
    )


def zipped_bytes(files: list[Path]) -> int:
    """Bytes of a zip of `files` (deflate, level 9), counted without writing it anywhere."""
    sink = _CountingSink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in files:
            with file.open("rb") as source, archive.open(file.name, "w", force_zip64=True) as target:
                while chunk := source.read(CHUNK):
                    target.write(chunk)
    return sink.size


def model_digest(folder: Path, model: Path) -> str:
    """sha256 (hex) of a model: of its one file, or of 'DIGEST  NAME' lines where it has several.

    Names are relative to `folder` where they can be: a bundle's model has the digest its manifest gives.
    """
    digests = [(_file_digest(path), _relative(path, folder)) for path in model_files(model)]
    if len(digests) == 1:
        return digests[0][0]
    return hashlib.sha256("".join(f"{digest}  {name}\n" for digest, name in digests).encode()).hexdigest()


class _CountingSink(io.RawIOBase):
    """A stream that counts what is written to it and keeps nothing."""

    size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        size = memoryview(data).nbytes  # type: ignore[arg-type]
        self.size += size
        return size


def _belongs(name: str, model: str) -> bool:
    rest = name[len(model) :]
    return rest == "" or rest.startswith(("_data", ".data"))


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name


def _bytes(files: list[Path]) -> int:
    return sum(path.stat().st_size for path in files)


def _file_digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
