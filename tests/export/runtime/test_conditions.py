from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from export.runtime import conditions as conditions_module
from export.runtime.conditions import Conditions, read_conditions

Sysfs = Callable[[Mapping[str, object]], Path]
Vcgencmd = Callable[[str], str]


@pytest.fixture
def sysfs(tmp_path: Path) -> Sysfs:
    """Writes files of a made-up sysfs; returns where it is."""

    def write(files: Mapping[str, object]) -> Path:
        for name, value in files.items():
            path = tmp_path / "sys" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{value}\n")
        return tmp_path / "sys"

    return write


@pytest.fixture
def vcgencmd(tmp_path: Path) -> Vcgencmd:
    """Writes a program that answers like the firmware of a Raspberry Pi; returns its path."""

    def write(body: str) -> str:
        program = tmp_path / "vcgencmd"
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
        return str(program)

    return write


def zones(*kinds: tuple[str, int]) -> dict[str, object]:
    files: dict[str, object] = {}
    for number, (kind, millidegrees) in enumerate(kinds):
        zone = f"class/thermal/thermal_zone{number}"
        files |= {f"{zone}/type": kind, f"{zone}/temp": millidegrees}
    return files


@pytest.mark.parametrize(
    ("kinds", "celsius"),
    [
        ([("cpu-thermal", 52_300)], 52.3),  # Raspberry Pi
        ([("acpitz", 90_000), ("x86_pkg_temp", 61_000), ("iwlwifi_1", 70_000)], 61.0),
        ([("gpu-thermal", 80_000), ("cpu0-thermal", 50_000), ("cpu1-thermal", 55_000)], 55.0),
        ([("battery", 30_000), ("soc_max", 48_000)], 48.0),
        ([("acpitz", 27_800), ("unknown", 41_000)], 41.0),
        ([("cpu-thermal", -274_000), ("acpitz", 27_800)], 27.8),
        ([("cpu-thermal", -274_000)], None),
    ],
)
def test_the_temperature_is_that_of_the_cpu_else_the_hottest(
    sysfs: Sysfs, kinds: list[tuple[str, int]], celsius: float | None
) -> None:
    assert read_conditions(sysfs(zones(*kinds)), "absent").temperature_c == celsius


def test_a_zone_that_cannot_be_read_is_passed_over(sysfs: Sysfs) -> None:
    files = zones(("cpu-thermal", 1), ("soc-thermal", 45_000)) | {"class/thermal/thermal_zone0/temp": "N/A"}
    assert read_conditions(sysfs(files), "absent").temperature_c == 45.0


def test_clocks_are_those_of_the_cores_this_process_may_use(sysfs: Sysfs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {2, 0}, raising=False)
    files: dict[str, object] = {}
    for core, (now, highest, governor) in enumerate(
        [(600_000, 1_800_000, "ondemand"), (1, 9_000_000, "powersave"), (1_500_000, 2_400_000, "ondemand")]
    ):
        clock = f"devices/system/cpu/cpu{core}/cpufreq"
        files |= {f"{clock}/scaling_cur_freq": now, f"{clock}/cpuinfo_max_freq": highest}
        files |= {f"{clock}/scaling_governor": governor}
    found = read_conditions(sysfs(files), "absent")
    assert (found.frequency_mhz, found.frequency_max_mhz, found.governor) == ((600.0, 1500.0), 2400.0, "ondemand")
    found = read_conditions(sysfs({"devices/system/cpu/cpu2/cpufreq/scaling_governor": "performance"}), "absent")
    assert found.governor == "ondemand + performance"


def test_where_cores_cannot_be_chosen_all_count(sysfs: Sysfs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(conditions_module.os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(conditions_module.os, "cpu_count", lambda: 2)
    files = {f"devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq": 1_000_000 for core in range(3)}
    assert read_conditions(sysfs(files), "absent").frequency_mhz == (1000.0, 1000.0)


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        ("throttled=0x0", ()),
        ("throttled=0x50005", ("under-voltage", "throttled", "under-voltage has occurred", "throttled has occurred")),
        ("throttled=0xa000a", (
            "frequency capped", "soft temperature limit",
            "frequency capped has occurred", "soft temperature limit has occurred",
        )),
        ("throttled=0x100010", ("bit 4", "bit 20")),
        ("error=1 error_msg=\"Command not registered\"", None),
    ],
)  # fmt: skip
def test_throttling_is_told_by_the_names_raspberry_pi_gives_its_bits(
    tmp_path: Path, vcgencmd: Vcgencmd, answer: str, names: tuple[str, ...] | None
) -> None:
    program = vcgencmd(f"[ \"$*\" = get_throttled ] && echo '{answer}'")
    assert read_conditions(tmp_path / "absent", program).throttled == names


def test_firmware_that_may_not_be_asked_says_nothing(tmp_path: Path, vcgencmd: Vcgencmd) -> None:
    assert read_conditions(tmp_path / "absent", vcgencmd("echo throttled=0x0; exit 255")).throttled is None
    program = Path(vcgencmd("echo throttled=0x0"))
    program.chmod(0o644)
    assert read_conditions(tmp_path / "absent", str(program)).throttled is None


def test_a_machine_that_tells_nothing_has_no_conditions(tmp_path: Path) -> None:
    assert read_conditions(tmp_path / "absent", "absent") == Conditions(None, None, None, None, None)


def test_this_machine_can_be_asked() -> None:
    found = read_conditions()
    assert found.temperature_c is None or -60 < found.temperature_c < 200
    assert found.frequency_mhz is None or all(clock > 0 for clock in found.frequency_mhz)
