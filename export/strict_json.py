"""JSON from strangers: read strictly, checked against a published schema, with the standard library alone."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from export.runtime.errors import UserError

Schema = Mapping[str, Any]

# The keywords `violations` knows. A test holds every published schema to this list.
KEYWORDS = frozenset(
    {"type", "const", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum"}
    | {"items", "minItems", "maxItems", "uniqueItems"}
    | {"required", "properties", "additionalProperties", "propertyNames", "minProperties", "maxProperties"}
    | {"$ref", "$defs", "$schema", "title", "description"}
)
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int, float),
    "number": (int, float),
}


def loads(data: bytes, name: str) -> Any:
    """Parse UTF-8 JSON, refusing what parsers disagree about.

    Refused: a key given twice, NaN and infinities (also by overflow), lone surrogates, a byte order mark.

    Args:
        name: what the error calls the data, such as a file name or FILE:LINE.

    Raises:
        UserError: not such JSON.
    """
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_no_duplicates,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # fails on lone surrogates
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise UserError(f"{name}: not the JSON it should be: {reason}.", "Get a fresh copy.") from error
    return value


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key is given twice")
    return value


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is out of range")
    return value


def violations(value: Any, schema: Schema, root: Schema | None = None, where: str = "") -> Iterator[str]:
    """Each way in which `value` breaks `schema`, as 'a.b: what is wrong'.

    Follows JSON Schema 2020-12 for the `KEYWORDS` that our schemas use; `$ref` points into the same schema.
    """
    root = root or schema
    here = where or "the top level"
    if "$ref" in schema:
        yield from violations(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, where)
    if "type" in schema and not _is_type(value, schema["type"]):
        yield f"{here}: must be of type {schema['type']}"
        return
    if "const" in schema and not _equal(value, schema["const"]):
        yield f"{here}: must be {json.dumps(schema['const'])}"
    if "enum" in schema and not any(_equal(value, choice) for choice in schema["enum"]):
        yield f"{here}: must be one of {', '.join(map(json.dumps, schema['enum']))}"
    if isinstance(value, str):
        yield from _string(value, schema, here)
    elif isinstance(value, dict):
        yield from _object(value, schema, root, where)
    elif isinstance(value, list):
        yield from _array(value, schema, root, where)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from _bounds(value, schema, "minimum", "maximum", here, "must be")


def _string(value: str, schema: Schema, here: str) -> Iterator[str]:
    yield from _bounds(len(value), schema, "minLength", "maxLength", here, "its length must be")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{here}: {value[:80]!r} does not have the form {schema['pattern']}"


def _object(value: dict[str, Any], schema: Schema, root: Schema, where: str) -> Iterator[str]:
    yield from _bounds(len(value), schema, "minProperties", "maxProperties", where, "its size must be")
    for key in schema.get("required", ()):
        if key not in value:
            yield f"{_join(where, key)}: is missing"
    properties = schema.get("properties", {})
    for key, item in value.items():
        if "propertyNames" in schema:
            yield from violations(key, schema["propertyNames"], root, where)
        inner = properties.get(key, schema.get("additionalProperties", {}))
        if inner is False:
            yield f"{_join(where, key)}: is not a known key"
        elif inner:  # below an empty schema anything goes, however deep
            yield from violations(item, inner, root, _join(where, key))


def _array(value: list[Any], schema: Schema, root: Schema, where: str) -> Iterator[str]:
    yield from _bounds(len(value), schema, "minItems", "maxItems", where, "its length must be")
    if schema.get("uniqueItems") and len({json.dumps(item, sort_keys=True) for item in value}) != len(value):
        yield f"{where}: holds an item twice"
    for index, item in enumerate(value if "items" in schema else ()):
        yield from violations(item, schema["items"], root, f"{where}[{index}]")


def _bounds(size: float, schema: Schema, low: str, high: str, here: str, what: str) -> Iterator[str]:
    if low in schema and size < schema[low]:
        yield f"{here}: {what} at least {schema[low]}"
    if high in schema and size > schema[high]:
        yield f"{here}: {what} at most {schema[high]}"


def _is_type(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[name])


def _equal(value: Any, other: Any) -> bool:
    """Equal as JSON: 1 is 1.0, but not true."""
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def _join(where: str, key: str) -> str:
    key = key if len(key) <= 80 and key.isprintable() else ascii(key)[:80]
    return f"{where}.{key}" if where else key
