"""Latency on a device that nobody measured, from its data sheet: an estimate with an error that nobody knows.

Products run at a share of the processor's peak, results of operators cost cycles in proportion to the width of a
SIMD register, weights are read once per text at the memory's bandwidth, and nothing overlaps (after the roofline
of Williams, Waterman and Patterson 2009, which lets all overlap and gives a bound). The shares were measured on
one server processor, so they need not hold elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Fitted on an AMD EPYC (Zen 5, 512-bit vectors) at 4 GHz; see tests/benchmarks/prediction.py.
EFFICIENCY = 0.9  # of the peak, in large products
OUTPUT_CYCLES = 6.0  # per result of an operator, with vectors of REFERENCE_BITS
REFERENCE_BITS = 512
NODE_CYCLES = 2500.0  # to dispatch an operator
SUB_WORD_CYCLES, TEXT_CYCLES = 7500.0, 95_000.0  # of tokenization
P95_RATIO = 1.2


@dataclass(frozen=True)
class Roofline:
    """What one core can do at most, from data sheets; None where unknown.

    Attributes:
        vector_bits: width of a SIMD register.
        memory_gb_s: bandwidth of the main memory, 10^9 bytes per second, for all cores together.
    """

    clock_ghz: float | None = None
    int8_macs_per_cycle: float | None = None
    fp32_macs_per_cycle: float | None = None
    vector_bits: int | None = None
    memory_gb_s: float | None = None


def roofline_ms(roofline: Roofline, features: Mapping[str, float], threads: int) -> float | None:
    """Milliseconds at p95 from words to rows of logits; None where the data sheet lacks what the model needs.

    Args:
        features: amounts for one text; see calibration.device.model.FEATURES.
    """
    clock, bits, memory = roofline.clock_ghz, roofline.vector_bits, roofline.memory_gb_s
    if clock is None or bits is None or memory is None:
        return None
    cycles = 0.0
    floats = features["fp32_macs"] + features["attention_macs"]
    for macs, peak in ((features["int8_macs"], roofline.int8_macs_per_cycle), (floats, roofline.fp32_macs_per_cycle)):
        if macs and peak is None:
            return None
        cycles += macs / (EFFICIENCY * (peak or 1.0))
    results = features["int8_outputs"] + features["fp32_outputs"] + features["softmax_elements"]
    cycles = (cycles + results * OUTPUT_CYCLES * REFERENCE_BITS / bits) / threads
    cycles += features["nodes"] * NODE_CYCLES
    cycles += features["texts"] * TEXT_CYCLES + features["sub_words"] * SUB_WORD_CYCLES
    nanoseconds = cycles / clock + features["weight_bytes"] / memory
    return P95_RATIO * nanoseconds * 1e-6
