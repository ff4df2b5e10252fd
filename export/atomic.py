"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from export.runtime.errors import UserError

BLOCK = 4096  # bytes


def canonical_json(value: Any) -> str:
    """Compact JSON with sorted keys: the same value always gives the same bytes."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


@contextmanager
def disk_full_explained(path: Path) -> Iterator[None]:
    """Turn 'no space left' into a UserError that names the folder and the remedy.

    Libraries that write by themselves (safetensors, torch, onnx) raise errors of their own for it, some without
    its number, so the disk is asked too.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if _says_full(error) or (isinstance(error, (OSError, RuntimeError)) and _is_full(path)):
            raise UserError(
                f"The disk is full: could not write {path}; nothing half-written was left behind.",
                "Free some space (make clean says what it frees) and run the same command again: "
                "finished stages are kept.",
            ) from error
        raise


def _says_full(error: Exception) -> bool:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return os.strerror(errno.ENOSPC) in str(error)


def _is_full(path: Path) -> bool:
    """Whether less than a block is left where `path` is or would be."""
    folder = next((folder for folder in (path, *path.absolute().parents) if folder.is_dir()), path)
    try:
        return shutil.disk_usage(folder).free < BLOCK
    except OSError:
        return False


def write_bytes_atomic(path: Path, data: bytes) -> None:
    """Write `data` beside `path` under a temporary name, flush it to disk and rename it into place.

    Raises:
        UserError: the disk is full; the temporary file is removed.
    """
    with disk_full_explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(name, 0o644)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def write_text_atomic(path: Path, text: str) -> None:
    """`write_bytes_atomic` for UTF-8 text."""
    write_bytes_atomic(path, text.encode("utf-8"))


def write_json_atomic(path: Path, value: Any) -> None:
    """Indented JSON with sorted keys and a final newline."""
    write_text_atomic(path, json.dumps(value, sort_keys=True, ensure_ascii=False, indent=1) + "\n")


@contextmanager
def new_folder_atomic(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path` that replaces `path` when the block ends without an error.

    Raises:
        UserError: the disk is full; the temporary folder is removed and `path` is as it was.
    """
    temporary = None
    try:
        with disk_full_explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
            yield temporary
            flush_folder(temporary)
            os.chmod(temporary, 0o755)
            replace_folder(temporary, path)
    except BaseException:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        raise


def flush_folder(folder: Path) -> None:
    """fsync every file below `folder`, so that a rename never exposes empty files after a power cut."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())


def replace_folder(source: Path, target: Path) -> None:
    """Rename `source` to `target`, setting an existing `target` aside first and deleting it last."""
    if not target.exists():
        os.rename(source, target)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".old", dir=target.parent))
    os.rename(target, aside / "old")
    try:
        os.rename(source, target)
    except BaseException:
        os.rename(aside / "old", target)
        aside.rmdir()
        raise
    shutil.rmtree(aside, ignore_errors=True)
