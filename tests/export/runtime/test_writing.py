from __future__ import annotations

from pathlib import Path

import pytest

from export.runtime import writing
from export.runtime.errors import UserError
from export.runtime.writing import write_result


def test_a_disk_that_fills_up_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing.os, "fsync", full)
    with pytest.raises(UserError, match=r"Cannot write .*: No space left on device"):
        write_result(tmp_path / "evidence" / "profile.json", {})
    monkeypatch.setattr(writing.os, "fsync", lambda descriptor: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_result(tmp_path / "evidence" / "profile.json", {})
    assert [entry.name for entry in (tmp_path / "evidence").iterdir() if "profile" in entry.name] == []
