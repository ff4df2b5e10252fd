"""A device is measured by a plan, and what it answers becomes prices with a checked error."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from calibration.device.calibrate import Calibrated, calibrate, fewest_good_threads
from calibration.device.model import PRICED
from calibration.device.plan import PLAN, made_up_text, write_plan
from calibration.device.shapes import PIECES
from export.runtime.encode import WordEncoder
from export.runtime.errors import UserError
from export.runtime.kernel_record import KernelPlan, KernelResult, LeftOut, Sweep, Timing
from export.runtime.machine import machine_fingerprint
from tests.calibration.device.simulated import ARTIFACTS, KERNELS, LENGTHS, MACHINE, P95_RATIO, device, summary


@pytest.fixture(scope="module")
def calibrated() -> Calibrated:
    """A device that answers exactly by its prices."""
    return calibrate(device(), KERNELS, ARTIFACTS)


def test_a_device_that_keeps_to_its_prices_is_predicted_almost_exactly(calibrated: Calibrated) -> None:
    model = calibrated.calibration.latency_model
    assert [each.threads for each in model.threads] == [1, 2]
    assert (model.shortest, model.longest) == (min(LENGTHS), max(LENGTHS))
    for each in model.threads:
        assert each.error.p50_median < 0.05 and each.error.p50_p90 < 0.25
        assert each.p95_ratio == pytest.approx(P95_RATIO)
        assert each.error.artifacts == len(ARTIFACTS) and each.error.cases == len(ARTIFACTS) * len(LENGTHS)
        assert all(getattr(each.prices, name) >= 0 for name in PRICED)
    one, two = model.threads
    assert two.prices.int8_macs == pytest.approx(one.prices.int8_macs / 1.6, rel=0.01)
    assert one.prices.sub_words == pytest.approx(2000, rel=0.05)


def test_it_says_where_it_was_measured(calibrated: Calibrated) -> None:
    origin, measured = calibrated.calibration.origin, calibrated.calibration.measured
    assert origin.cpu == "Test Board 1" and origin.fingerprint == machine_fingerprint(MACHINE)
    assert origin.measured_at == calibrated.result.measured_at and origin.onnxruntime == "1.31.1"
    assert measured.memory_copy_gb_s == 4.5 and measured.cold_read_mb_s is None
    assert [(figure.name, figure.threads, figure.unit) for figure in measured.kernels] == [
        ("product fp32", 1, "GMAC/s"),
        ("gather int8", 1, "GB/s"),
        ("product fp32", 2, "GMAC/s"),
        ("gather int8", 2, "GB/s"),
    ]
    product = measured.kernels[0]
    assert product.rate == pytest.approx(2 * 32 * 64 * 16 / product.p50_ms / 1e6)
    assert calibrated.notes == ()


def test_noise_shows_in_the_checked_error() -> None:
    quiet = calibrate(device({1: 1.0}, noise=0.05), KERNELS, ARTIFACTS).calibration.latency_model.threads[0].error
    noisy = calibrate(device({1: 1.0}, noise=0.8), KERNELS, ARTIFACTS).calibration.latency_model.threads[0].error
    assert noisy.p50_median > 2 * quiet.p50_median and noisy.p50_p90 > 0.2


@pytest.mark.parametrize(
    ("speed", "threads"),
    [({1: 1.0, 2: 1.6}, 2), ({1: 1.0, 2: 1.1}, 1), ({1: 1.0, 2: 1.6, 4: 1.7}, 2), ({1: 1.0, 2: 0.7}, 1)],
)
def test_the_fewest_threads_within_15_percent_of_the_fastest(speed: dict[int, float], threads: int) -> None:
    sweeps = [
        Sweep(count, tuple(Timing(f"a{n}", 8, 8.0, summary(n / times), None) for n in (1, 2, 30)), ())
        for count, times in speed.items()
    ]
    assert fewest_good_threads(sweeps, {"a1", "a2", "a30"}) == threads


def test_threads_are_compared_on_what_was_timed_with_all_of_them() -> None:
    both = Timing("a", 8, 8.0, summary(1.0), None)
    sweeps = [
        Sweep(1, (both, Timing("b", 8, 8.0, summary(0.001), None)), ()),
        Sweep(2, (replace(both, latency=summary(0.5)),), ()),
    ]
    assert fewest_good_threads(sweeps, {"a", "b"}) == 2


def test_what_makes_it_worse_is_said() -> None:
    def change(result: KernelResult) -> KernelResult:
        sweep = result.sweeps[0]
        busy = tuple(replace(timing, waiting=0.3) for timing in sweep.timings)
        left = (LeftOut("8x768x6 int8", "60 MB of weights do not fit in memory"),)
        hot = replace(result.after, throttled=("under-voltage",))
        return replace(result, sweeps=(replace(sweep, timings=busy, left_out=left),), after=hot)

    assert calibrate(device(change=change), KERNELS, ARTIFACTS).notes == (
        "8x768x6 int8 was left out (threads: 1): 60 MB of weights do not fit in memory",
        "another program had the processor 30% of the time, which slows what was timed with more than one thread",
        "the device says: under-voltage; cool it or mend its supply",
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda result: replace(result, plan_sha256="00"), "another plan"),
        (lambda result: replace(result, sweeps=()), "timed nothing"),
        (
            lambda result: replace(result, sweeps=(Sweep(1, (Timing("a", 8, 8.0, summary(0.0), None),), ()),)),
            "too coarse",
        ),
        (
            lambda result: replace(result, sweeps=(replace(result.sweeps[0], timings=result.sweeps[0].timings[:4]),)),
            "Only",
        ),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(change: Callable[[KernelResult], KernelResult], told: str) -> None:
    with pytest.raises(UserError, match=told):
        calibrate(device(change=change), KERNELS, ARTIFACTS)


@pytest.mark.parametrize("data", [b"", b"{}", b"[1", b'{"kind": "kernel result", "schema": 9}'])
def test_an_answer_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(UserError) as caught:
        calibrate(lambda folder: data, KERNELS, ARTIFACTS)
    assert caught.value.remedy


def test_a_plan_travels_as_a_few_files_and_names_only_those(tmp_path: Path) -> None:
    plan = write_plan(tmp_path, (*KERNELS, *ARTIFACTS), threads=(1, 2), rounds=3)
    assert (plan.threads, plan.rounds) == ((1, 2), 3)
    assert KernelPlan.from_json(json.loads((tmp_path / PLAN).read_bytes())) == plan
    names = {PLAN, plan.text.tokenizer, *(graph.path for graph in plan.graphs)}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert {file.path: file.dtype for file in plan.data} == {"int8.data": "int8", "float32.data": "float32"}
    by_name = {graph.name: graph for graph in plan.graphs}
    (ids,) = by_name["product fp32"].feeds
    assert (ids.name, ids.shape, ids.low, ids.high) == ("input_ids", (1, None), 4, 80)
    assert by_name["1x16 int8"].feeds == ()  # it is given words
    assert max(file.bytes for file in plan.data) == max(graph.bytes for graph in plan.graphs if "fp32" in graph.name)


def test_made_up_words_are_cut_like_ours() -> None:
    specification, sentences = made_up_text()
    encoder = WordEncoder(specification)
    assert encoder.vocab_size == PIECES
    words = [word for sentence in sentences for word in sentence]
    ids, owners = encoder.sub_words(words)
    assert encoder.unk_id not in ids
    assert 0.55 < len(words) / len(ids) < 0.75 and len(set(owners.tolist())) == len(words)
    assert len(set(words)) > 1000  # so that no cache answers
    assert math.isclose(sum(map(len, words)) / len(words), 6, abs_tol=1.5)
    assert made_up_text() == (specification, sentences)
