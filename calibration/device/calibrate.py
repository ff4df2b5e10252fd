"""A device measured: plan there, timings back, prices fitted and checked."""

from __future__ import annotations

import json
import math
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calibration.device.features import Work
from calibration.device.fit import Check, fit_sweep
from calibration.device.model import LatencyModel
from calibration.device.plan import PLAN, count_plan, write_plan
from calibration.device.record import Calibration, KernelFigure, Measured, Origin
from calibration.device.shapes import ARTIFACTS, KERNELS, Kernel, Standard
from export.runtime.errors import UserError
from export.runtime.kernel_record import KernelResult, Sweep
from export.runtime.machine import machine_fingerprint

Run = Callable[[Path], bytes]
"""Folder with plan.json -> what the device wrote: `python -m runtime.kernels` there, whichever way."""
FASTER = 0.15  # more threads are worth it from here on
BUSY = 0.1  # share of the time without the processor from which a calibration says so


@dataclass(frozen=True)
class Calibrated:
    """What a device is like.

    Attributes:
        checks: threads -> each artifact at each length, predicted without it.
        threads: the fewest within 15 % of the fastest.
        notes: what makes the numbers worse than they might be.
    """

    result: KernelResult
    calibration: Calibration
    checks: Mapping[int, tuple[Check, ...]]
    threads: int
    notes: tuple[str, ...]


def calibrate(
    run: Run,
    kernels: Sequence[Kernel] = KERNELS,
    artifacts: Sequence[Standard] = ARTIFACTS,
    **changes: Any,
) -> Calibrated:
    """Measure a device with standard kernels and artifacts and fit its latency model.

    Args:
        run: carries a plan out on the device.
        changes: fields of KernelPlan that differ from its defaults, for instance `threads`.

    Raises:
        UserError: the device answers something else than this plan's result, or too little of it.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plan = write_plan(folder, (*kernels, *artifacts), **changes)
        work = count_plan(folder, plan)
        result = _result(run(folder), folder / PLAN)
    by_artifact = {artifact.name: work[artifact.name] for artifact in artifacts}
    fitted = [fit_sweep(sweep, by_artifact) for sweep in result.sweeps]
    lengths = [length for artifact in artifacts for length in artifact.lengths]
    model = LatencyModel(
        shortest=min(lengths),
        longest=max(lengths),
        threads=tuple(model for model, _ in fitted),
    )
    figures = [_kernel_figure(kernel, work[kernel.name], sweep) for sweep in result.sweeps for kernel in kernels]
    measured = Measured(
        memory_copy_gb_s=result.copy_gb_s,
        cold_read_mb_s=result.cold_read_mb_s,
        kernels=tuple(figure for figure in figures if figure),
    )
    return Calibrated(
        result=result,
        calibration=Calibration(_origin(result), measured, model),
        checks={model.threads: checks for model, checks in fitted},
        threads=fewest_good_threads(result.sweeps, set(by_artifact)),
        notes=tuple(_notes(result)),
    )


def fewest_good_threads(sweeps: Sequence[Sweep], artifacts: set[str]) -> int:
    """The fewest threads within 15 % of the fastest: geometric mean of p50 over the artifacts at all lengths."""
    timed = {
        sweep.threads: {
            (timing.graph, timing.length): timing.latency.p50 for timing in sweep.timings if timing.graph in artifacts
        }
        for sweep in sweeps
    }
    common = set.intersection(*(set(cases) for cases in timed.values()))
    means = {threads: statistics.fmean(math.log(cases[case]) for case in common) for threads, cases in timed.items()}
    best = min(means.values())
    return min(threads for threads, mean in means.items() if mean <= best + math.log(1 + FASTER))


def _result(data: bytes, plan: Path) -> KernelResult:
    from hashlib import sha256

    try:
        result = KernelResult.from_json(json.loads(data))
    except ValueError as error:
        raise UserError(f"The device's answer is not JSON: {error}.", "Calibrate it again.") from error
    if result.plan_sha256 != sha256(plan.read_bytes()).hexdigest():
        raise UserError("The device answered another plan than it was sent.", "Calibrate it again.")
    if not result.sweeps:
        raise UserError("The device timed nothing.", "Calibrate it again.")
    if min(timing.latency.minimum for sweep in result.sweeps for timing in sweep.timings) <= 0:
        raise UserError("The device's clock is too coarse: something took no time.", "Calibrate it again.")
    return result


def _origin(result: KernelResult) -> Origin:
    machine = result.machine
    return Origin(
        measured_at=result.measured_at,
        basis=f"standard artifacts timed on the device itself in {result.seconds:.0f} s",
        cpu=machine.board or machine.cpu or machine.architecture,
        fingerprint=machine_fingerprint(machine),
        onnxruntime=machine.onnxruntime or "unknown",
        plan_sha256=result.plan_sha256,
    )


def _kernel_figure(kernel: Kernel, work: Work, sweep: Sweep) -> KernelFigure | None:
    """The kernel's rate: multiply-accumulates of its products, or bytes of the rows it gathers."""
    found = next((timing for timing in sweep.timings if timing.graph == kernel.name), None)
    if found is None:
        return None
    amounts = work.features(found.length)
    per_ms, unit = (kernel.macs * found.length, "GMAC/s") if kernel.macs else (amounts["gather_bytes"], "GB/s")
    latency = found.latency
    return KernelFigure(kernel.name, sweep.threads, latency.p50, latency.p95, per_ms / latency.p50 / 1e6, unit)


def _notes(result: KernelResult) -> list[str]:
    notes = [
        f"{left.graph} was left out (threads: {sweep.threads}): {left.reason}"
        for sweep in result.sweeps
        for left in sweep.left_out
    ]
    waiting = [timing.waiting for sweep in result.sweeps for timing in sweep.timings if timing.waiting is not None]
    if waiting and statistics.fmean(waiting) > BUSY:
        share = f"another program had the processor {statistics.fmean(waiting):.0%} of the time"
        notes.append(f"{share}, which slows what was timed with more than one thread")
    if result.after.throttled:
        notes.append(f"the device says: {', '.join(result.after.throttled)}; cool it or mend its supply")
    return notes
