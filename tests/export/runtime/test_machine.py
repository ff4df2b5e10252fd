from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from export.runtime import machine as machine_module
from export.runtime.machine import describe_machine, machine_fingerprint

PI5 = """processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm aes crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer\t: 0x41
CPU part\t: 0xd0b

processor\t: 1
Features\t: fp asimd evtstrm aes crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU part\t: 0xd0b
"""
LAPTOP = """processor\t: 0
model name\t: Some CPU @ 2.00GHz
flags\t\t: fpu sse4_2 avx avx2 fma avx512_vnni
processor\t: 1
model name\t: Some CPU @ 2.00GHz
flags\t\t: fpu sse4_2 avx avx2 fma avx512_vnni
"""


def proc(folder: Path, cpuinfo: str) -> Path:
    (folder / "cpuinfo").write_text(cpuinfo)
    (folder / "meminfo").write_text("MemTotal:        8245624 kB\nMemFree: 1 kB\n")
    return folder


def test_a_raspberry_pi_is_named_from_part_number_and_device_tree(tmp_path: Path) -> None:
    (tmp_path / "device-tree").mkdir()
    (tmp_path / "device-tree" / "model").write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
    machine = describe_machine(proc(tmp_path, PI5))
    assert machine.board == "Raspberry Pi 5 Model B Rev 1.0"
    assert machine.cpu == "Cortex-A76"
    assert machine.flags == ("asimd", "asimdhp", "asimddp")
    assert machine.ram == 8245624 * 1024


def test_a_flag_that_only_some_cores_have_does_not_count(tmp_path: Path) -> None:
    mixed = PI5.replace("dcpop asimddp\nCPU impl", "dcpop\nCPU impl").replace("0xd0b\n\n", "0xd05\n\n")
    machine = describe_machine(proc(tmp_path, mixed))
    assert machine.cpu == "Cortex-A55 + Cortex-A76"
    assert machine.flags == ("asimd", "asimdhp")


def test_an_unknown_arm_part_keeps_its_number(tmp_path: Path) -> None:
    assert describe_machine(proc(tmp_path, PI5.replace("0xd0b", "0xfff"))).cpu == "ARM part 0xfff"


def test_a_laptop_is_named_by_its_model_name(tmp_path: Path) -> None:
    machine = describe_machine(proc(tmp_path, LAPTOP))
    assert machine.board is None
    assert machine.cpu == "Some CPU @ 2.00GHz"
    assert machine.flags == ("sse4_2", "avx", "avx2", "fma", "avx512_vnni")


def test_what_a_machine_without_proc_cannot_tell_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_module.platform, "processor", lambda: "")
    machine = describe_machine(tmp_path / "absent")
    assert (machine.board, machine.cpu, machine.flags, machine.ram) == (None, None, None, None)
    assert machine.python and machine.os and machine.architecture


def test_a_mac_is_asked_by_sysctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"machdep.cpu.brand_string": "Apple M9\n", "hw.memsize": "17179869184\n"}

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 0, stdout=answers[command[-1]])

    monkeypatch.setattr(machine_module.sys, "platform", "darwin")
    monkeypatch.setattr(machine_module.subprocess, "run", run)
    machine = describe_machine(tmp_path / "absent")
    assert (machine.cpu, machine.ram) == ("Apple M9", 16 << 30)


def test_fingerprint_changes_with_flags_and_runtime_and_not_with_ram(tmp_path: Path) -> None:
    machine = describe_machine(proc(tmp_path, LAPTOP))
    own = machine_fingerprint(machine)
    assert len(own) == 64
    assert machine_fingerprint(dataclasses.replace(machine, ram=1, kernel="other", numpy="0")) == own
    for change in ({"flags": ("avx",)}, {"onnxruntime": "1.21.0"}, {"cpu": "Other CPU"}):
        assert machine_fingerprint(dataclasses.replace(machine, **change)) != own


def test_describing_the_machine_imports_no_heavy_package() -> None:
    code = (
        "import sys; from export.runtime.machine import describe_machine, machine_fingerprint\n"
        "machine_fingerprint(); assert describe_machine().onnxruntime\n"
        "assert not {'torch', 'onnxruntime', 'numpy', 'tokenizers'} & set(sys.modules), 'imported'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
