"""Which file names a bundle may hold: ones that mean the same file on every system."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

# Plain ASCII, and nothing hidden. This alone shuts out every trick named in `name_problem`.
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_WINDOWS_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
MAX_NAME = 200


def name_problem(name: str) -> str | None:
    """Why `name` may not stand in a bundle, or None when it may.

    Allowed are relative paths with forward slashes whose parts are ASCII letters, digits, `_ . + -`, not
    starting with a dot or hyphen, and not a device name of Windows.
    """
    parts = name.split("/")
    checks = {
        "an empty name": not name,
        "a NUL character in the name": "\0" in name,
        "an absolute path": name.startswith("/"),
        "a drive letter": re.match(r"[A-Za-z]:", name) is not None,
        "a backslash": "\\" in name,
        "a path that escapes (..)": ".." in parts,
        "a hidden file or folder": any(re.match(r"\.[^.]", part) for part in parts),
        "a name longer than 200 characters": len(name) > MAX_NAME,
        "a name that means a device on Windows": any(_WINDOWS_DEVICES.fullmatch(part) for part in parts),
        "a name that ends with a dot, which Windows drops": any(part.endswith(".") for part in parts),
        "a name with other characters than A-Z a-z 0-9 _ . + -": not all(map(_PART.fullmatch, parts)),
    }
    return next((problem for problem, found in checks.items() if found), None)


def collisions(names: Iterable[str]) -> Iterator[str]:
    """Names that are one file where case does not count, and names that are both a file and a folder."""
    seen: dict[str, str] = {}
    ordered = sorted(names)
    for name in ordered:
        if (first := seen.get(name.lower())) is None:
            seen[name.lower()] = name
        else:
            same = f"{name!r} and {first!r} are one file where case does not count"
            yield f"{name!r} is there twice" if first == name else same
    for name in ordered:
        parents = name.lower().split("/")[:-1]
        for depth in range(1, len(parents) + 1):
            if (folder := "/".join(parents[:depth])) in seen:
                yield f"{seen[folder]!r} is both a file and the folder of {name!r}"
