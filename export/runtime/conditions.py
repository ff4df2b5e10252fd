"""What a machine is like while it is measured: temperature, clock, governor, throttling."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from .sensors import ask_firmware, read_line, read_number

# Types of thermal zones that are the CPU, the best first; each is matched from the beginning.
CPU_ZONES = (
    r"x86_pkg_temp", r"cpu[-_]?thermal", r"cpu", r"soc", r"package", r"big|little|cluster", r"mtktscpu", r"tsens",
)  # fmt: skip
PLAUSIBLE_C = (-60, 200)  # sensors that are off say 0 kelvin or the largest integer
# Bits of `vcgencmd get_throttled` as Raspberry Pi documents them; bit + 16 is the same "has occurred" since boot.
THROTTLED = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}
SINCE_BOOT = 16


@dataclass(frozen=True)
class Conditions:
    """A machine's state at one moment; None where it does not tell.

    Attributes:
        temperature_c: of the CPU, in degrees Celsius.
        frequency_mhz: clock now of each core this process may run on.
        frequency_max_mhz: the highest clock of the fastest of these cores.
        governor: what decides the clock; several joined by " + ".
        throttled: names of the bits that a Raspberry Pi's firmware has set, "… has occurred" for those since
            boot. Empty: nothing throttles. None: no Raspberry Pi.
    """

    temperature_c: float | None
    frequency_mhz: tuple[float, ...] | None
    frequency_max_mhz: float | None
    governor: str | None
    throttled: tuple[str, ...] | None


def read_conditions(sys: Path = Path("/sys"), vcgencmd: str = "vcgencmd") -> Conditions:
    """Read the conditions of this machine.

    Args:
        sys: where sysfs is mounted; absent outside Linux.
        vcgencmd: the program that asks a Raspberry Pi's firmware.
    """
    clocks = [sys / "devices" / "system" / "cpu" / f"cpu{core}" / "cpufreq" for core in _usable_cores()]
    now = _megahertz(clocks, "scaling_cur_freq")
    highest = _megahertz(clocks, "cpuinfo_max_freq")
    governors = filter(None, (read_line(clock / "scaling_governor") for clock in clocks))
    return Conditions(
        temperature_c=_temperature(sys / "class" / "thermal"),
        frequency_mhz=now or None,
        frequency_max_mhz=max(highest, default=None),
        governor=" + ".join(dict.fromkeys(governors)) or None,
        throttled=_throttled(ask_firmware(vcgencmd, "get_throttled")),
    )


def _usable_cores() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 0))


def _megahertz(clocks: list[Path], name: str) -> tuple[float, ...]:
    """A cpufreq file of every core that has it; the kernel counts in kHz and 0 is its "unknown"."""
    values = (read_number(clock / name) for clock in clocks)
    return tuple(value / 1000 for value in values if value)


def _temperature(thermal: Path) -> float | None:
    """The hottest zone of the CPU; where no zone is known to be the CPU, the hottest of all."""
    found: list[tuple[int, float]] = []
    for zone in thermal.glob("thermal_zone*"):
        millidegrees = read_number(zone / "temp")
        if millidegrees is None or not PLAUSIBLE_C[0] < millidegrees / 1000 < PLAUSIBLE_C[1]:
            continue
        kind = (read_line(zone / "type") or "").lower()
        rank = next((rank for rank, pattern in enumerate(CPU_ZONES) if re.match(pattern, kind)), len(CPU_ZONES))
        found.append((rank, millidegrees / 1000))
    best = min((rank for rank, _ in found), default=None)
    return max((celsius for rank, celsius in found if rank == best), default=None)


def _throttled(answer: str | None) -> tuple[str, ...] | None:
    match = re.search(r"throttled=0x([0-9a-fA-F]+)", answer or "")
    if match is None:
        return None
    bits = int(match[1], 16)
    return tuple(_bit_name(bit) for bit in range(bits.bit_length()) if bits >> bit & 1)


def _bit_name(bit: int) -> str:
    if bit in THROTTLED:
        return THROTTLED[bit]
    if bit - SINCE_BOOT in THROTTLED:
        return f"{THROTTLED[bit - SINCE_BOOT]} has occurred"
    return f"bit {bit}"
