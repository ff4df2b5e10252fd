"""The names of a model folder's files, and its JSON; whatever is wrong with one is a UserError that names it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from .errors import UserError

T = TypeVar("T")
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "sentencepiece.bpe.model",
)
LABEL_FILES = ("config.json",)


def read_json(path: Path, optional: bool = False) -> dict[str, Any]:
    """The object in the JSON file at `path`; {} if it is `optional` and missing.

    Raises:
        UserError: missing, unreadable or no JSON object.
    """
    try:
        value = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        if optional:
            return {}
        raise UserError(f"{path} is missing.", "Give the folder of a bundle or of a model.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(path, str(error)) from error
    if not isinstance(value, dict):
        raise damaged(path, "it is not a JSON object")
    return value


def field(path: Path, table: dict[str, Any], key: str, kind: type[T], default: T) -> T:
    """`table[key]`, or `default` if it is absent or null.

    Raises:
        UserError: the value is not of `kind` (a whole number passes for float, a truth value for neither).
    """
    value = table.get(key)
    if value is None:
        return default
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise damaged(path, f"{key} is {value!r}")
    return value


def damaged(path: Path, reason: str) -> UserError:
    """The error for a file that is there and cannot be used."""
    return UserError(f"{path} cannot be used: {reason}.", "Make the bundle again or copy it again.")
