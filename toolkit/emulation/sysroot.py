"""An aarch64 Python without root, chroot or binfmt_misc, and QEMU's user-mode emulator to run it.

Debian's own packages for arm64, fetched with an apt state of our own (so nothing of this machine's is touched)
and unpacked with `dpkg-deb -x`, which runs none of their scripts. apt checks signatures and digests.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from export.atomic import canonical_json, disk_full_explained, new_folder_atomic, write_json_atomic
from export.manifest import file_entry
from export.runtime.errors import UserError
from toolkit.emulation.arm_cpus import ArmCpu

ARCHITECTURE = "arm64"  # Debian's name for aarch64
PYTHON = ("python3-minimal", "libpython3-stdlib", "libstdc++6", "libgomp1")  # the last two: what wheels link to
QEMU_PACKAGE = "qemu-user-static"
QEMU_NAMES = ("qemu-aarch64-static", "qemu-aarch64")
LAYOUT = 1  # raise it when what lies in a cached folder changes
_LOADER = "ld-linux-aarch64.so.1"
_ELSEWHERE = (
    "Run this on Debian or Ubuntu, or in a container of Debian. On the board itself `make profile` measures the "
    "bundle; with HOST=user@board it does so from here."
)
_FULL = (os.strerror(errno.ENOSPC), "enough free space")  # what tar and apt say


@dataclass(frozen=True)
class Sysroot:
    """An unpacked aarch64 system.

    Attributes:
        folder: its root.
        python: its interpreter, a program for aarch64.
        version: of Python, (3, 11).
        digest: sha256 over the names and digests of the packages it was made of.
    """

    folder: Path
    python: Path
    version: tuple[int, int]
    digest: str


@dataclass(frozen=True)
class Qemu:
    """QEMU's user-mode emulator of aarch64: the program and its version."""

    path: Path
    version: str


def build_sysroot(cache: Path) -> Sysroot:
    """The aarch64 system below `cache`, downloaded the first time (14 MB, seconds).

    Raises:
        UserError: no apt-get or dpkg-deb here, no network, no arm64 packages, or the disk is full.
    """
    folder = cache / f"system-{_key(PYTHON, ARCHITECTURE)}"
    with _locked(cache):
        if not folder.is_dir():
            _unpack(PYTHON, ARCHITECTURE, folder)
    try:
        found = json.loads((folder / "packages.json").read_bytes())
        root = folder / "root"
        python = next(path for path in root.glob("usr/bin/python3.*") if re.fullmatch(r"python3\.\d+", path.name))
    except (OSError, ValueError, StopIteration) as error:
        raise UserError(f"{folder} is no complete system ({error!r}).", "Delete it and run again.") from error
    digest = hashlib.sha256(canonical_json(found).encode()).hexdigest()
    return Sysroot(root, python, (3, int(python.name.removeprefix("python3."))), digest)


def find_qemu(cache: Path, cpus: Sequence[ArmCpu]) -> Qemu:
    """The emulator on this machine's PATH, else downloaded and unpacked below `cache`.

    Raises:
        UserError: it can be had neither way, does not run, or does not know one of `cpus`.
    """
    on_path = next((found for name in QEMU_NAMES if (found := shutil.which(name))), None)
    path = Path(on_path) if on_path else _downloaded_qemu(cache)
    broken, another = f"{path} does not run", "Install it anew, or another version."
    version = re.search(r"version (\S+)", _run([path, "--version"], broken, another))
    qemu = Qemu(path, version[1] if version else "of unknown version")
    known = _finish([path, "-cpu", "help"], broken, another).stdout.split()  # exits with 1 all the same
    if missing := [cpu.name for cpu in cpus if cpu.name not in known]:
        raise UserError(
            f"{path} (QEMU {qemu.version}) does not know {', '.join(missing)}.",
            "Install QEMU 7.2 or later (package qemu-user-static, or qemu-user where that is newer).",
        )
    return qemu


def cpu_root(sysroot: Sysroot, cpu: ArmCpu, folder: Path) -> Path:
    """Make `folder` what `qemu -L` takes: links to the system, and the board's own /proc/cpuinfo.

    QEMU before 8 shows programs the host's /proc/cpuinfo, and onnxruntime crashes on one that is not ARM's. A
    folder for each core, since several run at a time on one system.
    """
    # Systems since Debian 13 have everything below /usr, and /lib is a link that no package brings.
    lib = sysroot.folder / "lib" if (sysroot.folder / "lib" / _LOADER).exists() else sysroot.folder / "usr" / "lib"
    (folder / "proc").mkdir(parents=True)
    (folder / "proc" / "cpuinfo").write_text(cpu.cpuinfo(), "ascii")
    (folder / "lib").symlink_to(lib.resolve())
    (folder / "usr").symlink_to((sysroot.folder / "usr").resolve())
    return folder


