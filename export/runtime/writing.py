"""A result written whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from .errors import UserError


def write_result(path: Path, value: dict[str, Any]) -> None:
    """Write `value` as JSON by way of a temporary file beside `path`, flushed and renamed.

    Raises:
        UserError: the folder cannot be made or written to, or the disk is full.
    """
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise unwritable(path, error) from error
        raise


def check_writable(path: Path) -> None:
    """Raise now what `write_result` would raise after minutes of measuring."""
    if path.is_dir():
        raise UserError(f"Cannot write {path}: it is a folder.", "Name a file.")
    folder = next(folder for folder in path.absolute().parents if folder.exists())
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> UserError:
    """The error for a place that takes no file."""
    remedy = "Free some space on the disk, or write to a place where you may: --out FILE."
    return UserError(f"Cannot write {path}: {error.strerror or error}.", remedy)
