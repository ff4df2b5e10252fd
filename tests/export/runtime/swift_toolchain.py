"""Swift for the tests of runtime/swift: swiftc on PATH, or Debian's, which `fetch` unpacks below .cache/swift.

    python -m tests.export.runtime.swift_toolchain      # 530 MB to download, 2.5 GB on disk

Debian has Swift from its version 13 on. Its packages are fetched with an apt state of our own and unpacked without
running their scripts, so nothing of this machine changes; programs are run there by chroot in a mount namespace of
their own, as root or as a user who may make namespaces.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from export.atomic import new_folder_atomic
from export.runtime.errors import UserError
from toolkit.emulation.sysroot import private_apt

PROJECT = Path(__file__).resolve().parents[3]
CACHE = PROJECT / ".cache" / "swift"
ROOT = CACHE / "root"
PACKAGES = ("swiftlang", "libc6-dev", "libstdc++-14-dev", "gcc", "bash", "coreutils", "libncurses6")
SUITE = "trixie"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
WITHOUT = "needs swiftc on PATH, or `python -m tests.export.runtime.swift_toolchain` (530 MB, Debian)"
_MERGED = ("bin", "sbin", "lib", "lib64")
_ENTER = (
    'root=$1 work=$2; shift 2; mkdir -p "$root/work" "$root/proc" "$root/dev" && mount --bind "$work" "$root/work" '
    '&& mount --rbind /proc "$root/proc" && mount --rbind /dev "$root/dev" && exec chroot "$root" "$@"'
)
_REMEDY = "Run it on Debian or Ubuntu with a network, or install Swift 5.9 or later yourself."


@dataclass(frozen=True)
class Toolchain:
    """Where Swift is: in the folder `root`, or on PATH where that is None."""

    root: Path | None

    def command(self, work: Path, command: Sequence[str]) -> list[str]:
        """The command line that runs `command` in `work`, to be named by relative paths only."""
        if self.root is None:
            return [*command]
        namespace = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
        inside = ["/bin/bash", "-c", 'cd /work && HOME=/tmp && export HOME && exec "$@"', "bash", *command]
        return [*namespace, "sh", "-c", _ENTER, "sh", str(self.root), str(work), *inside]

    def run(self, work: Path, *command: str) -> str:
        """Standard output of `command`, run in `work`; what it says otherwise is the error."""
        done = subprocess.run(self.command(work, command), cwd=work, capture_output=True, text=True, encoding="utf-8")
        assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def tool(self, name: str) -> list[str]:
        """`swift build` or `swift test`: Debian's package has no program named swift on PATH."""
        return ["swift", name] if self.root is None else [f"/usr/libexec/swift/bin/swift-{name}"]


@cache
def toolchain() -> Toolchain | None:
    """Swift on this machine, or None where tests of it have to be skipped."""
    if shutil.which("swiftc"):
        return Toolchain(None)
    if not (ROOT / "usr" / "bin" / "swiftc").exists():
        return None
    found = Toolchain(ROOT)
    with tempfile.TemporaryDirectory() as work:
        works = subprocess.run(found.command(Path(work), ["true"]), capture_output=True).returncode == 0
    return found if works else None


def compiled(swift: Toolchain, name: str, sources: Sequence[Path]) -> Path:
    """A program made of `sources`, in one module with optimization; compiled once for the same sources."""
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    folder = CACHE / f"{name}-{digest}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:  # tests run side by side; a second one waits for the first one's program
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _compile(swift, name, sources, folder)
    return folder / "program"


def _compile(swift: Toolchain, name: str, sources: Sequence[Path], folder: Path) -> None:
    with new_folder_atomic(folder) as work:
        for source in sources:
            shutil.copyfile(source, work / source.name)
        names = [source.name for source in sources]
        swift.run(work, "swiftc", "-swift-version", "5", "-O", "-wmo", "-module-name", name, "-o", "program", *names)


def fetch(root: Path = ROOT) -> None:
    """Download Debian's Swift with all it needs and unpack it in `root`.

    Raises:
        UserError: no apt-get here, no network, or no such packages.
    """
    with new_folder_atomic(root) as folder, tempfile.TemporaryDirectory(dir=root.parent) as state:
        for name in _MERGED:
            (folder / "usr" / name).mkdir(parents=True)
            (folder / name).symlink_to(f"usr/{name}")
        (folder / "tmp").mkdir()
        for archive in _download(Path(state)):
            files = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE)
            unpack = ["tar", "--extract", "--no-same-owner", "--keep-directory-symlink", "--directory", str(folder)]
            subprocess.run(unpack, stdin=files.stdout, check=True)


def _download(state: Path) -> list[Path]:
    """The .deb files, by apt with no state but `state`, from where this machine gets its own Debian packages."""
    sites = _run("apt-get", "indextargets", "--format", "$(REPO_URI)").split()
    site = next((site for site in sites if site.endswith("/debian/")), None)
    if site is None:
        raise UserError("This machine's package sources name no archive of Debian's.", _REMEDY)
    (state / "sources.list").write_text(f"deb [signed-by={KEYRING}] {site} {SUITE} main\n", "utf-8")
    sources = {"Dir::Etc::sourcelist": f"{state}/sources.list", "Dir::Etc::sourceparts": "/dev/null"}
    apt = private_apt(state, sources)
    _run(*apt, "update")
    _run(*apt, "--download-only", "install", *PACKAGES)
    return sorted((state / "archives").glob("*.deb"))


def _run(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except OSError as error:
        raise UserError(f"{command[0]} does not run: {error.strerror}.", _REMEDY) from error
    except subprocess.CalledProcessError as error:
        raise UserError(f"{command[0]} failed: {error.stderr.strip()[-300:]}", _REMEDY) from error


if __name__ == "__main__":
    if toolchain() is None:
        print("Downloading Swift: 530 MB, 2.5 GB on disk.", flush=True)
        fetch()
        toolchain.cache_clear()
    if toolchain() is None:
        raise SystemExit("Swift is unpacked and does not run: no program may be run by chroot here.")
