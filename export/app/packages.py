"""The two JavaScript packages of the app, from npm: fetched once, at the versions and digests of the lock file."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

from export.atomic import disk_full_explained, new_folder_atomic
from export.runtime.errors import UserError

LOCKED = Path(__file__).parent / "web"  # package.json and package-lock.json
LOCK = "package-lock.json"
LICENCES = "LICENSES.txt"
# What the app takes of them: the WebAssembly build without WebGPU, and the minified tokenizers.
VENDOR = MappingProxyType(
    {
        "ort.wasm.min.mjs": "onnxruntime-web/dist/ort.wasm.min.mjs",
        "ort-wasm-simd-threaded.mjs": "onnxruntime-web/dist/ort-wasm-simd-threaded.mjs",
        "ort-wasm-simd-threaded.wasm": "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",
        "tokenizers.min.mjs": "@huggingface/tokenizers/dist/tokenizers.min.mjs",
    }
)
# Address of the notices of what is compiled in, and the licence, which the package names and does not hold.
NOTICES = "https://github.com/microsoft/onnxruntime/blob/v{version}/ThirdPartyNotices.txt"
MIT = """Copyright (c) Microsoft Corporation

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""
INSTALL = (
    "Install Node.js 20 or later, which brings npm. Debian, Ubuntu: sudo apt install npm; macOS: brew install node; "
    "Windows: winget install OpenJS.NodeJS.LTS; then run the same command again."
)
# `ci` keeps to the digests of the lock; no script of any package runs.
COMMAND = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
LAST_LINES = 6


def runtime_packages(cache: Path, note: Callable[[str], None], locked: Path = LOCKED) -> Path:
    """The folder of vendor/: the files of `VENDOR` and their licences. Needs no network the second time.

    Args:
        cache: folder in which it is kept, named by the lock's digest.
        note: told what is fetched, when something is.
        locked: folder of package.json and package-lock.json.

    Raises:
        UserError: there is no npm, it failed, or what it brought lacks a file.
    """
    digest = hashlib.sha256((locked / LOCK).read_bytes()).hexdigest()
    folder = cache / digest[:16]
    if all((folder / name).is_file() for name in (*VENDOR, LICENCES)):
        return folder
    npm = shutil.which("npm")
    if npm is None:
        raise UserError("There is no npm, which fetches the app's two JavaScript packages.", INSTALL)
    wanted = json.loads((locked / "package.json").read_text("utf-8"))["dependencies"]
    note(f"Fetching {' and '.join(f'{name} {version}' for name, version in sorted(wanted.items()))}, once.")
    with disk_full_explained(cache), tempfile.TemporaryDirectory(prefix="app-packages-") as temporary:
        for name in ("package.json", LOCK):
            shutil.copyfile(locked / name, Path(temporary) / name)
        _install(npm, Path(temporary))
        with new_folder_atomic(folder) as made:
            _keep(Path(temporary) / "node_modules", made)
    return folder


def _install(npm: str, folder: Path) -> None:
    done = subprocess.run([npm, *COMMAND], cwd=folder, capture_output=True, text=True, errors="replace")
    if done.returncode:
        last = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()][-LAST_LINES:]
        raise UserError(
            f"npm {' '.join(COMMAND)} failed: {' | '.join(last) or 'it said nothing'}",
            "Check the connection, the space on the disk and `npm config get registry`; then run the same command "
            "again.",
        )


def _keep(modules: Path, folder: Path) -> None:
    """Copy what the app takes, and write down under which licences."""
    for name, source in VENDOR.items():
        if not (modules / source).is_file():
            raise UserError(f"npm brought no {source}.", f"Delete {folder.parent} and run the same command again.")
        shutil.copyfile(modules / source, folder / name)
    packages = sorted({"/".join(source.split("/dist/")[:1]) for source in VENDOR.values()})
    (folder / LICENCES).write_text("\n".join(_licence(modules / name, name) for name in packages), "utf-8")


def _licence(package: Path, name: str) -> str:
    """Name, version and licence of a package, with the text that it has or that its licence stands for."""
    said = json.loads((package / "package.json").read_text("utf-8"))
    title = f"{name} {said['version']}, {said['license']}"
    own = package / "LICENSE"
    if own.is_file():
        text = own.read_text("utf-8")
    else:
        text = f"{MIT}\nNotices of what is compiled in: {NOTICES.format(version=said['version'])}\n"
    return f"{title}\n{'=' * len(title)}\n\n{text.strip()}\n"
