from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from export.runtime.errors import UserError
from export.runtime.records import from_plain, to_plain


@dataclass(frozen=True)
class Inner:
    flag: bool
    share: float | None


@dataclass(frozen=True)
class Outer:
    count: int
    names: tuple[str, ...]
    pair: tuple[str, float]
    inner: Inner
    others: tuple[Inner, ...] | None


RECORD = Outer(3, ("a", "b"), ("x", 1.5), Inner(True, None), (Inner(False, 0.25),))


def test_a_record_survives_json_with_its_nulls() -> None:
    plain = to_plain(RECORD)
    assert plain["inner"] == {"flag": True, "share": None}
    assert from_plain(Outer, json.loads(json.dumps(plain)), "record") == RECORD


def test_a_whole_number_is_read_as_a_float_where_one_belongs() -> None:
    assert from_plain(Inner, {"flag": True, "share": 1}, "inner") == Inner(True, 1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": True}, "record.count has the wrong type: True"),
        ({"count": 1.0}, "record.count has the wrong type"),
        ({"names": "ab"}, "record.names has the wrong type"),
        ({"names": ["a", 1]}, r"record.names\[1\] has the wrong type: 1"),
        ({"pair": ["x"]}, "record.pair has the wrong type"),
        ({"pair": ["x", float("nan")]}, r"record.pair\[1\] has the wrong type: nan"),
        ({"pair": ["x", 10**400]}, r"record.pair\[1\] has the wrong type"),
        ({"inner": {"flag": 1, "share": None}}, "record.inner.flag has the wrong type: 1"),
        ({"inner": {"flag": True}}, r"unknown in record.inner: \['share'\]"),
        ({"others": [{"flag": True, "share": float("inf")}]}, r"record.others\[0\].share has the wrong type"),
        ({"new": 1}, r"unknown in record: \['new'\]"),
    ],
)
def test_what_was_edited_is_named_by_its_path(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        from_plain(Outer, {**to_plain(RECORD), **change}, "record")
