from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from export.runtime.errors import UserError
from export.runtime.machine import Machine
from export.runtime.measurement import (
    Bucket,
    ColdStart,
    Measurement,
    Sizes,
    Speedup,
    Throughput,
    summarize,
)
from export.runtime.memory import Memory

SUMMARY = summarize([1.0, 2.0, 3.0])
MEASUREMENT = Measurement(
    name="int8",
    backend="onnx",
    basis="measured here",
    model_sha256="ab" * 32,
    measured_at="2026-01-01T00:00:00+00:00",
    threads=1,
    machine=Machine(
        None, "Some CPU", "x86_64", ("avx2",), 2, None, "Some OS", "6.1", "3.11.7", "1.31.1", "2.4.6", None
    ),
    packages=(("torch", "2.13.0"),),
    sizes=Sizes(model=100, tokenizer=20, labels=3, zipped=None),
    cold_start=ColdStart(0.02, 0.1, 0.05, 0.02, 0.01, 0.2, 5),
    buckets=(Bucket(16, 15.5, SUMMARY, SUMMARY, SUMMARY, 100.0),),
    throughput=Throughput(SUMMARY, 10.0, 200.0),
    memory=Memory(None, 5, None, None),
    memory_imported=Memory(1, 2, 3, 4),
    reference="teacher",
    speedups=(Speedup(16, 3.0, 2.5, 3.5, 5), Speedup(None, 2.0, 2.0, 2.0, 5)),
)


def test_percentiles_of_one_to_a_hundred_and_one() -> None:
    summary = summarize([float(value) for value in range(101, 0, -1)])
    assert (summary.p50, summary.p90, summary.p95, summary.p99) == (51.0, 91.0, 96.0, 100.0)
    assert (summary.minimum, summary.mean, summary.samples) == (1.0, 51.0, 101)


def test_percentiles_interpolate_between_neighbours() -> None:
    summary = summarize([10.0, 20.0])
    assert summary.p50 == 15.0
    assert summary.p95 == pytest.approx(19.5)


def test_no_samples_are_no_summary() -> None:
    with pytest.raises(ValueError, match="no samples"):
        summarize([])


def test_sums_of_parts() -> None:
    assert MEASUREMENT.sizes.total == 123
    assert MEASUREMENT.cold_start.load == pytest.approx(0.07)
    assert MEASUREMENT.bucket(16).tokens == 15.5


def test_a_measurement_survives_json() -> None:
    text = json.dumps(MEASUREMENT.to_json())
    assert Measurement.from_json(json.loads(text)) == MEASUREMENT


def test_unknown_is_null_in_json_and_never_zero() -> None:
    data = MEASUREMENT.to_json()
    assert data["memory"]["peak"] is None
    assert data["machine"]["ram"] is None
    assert data["sizes"]["zipped"] is None


def test_whole_numbers_are_read_as_floats_where_floats_belong() -> None:
    data = MEASUREMENT.to_json()
    data["cold_start"]["total"] = 1
    assert Measurement.from_json(data) == dataclasses.replace(
        MEASUREMENT, cold_start=dataclasses.replace(MEASUREMENT.cold_start, total=1.0)
    )


def broken(**changes: Any) -> dict[str, Any]:
    return {**MEASUREMENT.to_json(), **changes}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "found 'NoneType'"),
        ([], "found 'list'"),
        (broken(schema=99), "found 99"),
        (broken(threads="1"), "measurement.threads has the wrong type: '1'"),
        (broken(threads=True), "measurement.threads has the wrong type"),
        (broken(buckets=[{}]), r"unknown in measurement.buckets\[0\]"),
        (broken(buckets=[3]), r"unknown in measurement.buckets\[0\]: 3"),
        (broken(packages=[["torch"]]), r"measurement.packages\[0\] has the wrong type"),
        (broken(speed=1), r"unknown in measurement: \['speed'\]"),
        (
            {key: value for key, value in broken().items() if key != "name"},
            r"unknown in measurement: \['name'\]",
        ),
    ],
)
def test_edited_json_is_refused_by_name(data: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Measurement.from_json(data)
