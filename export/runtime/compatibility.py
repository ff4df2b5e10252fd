"""Where the runtime's packages cannot run, told before they are imported: an illegal instruction leaves no message.

Reads files only and imports nothing heavy: it stands before onnxruntime in every process, on a Raspberry Pi too.
"""

from __future__ import annotations

import importlib.util
import platform
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .errors import UserError

PACKAGES = ("numpy", "onnxruntime", "tokenizers")
_VERSION = re.compile(r"^__version__\s*=\s*['\"]([^'\"]+)['\"]", re.MULTILINE)


class BadRuntime(NamedTuple):
    """A release of onnxruntime and the boards it fails on.

    Attributes:
        lacks: fails on 64-bit ARM cores without this feature of /proc/cpuinfo; "" where `board` says it.
        board: fails on boards whose product name holds this; "" where `lacks` says it.
    """

    version: str
    lacks: str
    board: str
    reason: str


KNOWN_BAD = (
    BadRuntime("1.21.0", "asimddp", "", "SIGILL on Cortex-A53 and A72 (onnxruntime#23957, #24112)"),
    BadRuntime("1.22.0", "", "Raspberry Pi Zero 2", "aborts on a Raspberry Pi Zero 2 W (onnxruntime#25472)"),
)


def refuse_known_bad(proc: Path = Path("/proc"), version: str | None = None) -> None:
    """Raise where the installed onnxruntime would kill this process or cannot exist.

    Args:
        proc: where the process file system is mounted.
        version: of onnxruntime; None reads it from the installed package, without importing it.

    Raises:
        UserError: a 32-bit Python, or a release of onnxruntime that is known to fail on this board.
    """
    if sys.maxsize <= 2**32:
        raise UserError(
            f"This Python is a 32-bit program ({platform.machine()}), and onnxruntime has no 32-bit packages.",
            "Install the 64-bit system, on a Raspberry Pi the 64-bit Raspberry Pi OS.",
        )
    if platform.machine() not in ("aarch64", "arm64"):
        return
    version = version or _onnxruntime_version()
    features = re.search(r"^Features\s*:(.*)$", _read(proc / "cpuinfo"), re.MULTILINE)
    flags = features[1].split() if features else []
    board = _read(proc / "device-tree" / "model").strip("\0\n ")
    if bad := known_bad(version, flags, board):
        raise UserError(
            f"onnxruntime {version} does not run on this board: {bad.reason}.",
            "Install another release: python3 -m pip install --upgrade onnxruntime",
        )


def known_bad(version: str | None, flags: Sequence[str], board: str) -> BadRuntime | None:
    """The release of KNOWN_BAD that would fail on a 64-bit ARM board, if it is one.

    Args:
        flags: features of /proc/cpuinfo; none where it lists none.
        board: product name; "" where it is unknown.
    """
    for bad in KNOWN_BAD:
        unfit = (bad.lacks and flags and bad.lacks not in flags) or (bad.board and bad.board in board)
        if bad.version == version and unfit:
            return bad
    return None


def require_packages() -> None:
    """End a script that lacks one of PACKAGES: one line on stderr, exit code 2."""
    for name in PACKAGES:
        if importlib.util.find_spec(name) is None:
            print(missing_package(name), file=sys.stderr)
            sys.exit(2)


def missing_package(name: str) -> UserError:
    """The error for a package that cannot be imported, and how to get it where it can be had."""
    message = f"{name} is not installed."
    if any(Path("/lib").glob("ld-musl-*")):
        return UserError(
            f"{message} This system has musl instead of glibc, and onnxruntime has no packages for it.",
            "Use a system with glibc, such as Raspberry Pi OS, Debian or Ubuntu.",
        )
    return UserError(message, f"Run: python3 -m pip install {' '.join(PACKAGES)}")


def _onnxruntime_version() -> str | None:
    found = importlib.util.find_spec("onnxruntime")
    if found is None or found.origin is None:
        return None
    match = _VERSION.search(_read(Path(found.origin)))
    return match[1] if match else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
