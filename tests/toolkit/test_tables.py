"""TOML tables to dataclasses: what is taken, and what the refusals say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from export.runtime.errors import UserError
from toolkit.tables import from_table, read_toml


@dataclass(frozen=True)
class Inner:
    """A nested table."""

    rate: float
    epochs: int = 1


@dataclass(frozen=True)
class Outer:
    """Every kind of value that recipes have."""

    name: str
    kind: Literal["a", "b"] = "a"
    fast: bool = False
    inner: Inner | None = None
    layers: int | tuple[int, ...] | None = None
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.name == "refused":
            raise UserError("That name is taken.", "Choose another.")


def test_values_become_the_annotated_types() -> None:
    table = {"name": "x", "kind": "b", "fast": True, "inner": {"rate": 1}, "layers": [0, 2], "names": ["é"]}
    made = from_table(Outer, table, "here")
    assert made == Outer("x", "b", True, Inner(1.0, 1), (0, 2), ("é",))
    assert isinstance(made.inner and made.inner.rate, float)


def test_what_is_left_out_has_its_default() -> None:
    assert from_table(Outer, {"name": "x", "layers": 3}, "here") == Outer("x", layers=3)


@pytest.mark.parametrize(
    ("table", "message", "remedy"),
    [
        ({"name": "x", "colour": 1}, "here: unknown key 'colour'.", "fast, inner, kind, layers, name, names"),
        ({"name": "x", "inner": {"rat": 1.0}}, "here: inner: unknown key 'rat'.", "epochs, rate"),
        ({}, "here: 'name' is missing.", "Add it."),
        ({"name": "x", "inner": {}}, "here: inner: 'rate' is missing.", "Add it."),
        ({"name": 1}, "here: name is 1, not a str.", "Correct"),
        ({"name": "x", "kind": "c"}, "here: kind is 'c', not a Literal ('a', 'b').", "Correct"),
        ({"name": "x", "fast": 1}, "here: fast is 1, not a bool.", "Correct"),
        ({"name": "x", "inner": {"rate": True}}, "here: inner: rate is True, not a float.", "Correct"),
        ({"name": "x", "inner": {"rate": 1.0, "epochs": 1.5}}, "here: inner: epochs is 1.5, not a int.", "Correct"),
        ({"name": "x", "inner": {"rate": 1.0, "epochs": True}}, "here: inner: epochs is True", "Correct"),
        ({"name": "x", "inner": 3}, "here: inner must be a table.", "[section]"),
        ({"name": "x", "layers": "all"}, "here: layers is 'all'", "Correct"),
        ({"name": "x", "layers": [1, "2"]}, "here: layers is [1, '2']", "Correct"),
        ({"name": "x", "names": "abc"}, "here: names is 'abc'", "Correct"),
        ({"name": "refused"}, "here: That name is taken.", "Choose another."),
    ],
    ids=str,
)
def test_a_refusal_names_the_place_and_what_is_allowed(table: dict[str, Any], message: str, remedy: str) -> None:
    with pytest.raises(UserError) as caught:
        from_table(Outer, table, "here")
    assert caught.value.message.startswith(message)
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"a = \n", "line 1"), (b"a = 1\na = 2\n", "line 2"), (b"a = '\xff'\n", "utf-8")],
    ids=str,
)
def test_what_is_not_toml_is_named_with_its_line(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=said) as caught:
        read_toml(path)
    assert str(path) in caught.value.message


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(UserError, match="Cannot read") as caught:
            read_toml(path)
        assert str(path) in caught.value.message
