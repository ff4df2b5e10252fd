"""Frozen dataclasses as plain JSON and back, every key and type checked on the way."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from typing import Any, TypeVar

from .errors import UserError

Record = TypeVar("Record")


def to_plain(value: Any) -> Any:
    """Dataclasses as dicts and tuples as lists, all the way down; `from_plain` is its inverse."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [to_plain(item) for item in value]
    return value


def from_plain(kind: type[Record], data: Any, where: str) -> Record:
    """Build a dataclass from what `to_plain` made of one.

    Args:
        kind: a dataclass of str, int, float, bool, `X | None`, tuples and dataclasses of these.
        where: what messages call the data, for instance "measurement".

    Raises:
        UserError: a missing or unknown key, or a value of the wrong type, named by its path; so is a number that
            is not finite.
    """
    hints = typing.get_type_hints(kind)
    if not isinstance(data, dict) or data.keys() != hints.keys():
        odd = sorted(map(str, data.keys() ^ hints.keys())) if isinstance(data, dict) else data
        raise UserError(f"Missing or unknown in {where}: {odd!r}.", "Measure again.")
    return kind(**{key: _value(hint, data[key], f"{where}.{key}") for key, hint in hints.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    arguments = typing.get_args(hint)
    if isinstance(hint, types.UnionType):  # only `X | None` occurs
        return None if value is None else _value(arguments[0], value, where)
    if dataclasses.is_dataclass(hint):
        return from_plain(typing.cast(type, hint), value, where)
    if typing.get_origin(hint) is tuple and isinstance(value, list):
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
        if len(kinds) == len(value):
            items = zip(kinds, value, strict=True)
            return tuple(_value(kind, item, f"{where}[{at}]") for at, (kind, item) in enumerate(items))
    if hint is float and type(value) is int and abs(value) < 2**63:
        return float(value)
    if hint in (str, int, float, bool) and type(value) is hint and (hint is not float or math.isfinite(value)):
        return value
    raise UserError(f"{where} has the wrong type: {value!r}.", "Measure again.")
