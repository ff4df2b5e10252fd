"""An estimate from a data sheet is a sum of what the sheet gives, and nothing where it lacks something."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calibration.device.model import FEATURES
from toolkit.device_profile import load_device_profile
from toolkit.measure import roofline
from toolkit.measure.roofline import Roofline, roofline_ms

BOARD = Roofline(clock_ghz=2.0, int8_macs_per_cycle=16.0, fp32_macs_per_cycle=4.0, vector_bits=128, memory_gb_s=4.0)
WORK = {
    **dict.fromkeys(FEATURES, 0.0),
    "int8_macs": 9e8,
    "weight_bytes": 8e6,
    "nodes": 40.0,
    "int8_outputs": 1e6,
    "texts": 1.0,
    "sub_words": 64.0,
}


def test_products_results_dispatch_and_memory_add_up() -> None:
    cycles = 9e8 / (0.9 * 16) + 1e6 * roofline.OUTPUT_CYCLES * 4
    cycles += 40 * roofline.NODE_CYCLES + 64 * roofline.SUB_WORD_CYCLES + roofline.TEXT_CYCLES
    expected = roofline.P95_RATIO * (cycles / 2.0 + 8e6 / 4.0) * 1e-6
    assert roofline_ms(BOARD, WORK, 1) == pytest.approx(expected)


def test_threads_share_products_but_not_memory() -> None:
    one, two = (roofline_ms(BOARD, WORK, threads) for threads in (1, 2))
    assert one is not None and two is not None and 0.5 * one < two < one


def test_attention_is_floating_point() -> None:
    attention = {**dict.fromkeys(FEATURES, 0.0), "attention_macs": 1e8}
    floats = {**dict.fromkeys(FEATURES, 0.0), "fp32_macs": 1e8}
    assert roofline_ms(BOARD, attention, 1) == roofline_ms(BOARD, floats, 1)


@pytest.mark.parametrize("key", ["clock_ghz", "vector_bits", "memory_gb_s", "int8_macs_per_cycle"])
def test_what_the_sheet_lacks_is_not_guessed(key: str) -> None:
    assert roofline_ms(replace(BOARD, **{key: None}), WORK, 1) is None


def test_only_what_the_artifact_needs_must_be_there() -> None:
    assert roofline_ms(replace(BOARD, fp32_macs_per_cycle=None), WORK, 1) is not None


def test_a_faster_board_is_estimated_faster() -> None:
    work = {**WORK, "attention_macs": 1e7}
    four, five = (roofline_ms(load_device_profile(name).roofline, work, 2) for name in ("rpi4", "rpi5"))
    assert four is not None and five is not None and five < 0.6 * four
