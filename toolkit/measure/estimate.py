"""Latency of an artifact on another device than this one: predicted from its calibration, or estimated.

A prediction carries the error that was found by leaving artifacts out when the device was calibrated. Where the
model was not fitted on anything like the artifact, or nobody calibrated the device, what comes out is an
unverified estimate, whose verdict is undecided.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from calibration.device.features import Work, count_work
from calibration.device.model import LatencyModel, ThreadModel, model_ms, outside
from toolkit.device_profile import DeviceProfile
from toolkit.measure.roofline import roofline_ms
from toolkit.verdict import UNKNOWN, Figure


@dataclass(frozen=True)
class Prediction:
    """Milliseconds from words to rows of logits by a calibrated device.

    Attributes:
        unverified: why the checked error does not hold for this artifact; None where it does.
    """

    p50_ms: float
    p95_ms: float
    unverified: str | None


def estimate(profile: DeviceProfile, model: Path, threads: int, length: float, prepacking: bool = True) -> Figure:
    """p95 latency of an ONNX artifact on the device of `profile`: words in, tags out.

    Args:
        model: the .onnx file.
        length: sub-words that the artifact's own tokenizer makes of the text, <s> and </s> counted; all in one
            window.
        prepacking: of the session; the calibration is with it.

    Returns:
        `relative_error` is the 90th percentile of the leave-one-artifact-out error of p95 where it was checked for
        artifacts like this one; None for an unverified estimate. UNKNOWN where nothing is known about the device.

    Raises:
        UserError: the model is missing or cannot be opened.
    """
    calibration = profile.calibration
    by_threads = calibration.latency_model.for_threads(threads) if calibration else None
    if calibration and by_threads:
        found = predict(calibration.latency_model, by_threads, count_work(model), length, prepacking)
        if found.unverified:
            return Figure(found.p95_ms, "predicted", None, found.unverified)
        note = f"nine in ten of {by_threads.error.cases} left-out cases, on {calibration.origin.cpu}"
        return Figure(found.p95_ms, "predicted", by_threads.error.p95_p90, note)
    rough = roofline_ms(profile.roofline, count_work(model).features(length), threads)
    note = "from data sheets; nobody measured there"
    return UNKNOWN if rough is None else Figure(rough, "predicted", None, note)


def predict(
    latency: LatencyModel, by_threads: ThreadModel, work: Work, length: float, prepacking: bool = True
) -> Prediction:
    """What a calibrated device takes for an artifact's work; arguments as for `estimate`."""
    features = work.features(length)
    p50 = model_ms(by_threads.prices, by_threads.cache_bytes, features)
    if work.unknown:
        reason = f"the model has {', '.join(work.unknown)}, which the calibration does not know"
    elif not latency.shortest <= length <= latency.longest:
        reason = f"{length:.0f} sub-words where {latency.shortest} to {latency.longest} were measured"
    elif not prepacking:
        reason = "calibrated with prepacked weights"
    else:
        reason = outside(by_threads, features) or ""
    return Prediction(p50, by_threads.p95_ratio * p50, reason or None)
