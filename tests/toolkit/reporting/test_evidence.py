"""What is read of a bundle's evidence folder, and what is left out of a page with a reason."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.toolkit.reporting.made_devices import emulation, laptop, lay, make_bundle, pi
from toolkit.reporting.evidence import Evidence, read_evidence


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "swa-cpu-edge")


def test_a_bundle_without_profiles_or_without_a_folder_has_no_evidence(bundle: Path, tmp_path: Path) -> None:
    assert read_evidence(bundle) == read_evidence(tmp_path / "none") == Evidence()


def test_profiles_come_by_file_name_and_equal_what_was_measured(bundle: Path) -> None:
    lay(bundle, "profile-b.json", pi())
    lay(bundle, "profile-a.json", laptop())
    lay(bundle, "emulation.json", emulation())
    found = read_evidence(bundle)
    assert [device.name for device in found.devices] == ["Example CPU @ 2.50GHz", "Raspberry Pi 4 Model B Rev 1.4"]
    assert [device.profile for device in found.devices] == [laptop(), pi()]
    assert found.emulation and [cpu.ok for cpu in found.emulation.cpus] == [True, False]
    assert found.left_out == ()


def test_machines_of_one_name_are_numbered_and_haste_is_marked(bundle: Path) -> None:
    lay(bundle, "profile-a.json", pi())
    lay(bundle, "profile-b.json", replace(pi(), quick=True))
    lay(bundle, "profile-c.json", replace(laptop(), quick=True))
    assert [device.name.rpartition("(")[2] for device in read_evidence(bundle).devices] == [
        "1)",
        "2, quick)",
        "quick)",
    ]


def edited(path: str, value: Any) -> dict[str, Any]:
    """A profile's JSON with one value replaced, as a hand would."""
    data = json.loads(json.dumps(pi().to_json()))
    *parents, last = path.split(".")
    place = data
    for key in parents:
        place = place[int(key)] if key.isdigit() else place[key]
    place[last] = value
    return dict(data)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (["no object"], "is not a JSON object"),
        (edited("model_sha256", "cd" * 32), "about another model"),
        (edited("kind", "holiday"), "is not a device profile"),
        (edited("measurement.memory.peak", "much"), "wrong type"),
        (edited("measurement.memory.peak", 10**300), "holds a number beyond 1e+15"),
        (edited("measurement.buckets.0.total.p50", 900.0), "contradicts itself"),
        (edited("measurement.buckets.1.length", 0), "without a sub-word"),
        (edited("settings.1.p50_ms", 1e-300), "holds a latency below"),
        (edited("sustained.slices.1.p50_ms", -3.0), "holds a latency below"),
    ],
)
def test_a_damaged_profile_is_named_and_the_others_are_shown(bundle: Path, record: Any, why: str) -> None:
    lay(bundle, "profile-bad.json", record)
    lay(bundle, "profile-good.json", laptop())
    found = read_evidence(bundle)
    assert [device.profile for device in found.devices] == [laptop()]
    (line,) = found.left_out
    assert "profile-bad.json" in line and why in line
    assert len(line) <= 300 and str(bundle) not in line


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b'{"schema": NaN}', b"[" * 100_000, b'{"a": 1, "a": 2}'])
def test_what_is_no_json_is_left_out(bundle: Path, data: bytes) -> None:
    (bundle / "evidence" / "profile-bad.json").write_bytes(data)
    (line,) = read_evidence(bundle).left_out
    assert line.startswith("profile-bad.json: not the JSON it should be")


def test_what_is_no_file_too_large_or_unreadable_is_left_out(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (bundle / "evidence" / "profile-a.json").mkdir()
    with (bundle / "evidence" / "profile-b.json").open("wb") as stream:
        stream.truncate(16 * 2**20 + 1)
    locked = lay(bundle, "profile-c.json", laptop())
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path == locked:
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    a, b, c = read_evidence(bundle).left_out
    assert "profile-a.json is not a file" in a and "profile-b.json is not a file of at most" in b
    assert c == "profile-c.json cannot be read: Permission denied."


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"kind": "x"}, "is not an ARM emulation"),
        ({"schema": 2}, "is not an ARM emulation"),
        ({"cpus": None}, "cpus has the wrong type"),
        ({"cpus": ["x"]}, "Missing or unknown in emulation.json.cpus[0]"),
        ({"sample": {}}, "Missing or unknown in emulation.json.sample"),
        ({"model_sha256": None}, "about another model"),
    ],
)
def test_a_damaged_emulation_is_left_out(bundle: Path, changes: dict[str, Any], why: str) -> None:
    lay(bundle, "emulation.json", emulation(**changes))
    found = read_evidence(bundle)
    assert found.emulation is None
    assert why in found.left_out[0]


def test_without_a_manifest_nothing_can_be_said_of_any_model(bundle: Path) -> None:
    lay(bundle, "profile-a.json", laptop())
    (bundle / "manifest.json").write_text("{}", "utf-8")
    found = read_evidence(bundle)
    assert found.devices == ()
    assert found.left_out[0].startswith("profile-a.json: the bundle's manifest.json cannot be used")
