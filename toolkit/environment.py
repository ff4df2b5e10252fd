"""`make setup`: the virtual environment in .venv with what a command needs, installed once.

Standard library only, since it runs before anything is installed. What is installed is noted in .venv in files
that the Makefile takes for up to date while they are newer than pyproject.toml; each holds the digest of the
pyproject.toml it was installed for, so a mere change of that file's time costs nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import subprocess
import sys
import threading
import tomllib
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from export.atomic import write_text_atomic
from export.runtime.errors import UserError
from toolkit.console import console

ROOT = Path(__file__).resolve().parent.parent
# Each holds those before it.
EXTRAS = {
    "runtime": "",
    "calibration": "[calibration]",
    "hub": "[calibration,hub]",
    "pipeline": "[calibration,hub,pipeline]",
    "dev": "[calibration,hub,pipeline,dev]",
}
EXTENT = {
    "runtime": "numpy, onnxruntime, tokenizers",
    "calibration": "numpy, onnxruntime, tokenizers, onnx, scipy",
    "hub": "numpy, onnxruntime, tokenizers, onnx, scipy, huggingface_hub",
    "pipeline": "torch and what makes a bundle, some 2 GB, minutes",
    "dev": "torch, what makes a bundle and what tests it, some 2 GB, minutes",
}
GPU = "gpu"
MAKE = ("-m", "venv", "--clear")
READY = "import pip, tomllib"
PROBE_SECONDS = 5.0


def set_up(packages: str, target: str = "cpu", torch_index: str = "", root: Path = ROOT) -> Path:
    """Make `root`/.venv hold `packages`; returns its Python. A second set-up at the same time waits for the first.

    Args:
        packages: a key of `EXTRAS`: "runtime" is what a device needs, "pipeline" adds torch and all else that
            makes a bundle, "dev" the tests.
        target: "gpu" installs the package index's build of torch, anything else the CPU build.
        torch_index: address of an index with CPU builds of torch; where it does not answer, or is "", torch comes
            from the package index like the rest.

    Raises:
        UserError: this Python has no venv module, or pip failed.
    """
    _check_venv()
    names = list(EXTRAS)[: list(EXTRAS).index(packages) + 1]
    if "pipeline" in names and target == GPU:
        names.append(GPU)
    venv = root / ".venv"
    with _one_at_a_time(root / ".cache"):
        digest = hashlib.sha256((root / "pyproject.toml").read_bytes()).hexdigest()
        python = _environment(venv)
        if not all(_noted(venv, name) == digest for name in names):
            console.note(f"Installing into {venv}, once: {EXTENT[packages]}.")
            if "pipeline" in names:
                _install_torch(python, root, target, torch_index)
            _pip(python, root, "install", "--editable", f".{EXTRAS[packages]}")
        for name in names:
            write_text_atomic(venv / f".{name}", digest)
    return python


def _check_venv() -> None:
    """Debian and its relatives ship Python without these; the package that has them is named."""
    if all(importlib.util.find_spec(module) for module in ("venv", "ensurepip")):
        return
    major, minor = sys.version_info[:2]
    raise UserError(
        f"{sys.executable} has no venv module, so no environment can be made.",
        f"On Debian, Ubuntu and Raspberry Pi OS: sudo apt install python3-venv (or python{major}.{minor}-venv).",
    )


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "setup.lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.note("Another set-up is under way; waiting for it.")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _environment(venv: Path) -> Path:
    """The environment's Python; a missing or half-made environment is made anew."""
    python = venv / "bin" / "python"
    if python.exists() and _output(python, "-c", READY) is not None:
        return python
    console.note(f"Making {venv} with Python {sys.version.split()[0]}.")
    made = subprocess.run([sys.executable, *MAKE, venv], capture_output=True, text=True)
    if made.returncode:
        last = (made.stdout + made.stderr).strip().splitlines()[-1:]
        raise UserError(
            f"{sys.executable} -m venv failed: {' '.join(last)}",
            "Install python3-venv, or name another Python: make setup PYTHON=python3.12.",
        )
    return python


def _install_torch(python: Path, root: Path, target: str, index: str) -> None:
    """Put the right build of torch in place before the rest: pip takes whichever is there."""
    pin = _torch_pin(root)
    installed = _output(python, "-c", "import importlib.metadata as m; print(m.version('torch'))") or ""
    if target == GPU:
        if installed.endswith("+cpu"):
            _pip(python, root, "uninstall", "--yes", "torch")
        return
    # The package index's build is a CPU build everywhere but on Linux, where it brings gigabytes of CUDA.
    if not index or sys.platform != "linux" or installed.split("+")[0] == pin.split("==")[1]:
        return
    if not _answers(f"{index.rstrip('/')}/torch/"):
        console.note(f"{index} does not answer; torch comes from the package index, which may be a CUDA build.")
        return
    try:
        _pip(python, root, "install", "--index-url", index, pin)
    except UserError as error:
        console.warn(f"{error.message} torch comes from the package index instead.")


def _torch_pin(root: Path) -> str:
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    wanted: Sequence[str] = project["optional-dependencies"]["pipeline"]
    return next(requirement for requirement in wanted if requirement.startswith("torch=="))


def _answers(address: str) -> bool:
    """Whether an index answers soon; a thread, because the timeout does not cover name resolution."""
    found: list[IO[bytes]] = []

    def ask() -> None:
        with contextlib.suppress(OSError, ValueError):
            request = urllib.request.Request(address, method="HEAD")
            found.append(urllib.request.urlopen(request, timeout=PROBE_SECONDS))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PROBE_SECONDS + 1)
    return bool(found)


def _pip(python: Path, root: Path, action: str, *arguments: str) -> None:
    """Run pip; its own progress bars on a terminal, elsewhere only what goes wrong."""
    quiet = () if sys.stderr.isatty() else ("--quiet", "--quiet")
    # Compiling thousands of modules of which few are used takes a quarter of the time; Python does it on import.
    lazy = ("--no-compile",) if action == "install" else ()
    settings = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    command = [python, "-m", "pip", action, *quiet, *lazy, *arguments]
    if subprocess.run(command, cwd=root, env={**os.environ, **settings}).returncode:
        raise UserError(
            f"pip {action} {' '.join(arguments)} failed; what it said stands above.",
            "Check the connection and the space on the disk, then run the same command again.",
        )


def _output(python: Path, *arguments: str) -> str | None:
    """Standard output of a short Python command, None where it fails."""
    try:
        done = subprocess.run([python, *arguments], capture_output=True, text=True)
    except OSError:
        return None
    return None if done.returncode else done.stdout.strip()


def _noted(venv: Path, name: str) -> str:
    with contextlib.suppress(OSError):
        return (venv / f".{name}").read_text("utf-8")
    return ""
