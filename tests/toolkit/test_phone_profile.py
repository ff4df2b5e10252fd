"""Taking in what the web app measured on a phone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from export.runtime.errors import UserError
from export.runtime.profile_record import Profile
from tests.toolkit.reporting.made_devices import DIGEST, laptop, make_bundle, phone
from toolkit.phone_profile import MAX_BYTES, import_profile
from toolkit.reporting.evidence import read_evidence


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "swa-web-edge")


def told(tmp_path: Path, profile: Profile, **changes: Any) -> Path:
    """The profile as the app's file, with other values at the top."""
    file = tmp_path / "download (1).json"
    file.write_text(json.dumps(profile.to_json() | changes), "utf-8")
    return file


def changed(profile: Profile, browser: str | None = None, **machine: Any) -> Profile:
    measurement = profile.measurement
    packages = (("browser", browser),) if browser else measurement.packages
    machine_now = replace(measurement.machine, **machine)
    return replace(profile, measurement=replace(measurement, machine=machine_now, packages=packages))


def test_a_profile_is_laid_into_the_evidence(bundle: Path, tmp_path: Path) -> None:
    profile, path = import_profile(bundle, told(tmp_path, phone()))
    assert profile == phone()
    assert path == bundle / "evidence" / f"profile-pixel-7-chrome-{DIGEST[:8]}.json"
    assert Profile.from_json(json.loads(path.read_text("utf-8"))) == phone()
    (device,) = read_evidence(bundle).devices
    assert (device.name, device.profile) == ("Pixel 7, Chrome", phone())


def test_the_same_phone_and_browser_replace_what_was_there(bundle: Path, tmp_path: Path) -> None:
    _, first = import_profile(bundle, told(tmp_path, phone()))
    later = changed(phone(), browser="Chrome 150.0.1.2", os="Android 15", onnxruntime="1.31.0")
    _, second = import_profile(bundle, told(tmp_path, later))
    assert second == first and [device.profile for device in read_evidence(bundle).devices] == [later]


def test_two_phones_of_one_name_and_two_browsers_stay_apart(bundle: Path, tmp_path: Path) -> None:
    kinds = [phone(), changed(phone(), cores=4), changed(phone(), cores=2), changed(phone(), browser="Firefox 143.0")]
    written = [import_profile(bundle, told(tmp_path, one))[1].name for one in kinds]
    assert written == [
        f"profile-pixel-7-{rest}" for rest in (
            "chrome-abababab.json", "chrome-abababab-2.json", "chrome-abababab-3.json", "firefox-abababab.json"
        )
    ]  # fmt: skip
    assert import_profile(bundle, told(tmp_path, kinds[1]))[1].name == written[1]
    names = [device.name for device in read_evidence(bundle).devices]
    assert sorted(names) == [*(f"Pixel 7, Chrome ({n})" for n in (1, 2, 3)), "Pixel 7, Firefox"]


def test_a_file_that_is_no_profile_is_not_overwritten(bundle: Path, tmp_path: Path) -> None:
    taken = bundle / "evidence" / phone().file_name
    taken.write_text("mine", "utf-8")
    assert import_profile(bundle, told(tmp_path, phone()))[1].name == "profile-pixel-7-chrome-abababab-2.json"
    assert taken.read_text("utf-8") == "mine"


def test_a_profile_from_another_machine_is_taken_too(bundle: Path, tmp_path: Path) -> None:
    assert import_profile(bundle, told(tmp_path, laptop()))[1].name == laptop().file_name


def test_a_long_or_strange_name_makes_a_file_name(bundle: Path, tmp_path: Path) -> None:
    strange = changed(phone(), board="../" * 200 + "x" * 400)
    path = import_profile(bundle, told(tmp_path, strange))[1]
    assert path.parent == bundle / "evidence" and len(path.name) < 130


@pytest.mark.parametrize(
    ("content", "message", "remedy"),
    [
        (b"%PDF-1.7", "not the JSON it should be", "Download it from the web app again"),
        (b'{"schema": 1, ', "not the JSON it should be", "copy it whole"),
        (b'{"schema": 1, "schema": 1}', "a key is given twice", "Download"),
        (b"[]", "not a device profile of schema 1: found 'list'", "Measure again"),
        (b'{"schema": 2, "kind": "device profile"}', r"schema 1: found \('device profile', 2\)", "Measure again"),
        (b'{"schema": 1, "kind": "device profile"}', "Missing or unknown in", "Measure again"),
        (b" " * (MAX_BYTES + 1), "it is no profile", "Download"),
    ],
)
def test_another_file_is_refused(bundle: Path, tmp_path: Path, content: bytes, message: str, remedy: str) -> None:
    file = tmp_path / "phone.json"
    file.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        import_profile(bundle, file)
    assert "phone.json" in caught.value.message and remedy in caught.value.remedy
    assert [path.name for path in (bundle / "evidence").iterdir()] == ["measurement.json"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"quick": 1}, "quick has the wrong type"),
        ({"measured_at": None}, "measured_at has the wrong type"),
        ({"recommended": {"threads": 9, "prepacking": True}}, "contradicts itself"),
        ({"sustained": {"minutes": 1e300, "length": 64, "slices": [], "slowdown": 1.0}}, "holds a number beyond"),
    ],
)
def test_a_damaged_profile_is_refused(bundle: Path, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        import_profile(bundle, told(tmp_path, phone(), **change))
    assert "Measure again" in caught.value.remedy


def test_a_profile_of_another_model_says_which(bundle: Path, tmp_path: Path) -> None:
    other = "cd" * 32
    profile = replace(phone(), model_sha256=other, measurement=replace(phone().measurement, model_sha256=other))
    with pytest.raises(
        UserError, match=r"another model: 'swa edge', sha256 cdcdcdcd…; that of .* abababab…"
    ) as caught:
        import_profile(bundle, told(tmp_path, profile))
    assert "Name the bundle" in caught.value.remedy


def test_a_missing_file_and_no_bundle_say_so(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.json cannot be read") as caught:
        import_profile(bundle, tmp_path / "none.json")
    assert "Name the file" in caught.value.remedy
    with pytest.raises(UserError, match=r"manifest\.json"):
        import_profile(tmp_path, told(tmp_path, phone()))


def test_a_zip_takes_no_profile_and_says_what_does(tmp_path: Path) -> None:
    (tmp_path / "bundle.zip").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"bundle\.zip is a file") as caught:
        import_profile(tmp_path / "bundle.zip", told(tmp_path, phone()))
    assert "Unpack it" in caught.value.remedy
