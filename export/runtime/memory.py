"""What a process holds in RAM, as Linux accounts for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

STATUS_FIELDS = {"VmHWM": "peak", "VmRSS": "resident", "RssAnon": "anonymous", "RssFile": "file_backed"}


@dataclass(frozen=True)
class Memory:
    """Resident memory of one process in bytes; None where the machine does not tell.

    Attributes:
        peak: highest resident set size since the program started (VmHWM).
        resident: resident set size now (VmRSS).
        anonymous: the part that no file backs and that cannot be dropped under pressure (RssAnon).
        file_backed: the part mapped from files, which the kernel can drop and read again (RssFile).
    """

    peak: int | None
    resident: int | None
    anonymous: int | None
    file_backed: int | None


def read_memory(status: Path = Path("/proc/self/status")) -> Memory:
    """Read the memory of a process from its status file (`man 5 proc_pid_status`).

    VmHWM starts at zero with each program, where getrusage's ru_maxrss is inherited from the process that
    started it and would report that one's peak.

    Args:
        status: the status file; absent on systems without /proc, and then every field is None.
    """
    fields: dict[str, int | None] = dict.fromkeys(STATUS_FIELDS.values())
    try:
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        parts = value.split()
        if key in STATUS_FIELDS and len(parts) == 2 and parts[0].isdigit() and parts[1] == "kB":
            fields[STATUS_FIELDS[key]] = int(parts[0]) * 1024
    return Memory(**fields)
