"""Which machine this is: what a measurement must carry to mean anything elsewhere."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

# Instruction sets that decide which int8 kernels onnxruntime picks, in /proc/cpuinfo's spelling.
RELEVANT_FLAGS = (
    "sse4_2", "avx", "avx2", "f16c", "fma",
    "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16",
    "asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2",
)  # fmt: skip
# 64-bit ARM kernels give the core's part number, not its name (Arm Ltd's main ID register values).
ARM_PARTS = {
    "0xd03": "Cortex-A53", "0xd04": "Cortex-A35", "0xd05": "Cortex-A55", "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72", "0xd09": "Cortex-A73", "0xd0a": "Cortex-A75", "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1", "0xd0d": "Cortex-A77", "0xd40": "Neoverse-V1", "0xd41": "Cortex-A78",
    "0xd49": "Neoverse-N2",
}  # fmt: skip
PACKAGES = {
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "numpy": ("numpy",),
    "tokenizers": ("tokenizers",),
}


@dataclass(frozen=True)
class Machine:
    """A machine and the software a measurement ran on; None where it does not tell, or where there is none.

    Attributes:
        board: product name of a single-board computer or a phone, for instance "Raspberry Pi 5 Model B Rev 1.0".
        cpu: model name; several core types of one chip joined by " + ".
        architecture: of a phone whose browser does not tell, that of the browser's programs: wasm32.
        flags: those of RELEVANT_FLAGS that the CPU has; None where the machine does not list its flags.
        cores: cores this process may run on.
        ram: bytes of main memory.
    """

    board: str | None
    cpu: str | None
    architecture: str
    flags: tuple[str, ...] | None
    cores: int | None
    ram: int | None
    os: str
    kernel: str | None
    python: str | None
    onnxruntime: str | None
    numpy: str | None
    tokenizers: str | None


def describe_machine(proc: Path = Path("/proc")) -> Machine:
    """Describe the machine this process runs on.

    Args:
        proc: where the process file system is mounted; absent outside Linux.
    """
    cpuinfo = _read(proc / "cpuinfo")
    board = _read(proc / "device-tree" / "model")
    return Machine(
        board=board.strip("\0\n ") if board else None,
        cpu=_cpu_name(cpuinfo),
        architecture=platform.machine(),
        flags=_cpu_flags(cpuinfo),
        cores=_usable_cores(),
        ram=_ram(_read(proc / "meminfo")),
        os=_os_name(),
        kernel=platform.release(),
        python=platform.python_version(),
        onnxruntime=package_version("onnxruntime"),
        numpy=package_version("numpy"),
        tokenizers=package_version("tokenizers"),
    )


def machine_fingerprint(machine: Machine | None = None) -> str:
    """sha256 (hex) of what decides speed: CPU model, its flags and onnxruntime's version.

    It belongs in the cache key of every measurement, beside the thread setting, so that a copied cache
    never reports another machine's milliseconds.
    """
    machine = machine or describe_machine()
    identity = {"cpu": machine.cpu, "flags": machine.flags, "onnxruntime": machine.onnxruntime}
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def package_version(package: str) -> str | None:
    """The installed version of one of PACKAGES, without importing it; None where it is not installed."""
    for distribution in PACKAGES[package]:
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _values(text: str, key: str) -> list[str]:
    """The distinct values of `key` in "key : value" lines, in order."""
    pairs = (line.partition(":") for line in text.splitlines())
    return list(dict.fromkeys(value.strip() for name, _, value in pairs if name.strip() == key and value.strip()))


def _cpu_name(cpuinfo: str | None) -> str | None:
    if cpuinfo:
        if names := _values(cpuinfo, "model name"):
            return " + ".join(names)
        if parts := _values(cpuinfo, "CPU part"):
            return " + ".join(ARM_PARTS.get(part, f"ARM part {part}") for part in parts)
    if sys.platform == "darwin":
        return _sysctl("machdep.cpu.brand_string")
    return platform.processor() or None


def _cpu_flags(cpuinfo: str | None) -> tuple[str, ...] | None:
    if not cpuinfo:
        return None
    listed = _values(cpuinfo, "flags") or _values(cpuinfo, "Features")
    if not listed:
        return None
    # On a chip with two kinds of cores only what every core has can be relied upon.
    common = set.intersection(*(set(flags.split()) for flags in listed))
    return tuple(flag for flag in RELEVANT_FLAGS if flag in common)


def _usable_cores() -> int | None:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _ram(meminfo: str | None) -> int | None:
    if meminfo and (values := _values(meminfo, "MemTotal")):
        return int(values[0].split()[0]) * 1024
    if sys.platform == "darwin" and (size := _sysctl("hw.memsize")):
        return int(size)
    return None


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return f"{platform.system()} {platform.mac_ver()[0]}".strip()


def _sysctl(name: str) -> str | None:
    try:
        done = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
