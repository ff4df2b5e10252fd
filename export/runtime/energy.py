"""Energy used between two moments, from whatever meter the machine lets this user read."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .sensors import ask_firmware, read_line, read_number

Reading = tuple[float, ...]
Read = Callable[[], Reading | None]
Step = Callable[[Reading, Reading, float], float]

POWER_INTERVAL = 1.0  # seconds between samples of power, which are integrated
COUNTER_INTERVAL = 60.0  # a package at 250 W wraps its counter in about a quarter of an hour
MICRO = 1e-6
BOARD_METERS = "ina"  # Texas Instruments' power monitors, soldered or plugged in to meter a board


@dataclass(frozen=True)
class Energy:
    """Energy used over a span of time by everything the meter sees, not by one process.

    Attributes:
        meter: what was read, for instance "RAPL package-0".
        scope: what it sees: "package" (the CPU with its caches), "board", or "battery" (the whole device).
    """

    joules: float
    seconds: float
    meter: str
    scope: str


class Meter:
    """A meter that can be read now: `start`, let the work run, `stop`. Can be started again."""

    def __init__(self, name: str, scope: str, read: Read, step: Step, interval: float) -> None:
        """Put a meter together; `open_meter` finds the one this machine has.

        Args:
            name, scope: as in Energy.
            read: what the meter shows now, None when it cannot be read.
            step: joules between two readings that lie the given seconds apart.
            interval: seconds between readings.
        """
        self.name = name
        self.scope = scope
        self._read = read
        self._step = step
        self._interval = interval
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to count; reads the meter from a thread until `stop`."""
        self._stopped.clear()
        self._joules = 0.0
        self._began = self._last_time = time.perf_counter()
        self._last = self._read()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def stop(self) -> Energy | None:
        """The energy since `start`; None if any reading failed or the meter did not move."""
        if self._thread is None:
            return None
        self._stopped.set()
        self._thread.join()
        self._thread = None
        self._advance()
        if self._last is None or not 0 < self._joules < math.inf:
            return None
        return Energy(self._joules, self._last_time - self._began, self.name, self.scope)

    def _sample(self) -> None:
        while not self._stopped.wait(self._interval):
            self._advance()

    def _advance(self) -> None:
        if self._last is None:  # a hole in the readings is not guessed over
            return
        reading, now = self._read(), time.perf_counter()
        if reading is not None:
            self._joules += self._step(self._last, reading, now - self._last_time)
        self._last, self._last_time = reading, now


def open_meter(sys: Path = Path("/sys"), vcgencmd: str = "vcgencmd") -> Meter | None:
    """The first meter that can be read: RAPL, an INA2xx power monitor, a Pi 5's PMIC, a battery in use.

    RAPL follows the kernel's `Documentation/power/powercap/powercap.rst`; since 2020 only root may read it. A
    Pi 5's PMIC meters the rails it makes: USB devices and its own losses are not in it.

    Args:
        sys: where sysfs is mounted; absent outside Linux.
        vcgencmd: the program that asks a Raspberry Pi's firmware.
    """
    return _rapl(sys) or _power_monitor(sys) or _pmic(vcgencmd) or _battery(sys)


def _if_readable(name: str, scope: str, read: Read, step: Step, interval: float) -> Meter | None:
    return Meter(name, scope, read, step, interval) if read() is not None else None


def _rapl(sys: Path) -> Meter | None:
    """Counters of all CPU packages, in microjoules; each wraps at a range of its own."""
    names = {
        zone: read_line(zone / "name") or "" for zone in sorted((sys / "class" / "powercap").glob("intel-rapl:*"))
    }
    zones = [zone for zone, name in names.items() if name.startswith("package")]  # AMD's are called intel-rapl too
    step = _counted([read_number(zone / "max_energy_range_uj") or math.inf for zone in zones])
    name = "RAPL " + " + ".join(names[zone] for zone in zones)
    return _if_readable(name, "package", _all_of([zone / "energy_uj" for zone in zones]), step, COUNTER_INTERVAL)


