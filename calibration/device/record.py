"""What a calibration leaves in a device profile, as tables of TOML, and how it is read again.

Such a file may be edited by hand, so every number is checked: one that cannot be right is an error with file and
key. Plain Python: a device profile is read with it before numpy is installed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calibration.device.model import CheckedError, LatencyModel, ThreadModel
from export.runtime.errors import UserError
from export.runtime.records import from_plain, to_plain

SCHEMA = 1
WRITTEN_BY = "make calibrate-device"
TABLES = ("calibration", "measured", "latency_model")
REMEDY = f"Calibrate the device again ({WRITTEN_BY}), or take [calibration], [measured] and [latency_model] out."
LARGEST_ERROR = 10.0  # a prediction off by a factor of eleven is none
SHORTEST_FINGERPRINT = 64  # hexadecimal digits of a sha256


@dataclass(frozen=True)
class Origin:
    """Where the numbers come from.

    Attributes:
        fingerprint: of the machine and its onnxruntime (export.runtime.machine.machine_fingerprint): only there
            are they a measurement.
    """

    measured_at: str
    basis: str
    cpu: str
    fingerprint: str
    onnxruntime: str
    plan_sha256: str


@dataclass(frozen=True)
class KernelFigure:
    """One standard kernel with one number of threads; `rate` in `unit`, at p50."""

    name: str
    threads: int
    p50_ms: float
    p95_ms: float
    rate: float
    unit: str


@dataclass(frozen=True)
class Measured:
    """What was measured besides artifacts; see export.runtime.kernel_record.KernelResult."""

    memory_copy_gb_s: float | None
    cold_read_mb_s: float | None
    kernels: tuple[KernelFigure, ...]


@dataclass(frozen=True)
class Calibration:
    """All that a calibration adds to a device profile."""

    origin: Origin
    measured: Measured
    latency_model: LatencyModel

    def tables(self) -> dict[str, Any]:
        """The three tables as plain values; what is None is left out."""
        origin = {"schema": SCHEMA, "written_by": WRITTEN_BY, **to_plain(self.origin)}
        values = (origin, to_plain(self.measured), to_plain(self.latency_model))
        return {
            name: {key: value for key, value in table.items() if value is not None}
            for name, table in zip(TABLES, values, strict=True)
        }


def read_calibration(path: Path, tables: Mapping[str, Any]) -> Calibration | None:
    """The calibration in a device profile's tables; None where it has none.

    Raises:
        UserError: names file and key; a table or key is missing or unknown, of a later schema, or a number cannot
            be right: a negative price, an error of 0, nan.
    """
    if not any(name in tables for name in TABLES):
        return None
    for name in TABLES:
        if not isinstance(tables.get(name), dict):
            raise _bad(path, name, "is missing, while there are others of a calibration")
    origin = dict(tables["calibration"])
    schema = origin.pop("schema", None)
    if schema.__class__ is int and schema > SCHEMA:
        raise UserError(
            f"{path}: calibration.schema: {schema} is of a later version of the toolkit; this one reads {SCHEMA}.",
            "Update the toolkit, or calibrate the device again with this one.",
        )
    if schema.__class__ is not int or schema != SCHEMA:
        raise _bad(path, "calibration.schema", f"must be {SCHEMA}, not {schema!r}")
    origin.pop("written_by", None)
    unknown: dict[str, Any] = {"memory_copy_gb_s": None, "cold_read_mb_s": None}
    try:
        found = Calibration(
            from_plain(Origin, origin, "calibration"),
            from_plain(Measured, {**unknown, **tables["measured"]}, "measured"),
            from_plain(LatencyModel, tables["latency_model"], "latency_model"),
        )
    except UserError as error:
        raise UserError(f"{path}: {error.message}", REMEDY) from error
    for where, problem in _problems(found):
        raise _bad(path, where, problem)
    return found


def written_here(tables: Mapping[str, Any]) -> bool:
    """Whether a profile's tables say that a calibration wrote them."""
    table = tables.get("calibration")
    return isinstance(table, dict) and table.get("written_by") == WRITTEN_BY


