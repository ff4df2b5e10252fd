"""The record of a device and its published schema, which must not drift apart."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import export
from export.runtime.errors import UserError
from export.runtime.manifest import Setting
from export.runtime.profile_record import KIND, SCHEMA, Profile

PUBLISHED: dict[str, Any] = json.loads((Path(export.__file__).parent / "profile.schema.json").read_text("utf-8"))
PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean"}
SHAPE = {"type", "items", "$ref", "anyOf", "minItems", "maxItems"}


def shape(hint: Any) -> dict[str, Any]:
    """The part of a JSON Schema that a type decides."""
    arguments = typing.get_args(hint)
    if isinstance(hint, types.UnionType):
        inner = shape(arguments[0])
        if "$ref" in inner:
            return {"anyOf": [inner, {"type": "null"}]}
        return {**inner, "type": [inner["type"], "null"]}
    if dataclasses.is_dataclass(hint):
        return {"$ref": f"#/$defs/{typing.cast(type, hint).__name__}"}
    if typing.get_origin(hint) is tuple:
        counted = {} if arguments[-1] is Ellipsis else {"minItems": len(arguments), "maxItems": len(arguments)}
        return {"type": "array", "items": shape(arguments[0]), **counted}
    return {"type": PLAIN[hint]}


def only_shape(part: dict[str, Any], hint: Any) -> dict[str, Any]:
    """`part` of the published schema without descriptions and ranges."""
    kept = {key: value for key, value in part.items() if key in SHAPE}
    if "items" in kept:
        kept["items"] = only_shape(kept["items"], None)
    if kept.get("minItems") and "maxItems" not in kept:
        del kept["minItems"]  # at least one: a range
    return kept


def reachable(kind: type, found: dict[str, type]) -> dict[str, type]:
    """Every dataclass inside `kind`, by name."""
    found[kind.__name__] = kind
    waiting = list(typing.get_type_hints(kind).values())
    while waiting:
        hint = waiting.pop()
        waiting += typing.get_args(hint)
        if dataclasses.is_dataclass(hint) and typing.cast(type, hint).__name__ not in found:
            reachable(typing.cast(type, hint), found)
    return found


def test_the_published_schema_says_what_the_dataclasses_say() -> None:
    jsonschema.Draft202012Validator.check_schema(PUBLISHED)
    kinds = reachable(Profile, {})
    assert PUBLISHED["$defs"].keys() == kinds.keys() - {"Profile"}
    for name, kind in kinds.items():
        part = PUBLISHED if kind is Profile else PUBLISHED["$defs"][name]
        own = {"schema": {}, "kind": {}} if kind is Profile else {}
        expected = own | {key: shape(hint) for key, hint in typing.get_type_hints(kind).items()}
        assert {key: only_shape(value, None) for key, value in part["properties"].items()} == expected, name
        assert sorted(part["required"]) == sorted(expected), name
        assert part["additionalProperties"] is False
    assert PUBLISHED["properties"]["schema"] == {"const": SCHEMA}
    assert PUBLISHED["properties"]["kind"] == {"const": KIND}


def test_a_profile_survives_json_and_follows_the_schema(profile: Profile) -> None:
    data = json.loads(json.dumps(profile.to_json()))
    jsonschema.Draft202012Validator(PUBLISHED).validate(data)
    assert Profile.from_json(data) == profile
    bare = dataclasses.replace(profile, energy=None, sustained=None, host="SHA256:abc")
    data = json.loads(json.dumps(bare.to_json()))
    jsonschema.Draft202012Validator(PUBLISHED).validate(data)
    assert Profile.from_json(data) == bare


def test_its_file_is_named_after_machine_and_model(profile: Profile) -> None:
    assert profile.file_name == "profile-raspberry-pi-4-model-b-rev-1-4-abababab.json"
    machine = dataclasses.replace(profile.measurement.machine, board=None, cpu=None, architecture="…")
    measurement = dataclasses.replace(profile.measurement, machine=machine)
    assert dataclasses.replace(profile, measurement=measurement).file_name == "profile-unknown-abababab.json"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "pi.json is not a device profile of schema 1: found 'NoneType'"),
        ({"schema": 1}, r"found \(None, 1\)"),
        ({"schema": 2, "kind": KIND}, r"found \('device profile', 2\)"),
        ({"schema": 1, "kind": KIND}, "unknown in pi.json"),
    ],
)
def test_another_file_is_refused_by_name(data: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Profile.from_json(data, "pi.json")


def edited(profile: Profile, path: str, value: Any) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(json.dumps(profile.to_json()))
    *parents, last = path.split(".")
    part: Any = data
    for key in parents:
        part = part[int(key) if key.isdigit() else key]
    part[last] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("model_sha256", "abc", "no digest"),
        ("model_sha256", "cd" * 32, "not that of its measurement"),
        ("measurement.threads", 4, "another number of threads"),
        ("measurement.buckets.0.total.p95", 0.5, "percentiles do not rise"),
        ("measurement.buckets.0.inference.minimum", -1.0, "latency is not positive"),
        ("measurement.throughput.latency.samples", 0, "latency is not positive"),
        ("measurement.cold_start.total", 0.0, "cold start is negative"),
        ("settings.1.p50_ms", -1.0, "no positive latency"),
        ("recommended", {"threads": 3, "prepacking": True}, "not tried"),
        ("agreement.same_tags", 8, "agrees on more than there is"),
        ("sustained.slices", [], "no slices"),
        ("before.temperature_c", "hot", "pi.json.before.temperature_c has the wrong type: 'hot'"),
        ("quick", 0, "pi.json.quick has the wrong type"),
    ],
)
def test_a_profile_edited_into_nonsense_is_refused(profile: Profile, path: str, value: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Profile.from_json(edited(profile, path, value), "pi.json")


def test_settings_of_a_profile_are_values(profile: Profile) -> None:
    assert Profile.from_json(profile.to_json()).recommended == Setting(2, True)
