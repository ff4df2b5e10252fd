"""The packages a device needs, chosen, downloaded and unpacked here: the device itself needs no pip and no network.

A wheel is a zip whose content works where it is unpacked (PEP 427), so a folder of unpacked wheels on PYTHONPATH is
an installation. What a device never imports is left out.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from export.atomic import canonical_json, new_folder_atomic
from export.runtime.errors import UserError
from toolkit.console import console, megabytes
from toolkit.remote.trees import Tree

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "wheels"
PIP = (sys.executable, "-m", "pip")
PYTHONS = ((3, 11), (3, 12), (3, 13))
GLIBC = (2, 28)  # the oldest with wheels of all three
PLATFORMS = ("manylinux_2_28", "manylinux_2_27", "manylinux2014")
SITE, CONTENT = "site", "content"
# No part of these is imported by tagging or measuring. Licence texts stay.
UNUSED = (
    "*/tests/*",
    "*.pyi",
    "*.pxd",
    "*.h",
    "*.a",
    "numpy/_core/*_tests.*.so",
    "numpy/_core/_simd.*.so",  # for tests of the SIMD code, not that code
    "numpy/_core/include/*",
    "numpy/_pyinstaller/*",
    "numpy/distutils/*",
    "numpy/f2py/*",
    "numpy/random/_examples/*",
    "numpy/typing/*",
    # The C library for other languages: the Python module holds a copy of its own.
    "onnxruntime/capi/libonnxruntime.so*",
    "onnxruntime/backend/*",
    "onnxruntime/datasets/*",
    "onnxruntime/quantization/*",
    "onnxruntime/tools/*",
    "onnxruntime/transformers/*",
    "tokenizers/tools/*",
    "*.data/*",  # scripts
)


@cache
def pinned_versions() -> dict[str, str]:
    """The packages a bundle needs and their versions, as pyproject.toml pins them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return dict(requirement.split("==") for requirement in project["dependencies"])


def device_site(
    architecture: str, python: tuple[int, int], cache: Path | None = None, pip: Sequence[str] = PIP
) -> Path:
    """A folder of unpacked wheels for Linux; downloaded the first time, kept in `cache` and checked each time.

    Args:
        architecture: as wheels spell it: aarch64, x86_64.
        python: version of CPython there, one of `PYTHONS`.
        cache: None is .cache/wheels beside the code.
        pip: the command that downloads.

    Raises:
        UserError: no such Python is supported, pip failed, a wheel is damaged, or the disk is full.
    """
    if python not in PYTHONS:
        supported = ", ".join(f"{major}.{minor}" for major, minor in PYTHONS)
        raise UserError(f"There are no packages for Python {python[0]}.{python[1]}.", f"Use one of {supported}.")
    wanted = {"packages": pinned_versions(), "platforms": PLATFORMS, "unused": UNUSED}
    key = hashlib.sha256(canonical_json(wanted).encode()).hexdigest()[:12]
    tag = f"cp{python[0]}{python[1]}"
    folder = (cache or CACHE) / f"{tag}-{architecture}-{key}"
    if not _whole(folder):
        console.note(f"Downloading the packages for Linux {architecture}, Python {python[0]}.{python[1]}, once.")
        with tempfile.TemporaryDirectory(prefix="wheels-") as downloads, new_folder_atomic(folder) as part:
            _download(architecture, python, Path(downloads), pip)
            unpack(sorted(Path(downloads).glob("*.whl")), part / SITE)
            (part / CONTENT).write_text(Tree.of_folder(SITE, part / SITE).name, "utf-8")
        size = sum(file.stat().st_size for file in (folder / SITE).rglob("*") if file.is_file())
        console.note(f"Unpacked they take {megabytes(size)}.")
    return folder / SITE


def unpack(wheels: Iterable[Path], folder: Path) -> None:
    """Unpack wheels into one folder, without what `UNUSED` names.

    Raises:
        UserError: a file is no wheel, or a damaged one.
    """
    for wheel in wheels:
        try:
            with zipfile.ZipFile(wheel) as archive:
                for member in archive.infolist():
                    if not member.is_dir() and not any(fnmatchcase(member.filename, name) for name in UNUSED):
                        archive.extract(member, folder)  # never outside the folder, see zipfile
        except zipfile.BadZipFile as error:
            raise UserError(f"{wheel.name} is damaged: {error}.", "Run the same command again.") from error


def _download(architecture: str, python: tuple[int, int], folder: Path, pip: Sequence[str]) -> None:
    version, tag = f"{python[0]}.{python[1]}", f"cp{python[0]}{python[1]}"
    command = [
        *pip, "download", "--quiet", "--no-deps", "--only-binary=:all:", "--implementation", "cp",
        "--python-version", version, "--abi", tag, "--abi", "abi3",
        *(word for platform in PLATFORMS for word in ("--platform", f"{platform}_{architecture}")),
        "--dest", str(folder),
        *(f"{name}=={pin}" for name, pin in pinned_versions().items()),
    ]  # fmt: skip
    settings = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    done = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, errors="replace")
    if done.returncode == 0 and len(list(folder.glob("*.whl"))) == len(pinned_versions()):
        return
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")] or done.stderr.splitlines()
    reason = errors[-1].removeprefix("ERROR:").strip()[:300] if errors else f"exit status {done.returncode}"
    raise UserError(
        f"pip could not get the packages for Linux {architecture}, Python {version}: {reason}",
        "Check the connection of this computer, and that pip's package index has them; the device needs none.",
    )


def _whole(folder: Path) -> bool:
    """Whether an earlier call left this folder and it still holds what it held."""
    try:
        return (folder / CONTENT).read_text("utf-8") == Tree.of_folder(SITE, folder / SITE).name
    except (OSError, UserError):
        return False
