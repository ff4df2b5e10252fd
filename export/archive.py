"""Zips of a bundle: written so that the same files give the same bytes, and unpacked with suspicion."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from export.atomic import disk_full_explained
from export.names import collisions, name_problem

# A deflated stream of zeros unpacks to a thousand times its size; honest bundles stay below ten.
MAX_RATIO = 100
MAX_BYTES = 4 * 2**30
MAX_ENTRIES = 2000
_CHUNK = 2**20
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # the first date a zip can tell


def write_zip(folder: Path, names: Iterable[str], target: Path) -> Mapping[str, int]:
    """Zip `names` (relative to `folder`) into `target`, atomically and reproducibly.

    Sorted names, one fixed date and mode, deflate level 9: with the same zlib, the same files give the same
    bytes.

    Returns:
        the bytes each file takes in the zip, without the zip's own headers.

    Raises:
        UserError: the disk is full; nothing half-written is left and an earlier `target` is as it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with disk_full_explained(target):
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                with zipfile.ZipFile(stream, "w") as archive:
                    for name in sorted(names):
                        info = zipfile.ZipInfo(name, _EARLIEST)
                        info.create_system = 3  # Unix, so that the mode below counts
                        info.external_attr = (stat.S_IFREG | 0o644) << 16
                        data = (folder / name).read_bytes()
                        archive.writestr(info, data, zipfile.ZIP_DEFLATED, compresslevel=9)
                    sizes = {info.filename: info.compress_size for info in archive.infolist()}
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    return sizes


def unpack_zip(path: Path, folder: Path) -> list[str]:
    """Unpack the zip at `path` into the empty `folder`, unless anything about it is wrong.

    Names, kinds and declared sizes are checked before the first byte is written, real sizes while unpacking.

    Returns:
        every problem found, each a line that names the entry; nothing is unpacked when a name is among them.

    Raises:
        UserError: the disk is full.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            problems = _entry_problems(path, entries)
            if problems:
                return problems
            with disk_full_explained(folder):
                return _extract(archive, [entry for entry in entries if not _is_folder(entry)], folder)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, UnicodeDecodeError, ValueError) as error:
        return [f"{path.name}: not a whole zip file ({error}). Get a fresh copy."]


def _is_folder(entry: zipfile.ZipInfo) -> bool:
    return entry.orig_filename.endswith("/")  # is_dir() of an empty name raises


def _entry_problems(path: Path, entries: list[zipfile.ZipInfo]) -> list[str]:
    if len(entries) > MAX_ENTRIES:
        return [f"{path.name}: {len(entries)} entries, more than any bundle has. Do not unpack it."]
    problems = []
    # orig_filename: `filename` is already cut at a NUL and has its separators changed.
    names = [entry.orig_filename.removesuffix("/") for entry in entries]
    for entry, name in zip(entries, names, strict=True):
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if problem := name_problem(name):
            problems.append(f"{name!r}: {problem}. Do not unpack this zip; get a fresh copy.")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            what = "a link" if kind == stat.S_IFLNK else "neither a file nor a folder"
            problems.append(f"{name!r}: {what}. Do not unpack this zip; get a fresh copy.")
        if entry.flag_bits & 0x1:
            problems.append(f"{name!r}: encrypted. A bundle is not; get a fresh copy.")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            problems.append(f"{name!r}: compressed by another method than deflate. Get a fresh copy.")
    files = [name for entry, name in zip(entries, names, strict=True) if not _is_folder(entry)]
    problems += [f"{path.name}: {problem}. Get a fresh copy." for problem in collisions(files)]
    declared, limit = sum(entry.file_size for entry in entries), _limit(path)
    if declared > limit:
        problems.append(_bomb(path, declared))
    return problems


def _extract(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], folder: Path) -> list[str]:
    problems = []
    path = Path(str(archive.filename))
    left = _limit(path)
    for entry in entries:
        target = folder / entry.filename
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with archive.open(entry) as source, target.open("xb") as sink:
                while chunk := source.read(_CHUNK):
                    left -= len(chunk)
                    if left < 0:
                        return [_bomb(path, _limit(path) - left)]
                    sink.write(chunk)
        except OSError as error:
            if error.errno != errno.EINVAL:  # EINVAL: the entry claims to begin before the file does
                raise
            problems.append(_damaged(entry, error))
        except (zipfile.BadZipFile, EOFError, zlib.error) as error:
            problems.append(_damaged(entry, error))
    return problems


def _damaged(entry: zipfile.ZipInfo, error: Exception) -> str:
    return f"{entry.filename}: damaged in the zip ({error}). Get a fresh copy."


def _limit(path: Path) -> int:
    return min(MAX_BYTES, MAX_RATIO * path.stat().st_size)


def _bomb(path: Path, unpacked: int) -> str:
    return (
        f"{path.name}: {path.stat().st_size} bytes that unpack to at least {unpacked}, more than "
        f"{MAX_RATIO} times as many or more than {MAX_BYTES}. Do not unpack it; get a fresh copy."
    )
