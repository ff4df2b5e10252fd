"""Content-addressed stage cache: a stage runs once for the same inputs, and a killed run goes on where it was.

On disk, below the cache folder:

    <stage>/<key>/entry.json    key material, sha256 of every output, the stage's report, seconds it took; its own
                                sha256
    <stage>/<key>/out/          the outputs
    work/<stage>-<key>/         a stage under way; kept when killed, so that training resumes from its checkpoints
    locks/<stage>-<key>.lock    held while a stage runs, released by the system even on kill -9
    in-use.lock                 held by every run to its end, so that nothing is cleaned away under it
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

from export.atomic import canonical_json, disk_full_explained, flush_folder, write_json_atomic
from export.runtime.errors import UserError
from toolkit.console import console, megabytes
from toolkit.stages import STAGES


@dataclass(frozen=True)
class Artifact:
    """A stage's finished output.

    Attributes:
        path: folder with the output files.
        digest: sha256 over the names and contents of those files; what later stages are keyed by.
        report: what the stage said about itself, JSON values only.
        seconds: how long it took when it ran.
        cached: True when this run found it finished.
    """

    path: Path
    digest: str
    report: dict[str, Any]
    seconds: float
    cached: bool


def file_digest(path: Path) -> str:
    """sha256 of a file as hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def folder_digests(folder: Path) -> dict[str, str]:
    """sha256 of every file below `folder`, by POSIX path relative to it."""
    return {
        path.relative_to(folder).as_posix(): file_digest(path) for path in sorted(folder.rglob("*")) if path.is_file()
    }


def combined_digest(digests: Mapping[str, str]) -> str:
    """One sha256 for a set of named digests."""
    return hashlib.sha256(canonical_json(dict(digests)).encode()).hexdigest()


def library_versions(names: tuple[str, ...]) -> dict[str, str]:
    """Installed versions, read from package metadata without importing anything."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


IN_USE = "in-use.lock"


class Store:
    """The stage cache below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.before_work: Callable[[], None] | None = None  # called once, before the first stage that really runs
        self._in_use: IO[bytes] | None = None

    def run(
        self,
        stage: str,
        config: Any,
        inputs: Mapping[str, str],
        build: Callable[[Path, Path], dict[str, Any]],
        seed: int | None = None,
    ) -> Artifact:
        """Return the stage's output, running `build(out, work)` only where no valid one is stored.

        Args:
            stage: a name in `toolkit.stages.STAGES`, whose version and libraries enter the key.
            config: a dataclass or JSON value.
            inputs: digests of everything the stage reads, by name.
            build: writes its files into `out` and returns a report; `work` survives a kill and holds
                checkpoints.
            seed: the run's seed where the stage draws random numbers.

        Raises:
            UserError: the cache folder cannot be written to, or the disk is full.
        """
        definition = STAGES[stage]
        material = {
            "stage": stage,
            "version": definition.version,
            "config": asdict(config) if is_dataclass(config) and not isinstance(config, type) else config,
            "inputs": dict(inputs),
            "seed": seed,
            "libraries": library_versions(definition.libraries),
        }
        key = hashlib.sha256(canonical_json(material).encode()).hexdigest()[:20]
        home, work = self.root / stage / key, self.root / "work" / f"{stage}-{key}"
        with self._locked(f"{stage}-{key}"):
            hit = self._load(home)
            if hit is None:
                ask, self.before_work = self.before_work, None
                if ask is not None:
                    ask()
                hit = self._build(home, work, material, build)
            shutil.rmtree(work, ignore_errors=True)
            return hit

    def _load(self, home: Path) -> Artifact | None:
        """A stored entry whose outputs still have their recorded digests; anything else is dropped."""
        record = home / "entry.json"
        if not home.exists():
            return None
        try:
            entry = json.loads(record.read_text("utf-8"))
            whole = entry.pop("sha256") == _entry_digest(entry)
            if whole and folder_digests(home / "out") == entry["files"]:
                digest = combined_digest(entry["files"])
                return Artifact(home / "out", digest, entry["report"], entry["seconds"], True)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass
        console.warn(f"The cache entry {home} is damaged; it is built again.")
        shutil.rmtree(home)
        return None

    def _build(
        self, home: Path, work: Path, material: dict[str, Any], build: Callable[[Path, Path], dict[str, Any]]
    ) -> Artifact:
        out, staged = work / "out", work / "entry"
        # Only checkpoints are worth keeping from a run that was killed or failed: half-written outputs are not.
        _remove(out, staged)
        try:
            with disk_full_explained(work):
                out.mkdir(parents=True)
                started = time.monotonic()
                report = json.loads(json.dumps(build(out, work)))
                seconds = round(time.monotonic() - started, 2)
                files = folder_digests(out)
                staged.mkdir()
                os.rename(out, staged / "out")
                flush_folder(staged)
                entry = {"material": material, "files": files, "report": report, "seconds": seconds}
                write_json_atomic(staged / "entry.json", {**entry, "sha256": _entry_digest(entry)})
                home.parent.mkdir(parents=True, exist_ok=True)
                os.rename(staged, home)
        except BaseException:
            _remove(out, staged)
            with suppress(OSError):  # checkpoints
                work.rmdir()
            raise
        return Artifact(home / "out", combined_digest(files), report, seconds, False)

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        """Hold the stage's lock file; a second run on the same cache waits and says so."""
        locks = self.root / "locks"
        with disk_full_explained(locks), _writable(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            if self._in_use is None:
                self._in_use = (self.root / IN_USE).open("ab")
                fcntl.flock(self._in_use, fcntl.LOCK_SH)
            locks.mkdir(exist_ok=True)
            lock = (locks / f"{name}.lock").open("ab")
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                console.note(f"Another run is working on {name}; waiting for it to finish.")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _entry_digest(entry: Mapping[str, Any]) -> str:
    """sha256 of an entry's other values: reports hold results too."""
    return hashlib.sha256(canonical_json(entry).encode()).hexdigest()


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _writable(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(
            f"The cache folder {root} cannot be used: {error.strerror}.",
            "Name a folder that you may write to: TOOLKIT_CACHE=PATH.",
        ) from error


def clean_store(root: Path) -> list[str]:
    """Delete the stage cache; one line per kind of stage with what it held, and what stays.

    Only what a store makes is deleted, whatever else lies in the folder.

    Raises:
        UserError: a run is using the cache; nothing is deleted.
    """
    lines, total = [], 0
    if root.is_dir():
        with _writable(root), (root / IN_USE).open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UserError(
                    f"A run is using {root}; nothing was deleted.", "Wait for its end or stop it, then clean again."
                ) from error
            for folder in (root / name for name in sorted((*STAGES, "work", "locks"))):
                if folder.is_dir():
                    size = folder_bytes(folder)
                    total += size
                    shutil.rmtree(folder)
                    lines.append(f"{megabytes(size):>12}  {folder.name}")
    lines.append(f"{megabytes(total):>12}  freed from {root}; bundles, reports and .venv stay")
    return lines


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below `folder`."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
