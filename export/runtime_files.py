"""The files of the runtime that go into every bundle."""

from __future__ import annotations

from pathlib import Path

_RUNTIME = Path(__file__).parent / "runtime"
# Folder of each port, and what it consists of.
_PORTS = {
    "js": ("*.js", "*.d.ts", "package.json", "README.md"),
    "kotlin": ("*.kt", "*.kts", "README.md"),
    "swift": ("*.swift", "README.md"),
}
_BUILD_FOLDERS = ("build", "node_modules")  # and hidden ones: what building a port leaves behind


def runtime_files() -> dict[str, Path]:
    """Name in the bundle to file here: the Python modules, and the packages in other languages."""
    files = list(_RUNTIME.glob("*.py"))
    for port, kinds in _PORTS.items():
        files += [file for kind in kinds for file in (_RUNTIME / port).rglob(kind) if _is_source(file)]
    return {f"runtime/{file.relative_to(_RUNTIME).as_posix()}": file for file in sorted(files)}


def _is_source(file: Path) -> bool:
    folders = file.relative_to(_RUNTIME).parts[:-1]
    return not any(folder.startswith(".") or folder in _BUILD_FOLDERS for folder in folders)