def _power_monitor(sys: Path) -> Meter | None:
    """The first INA2xx of hwmon: its energy counter (microjoules), else its power (microwatts)."""
    for chip in sorted((sys / "class" / "hwmon").glob("hwmon*")):
        name = read_line(chip / "name") or ""
        if not name.startswith(BOARD_METERS):
            continue
        counter, power = _all_of([chip / "energy1_input"]), _all_of([chip / "power1_input"])
        meter = _if_readable(f"{name} energy", "board", counter, _counted([math.inf]), COUNTER_INTERVAL)
        meter = meter or _if_readable(f"{name} power", "board", power, _integrated(MICRO), POWER_INTERVAL)
        if meter:
            return meter
    return None


def _pmic(vcgencmd: str) -> Meter | None:
    """The sum of volts × amperes over the rails of a Pi 5's power management chip."""

    def read() -> Reading | None:
        answer = ask_firmware(vcgencmd, "pmic_read_adc") or ""
        # For instance "VDD_CORE_A current(7)=0.62764000A" and "VDD_CORE_V volt(15)=0.87543210V".
        amperes = dict(re.findall(r"(\w+)_A current\(\d+\)=(\d+\.?\d*)A", answer))
        volts = dict(re.findall(r"(\w+)_V volt\(\d+\)=(\d+\.?\d*)V", answer))
        rails = amperes.keys() & volts.keys()
        return (sum(float(amperes[rail]) * float(volts[rail]) for rail in rails),) if rails else None

    return _if_readable("Pi 5 PMIC rails", "board", read, _integrated(1.0), POWER_INTERVAL)


def _battery(sys: Path) -> Meter | None:
    """What the device's batteries give, while they discharge and none is charged.

    Battery chips average over seconds up to half a minute: for runs of minutes, not of seconds.
    """
    supplies = [
        supply
        for supply in sorted((sys / "class" / "power_supply").glob("*"))
        # A mouse or a headset reports its battery here too, as scope "Device".
        if read_line(supply / "type") == "Battery" and read_line(supply / "scope") != "Device"
    ]

    def read() -> Reading | None:
        states = {supply: read_line(supply / "status") for supply in supplies}
        if "Charging" in states.values():
            return None
        watts = [_battery_watts(supply) for supply, state in states.items() if state == "Discharging"]
        known = [value for value in watts if value is not None]
        return (sum(known),) if known and len(known) == len(watts) else None

    name = "battery " + " + ".join(supply.name for supply in supplies)
    return _if_readable(name, "battery", read, _integrated(1.0), POWER_INTERVAL)


def _battery_watts(supply: Path) -> float | None:
    power = read_number(supply / "power_now")
    if power is not None:
        return abs(power) * MICRO
    current, voltage = read_number(supply / "current_now"), read_number(supply / "voltage_now")
    if current is None or voltage is None:
        return None
    return abs(current * MICRO) * voltage * MICRO  # some drivers count a discharge as negative


def _all_of(files: list[Path]) -> Read:
    """Reads all of the files; None as soon as one cannot be read, or there is none."""

    def read() -> Reading | None:
        values = [read_number(file) for file in files]
        known = tuple(float(value) for value in values if value is not None)
        return known if known and len(known) == len(files) else None

    return read


def _counted(ranges: list[float]) -> Step:
    """Joules between two readings of counters of microjoules that start again at zero at these ranges."""

    def step(before: Reading, after: Reading, seconds: float) -> float:
        moved = (b - a if b >= a else b - a + top for a, b, top in zip(before, after, ranges, strict=True))
        return sum(moved) * MICRO

    return step


def _integrated(unit: float) -> Step:
    """Joules by the trapezoidal rule from readings of power in watts × `unit`."""

    def step(before: Reading, after: Reading, seconds: float) -> float:
        return (before[0] + after[0]) / 2 * unit * seconds

    return step
