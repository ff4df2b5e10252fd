from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import export.manifest
from export.runtime.errors import UserError
from export.runtime.manifest import SCHEMA_VERSION, Setting, read_bundle, read_manifest


def change_manifest(bundle: Path, **changes: Any) -> None:
    path = bundle / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_device_and_toolkit_read_the_same_version() -> None:
    assert SCHEMA_VERSION == export.manifest.SCHEMA_VERSION


def test_a_bundle_is_read_as_its_manifest_says(bundle: Path) -> None:
    change_manifest(bundle, session={"threads": 2, "prepacking": False})
    found = read_bundle(bundle)
    assert (found.name, found.languages, found.max_length) == ("swa tiny", ("swa",), 64)
    assert found.model == bundle / "onnx" / "model.onnx"
    assert found.setting == Setting(2, False)
    assert found.labels[:2] == ("O", "B-PER")
    assert found.tolerance == json.loads((bundle / "manifest.json").read_text())["golden"]["logit_tolerance"]


@pytest.mark.parametrize(("version", "who"), [(2, "a newer toolkit"), (0, "an older toolkit")])
def test_a_bundle_of_another_version_is_refused(bundle: Path, version: int, who: str) -> None:
    change_manifest(bundle, schema_version=version)
    with pytest.raises(UserError, match=f"schema version {version}; this runtime reads version 1") as caught:
        read_manifest(bundle)
    assert who in caught.value.remedy


def test_only_an_optional_manifest_may_be_missing(tmp_path: Path) -> None:
    assert read_manifest(tmp_path, optional=True) == {}
    with pytest.raises(UserError, match=r"manifest\.json is missing"):
        read_bundle(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": "1"}, "schema_version is '1'"),
        ({"session": []}, r"session is \[\]"),
        ({"session": {"threads": "x"}}, "threads is 'x'"),
        ({"golden": {"logit_tolerance": "much"}}, "logit_tolerance is 'much'"),
        ({"labels": ["O", 1]}, r"labels is \['O', 1\]"),
        ({"languages": "swa"}, "languages is 'swa'"),
        ({"model": 3}, "model is 3"),
        ({"model": None}, "its model .* is missing"),
        ({"model": "../../model.onnx"}, "its model lies outside the bundle"),
        ({"model": "/etc/hostname"}, "its model lies outside the bundle"),
        ({"model": "onnx/absent.onnx"}, "its model 'absent.onnx' is missing"),
    ],
)
def test_a_damaged_manifest_is_named(bundle: Path, changes: dict[str, Any], message: str) -> None:
    change_manifest(bundle, **changes)
    with pytest.raises(UserError, match=rf"manifest\.json cannot be used: {message}"):
        read_bundle(bundle)
