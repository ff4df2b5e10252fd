"""Prices from timings, and their error on artifacts that had no part in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from calibration.device.features import Work
from calibration.device.model import (
    FEATURES,
    PRICED,
    TO_MS,
    CheckedError,
    Largest,
    Prices,
    ThreadModel,
    model_ms,
    with_far,
)
from export.runtime.errors import UserError
from export.runtime.kernel_record import Sweep, Timing

CACHES = tuple(2**exponent for exponent in range(18, 26))
"""Sizes to try, 256 KiB to 32 MiB: from a Cortex-A53's second level to a server's share of the third."""
FEWEST = 4  # artifacts; fewer cannot be left out one by one


@dataclass(frozen=True)
class Check:
    """One artifact at one length, predicted by a fit that never saw the artifact; milliseconds."""

    artifact: str
    length: int
    observed_p50: float
    predicted_p50: float
    observed_p95: float
    predicted_p95: float

    @property
    def p50_error(self) -> float:
        """Predicted / observed - 1."""
        return self.predicted_p50 / self.observed_p50 - 1

    @property
    def p95_error(self) -> float:
        """Predicted / observed - 1."""
        return self.predicted_p95 / self.observed_p95 - 1


def fit_sweep(sweep: Sweep, work: Mapping[str, Work]) -> tuple[ThreadModel, tuple[Check, ...]]:
    """The latency model for one number of threads, with its leave-one-artifact-out check.

    Args:
        sweep: timings; those of graphs that `work` does not name are no artifacts and are left aside.
        work: artifact -> its operations.

    Raises:
        UserError: fewer than four artifacts were timed.
    """
    timings = [timing for timing in sweep.timings if timing.graph in work]
    names = list(dict.fromkeys(timing.graph for timing in timings))
    if len(names) < FEWEST:
        raise UserError(
            f"Only {len(names)} standard artifacts were timed (threads: {sweep.threads}); {FEWEST} are needed.",
            "Close other programs on the device so that more fit in its memory, and calibrate it again.",
        )
    checks: list[Check] = []
    for left_out in names:
        prices, cache, ratio = _fit([timing for timing in timings if timing.graph != left_out], work)
        for timing in timings:
            if timing.graph == left_out:
                predicted = model_ms(prices, cache, work[timing.graph].features(timing.tokens))
                p50, p95 = timing.latency.p50, timing.latency.p95
                checks.append(Check(left_out, timing.length, p50, predicted, p95, ratio * predicted))
    prices, cache, ratio = _fit(timings, work)
    model = ThreadModel(
        threads=sweep.threads,
        prices=prices,
        cache_bytes=cache,
        p95_ratio=ratio,
        fastest_ms=min(timing.latency.p50 for timing in timings),
        largest=_largest([work[timing.graph].features(timing.length) for timing in timings]),
        error=checked_error(checks),
    )
    return model, tuple(checks)


def checked_error(checks: Sequence[Check]) -> CheckedError:
    """Median and 90th percentile of the checks' errors, for p50 and for p95."""
    p50, p95 = np.abs([(check.p50_error, check.p95_error) for check in checks]).T
    return CheckedError(
        p50_median=float(np.median(p50)),
        p50_p90=float(np.quantile(p50, 0.9)),
        p95_median=float(np.median(p95)),
        p95_p90=float(np.quantile(p95, 0.9)),
        artifacts=len({check.artifact for check in checks}),
        cases=len(checks),
    )


def _fit(timings: Sequence[Timing], work: Mapping[str, Work]) -> tuple[Prices, int, float]:
    """Prices, cache size and p95 / p50; the cache size is the one with the least squared relative error."""
    features = [work[timing.graph].features(timing.tokens) for timing in timings]
    observed = np.array([timing.latency.p50 for timing in timings])
    best: tuple[float, np.ndarray, int] | None = None
    for cache in CACHES:
        amounts = np.array([[with_far(one, cache)[name] for name in PRICED] for one in features])
        found = _least_relative(amounts, observed)
        loss = float(np.sum((TO_MS * amounts @ found / observed - 1) ** 2))
        if best is None or loss < best[0]:
            best = loss, found, cache
    assert best is not None
    ratio = float(np.median([timing.latency.p95 / timing.latency.p50 for timing in timings]))
    return Prices(**dict(zip(PRICED, map(float, best[1]), strict=True))), best[2], ratio


def _least_relative(amounts: np.ndarray, milliseconds: np.ndarray) -> np.ndarray:
    """Non-negative nanoseconds each, float64 (features,), the least squared relative error (Lawson, Hanson 1974).

    Args:
        amounts: (cases, features).
        milliseconds: (cases,).
    """
    from scipy.optimize import nnls

    relative = TO_MS * amounts / milliseconds[:, None]
    scale = np.maximum(relative.max(axis=0), np.finfo(float).tiny)  # of one magnitude, for the solver's sake
    found: np.ndarray = nnls(relative / scale, np.ones(len(milliseconds)))[0] / scale
    return found


def _largest(features: Sequence[Mapping[str, float]]) -> Largest:
    return Largest(**{name: max(one[name] for one in features) for name in FEATURES})
