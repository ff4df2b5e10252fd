from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from export.runtime import energy as energy_module
from export.runtime.energy import Energy, open_meter

Write = Callable[[Mapping[str, object]], Path]
RAPL = "class/powercap/intel-rapl:0"
INA = "class/hwmon/hwmon3"
BATTERY = "class/power_supply/BAT0"


@pytest.fixture(autouse=True)
def _sampled_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy_module, "POWER_INTERVAL", 0.01)
    monkeypatch.setattr(energy_module, "COUNTER_INTERVAL", 0.01)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes files of a made-up sysfs; returns where it is."""

    def files(values: Mapping[str, object]) -> Path:
        for name, value in values.items():
            path = tmp_path / "sys" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            aside = path.with_name("aside")  # a sampling thread must never see a file half-written
            aside.write_text(f"{value}\n")
            aside.replace(path)
        return tmp_path / "sys"

    return files


def measured(sys: Path, work: Callable[[], object], vcgencmd: str = "absent") -> Energy | None:
    meter = open_meter(sys, vcgencmd)
    assert meter is not None
    meter.start()
    work()
    return meter.stop()


def test_rapl_counts_the_packages_and_not_their_parts(write: Write) -> None:
    sys = write({f"{RAPL}/name": "package-0", f"{RAPL}/energy_uj": 1_000_000})
    write({"class/powercap/intel-rapl:1/name": "package-1", "class/powercap/intel-rapl:1/energy_uj": 5_000_000})
    write({"class/powercap/intel-rapl:0:0/name": "core", "class/powercap/intel-rapl:0:0/energy_uj": 7})
    write({"class/powercap/intel-rapl-mmio:0/name": "package-0", "class/powercap/intel-rapl-mmio:0/energy_uj": 7})

    def work() -> None:
        write({f"{RAPL}/energy_uj": 3_500_000, "class/powercap/intel-rapl:1/energy_uj": 5_250_000})
        write({"class/powercap/intel-rapl-mmio:0/energy_uj": 999_999_999})

    energy = measured(sys, work)
    assert energy is not None
    assert energy.joules == pytest.approx(2.75)
    assert (energy.meter, energy.scope) == ("RAPL package-0 + package-1", "package")
    assert 0 < energy.seconds < 5


def test_a_rapl_counter_wraps_as_often_as_it_likes(write: Write) -> None:
    sys = write(
        {f"{RAPL}/name": "package-0", f"{RAPL}/max_energy_range_uj": 10_000_000, f"{RAPL}/energy_uj": 9_000_000}
    )

    def work() -> None:
        for counter in (1_000_000, 9_500_000, 500_000):
            time.sleep(0.1)
            write({f"{RAPL}/energy_uj": counter})

    energy = measured(sys, work)
    assert energy is not None
    assert energy.joules == pytest.approx(2.0 + 8.5 + 1.0)


def test_a_counter_that_wraps_at_an_unknown_range_is_no_energy(write: Write) -> None:
    sys = write({f"{RAPL}/name": "package-0", f"{RAPL}/energy_uj": 9_000_000})
    assert measured(sys, lambda: write({f"{RAPL}/energy_uj": 1})) is None


def test_a_meter_that_does_not_move_is_no_energy_rather_than_zero(write: Write) -> None:
    sys = write({f"{RAPL}/name": "package-0", f"{RAPL}/energy_uj": 9_000_000})
    assert measured(sys, lambda: None) is None


def test_rapl_that_only_root_may_read_is_no_meter(write: Write) -> None:
    sys = write({f"{RAPL}/name": "package-0"})
    (sys / RAPL / "energy_uj").mkdir()  # unreadable for root too
    assert open_meter(sys, "absent") is None


def test_a_reading_that_fails_in_between_spoils_the_energy(write: Write) -> None:
    sys = write({f"{INA}/name": "ina219", f"{INA}/power1_input": 2_000_000})

    def work() -> None:
        (sys / INA / "power1_input").unlink()
        time.sleep(0.1)
        write({f"{INA}/power1_input": 2_000_000})

    assert measured(sys, work) is None


def test_power_is_integrated_over_time(write: Write) -> None:
    sys = write({"class/hwmon/hwmon0/name": "coretemp", "class/hwmon/hwmon0/power1_input": 9})
    write({f"{INA}/name": "ina219", f"{INA}/power1_input": 2_000_000})

    def work() -> None:
        time.sleep(0.15)
        write({f"{INA}/power1_input": 6_000_000})
        time.sleep(0.3)

    energy = measured(sys, work)
    assert energy is not None
    assert (energy.meter, energy.scope) == ("ina219 power", "board")
    assert 2.0 < energy.joules / energy.seconds < 6.0
    assert energy.joules / energy.seconds == pytest.approx((2 * 0.15 + 6 * 0.3) / 0.45, rel=0.2)


def test_a_power_monitor_that_counts_energy_is_asked_for_that(write: Write) -> None:
    sys = write({f"{INA}/name": "ina228", f"{INA}/power1_input": 2_000_000, f"{INA}/energy1_input": 500_000})
    energy = measured(sys, lambda: write({f"{INA}/energy1_input": 750_000}))
    assert energy is not None
    assert (energy.joules, energy.meter) == (pytest.approx(0.25), "ina228 energy")


def test_a_power_monitor_without_readings_is_passed_over(write: Write) -> None:
    sys = write({f"{INA}/name": "ina3221"})
    write({"class/hwmon/hwmon4/name": "ina260", "class/hwmon/hwmon4/power1_input": 1_000_000})
    meter = open_meter(sys, "absent")
    assert meter is not None
    assert meter.name == "ina260 power"


def firmware(folder: Path, *lines: str) -> str:
    program = folder / "vcgencmd"
    rails = "\n".join(f"echo '     {line}'" for line in lines)
    program.write_text(f'#!/bin/sh\n[ "$*" = pmic_read_adc ] || exit 1\n{rails}\n')
    program.chmod(0o755)
    return str(program)


def test_a_pi_5_is_metered_over_the_rails_of_its_pmic(tmp_path: Path) -> None:
    program = firmware(
        tmp_path,
        "VDD_CORE_A current(7)=2.00000000A",
        "3V3_SYS_A current(1)=0.50000000A",
        "VDD_CORE_V volt(15)=0.90000000V",
        "3V3_SYS_V volt(9)=3.20000000V",
        "EXT5V_V volt(24)=5.09120000V",
    )
    energy = measured(tmp_path / "absent", lambda: time.sleep(0.05), program)
    assert energy is not None
    assert energy.joules / energy.seconds == pytest.approx(2.0 * 0.9 + 0.5 * 3.2)
    assert (energy.meter, energy.scope) == ("Pi 5 PMIC rails", "board")


def test_a_pi_without_such_a_pmic_has_no_meter(tmp_path: Path) -> None:
    assert open_meter(tmp_path / "absent", firmware(tmp_path, "error=1 error_msg=Command not registered")) is None


def test_a_battery_counts_while_it_discharges(write: Write) -> None:
    sys = write({f"{BATTERY}/type": "Battery", f"{BATTERY}/status": "Discharging", f"{BATTERY}/power_now": 7_500_000})
    write({"class/power_supply/AC/type": "Mains", "class/power_supply/AC/power_now": 1})
    mouse = "class/power_supply/hid-mouse"
    write({f"{mouse}/type": "Battery", f"{mouse}/scope": "Device", f"{mouse}/status": "Charging"})
    energy = measured(sys, lambda: time.sleep(0.05))
    assert energy is not None
    assert energy.joules / energy.seconds == pytest.approx(7.5)
    assert (energy.meter, energy.scope) == ("battery BAT0", "battery")


def test_a_battery_without_power_tells_current_and_voltage(write: Write) -> None:
    sys = write({f"{BATTERY}/type": "Battery", f"{BATTERY}/status": "Discharging"})
    write({f"{BATTERY}/current_now": -1_500_000, f"{BATTERY}/voltage_now": 4_000_000})
    energy = measured(sys, lambda: time.sleep(0.05))
    assert energy is not None
    assert energy.joules / energy.seconds == pytest.approx(6.0)


def test_of_two_batteries_the_idle_one_does_not_matter(write: Write) -> None:
    sys = write({f"{BATTERY}/type": "Battery", f"{BATTERY}/status": "Not charging"})
    other = "class/power_supply/BAT1"
    write({f"{other}/type": "Battery", f"{other}/status": "Discharging", f"{other}/power_now": 5_000_000})
    energy = measured(sys, lambda: time.sleep(0.05))
    assert energy is not None
    assert energy.joules / energy.seconds == pytest.approx(5.0)


@pytest.mark.parametrize("status", ["Charging", "Full", "Not charging"])
def test_a_battery_that_is_not_used_is_no_meter(write: Write, status: str) -> None:
    sys = write({f"{BATTERY}/type": "Battery", f"{BATTERY}/status": status, f"{BATTERY}/power_now": 7_500_000})
    assert open_meter(sys, "absent") is None


def test_a_battery_that_tells_no_power_is_no_meter(write: Write) -> None:
    sys = write(
        {f"{BATTERY}/type": "Battery", f"{BATTERY}/status": "Discharging", f"{BATTERY}/voltage_now": 4_000_000}
    )
    assert open_meter(sys, "absent") is None


def test_plugging_in_spoils_the_energy_of_a_battery(write: Write) -> None:
    sys = write({f"{BATTERY}/type": "Battery", f"{BATTERY}/status": "Discharging", f"{BATTERY}/power_now": 7_500_000})
    assert measured(sys, lambda: write({f"{BATTERY}/status": "Charging"})) is None


def test_a_meter_starts_again_from_zero(write: Write) -> None:
    sys = write({f"{RAPL}/name": "package-0", f"{RAPL}/energy_uj": 0})
    meter = open_meter(sys, "absent")
    assert meter is not None
    assert meter.stop() is None
    for counter in (4_000_000, 5_000_000):
        meter.start()
        write({f"{RAPL}/energy_uj": counter})
        energy = meter.stop()
    assert energy is not None
    assert energy.joules == pytest.approx(1.0)
    assert meter.stop() is None


def test_a_machine_without_meters_has_none(tmp_path: Path) -> None:
    assert open_meter(tmp_path / "absent", "absent") is None
