"""TOML tables to frozen dataclasses, with errors that list what is allowed."""

from __future__ import annotations

import dataclasses
import tomllib
import types
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from export.runtime.errors import UserError

T = TypeVar("T")


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file.

    Raises:
        UserError: missing, not UTF-8 or not TOML; names the file and, where known, the line.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.", "Check the path.") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path} is not valid TOML: {error}.", "Correct that place.") from error


def from_table(kind: type[T], table: dict[str, Any], where: str) -> T:
    """Build the frozen dataclass `kind` from a TOML table; nested dataclasses are nested tables.

    Raises:
        UserError: an unknown or missing key, a value of another type, or one that `kind` refuses; names `where`,
            the key and what is allowed.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    hints = get_type_hints(kind)
    for key in table:
        if key not in fields:
            raise UserError(f"{where}: unknown key '{key}'.", f"Allowed here: {', '.join(sorted(fields))}.")
    values = {key: _value(hints[key], value, f"{where}: {key}") for key, value in table.items()}
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if name not in values and required:
            raise UserError(f"{where}: '{name}' is missing.", "Add it.")
    try:
        return kind(**values)
    except UserError as error:  # values that are no use, alone or together
        raise UserError(f"{where}: {error.message}", error.remedy) from error


def _value(hint: Any, value: Any, where: str) -> Any:
    """`value` as the annotated type, where int may stand for float and a list for a tuple."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        chosen = [argument for argument in arguments if argument is not type(None)]
        fitting = [argument for argument in chosen if _fits(argument, value)]
        return _value((fitting or chosen)[0], value, where)
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise UserError(f"{where} must be a table.", "Write it as [section] with keys below.")
        return from_table(hint, value, where)  # type: ignore[arg-type]
    if not _fits(hint, value):
        name = getattr(hint, "__name__", str(hint))
        choices = f" ({', '.join(map(repr, arguments))})" if arguments else ""
        raise UserError(f"{where} is {value!r}, not a {name}{choices}.", "Correct the value.")
    if origin is tuple:
        return tuple(value)
    return float(value) if hint is float else value


def _fits(hint: Any, value: Any) -> bool:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is tuple:
        return isinstance(value, list) and all(_fits(arguments[0], item) for item in value)
    if origin is not None and str(origin).endswith("Literal"):
        return value in arguments
    if dataclasses.is_dataclass(hint):
        return isinstance(value, dict)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)
