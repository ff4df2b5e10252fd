"""Folders named by their content: what is there under its name already need not be sent again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from export.runtime.errors import UserError

NAME_LENGTH = 32  # hexadecimal digits of the digest


@dataclass(frozen=True)
class Tree:
    """Files that stand together in a folder of another machine.

    Attributes:
        name: KIND-DIGEST; equal names hold equal files.
        files: name in the folder, with forward slashes, and the local file; sorted.
        bytes: of all files.
    """

    name: str
    files: tuple[tuple[str, Path], ...]
    bytes: int

    @classmethod
    def of(cls, kind: str, files: Mapping[str, Path], digest: str = "") -> Tree:
        """A tree of `files`.

        Args:
            kind: what it is, in letters.
            digest: sha256 that identifies the files where one is known; "" reads them all.

        Raises:
            UserError: there are no files, or one cannot be read.
        """
        if not files:
            raise UserError(f"There is nothing to send as {kind}.", "Name a folder with files.")
        pairs = tuple(sorted(files.items()))
        try:
            digest = digest or _digest(pairs)
            return cls(f"{kind}-{digest[:NAME_LENGTH]}", pairs, sum(path.stat().st_size for _, path in pairs))
        except OSError as error:
            raise UserError(
                f"{error.filename} cannot be read: {error.strerror}.", "Check its permissions."
            ) from error

    @classmethod
    def of_folder(cls, kind: str, folder: Path, below: str = "", pattern: str = "*") -> Tree:
        """All files of `folder` whose names fit `pattern`, bytecode aside.

        Args:
            below: folder of the tree that they stand in, such as "runtime".
        """
        found = (path for path in folder.rglob(pattern) if path.is_file() and "__pycache__" not in path.parts)
        return cls.of(kind, {(Path(below) / path.relative_to(folder)).as_posix(): path for path in found})


def _digest(files: tuple[tuple[str, Path], ...]) -> str:
    """sha256 of 'DIGEST  NAME' lines, as sha256sum prints them."""
    lines = []
    for name, path in files:
        with path.open("rb") as stream:
            lines.append(f"{hashlib.file_digest(stream, 'sha256').hexdigest()}  {name}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()
