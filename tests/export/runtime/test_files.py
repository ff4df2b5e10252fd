from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from export.runtime.errors import UserError
from export.runtime.files import field, read_json

HERE = Path("manifest.json")


def test_reads_an_object(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": 1}')
    assert read_json(tmp_path / "a.json") == {"a": 1}


def test_only_an_optional_file_may_be_missing(tmp_path: Path) -> None:
    assert read_json(tmp_path / "none.json", optional=True) == {}
    with pytest.raises(UserError, match=r"none\.json is missing"):
        read_json(tmp_path / "none.json")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xff", b"[" * 100_000])
def test_damaged_json_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.json cannot be used"):
        read_json(tmp_path / "a.json", optional=True)


def test_a_folder_is_no_json_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be used"):
        read_json(tmp_path)


@pytest.mark.parametrize(
    ("value", "kind", "default", "expected"),
    [
        (2, int, 1, 2),
        (None, int, 1, 1),
        (2, float, 1.0, 2.0),
        (False, bool, True, False),
        ("a", str, "", "a"),
    ],
)
def test_field_takes_the_value_or_the_default(value: Any, kind: type, default: Any, expected: Any) -> None:
    found = field(HERE, {"key": value}, "key", kind, default)
    assert found == expected
    assert type(found) is kind
    assert field(HERE, {}, "key", kind, default) == default


@pytest.mark.parametrize(
    ("value", "kind"), [("2", int), (True, int), (1.5, int), (True, float), (1, bool), ([], dict)]
)
def test_field_of_another_kind_is_refused(value: Any, kind: type) -> None:
    with pytest.raises(UserError, match=r"manifest\.json cannot be used: key is"):
        field(HERE, {"key": value}, "key", kind, kind())
