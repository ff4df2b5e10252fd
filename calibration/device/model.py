"""The latency model of a device: a sum of operations, each with a price found by measuring.

Milliseconds at p50, from words to one row of logits per word = sum over `FEATURES` of nanoseconds each x amount, with
one price more for the bytes of weights that the cache does not hold from one text to the next (the size of that cache
is found as well). Plain Python: a device profile is read with it before numpy is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

FAR = "far_weight_bytes"  # of weight_bytes what exceeds the cache
TO_MS = 1e-6  # nanoseconds


@dataclass(frozen=True)
class Amounts:
    """One number for each feature, which is something that an artifact asks of a device for one text.

    Attributes:
        nodes: operators to dispatch.
        int8_macs, fp32_macs: multiply-accumulates of products with int8 and with fp32 weights.
        attention_macs: of products of two activations, in floating point.
        int8_outputs: results of products with int8 weights, to be scaled back.
        elements: results of everything else that has a width.
        gather_bytes: rows of embedding tables.
        weight_bytes: of products; read once for each text.
        texts: one: what a text costs outside the model, whatever its length.
        sub_words: cut from words, and their rows picked.
    """

    nodes: float
    int8_macs: float
    fp32_macs: float
    attention_macs: float
    softmax_elements: float
    int8_outputs: float
    fp32_outputs: float
    elements: float
    gather_bytes: float
    weight_bytes: float
    texts: float
    sub_words: float


@dataclass(frozen=True)
class Largest(Amounts):
    """The largest amount of each among the artifacts that a model was fitted on."""


@dataclass(frozen=True)
class Prices(Amounts):
    """Nanoseconds for one of each feature, and for each byte of weights that the cache does not hold."""

    far_weight_bytes: float


FEATURES = tuple(field.name for field in fields(Amounts))
PRICED = (*FEATURES, FAR)


@dataclass(frozen=True)
class CheckedError:
    """|predicted / observed - 1| of artifacts that were left out of the fit, one after another, all lengths at once.

    Attributes:
        cases: artifacts x lengths.
    """

    p50_median: float
    p50_p90: float
    p95_median: float
    p95_p90: float
    artifacts: int
    cases: int


@dataclass(frozen=True)
class ThreadModel:
    """The latency model for one number of threads.

    Attributes:
        cache_bytes: weights beyond these cost `far_weight_bytes` as well.
        p95_ratio: p95 / p50, the median over the artifacts.
        fastest_ms: the lowest p50 it was fitted on.
    """

    threads: int
    prices: Prices
    cache_bytes: int
    p95_ratio: float
    fastest_ms: float
    largest: Largest
    error: CheckedError


@dataclass(frozen=True)
class LatencyModel:
    """Prices of a device for each number of threads that was measured.

    Attributes:
        shortest, longest: sub-words between which texts were timed.
    """

    shortest: int
    longest: int
    threads: tuple[ThreadModel, ...]

    def for_threads(self, threads: int) -> ThreadModel | None:
        """The model for a number of threads; None where that was not measured."""
        return next((model for model in self.threads if model.threads == threads), None)


def with_far(features: Mapping[str, float], cache_bytes: float) -> dict[str, float]:
    """The features and the bytes of weights that exceed the cache."""
    return {**features, FAR: max(0.0, features["weight_bytes"] - cache_bytes)}


def model_ms(prices: Prices, cache_bytes: float, features: Mapping[str, float]) -> float:
    """Milliseconds of a text at p50."""
    amounts = with_far(features, cache_bytes)
    return TO_MS * sum(getattr(prices, name) * amounts[name] for name in PRICED)


def outside(model: ThreadModel, features: Mapping[str, float]) -> str | None:
    """Why a prediction would leave what the model was fitted on; None where it does not."""
    for field in fields(Largest):
        largest = getattr(model.largest, field.name)
        if features[field.name] > largest:
            return f"{features[field.name]:.4g} {field.name} where at most {largest:.4g} were measured"
    found = model_ms(model.prices, model.cache_bytes, features)
    if found < model.fastest_ms:
        return f"{found:.2g} ms where at least {model.fastest_ms:.2g} ms were measured"
    return None
