"""One reading: a value from sysfs, or an answer of the Raspberry Pi's firmware."""

from __future__ import annotations

import subprocess
from pathlib import Path

FIRMWARE_TIMEOUT = 5.0  # seconds


def read_line(path: Path) -> str | None:
    """The text of a sysfs file without its line end; None where it is absent, forbidden, empty or fails."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:  # a sensor that is switched off answers EINVAL, EAGAIN or ENODATA
        return None


def read_number(path: Path) -> int | None:
    """The integer in a sysfs file; None where there is none."""
    try:
        return int(read_line(path) or "")
    except ValueError:
        return None


def ask_firmware(vcgencmd: str, command: str) -> str | None:
    """What `vcgencmd COMMAND` prints; None where there is no such program or it fails.

    Args:
        vcgencmd: the program, by name or path.
        command: for instance get_throttled; see the documentation of Raspberry Pi OS, "vcgencmd".
    """
    try:
        done = subprocess.run(
            [vcgencmd, command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=FIRMWARE_TIMEOUT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("ascii", errors="replace")
