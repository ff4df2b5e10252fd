"""manifest.json: parser and published schema agree, and contradictions are found."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export import golden, manifest
from export.manifest import (
    MANIFEST,
    SCHEMA_VERSION,
    inconsistencies,
    model_digest,
    parse_manifest,
    read_manifest,
    schema,
)
from export.runtime.errors import UserError
from export.strict_json import KEYWORDS

# A value of every JSON type, the edges of our numbers, and text that patterns must stop.
REPLACEMENTS: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 1.0, 1.5, 1e300, 2**40, "", "x", "O", "a\n", "../x", "/x", "a//b", "a/./b",
    "C:/x", "a\\b", "swa\n", "\u0000", "onnx/model.onnx\n", "ONNX/x.onnx", [], {}, [1], ["a", "a"], {"x": 1},
    "x" * 20_000,
)  # fmt: skip


@pytest.fixture(scope="module")
def value(finished_bundle: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((finished_bundle / MANIFEST).read_bytes())
    return result


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every node of a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(path for key, item in items for path in paths(item, (*here, key)))]


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def accepted_by_parser(value: Any) -> bool:
    try:
        parse_manifest(json.dumps(value).encode())
    except UserError:
        return False
    return True


def test_the_schema_is_valid_and_uses_only_keywords_the_parser_knows() -> None:
    def keywords(part: Any, names: bool = False) -> set[str]:
        if not isinstance(part, dict):
            return set()
        inner = [keywords(item, not names and key in ("properties", "$defs")) for key, item in part.items()]
        return set().union(set() if names else set(part), *inner)

    for published in (schema(), golden.schema()):
        jsonschema.Draft202012Validator.check_schema(published)
        assert keywords(published) <= KEYWORDS


def test_a_written_manifest_survives_the_round_trip(value: dict[str, Any]) -> None:
    parsed = parse_manifest(json.dumps(value).encode())
    assert parsed.to_json() == value
    assert list(inconsistencies(parsed)) == []


def test_parser_and_schema_agree_on_every_single_mutation(value: dict[str, Any]) -> None:
    """Each node in turn is deleted, replaced, or (objects) given one more key."""
    value = copy.deepcopy(value)
    value["files"] = dict(list(value["files"].items())[:1])  # one of each kind is enough
    value["labels"] = value["labels"][:2]
    value["tensors"]["inputs"] = value["tensors"]["inputs"][:1]
    validator = jsonschema.Draft202012Validator(schema())
    verdicts = []
    for path in paths(value):
        for replacement in (*REPLACEMENTS, "delete", "add"):
            mutated = copy.deepcopy(value)
            if replacement == "add":
                if not isinstance(at(mutated, path), dict):
                    continue
                at(mutated, path)["unknown key"] = 1
            elif not path:
                mutated = replacement
            elif replacement == "delete":
                del at(mutated, path[:-1])[path[-1]]
            else:
                at(mutated, path[:-1])[path[-1]] = replacement
            by_schema = validator.is_valid(mutated)
            verdicts.append(by_schema)
            assert accepted_by_parser(mutated) == by_schema, (path, replacement)
    assert len(verdicts) > 1500
    assert 50 < sum(verdicts) < len(verdicts) / 2


@settings(max_examples=60, deadline=None)
@given(
    name=st.text(st.sampled_from("abAB01_.-+/\\:\n \0é"), max_size=12),
    number=st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
)
def test_parser_and_schema_agree_on_any_name_and_number(value: dict[str, Any], name: str, number: float) -> None:
    validator = jsonschema.Draft202012Validator(schema())
    for change in (
        {"files": {name: {"bytes": 1, "sha256": "0" * 64}}},
        {"model": name},
        {"max_length": number},
    ):
        mutated = {**value, **change}
        assert accepted_by_parser(mutated) == validator.is_valid(mutated)


def test_another_schema_version_names_both_versions_and_the_remedy(value: dict[str, Any]) -> None:
    for version, remedy in ((SCHEMA_VERSION + 1, "newer"), (SCHEMA_VERSION - 1, "older")):
        with pytest.raises(UserError, match=f"version {version}; .* version {SCHEMA_VERSION}") as caught:
            parse_manifest(json.dumps({**value, "schema_version": version, "new key": 1}).encode())
        assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"schema_version": 1, "schema_version": 1}',
        b'{"schema_version": NaN}',
        b'{"schema_version": 1e999}',
        b'{"name": "\\ud800"}',
        b"[" * 100_000,
        b'{"schema_version": ' + b"9" * 5000 + b"}",
        b"\xef\xbb\xbf{}",
    ],
    ids=["empty", "utf16", "list", "null", "twice", "nan", "overflow", "surrogate", "deep", "digits", "bom"],
)
def test_json_that_parsers_disagree_about_is_refused_without_a_traceback(data: bytes) -> None:
    with pytest.raises(UserError):
        parse_manifest(data)


def test_provenance_may_nest_as_deeply_as_json_can_be_read(value: dict[str, Any]) -> None:
    deep: dict[str, Any] = {}
    for _ in range(400):
        deep = {"of": [deep]}
    assert accepted_by_parser({**value, "provenance": deep})


def change(value: dict[str, Any], **changes: Any) -> list[str]:
    return list(inconsistencies(parse_manifest(json.dumps({**value, **changes}).encode())))


def test_contradictions_within_a_manifest_are_found(value: dict[str, Any]) -> None:
    files = value["files"]
    entry = {"bytes": 1, "sha256": "0" * 64}
    no_golden = {name: item for name, item in files.items() if name != "golden.jsonl"}
    assert change(value) == []
    assert change(value, labels=["B-PER", "O"]) == ["labels: the first must be O"]
    assert "licence" in change(value, licence="non-commercial")[0]
    assert change(value, files=no_golden) == ["files: golden.jsonl must be among them"]
    assert change(value, external_data=["onnx/w"]) == ["files: onnx/w must be among them"]
    assert "must not" in change(value, files={**files, "evidence/x.json": entry})[0]
    assert "must not" in change(value, files={**files, "manifest.json": entry})[0]
    assert "where case does not count" in change(value, files={**files, "CONFIG.json": entry})[0]
    assert "both a file and the folder" in change(value, files={**files, "config.json/x": entry})[0]
    other = {"format": "torchscript", "dtype": "int8", "files": ["torchscript/m.pt"], "requires": []}
    assert change(value, alternatives=[other]) == ["files: torchscript/m.pt must be among them"]


def test_a_missing_huge_or_contradicting_manifest_file_is_a_user_error(
    tmp_path: Path, value: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / MANIFEST
    with pytest.raises(UserError, match="cannot be read"):
        read_manifest(path)
    path.write_text(json.dumps(value))
    assert read_manifest(path).name == "swa tiny"
    path.write_text(json.dumps({**value, "labels": ["B-PER", "O"]}))
    with pytest.raises(UserError, match="the first must be O"):
        read_manifest(path)
    monkeypatch.setattr(manifest, "MAX_MANIFEST_BYTES", 100)
    with pytest.raises(UserError, match="more than the 100 bytes"):
        read_manifest(path)


def test_the_digest_of_a_model_in_parts_changes_with_each_part() -> None:
    digests = {"a": "1" * 64, "b": "2" * 64}
    assert model_digest(digests, ("a",)) == "1" * 64
    whole = model_digest(digests, ("a", "b"))
    assert whole not in (model_digest({**digests, "b": "3" * 64}, ("a", "b")), digests["a"], digests["b"])
