"""Device profiles: those that come with the toolkit, and mistakes in one's own."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from calibration.device.record import toml
from export.runtime.errors import UserError
from tests.calibration.device.simulated import CALIBRATION
from toolkit.device_profile import (
    PROFILES,
    VARIANTS,
    Budgets,
    DeviceProfile,
    check_device_name,
    device_profile_names,
    load_device_profile,
)
from toolkit.measure.roofline import Roofline

# Without those that this machine's user has calibrated.
SHIPPED = [name for name in device_profile_names() if load_device_profile(name).calibration is None]
MINIMAL = """
name = "mine"
description = "a board"

[device]
cores = 2
isa = "aarch64"
ram_mb = 256
int8 = "NEON"

[run]
variants = ["onnx-int8"]
"""


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_targets_are_the_documented_ones() -> None:
    assert SHIPPED == [
        "android-low",
        "android-mid",
        "cpu",
        "cpu-torch",
        "gpu",
        "rpi-zero2w",
        "rpi4",
        "rpi5",
        "web",
    ]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_is_complete_and_states_a_basis_for_each_limit(name: str) -> None:
    profile = load_device_profile(name)
    assert profile.name == name
    assert profile.int8_basis != "not stated"
    assert profile.max_f1_loss_relative == 0.10
    for field in dataclasses.fields(Budgets):
        assert getattr(profile.budgets, field.name) is not None
        assert profile.basis[field.name] != "not stated", field.name
    assert profile.basis["max_f1_loss_relative"] != "not stated"
    assert profile.ram_mb is not None
    assert profile.budgets.peak_rss_bytes < 0.5 * profile.ram_mb * 1e6  # type: ignore[operator]
    assert profile.calibration is None and profile.fingerprint is None
    for field in dataclasses.fields(Roofline):
        known = getattr(profile.roofline, field.name) is not None
        assert known == (profile.basis[field.name] != "not stated"), field.name
    assert profile.this_machine == name.startswith("cpu")
    assert profile.external_data == name.startswith("rpi")
    assert "onnx-fp32" in profile.variants


def test_the_laptops_budgets_fit_what_is_made_for_it_and_not_torch() -> None:
    budgets = load_device_profile("cpu").budgets
    assert budgets.download_bytes is not None and budgets.peak_rss_bytes is not None
    assert budgets.download_bytes > 6e6 and budgets.peak_rss_bytes > 75e6
    # Importing torch alone takes 230 MB.
    assert budgets.peak_rss_bytes < 230e6


def test_what_a_profile_of_ones_own_leaves_out_is_filled_in_or_unlimited(tmp_path: Path) -> None:
    path = written(tmp_path, MINIMAL)
    profile = load_device_profile(path)
    assert profile == DeviceProfile(
        name="mine",
        description="a board",
        cores=2,
        isa="aarch64",
        ram_mb=256,
        int8="NEON",
        int8_basis="not stated",
        this_machine=False,
        variants=("onnx-int8",),
        threads=1,
        external_data=False,
        budgets=Budgets(None, None, None, 64, None),
        max_f1_loss_relative=0.10,
        basis=profile.basis,
        source=Path(path),
    )
    assert set(profile.basis.values()) == {"not stated"}


def test_a_whole_number_is_good_enough_for_milliseconds(tmp_path: Path) -> None:
    profile = load_device_profile(written(tmp_path, MINIMAL + "[budgets]\np95_ms = 20\n"))
    assert profile.budgets.p95_ms == 20.0 and isinstance(profile.budgets.p95_ms, float)


@pytest.mark.parametrize(
    ("text", "key", "told"),
    [
        (MINIMAL.replace("cores", "coers"), "device.coers", "cores"),
        ("nmae = 'x'\n" + MINIMAL, "nmae", "description"),
        (MINIMAL + "[budget]\np95_ms = 5\n", "budget", "budgets"),
        (MINIMAL + "[budgets]\np99_ms = 5\n", "budgets.p99_ms", "p95_ms"),
        (MINIMAL.replace("cores = 2", "cores = '2'"), "device.cores", "a whole number"),
        (MINIMAL.replace("cores = 2", "cores = true"), "device.cores", "a whole number"),
        (MINIMAL.replace("cores = 2", "cores = 2.5"), "device.cores", "a whole number"),
        (MINIMAL.replace("cores = 2", ""), "device.cores", "is missing"),
        (MINIMAL.replace('name = "mine"', ""), "name", "is missing"),
        (MINIMAL.replace('"mine"', '"../mine"'), "name", "lower-case"),
        (MINIMAL.replace('"a board"', '" "'), "description", "must not be empty"),
        (MINIMAL.replace('["onnx-int8"]', '["onnx-int7"]'), "run.variants", "onnx-static-int8"),
        (MINIMAL.replace('["onnx-int8"]', "[]"), "run.variants", "at least one"),
        (MINIMAL.replace('["onnx-int8"]', '["onnx-int8", "onnx-int8"]'), "run.variants", "once"),
        (MINIMAL.replace('["onnx-int8"]', "'onnx-int8'"), "run.variants", "a list"),
        (MINIMAL + "threads = 3\n", "run.threads", "3 threads on 2 cores"),
        (MINIMAL + "threads = 0\n", "run.threads", "at least 1"),
        (MINIMAL + "external_data = 1\n", "run.external_data", "true or false"),
        (MINIMAL + "[budgets]\ndownload_bytes = -1\n", "budgets.download_bytes", "at least 1"),
        (MINIMAL + "[budgets]\np95_ms = -3.0\n", "budgets.p95_ms", "0.001"),
        (MINIMAL + "[budgets]\np95_ms = nan\n", "budgets.p95_ms", "0.001"),
        (MINIMAL + "[budgets]\ncold_start_ms = inf\n", "budgets.cold_start_ms", "1e+07"),
        (MINIMAL + "[budgets]\np95_length = 100\n", "budgets.p95_length", "16, 32, 64, 128"),
        (MINIMAL + "[roofline]\nclock_ghz = -1.5\n", "roofline.clock_ghz", "from 0.01 to 20"),
        (MINIMAL + "[roofline]\nmemory_gb_s = nan\n", "roofline.memory_gb_s", "0.01"),
        (MINIMAL + "[roofline]\nclock = 1\n", "roofline.clock", "clock_ghz"),
        (MINIMAL.replace("ram_mb = 256", "ram_mb = 0"), "device.ram_mb", "at least 1"),
        (MINIMAL + "[calibration]\nschema = 1\n", "measured", "is missing"),
        (MINIMAL + "[quality]\nmax_f1_loss_relative = 10\n", "quality.max_f1_loss_relative", "from 0 to 1"),
        ("device = 3\n" + MINIMAL.split("[device]")[0], "device", "a table"),
    ],
)
def test_a_mistake_names_file_key_and_what_is_allowed(tmp_path: Path, text: str, key: str, told: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UserError) as caught:
        load_device_profile(path)
    assert caught.value.message.startswith(f"{path}: ")
    assert re.search(rf"{re.escape(key)}\b", caught.value.message)
    assert told in str(caught.value)


def test_a_calibrated_profile_must_run_with_threads_that_were_calibrated(tmp_path: Path) -> None:
    text = MINIMAL + toml(CALIBRATION.tables()) + "\n"
    profile = load_device_profile(written(tmp_path, text))
    assert profile.calibration == CALIBRATION and profile.fingerprint == CALIBRATION.origin.fingerprint
    four = text.replace("cores = 2", "cores = 4").replace('"onnx-int8"]', '"onnx-int8"]\nthreads = 4')
    with pytest.raises(UserError, match=r"run\.threads: was calibrated with 1, 2 threads, not with 4"):
        load_device_profile(written(tmp_path, four))


def test_a_device_is_called_what_a_folder_may_be_called() -> None:
    assert check_device_name("my-pi-4") == "my-pi-4"
    for name in ("", "My-Pi", "a/b", "pi--4", "pi_4"):
        with pytest.raises(UserError, match="cannot be called"):
            check_device_name(name)


def test_an_unknown_target_lists_the_choices() -> None:
    with pytest.raises(UserError, match=r"Unknown target 'rpi3'.*android-low.*rpi-zero2w.*web"):
        load_device_profile("rpi3")
    with pytest.raises(UserError, match=r"No target given.*cpu"):
        load_device_profile("")


def test_a_file_that_is_missing_or_not_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Cannot read .*nowhere\.toml"):
        load_device_profile(str(tmp_path / "nowhere.toml"))
    with pytest.raises(UserError, match=r"mine\.toml is not TOML.*line 1"):
        load_device_profile(written(tmp_path, "cores = \nname = 1"))
    (tmp_path / "mine.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(UserError, match=r"mine\.toml is not TOML"):
        load_device_profile(str(tmp_path / "mine.toml"))


def test_the_readme_lists_every_key_variant_and_file() -> None:
    readme = (PROFILES / "README.md").read_text(encoding="utf-8")
    fields = {field.name for kind in (DeviceProfile, Budgets, Roofline) for field in dataclasses.fields(kind)}
    for key in fields - {"budgets", "basis", "source", "roofline", "calibration"}:
        assert f"| `{key}` |" in readme, key
    for name in (*VARIANTS, *(f"{name}.toml" for name in SHIPPED)):
        assert f"`{name}`" in readme, name
