"""The machine at the other end of ssh: what it is, and whether a bundle can run there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from export.runtime.compatibility import known_bad
from export.runtime.errors import UserError
from toolkit.remote.ssh import Ssh, reach
from toolkit.remote.wheels import GLIBC, PYTHONS, pinned_versions

SCRIPT = Path(__file__).with_name("host.sh")
NAME = "afriberta-edge"
FOLDER = ".cache"  # below the home folder there
ARCHITECTURES = {"aarch64": "aarch64", "arm64": "aarch64", "x86_64": "x86_64", "amd64": "x86_64"}
NARROW = re.compile(r"armv[4-8]l?|arm|i[3-6]86|x86|mips|ppc|powerpc")
INSTALL_64 = "Install the 64-bit system; on a Raspberry Pi write 'Raspberry Pi OS (64-bit)' to the card."
SUPPORTED = ", ".join(f"{major}.{minor}" for major, minor in PYTHONS)
Facts = dict[str, list[str]]


@dataclass(frozen=True)
class Host:
    """A machine that can run a bundle, as it was when it was asked.

    Attributes:
        ssh: how to reach it.
        fingerprint: type and SHA256 fingerprint of its host key.
        architecture: as wheels spell it: aarch64, x86_64.
        python, python_version: path and version of the Python to use.
        memory, available: bytes of main memory, and of it those free for programs; None where it does not tell.
        board: product name of a single-board computer.
        free: bytes on the disk below `root` that may be used; None where it does not tell.
        root: the folder there that everything lies in, absolute.
        tools: those of rsync and tar that it has.
    """

    ssh: Ssh
    fingerprint: str
    architecture: str
    python: str
    python_version: tuple[int, int, int]
    memory: int | None
    available: int | None
    board: str | None
    free: int | None
    root: str
    tools: frozenset[str]

    @property
    def target(self) -> str:
        return self.ssh.target

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"{self.target} ({self.board})" if self.board else self.target


@dataclass(frozen=True)
class _Python:
    version: tuple[int, int, int]
    bits: int
    implementation: str
    abi: str
    missing: str
    path: str

    @property
    def problem(self) -> str:
        """Why wheels for CPython cannot be used with it; "" if they can."""
        major, minor, _ = self.version
        if self.bits != 64:
            return "it is a 32-bit program"
        if (major, minor) not in PYTHONS:
            return f"the packages need {SUPPORTED}"
        # A build without the global interpreter lock, or for debugging, has another ABI.
        if self.implementation != "cpython" or f"cpython-{major}{minor}-" not in self.abi:
            return f"its ABI is {self.implementation} {self.abi}"
        if self.missing != "complete":
            return f"it lacks {self.missing}; sudo apt install python3 brings them"
        return ""


def connect(target: str, config: Path | None = None, folder: str = "") -> Host:
    """Ask a machine over ssh what it is; nothing is written there.

    Args:
        target: an alias, HOST or USER@HOST.
        config: used instead of ~/.ssh/config; None takes the file named in $TOOLKIT_SSH_CONFIG, if any.
        folder: everything goes into afriberta-edge below it; absolute or relative to the home folder, "" is ~/.cache.

    Raises:
        UserError: it cannot be reached or trusted, gives no shell, or cannot run a bundle.
    """
    ssh = reach(target, config)
    folder = folder.removeprefix("~/") or FOLDER
    if any(not character.isprintable() for character in folder):
        raise UserError(f"{folder!r} is no name for a folder.", "Name one without control characters.")
    answer = ssh.run(f"sh -s -- probe {shlex.quote(f'{folder}/{NAME}')}", SCRIPT.read_bytes())
    facts = read_facts(answer.output.decode("utf-8", "replace"))
    if "end" not in facts:
        said = (answer.errors or answer.output.decode("utf-8", "replace")).strip().splitlines()
        reason = f": {said[-1].strip()[:200]}" if said else ""
        raise UserError(
            f"{target} lets you in but runs no commands (exit status {answer.code}){reason}.",
            f"The account needs a shell such as /bin/sh: ssh {target} true must work.",
        )
    return _judged(ssh, answer.fingerprint, facts)


def read_facts(output: str) -> Facts:
    """The '@@key value' lines of host.sh: key to its values. Other lines are those of login scripts."""
    facts: Facts = {}
    for line in output.splitlines():
        if line.startswith("@@"):
            key, _, value = line[2:].partition(" ")
            facts.setdefault(key, []).append(value.strip())
    return facts


def free_bytes(df: str) -> int | None:
    """What `df -Pk` says is available, from its last line."""
    match = re.search(r"\s(\d+)\s+(\d+)\s+(-?\d+)\s+\d+%", df)
    return max(0, int(match[3])) * 1024 if match else None


def _judged(ssh: Ssh, fingerprint: str, facts: Facts) -> Host:
    """The host, if a bundle can run there.

    Raises:
        UserError: it cannot.
    """
    target = ssh.target
    machine = _first(facts, "machine")
    board = _first(facts, "board") or None
    pythons = [found for line in facts.get("python", ()) if (found := _read_python(line))]
    _check_system(target, facts, machine, pythons)
    python = _choose(target, pythons, facts.get("python", ()))
    _check_board(target, board, _first(facts, "features"))
    if "unwritable" in facts:
        remedy = "Name a folder that you may write to: FOLDER=/path/on/the/device."
        raise UserError(f"{target}: {_first(facts, 'unwritable')} cannot be written to.", remedy)
    if "foreign" in facts:
        # Its owner could put something there that would then run as this user.
        remedy = "Name a folder of your own: FOLDER=/path/on/the/device."
        raise UserError(f"{target}: {_first(facts, 'foreign')} belongs to another user.", remedy)
    return Host(
        ssh=ssh,
        fingerprint=fingerprint,
        architecture=ARCHITECTURES[machine],
        python=python.path,
        python_version=python.version,
        memory=_kilobytes(_first(facts, "total")),
        available=_kilobytes(_first(facts, "available")),
        board=board,
        free=free_bytes(_first(facts, "disk")),
        root=_first(facts, "root"),
        tools=frozenset(facts.get("tool", ())),
    )


def _check_system(target: str, facts: Facts, machine: str, pythons: Sequence[_Python]) -> None:
    system = _first(facts, "system")
    if system != "Linux":
        raise UserError(
            f"{target} runs {system or 'an unknown system'}; only Linux can be measured over ssh.",
            "Copy the bundle there and run: python3 runtime/measure.py",
        )
    if NARROW.fullmatch(machine):
        raise UserError(
            f"{target} is a 32-bit system ({machine}), and onnxruntime has no 32-bit packages.", INSTALL_64
        )
    if machine not in ARCHITECTURES:
        remedy = f"Machines that can be measured: {', '.join(sorted(set(ARCHITECTURES.values())))}."
        raise UserError(f"{target}: there are no onnxruntime packages for {machine or 'its processor'}.", remedy)
    if _first(facts, "bits") == "32" or (pythons and all(python.bits == 32 for python in pythons)):
        raise UserError(
            f"{target} is a 32-bit system on a 64-bit kernel ({machine}), and onnxruntime has no 32-bit packages.",
            INSTALL_64,
        )
    libc = _first(facts, "libc")
    # Debian can have musl installed beside glibc: only where glibc does not answer is it the system's own.
    if not libc.startswith("glibc") and (
        "musl" in libc or "musl" in facts or any("musl" in python.abi for python in pythons)
    ):
        raise UserError(
            f"{target} has musl instead of glibc, and onnxruntime has no packages for it.",
            "Use a system with glibc: Raspberry Pi OS, Debian or Ubuntu.",
        )
    if (match := re.fullmatch(r"glibc (\d+)\.(\d+)\S*", libc)) and (int(match[1]), int(match[2])) < GLIBC:
        needed = ".".join(map(str, GLIBC))
        raise UserError(f"{target} has {libc}, and the packages need {needed}.", "Upgrade its system.")


def _choose(target: str, pythons: Sequence[_Python], said: Iterable[str]) -> _Python:
    for python in pythons:
        if not python.problem:
            return python
    found = [f"{python.path} {'.'.join(map(str, python.version))}: {python.problem}" for python in pythons]
    found += [line for line in said if line and not _read_python(line)]
    if found:
        remedy = (
            "Upgrade the system (Raspberry Pi OS has had Python 3.11 since 2023), or install Python 3.11 beside it."
        )
        raise UserError(f"{target} has no Python that can be used ({'; '.join(dict.fromkeys(found))}).", remedy)
    raise UserError(f"{target} has no Python.", f"Install it there: sudo apt install python3 ({SUPPORTED}).")


def _check_board(target: str, board: str | None, features: str) -> None:
    """Refuse the release of onnxruntime that would be sent, where it is known to fail on this board."""
    version = pinned_versions()["onnxruntime"]
    if bad := known_bad(version, features.partition(":")[2].split(), board or ""):
        raise UserError(
            f"onnxruntime {version} does not run on {target} ({board}): {bad.reason}.",
            "Pin another release in pyproject.toml.",
        )


def _read_python(line: str) -> _Python | None:
    match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+) (32|64) (\S+) (\S+) (\S+) (/.+)", line)
    if match is None:
        return None
    version = (int(match[1]), int(match[2]), int(match[3]))
    return _Python(version, int(match[4]), match[5], match[6], match[7], match[8])


def _first(facts: Facts, key: str) -> str:
    return facts.get(key, [""])[0]


def _kilobytes(line: str) -> int | None:
    match = re.search(r"(\d+) kB", line)
    return int(match[1]) * 1024 if match else None
