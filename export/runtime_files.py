"""The files of the runtime that go into every bundle."""

from __future__ import annotations

from pathlib import Path

_RUNTIME = Path(__file__).parent / "runtime"
_JAVASCRIPT = ("*.js", "*.d.ts", "package.json", "README.md")


def runtime_files() -> dict[str, Path]:
    """Name in the bundle to file here: the Python modules, and all of the JavaScript package."""
    files = [*_RUNTIME.glob("*.py"), *(file for kind in _JAVASCRIPT for file in (_RUNTIME / "js").glob(kind))]
    return {f"runtime/{file.relative_to(_RUNTIME).as_posix()}": file for file in sorted(files)}