def _downloaded_qemu(cache: Path) -> Path:
    _check_tools()
    architecture = _run(["dpkg", "--print-architecture"], "dpkg does not run", _ELSEWHERE).strip()
    folder = cache / f"qemu-{_key([QEMU_PACKAGE], architecture)}"
    with _locked(cache):
        if not folder.is_dir():
            _unpack([QEMU_PACKAGE], architecture, folder, QEMU_NAMES)
    found = next((path for name in QEMU_NAMES for path in folder.glob(f"root/usr/bin/{name}")), None)
    if found is None:
        raise UserError(
            f"The package {QEMU_PACKAGE} holds none of {', '.join(QEMU_NAMES)}.", "Install qemu-user yourself."
        )
    return found


def _unpack(packages: Sequence[str], architecture: str, folder: Path, keep: Sequence[str] = ()) -> None:
    """Download packages with all they depend on and unpack them; with `keep`, only files of these names stay."""
    _check_tools()
    with new_folder_atomic(folder) as temporary, tempfile.TemporaryDirectory(dir=folder.parent) as state:
        archives = _download(packages, architecture, Path(state))
        (temporary / "root").mkdir()
        for archive in archives:
            _run(["dpkg-deb", "-x", archive, temporary / "root"], f"{archive.name} cannot be unpacked", _ELSEWHERE)
        for path in list(temporary.rglob("*")) if keep else ():
            if not path.is_dir() and path.name not in keep:
                path.unlink()
        digests = {archive.stem: file_entry(archive).sha256 for archive in archives}
        write_json_atomic(temporary / "packages.json", digests)


def private_apt(state: Path, settings: Mapping[str, str]) -> list[str]:
    """The command line of an apt-get that keeps to the folder `state`, where nothing counts as installed."""
    for name in ("lists/partial", "archives/partial"):
        (state / name).mkdir(parents=True)
    (state / "status").touch()
    own = {
        "APT::Install-Recommends": "0",
        "APT::Sandbox::User": "root",  # the user _apt cannot write here
        "Acquire::Languages": "none",
        "Debug::NoLocking": "1",
        "Dir::State": f"{state}",
        "Dir::State::lists": f"{state}/lists",
        "Dir::State::status": f"{state}/status",
        "Dir::Cache": f"{state}",
        "Dir::Cache::archives": f"{state}/archives",
    }
    options = (part for key, value in {**own, **settings}.items() for part in ("-o", f"{key}={value}"))
    return ["apt-get", "-qq", "--yes", *options]


def _download(packages: Sequence[str], architecture: str, state: Path) -> list[Path]:
    """The .deb files of `packages` and all they need, by apt with no state but `state`."""
    apt = private_apt(
        state,
        {
            "APT::Architecture": architecture,
            "APT::Architectures::": architecture,
            "Acquire::Retries": "1",
            "Dir::Cache::pkgcache": "",
            "Dir::Cache::srcpkgcache": "",
        },
    )
    remedy = (
        f"Check the connection, and that this machine's package sources have {architecture} packages "
        "(on Ubuntu arm64 has sources of its own, ports). " + _ELSEWHERE
    )
    what = f"apt-get cannot fetch {' '.join(packages)} for {architecture}"
    said = _finish([*apt, "update"], what, remedy).stderr
    done = _finish([*apt, "--download-only", "install", *packages], what, remedy)
    _check(done.returncode, said + done.stderr, what, remedy)
    return sorted((state / "archives").glob("*.deb"))


def _check_tools() -> None:
    missing = [tool for tool in ("apt-get", "dpkg-deb", "dpkg") if shutil.which(tool) is None]
    if missing:
        raise UserError(f"Emulation needs {' and '.join(missing)}, which this machine has not.", _ELSEWHERE)


def _key(packages: Sequence[str], architecture: str) -> str:
    """What a cached folder depends on; the distribution too, since its release decides the versions."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    names = [release.get(name, "") for name in ("ID", "VERSION_CODENAME")]
    return hashlib.sha256(canonical_json([LAYOUT, *names, architecture, *packages]).encode()).hexdigest()[:16]


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    """One at a time: a second run waits for the first one's download instead of replacing it in use."""
    with disk_full_explained(cache):
        cache.mkdir(parents=True, exist_ok=True)
        stream = (cache / "lock").open("w")
    with stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _run(command: Sequence[str | Path], failed: str, remedy: str) -> str:
    """Standard output of a command that must succeed; `failed` and what it said are the error."""
    done = _finish(command, failed, remedy)
    _check(done.returncode, done.stderr, failed, remedy)
    return done.stdout


def _finish(command: Sequence[str | Path], failed: str, remedy: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"LC_ALL": "C"}
    try:
        return subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment)
    except OSError as error:
        raise UserError(f"{failed}: {error.strerror}.", remedy) from error


def _check(status: int, said: str, failed: str, remedy: str) -> None:
    """Raise unless `status` is 0, with the line of `said` that tells most."""
    if status == 0:
        return
    if any(words in said for words in _FULL):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    lines = [line.strip() for line in said.splitlines() if line.strip()] or [f"exit status {status}"]
    # Without a network apt only warns, and then finds no such package.
    told = next((line for line in lines if "Failed to fetch" in line), lines[-1])
    raise UserError(f"{failed}: {told[:300]}", remedy)
