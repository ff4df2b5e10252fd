"""`make calibrate-device`: measures a device and writes its profile, from which latency there is predicted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from calibration.device.calibrate import Calibrated, Run, calibrate
from calibration.device.plan import PLAN
from calibration.device.record import TABLES, WRITTEN_BY, toml, written_here
from export.atomic import write_text_atomic
from export.runtime.errors import UserError
from export.runtime.machine import Machine
from toolkit.device_profile import (
    PROFILES,
    DeviceProfile,
    check_device_name,
    load_device_profile,
    parse_device_profile,
    read_tables,
)

ROOT = Path(__file__).resolve().parents[2]
RESULT = "result.json"
Progress = Callable[[int, str], None]
"""Called with (percent done, what comes next)."""
KEPT = ("description", "run", "budgets", "quality", "basis", "roofline")  # what users write into a profile of ours
# Part of a board's name -> the shipped profile whose budgets suit it.
NEAREST = (("Raspberry Pi Zero 2", "rpi-zero2w"), ("Raspberry Pi 3", "rpi-zero2w"), ("Raspberry Pi 4", "rpi4"),
           ("Compute Module 4", "rpi4"), ("Raspberry Pi 5", "rpi5"), ("Compute Module 5", "rpi5"))  # fmt: skip
ONNX_VARIANTS = ["onnx-int8", "onnx-static-int8", "onnx-fp32"]
# The best that a processor has -> how profiles say it; in /proc/cpuinfo's spelling, the first that fits.
INT8 = {
    "amx_int8": "AMX", "avx512_vnni": "AVX512-VNNI", "avx_vnni": "AVX-VNNI", "avx2": "AVX2, no VNNI",
    "i8mm": "int8 matrix products (i8mm)", "asimddp": "dot product (SDOT/UDOT)", "asimd": "NEON only, no dot product",
}  # fmt: skip


@dataclass(frozen=True)
class CalibratedDevice:
    """A profile written, and what it was made from."""

    path: Path
    profile: DeviceProfile
    calibrated: Calibrated


def calibrate_device(
    name: str,
    run: Run,
    profiles: Path = PROFILES,
    like: str | None = None,
    overwrite: bool = False,
    **changes: Any,
) -> CalibratedDevice:
    """Measure a device and write `profiles`/NAME.toml.

    A profile that an earlier calibration wrote keeps its description, budgets and what else users write into it;
    its threads are chosen anew.

    Args:
        name: how the device is called; lower-case letters, digits and hyphens.
        run: carries a plan out on the device: `run_here`, or over ssh.
        like: target whose budgets to take; None looks for the nearest shipped one, and takes none where there is
            no near one.
        overwrite: also a profile that no calibration wrote.
        changes: as for calibration.device.calibrate.calibrate.

    Raises:
        UserError: a bad name, a profile of that name that was not written here, or the device fails.
    """
    path = profiles / f"{check_device_name(name)}.toml"
    kept = _kept(path, overwrite)
    template = load_device_profile(like) if like else None
    calibrated = calibrate(run, **changes)
    template = template or _nearest(calibrated.result.machine)
    tables = _tables(name, calibrated, template) | kept
    tables["run"] = {**tables["run"], "threads": calibrated.threads}
    head = f"# Written by `{WRITTEN_BY}`. Budgets are yours to change; calibrating again keeps them."
    text = f"{head}\n{toml({**tables, **calibrated.calibration.tables()})}\n"
    profile = parse_device_profile(path, tomllib.loads(text))
    write_text_atomic(path, text)
    return CalibratedDevice(path, profile, calibrated)


def run_here(progress: Progress | None = None, timeout: float = 3600.0) -> Run:
    """Carries plans out on this machine, in a process of its own as on any device.

    Args:
        progress: called with the lines that the process writes.
        timeout: seconds after which it is given up.
    """

    def run(folder: Path) -> bytes:
        out = folder / RESULT
        # -P: no numpy.py of the current folder is imported. -B: no bytecode is left behind.
        command = [sys.executable, "-B", "-P", "-m", "export.runtime.kernels"]
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        process = subprocess.Popen(
            [*command, "--plan", str(folder / PLAN), "--out", str(out)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        )
        last = ""
        timer = threading.Timer(timeout, process.kill)
        timer.start()
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if found := re.match(r" *(\d+) % +(.*)", line):
                    if progress:
                        progress(int(found[1]), found[2])
                elif line.strip():
                    last = line.strip()
        finally:
            timer.cancel()
            process.kill()
            status = process.wait()
        if status != 0:
            raise UserError(f"Calibrating failed (exit status {status}): {last[:500]}", "Mend that and run it again.")
        return out.read_bytes()

    return run


def calibration_rows(found: CalibratedDevice) -> list[tuple[str, str]]:
    """(what, value) for a table: the errors with the processor they were found on, and the chosen threads."""
    calibration = found.calibrated.calibration
    measured = calibration.measured
    rows = [("measured on", calibration.origin.cpu)]
    for model in calibration.latency_model.threads:
        error = model.error
        p50, p95 = f"{error.p50_median:.1%} / {error.p50_p90:.1%}", f"{error.p95_median:.1%} / {error.p95_p90:.1%}"
        value = f"p50 {p50}, p95 {p95} (median / p90 of {error.artifacts} artifacts left out)"
        rows.append((f"error, {_threads(model.threads)}", value))
    rate = measured.memory_copy_gb_s
    read = measured.cold_read_mb_s
    rows += [(f"{k.name}, {_threads(k.threads)}", f"{k.rate:.1f} {k.unit}") for k in measured.kernels]
    return [
        *rows,
        ("memory copy", "unknown" if rate is None else f"{rate:.1f} GB/s"),
        ("cold file read", "unknown" if read is None else f"{read:.0f} MB/s"),
        ("threads", str(found.profile.threads)),
        *(("note", note) for note in found.calibrated.notes),
        ("written to", str(found.path)),
    ]


def _kept(path: Path, overwrite: bool) -> dict[str, Any]:
    """What to keep of the profile that is there; nothing where there is none or it is to be overwritten."""
    if overwrite or not path.exists():
        return {}
    tables = read_tables(path)
    if not written_here(tables):
        raise UserError(
            f"There is a profile at {path} that no calibration wrote.",
            "Choose another NAME, or ask for it to be overwritten.",
        )
    # Of the rest this calibration makes anew, so it may be in any state.
    parse_device_profile(path, {key: value for key, value in tables.items() if key not in TABLES})
    return {key: tables[key] for key in KEPT if key in tables}


def _nearest(machine: Machine) -> DeviceProfile | None:
    """The shipped profile that suits a machine: by its board, or `cpu` for computers."""
    board = machine.board or ""
    for part, name in NEAREST:
        if part in board:
            return load_device_profile(name)
    computer = machine.architecture.lower() in ("x86_64", "amd64") or machine.os.startswith("Darwin")
    return load_device_profile("cpu") if computer else None


def _tables(name: str, calibrated: Calibrated, template: DeviceProfile | None) -> dict[str, Any]:
    """The tables that describe the device; budgets as in the template, which are our choice."""
    machine = calibrated.result.machine
    what = machine.board or machine.cpu or machine.architecture
    tables: dict[str, Any] = {
        "name": name,
        "description": f"{what}, as `{WRITTEN_BY}` found it",
        "device": {
            "cores": machine.cores or max(calibrated.checks),
            "isa": f"{machine.architecture} {machine.cpu or ''}".strip(),
            **({"ram_mb": round(machine.ram / 1e6)} if machine.ram else {}),
            "int8": _int8(machine.flags),
            "int8_basis": "flags that the device's kernel tells",
        },
        "run": {"variants": ONNX_VARIANTS, "external_data": bool(template and template.external_data)},
    }
    if template is None:
        return tables
    budgets = {key: value for key, value in asdict(template.budgets).items() if value is not None}
    said = {key: value for key, value in template.basis.items() if key in (*budgets, "max_f1_loss_relative")}
    return tables | {
        "budgets": budgets,
        "quality": {"max_f1_loss_relative": template.max_f1_loss_relative},
        "basis": {key: f"as {template.name}: {text}" for key, text in said.items()},
    }


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def _int8(flags: Sequence[str] | None) -> str:
    if flags is None:
        return "not told by the machine"
    return next((text for flag, text in INT8.items() if flag in flags), "none that onnxruntime has kernels for")
