"""The ARM cores that QEMU plays, and what a board with such a core says of itself in /proc/cpuinfo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from export.runtime.errors import UserError

CORES = 4
_ARMV8 = "fp asimd evtstrm crc32 cpuid"
_ARMV8_2 = f"{_ARMV8} aes pmull sha1 sha2 atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp"


@dataclass(frozen=True)
class ArmCpu:
    """A core as `qemu-aarch64 -cpu` and as Linux on a board name it.

    Attributes:
        name: QEMU's.
        stands_for: the devices people have.
        part, variant, revision: of the main ID register, as /proc/cpuinfo shows them.
        features: its line of /proc/cpuinfo; onnxruntime and its cpuinfo library choose kernels by it.
    """

    name: str
    stands_for: str
    part: str
    variant: str
    revision: str
    features: str

    def cpuinfo(self) -> str:
        """/proc/cpuinfo of a board with four such cores."""
        fields = {
            "BogoMIPS": "38.40",
            "Features": self.features,
            "CPU implementer": "0x41",  # Arm Ltd
            "CPU architecture": "8",
            "CPU variant": self.variant,
            "CPU part": self.part,
            "CPU revision": self.revision,
        }
        lines = [f"{name}\t: {value}\n" for name, value in fields.items()]
        return "".join("".join([f"processor\t: {core}\n", *lines, "\n"]) for core in range(CORES))


# The boards' A53 and A72 have no cryptography extension. QEMU has a Neoverse N1 where the Raspberry Pi 5 has a
# Cortex-A76, the same design for phones: the cpuinfo is the Pi's, the instructions are those both have.
_KNOWN = (
    ArmCpu("cortex-a53", "Raspberry Pi Zero 2 W and 3, low-end phones", "0xd03", "0x0", "4", _ARMV8),
    ArmCpu("cortex-a72", "Raspberry Pi 4", "0xd08", "0x0", "3", _ARMV8),
    ArmCpu("neoverse-n1", "Raspberry Pi 5 (Cortex-A76)", "0xd0b", "0x4", "1", _ARMV8_2),
)
ARM_CPUS = {cpu.name: cpu for cpu in _KNOWN}
CPUS = tuple(ARM_CPUS)


def arm_cpus(names: Sequence[str]) -> tuple[ArmCpu, ...]:
    """The cores of these names, each once.

    Raises:
        UserError: a name is not among `CPUS`, or there is none.
    """
    unknown = [name for name in names if name not in ARM_CPUS]
    if unknown or not names:
        what = f"There is no emulated CPU {unknown[0]!a}." if unknown else "No CPU to emulate was named."
        raise UserError(what, f"Choose among {', '.join(CPUS)}.")
    return tuple(ARM_CPUS[name] for name in dict.fromkeys(names))
