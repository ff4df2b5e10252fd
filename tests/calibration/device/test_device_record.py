"""A calibration survives TOML, and a file edited into nonsense is told with its key."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calibration.device.record import TABLES, read_calibration, toml, written_here
from export.runtime.errors import UserError
from tests.calibration.device.simulated import CALIBRATION

PATH = Path("my-pi.toml")


def tables(change: Callable[[dict[str, Any]], object] = lambda tables: None) -> dict[str, Any]:
    found = tomllib.loads(toml(CALIBRATION.tables()))
    change(found)
    return found


def test_a_calibration_comes_back_from_toml_as_it_was() -> None:
    text = toml(CALIBRATION.tables())
    assert read_calibration(PATH, tomllib.loads(text)) == CALIBRATION
    assert "cold_read_mb_s" not in text  # what the device did not tell is left out, not 0
    assert written_here(tables()) and not written_here({}) and not written_here({"calibration": 3})


def test_a_profile_without_one_has_none() -> None:
    assert read_calibration(PATH, {"device": {"cores": 4}}) is None


def test_large_amounts_keep_every_digit_before_the_point() -> None:
    assert tomllib.loads(toml({"a": 7248642049.4, "b": 0.123456789, "c": 1e-9})) == {
        "a": 7248642049.0,
        "b": 0.123457,
        "c": 1e-9,
    }


def test_any_text_survives_toml() -> None:
    value = {"a": 'quote " backslash \\ newline \n delete \x7f ọ̀', "b": [1, "x", True], "c": []}
    assert tomllib.loads(toml(value)) == value


def thread(table: dict[str, Any], *keys: str) -> dict[str, Any]:
    found = table["latency_model"]["threads"][1]
    for key in keys:
        found = found[key]
    return found


@pytest.mark.parametrize(
    ("change", "where", "told"),
    [
        (lambda t: t.pop("measured"), "measured", "is missing"),
        (lambda t: t.update(latency_model=3), "latency_model", "is missing"),
        (lambda t: t["calibration"].update(schema=2), "calibration.schema", "later version"),
        (lambda t: t["calibration"].update(schema=True), "calibration.schema", "must be 1"),
        (lambda t: t["calibration"].pop("schema"), "calibration.schema", "must be 1, not None"),
        (lambda t: t["calibration"].pop("cpu"), "calibration", "cpu"),
        (lambda t: t["calibration"].update(cpu=3), "calibration.cpu", "wrong type"),
        (lambda t: t["calibration"].update(fingerprint="ab"), "calibration.fingerprint", "no sha256"),
        (lambda t: t["measured"].update(speed=1.0), "measured", "speed"),
        (lambda t: t["measured"].update(memory_copy_gb_s=0.0), "measured.memory_copy_gb_s", "above 0"),
        (lambda t: t["latency_model"].update(shortest=200), "latency_model.shortest", "below longest"),
        (lambda t: t["latency_model"].update(threads=[]), "latency_model.threads", "1 or more"),
        (lambda t: thread(t).update(threads=1), "latency_model.threads", "[1, 1]"),
        (lambda t: thread(t).update(threads=0), "latency_model.threads", "1 or more"),
        (lambda t: thread(t, "prices").update(nodes=-3.0), "latency_model.threads[1].prices.nodes", "negative"),
        (lambda t: thread(t, "prices").update(nodes=float("nan")), "latency_model.threads[1].prices.nodes", "nan"),
        (lambda t: thread(t, "prices").pop("nodes"), "latency_model.threads[1].prices", "nodes"),
        (lambda t: thread(t).update(prices=dict.fromkeys(thread(t, "prices"), 0.0)), "threads[1].prices", "all 0"),
        (lambda t: thread(t, "largest").update(nodes=-1.0), "latency_model.threads[1].largest.nodes", "negative"),
        (lambda t: thread(t).update(p95_ratio=0.9), "latency_model.threads[1].p95_ratio", "at least 1"),
        (lambda t: thread(t).update(cache_bytes=0), "latency_model.threads[1].cache_bytes", "at least 1"),
        (lambda t: thread(t).update(fastest_ms=0.0), "latency_model.threads[1].fastest_ms", "at least"),
        (lambda t: thread(t, "error").update(p95_p90=0.0), "latency_model.threads[1].error.p95_p90", "above 0"),
        (lambda t: thread(t, "error").update(p50_p90=99.0), "latency_model.threads[1].error.p50_p90", "at most 10"),
        (
            lambda t: thread(t, "error").update(p50_p90=0.01),
            "latency_model.threads[1].error.p50_p90",
            "below p50_median",
        ),
        (lambda t: thread(t, "error").update(artifacts=0), "latency_model.threads[1].error.artifacts", "at least 1"),
    ],
)
def test_nonsense_names_file_key_and_remedy(
    change: Callable[[dict[str, Any]], object], where: str, told: str
) -> None:
    with pytest.raises(UserError) as caught:
        read_calibration(PATH, tables(change))
    assert caught.value.message.startswith("my-pi.toml: ")
    assert where in caught.value.message and told in caught.value.message
    assert "alibrate the device again" in caught.value.remedy


def test_reading_a_profile_needs_no_numpy() -> None:
    code = "import sys, calibration.device.record; sys.exit('numpy' in sys.modules or 'onnxruntime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert TABLES == ("calibration", "measured", "latency_model")
