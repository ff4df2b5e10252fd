"""Small artifacts, and devices that answer plans from prices that the tests know."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from calibration.device.features import Work
from calibration.device.model import CheckedError, Largest, LatencyModel, Prices, ThreadModel, model_ms
from calibration.device.plan import PLAN, count_plan
from calibration.device.record import Calibration, KernelFigure, Measured, Origin
from calibration.device.shapes import Kernel, Shape, Standard
from export.runtime.conditions import Conditions
from export.runtime.kernel_record import KernelPlan, KernelResult, Sweep, Timing
from export.runtime.machine import Machine
from export.runtime.measurement import Summary

LENGTHS = (8, 16, 32)
ARTIFACTS = tuple(
    Standard(f"{layers}x{hidden} {precision}", Shape(layers, hidden, 2, ffn, 80, embedding), precision, LENGTHS)
    for layers, hidden, ffn, embedding in ((1, 16, 64, 16), (2, 32, 48, 16), (3, 64, 96, 64), (2, 96, 256, 32))
    for precision in ("int8", "fp32")
)
KERNELS = (Kernel("product fp32", "fp32", (32, 64, 32), 80, (16,)), Kernel("gather int8", "int8", (32,), 80, (16,)))
PRICES = Prices(
    nodes=700.0,
    int8_macs=0.01,
    fp32_macs=0.03,
    attention_macs=0.05,
    softmax_elements=1.0,
    int8_outputs=4.0,
    fp32_outputs=2.0,
    elements=0.5,
    gather_bytes=0.2,
    weight_bytes=0.05,
    texts=20_000.0,
    sub_words=2000.0,
    far_weight_bytes=0.0,
)
CACHE = 1 << 20
P95_RATIO = 1.25
MACHINE = Machine(
    board="Test Board 1",
    cpu="Cortex-A72",
    architecture="aarch64",
    flags=("asimd",),
    cores=2,
    ram=1_000_000_000,
    os="Test OS",
    kernel="6.6",
    python="3.13.0",
    onnxruntime="1.31.1",
    numpy="2.4.6",
    tokenizers="0.22.2",
)
THREAD = ThreadModel(
    threads=1,
    prices=Prices(600.0, 0.002, 0.008, 0.01, 0.5, 1.5, 1.0, 0.0, 0.0, 0.0075, 20_000.0, 1900.0, 0.04),
    cache_bytes=8_388_608,
    p95_ratio=1.2,
    fastest_ms=0.1,
    largest=Largest(93.0, 7248642048.0, 1837989888.0, 2e8, 786432.0, 7e6, 2e6, 1e7, 1.2e6, 57437184.0, 1.0, 128.0),
    error=CheckedError(0.04, 0.09, 0.1, 0.25, 16, 64),
)
CALIBRATION = Calibration(
    Origin("2026-11-22T10:00:00+00:00", "timed there", 'Cortex-A72 "quoted"', "ab" * 32, "1.31.1", "cd" * 32),
    Measured(5.6, None, (KernelFigure("product 256x256 int8", 1, 0.11, 0.12, 300.5, "GMAC/s"),)),
    LatencyModel(12, 128, (THREAD, replace(THREAD, threads=2))),
)
COOL = Conditions(45.0, (1500.0, 1500.0), 1500.0, "ondemand", ())


def summary(p50: float) -> Summary:
    """Quantiles of a device whose slow runs take a quarter more."""
    return Summary(p50, 1.1 * p50, P95_RATIO * p50, 1.3 * p50, 0.9 * p50, p50, 100)


def answer(plan: Path, work: Mapping[str, Work], speed: Mapping[int, float], noise: float = 0.0) -> KernelResult:
    """What a device of known prices says; `speed` is how many times faster it is with so many threads."""
    data = plan.read_bytes()
    content = KernelPlan.from_json(json.loads(data))
    sweeps = []
    for threads, times in speed.items():
        timings = []
        for graph in content.graphs:
            for length in graph.lengths:
                ms = model_ms(PRICES, CACHE, work[graph.name].features(length)) / times
                digit = hashlib.sha256(f"{graph.name} {length} {threads}".encode()).digest()[0] / 255
                timings.append(Timing(graph.name, length, length, summary(ms * (1 + noise * (digit - 0.5))), 0.0))
        sweeps.append(Sweep(threads, tuple(timings), ()))
    return KernelResult(
        plan_sha256=hashlib.sha256(data).hexdigest(),
        measured_at="2026-11-22T10:00:00+00:00",
        seconds=12.0,
        machine=MACHINE,
        before=COOL,
        after=COOL,
        copy_gb_s=4.5,
        cold_read_mb_s=None,
        sweeps=tuple(sweeps),
    )


def device(
    speed: Mapping[int, float] | None = None,
    noise: float = 0.0,
    change: Callable[[KernelResult], KernelResult] = lambda result: result,
) -> Callable[[Path], bytes]:
    """A device that carries plans out in no time; see `answer`. `change` turns its result into another one."""

    def run(folder: Path) -> bytes:
        plan = KernelPlan.from_json(json.loads((folder / PLAN).read_bytes()))
        result = answer(folder / PLAN, count_plan(folder, plan), speed or {1: 1.0, 2: 1.6}, noise)
        return json.dumps(change(result).to_json()).encode()

    return run