def _problems(found: Calibration) -> Iterator[tuple[str, str]]:
    """(key, what is wrong with it) of numbers that no calibration gives."""
    if len(found.origin.fingerprint) != SHORTEST_FINGERPRINT:
        yield "calibration.fingerprint", f"is no sha256: {found.origin.fingerprint!r}"
    for name in ("memory_copy_gb_s", "cold_read_mb_s"):
        value = getattr(found.measured, name)
        if value is not None and value <= 0:
            yield f"measured.{name}", f"must be above 0, not {value:g}"
    model = found.latency_model
    if not 0 < model.shortest < model.longest:
        yield "latency_model.shortest", f"must be above 0 and below longest: {model.shortest}, {model.longest}"
    counts = [each.threads for each in model.threads]
    if not counts or min(counts) < 1 or len(set(counts)) != len(counts):
        yield "latency_model.threads", f"must have one table for each number of threads, 1 or more: {counts}"
    for index, each in enumerate(model.threads):
        yield from _thread_problems(each, f"latency_model.threads[{index}]")


def _thread_problems(model: ThreadModel, where: str) -> Iterator[tuple[str, str]]:
    for table, values in (("prices", model.prices), ("largest", model.largest)):
        for name, value in to_plain(values).items():
            if value < 0:
                yield f"{where}.{table}.{name}", f"must not be negative: {value:g}"
    if not any(to_plain(model.prices).values()):
        yield f"{where}.prices", "are all 0"
    for name, low in (("cache_bytes", 1), ("p95_ratio", 1.0), ("fastest_ms", 1e-6)):
        if (value := getattr(model, name)) < low:
            yield f"{where}.{name}", f"must be at least {low:g}, not {value:g}"
    yield from _error_problems(model.error, f"{where}.error")


def _error_problems(error: CheckedError, where: str) -> Iterator[tuple[str, str]]:
    for name in ("p50_median", "p50_p90", "p95_median", "p95_p90"):
        value = getattr(error, name)
        if not 0 < value <= LARGEST_ERROR:
            yield f"{where}.{name}", f"must be above 0 and at most {LARGEST_ERROR:g}, not {value:g}"
    for kind in ("p50", "p95"):
        if getattr(error, f"{kind}_p90") < getattr(error, f"{kind}_median"):
            yield f"{where}.{kind}_p90", f"is below {kind}_median"
    for name in ("artifacts", "cases"):
        if getattr(error, name) < 1:
            yield f"{where}.{name}", "must be at least 1"


def _bad(path: Path, where: str, problem: str) -> UserError:
    return UserError(f"{path}: {where}: {problem}.", REMEDY)


def toml(tables: Mapping[str, Any], prefix: str = "") -> str:
    """Nested dicts as TOML: plain values first, then tables, then arrays of tables.

    Floats keep six digits, and above a million all digits before the point. The standard library only reads TOML.
    """
    plain = {key: value for key, value in tables.items() if not _is_table(value)}
    lines = [f"{key} = {_toml_value(value)}" for key, value in plain.items()]
    for key, value in tables.items():
        if isinstance(value, dict):
            lines += ["", f"[{prefix}{key}]", toml(value, f"{prefix}{key}.")]
        elif _is_table(value):
            for item in value:
                lines += ["", f"[[{prefix}{key}]]", toml(item, f"{prefix}{key}.")]
    return "\n".join(lines).strip("\n")


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _toml_value(value: Any) -> str:
    if isinstance(value, float):
        return repr(float(f"{value:.6g}") if abs(value) < 1e6 else float(round(value)))
    if isinstance(value, list):
        return f"[{', '.join(map(_toml_value, value))}]"
    # A JSON string is one of TOML's, but for one character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
