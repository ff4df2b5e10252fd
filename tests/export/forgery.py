"""Bundles tampered with, and what verify says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from export.manifest import MANIFEST, file_entry
from export.verify import verify_bundle


def rehash(bundle: Path, **changes: Any) -> None:
    """Make the manifest agree with the files again, as a forger would."""
    value = json.loads((bundle / MANIFEST).read_bytes())
    files = [file for file in bundle.rglob("*") if file.is_file() and not file.is_symlink()]
    names = {file.relative_to(bundle).as_posix(): file for file in files}
    value["files"] = {
        name: {"bytes": file_entry(file).bytes, "sha256": file_entry(file).sha256}
        for name, file in names.items()
        if name != MANIFEST and not name.startswith("evidence/")
    }
    (bundle / MANIFEST).write_text(json.dumps({**value, **changes}))


def problems(path: Path) -> tuple[str, ...]:
    report = verify_bundle(path)
    assert not report.ok
    assert report.sentences == 0
    assert all("\n" not in problem and len(problem) <= 600 for problem in report.problems)
    return report.problems
