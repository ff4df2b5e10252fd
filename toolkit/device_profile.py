"""Device profiles: what a device is, what to try on it and what it can afford.

The schema is in device_profiles/README.md.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

from calibration.device.record import TABLES, Calibration, read_calibration
from export.runtime.errors import UserError
from export.runtime.texts import LENGTHS
from toolkit.measure.roofline import Roofline

PROFILES = Path(__file__).resolve().parent.parent / "device_profiles"
VARIANTS = (
    "onnx-fp32",
    "onnx-int8",
    "onnx-static-int8",
    "torchscript-fp32",
    "torchscript-int8",
    "llm-int8",
)
DEFAULT_MAX_F1_LOSS = 0.10


@dataclass(frozen=True)
class Budgets:
    """What the device can afford; None where a budget does not constrain it.

    Attributes:
        download_bytes: the zip of model, tokenizer and labels, without runtime and documents.
        peak_rss_bytes: highest resident memory of the whole process that tags.
        p95_ms: 95th percentile of the time for one text of `p95_length` sub-words, words in, tags out.
        p95_length: sub-words with <s> and </s>; one of the lengths that latency is measured at.
        cold_start_ms: from starting a fresh process to its first answer.
    """

    download_bytes: int | None
    peak_rss_bytes: int | None
    p95_ms: float | None
    p95_length: int
    cold_start_ms: float | None


@dataclass(frozen=True)
class DeviceProfile:
    """One device and its limits.

    Attributes:
        cores: how many, whatever their kind.
        isa: instruction set, such as x86_64, aarch64, wasm32 or cuda.
        ram_mb: of the whole device, in MB (10^6 bytes); None where it is not known.
        int8: the instructions that int8 arithmetic runs on there.
        int8_basis: where that is known from.
        this_machine: what is measured where the toolkit runs counts as measured on the device.
        variants: names from `VARIANTS`, in the order to try them.
        threads: of the runtime, per inference.
        external_data: ship the weights in a file of their own, which is memory-mapped.
        max_f1_loss_relative: largest share of the teacher's F1 that may be lost (0.10 is a tenth).
        basis: for each limit, where it comes from.
        source: the file it was read from.
        roofline: for an unverified estimate of latency.
        calibration: measured on the device by `make calibrate-device`; predicts latency with a checked error.
    """

    name: str
    description: str
    cores: int
    isa: str
    ram_mb: int | None
    int8: str
    int8_basis: str
    this_machine: bool
    variants: tuple[str, ...]
    threads: int
    external_data: bool
    budgets: Budgets
    max_f1_loss_relative: float
    basis: Mapping[str, str]
    source: Path
    roofline: Roofline = field(default_factory=Roofline)
    calibration: Calibration | None = None

    @property
    def fingerprint(self) -> str | None:
        """Of the machine that a calibrated profile describes; None where `this_machine` says it."""
        return self.calibration.origin.fingerprint if self.calibration else None

    @property
    def is_here(self) -> bool:
        """Whether what is measured here was measured on the device; a calibrated profile says which machine it is."""
        return self.this_machine and self.fingerprint is None


class _Key(NamedTuple):
    """How a key is written: its type, its range, its value where it is left out (`...`: it must be there)."""

    kind: type
    default: Any = ...
    low: float | None = None
    high: float | None = None


_LIMITS = (
    "download_bytes",
    "peak_rss_bytes",
    "p95_ms",
    "p95_length",
    "cold_start_ms",
    "max_f1_loss_relative",
)
_ROOFLINE = tuple(field.name for field in fields(Roofline))
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST_MS = 1e7  # hours; TOML can write `inf`, which JSON cannot
_SCHEMA: dict[str, dict[str, _Key]] = {
    "device": {
        "cores": _Key(int, low=1),
        "isa": _Key(str),
        "ram_mb": _Key(int, default=None, low=1),
        "int8": _Key(str),
        "int8_basis": _Key(str, default="not stated"),
        "this_machine": _Key(bool, default=False),
    },
    "run": {
        "variants": _Key(list),
        "threads": _Key(int, default=1, low=1),
        "external_data": _Key(bool, default=False),
    },
    "budgets": {
        "download_bytes": _Key(int, default=None, low=1),
        "peak_rss_bytes": _Key(int, default=None, low=1),
        "p95_ms": _Key(float, default=None, low=0.001, high=_LONGEST_MS),
        "p95_length": _Key(int, default=64),
        "cold_start_ms": _Key(float, default=None, low=0.001, high=_LONGEST_MS),
    },
    "quality": {"max_f1_loss_relative": _Key(float, default=DEFAULT_MAX_F1_LOSS, low=0.0, high=1.0)},
    "roofline": {
        "clock_ghz": _Key(float, default=None, low=0.01, high=20.0),
        "int8_macs_per_cycle": _Key(float, default=None, low=0.1, high=1e5),
        "fp32_macs_per_cycle": _Key(float, default=None, low=0.1, high=1e5),
        "vector_bits": _Key(int, default=None, low=32, high=4096),
        "memory_gb_s": _Key(float, default=None, low=0.01, high=1e4),
    },
    "basis": {name: _Key(str, default="not stated") for name in (*_LIMITS, *_ROOFLINE)},
}
_TOP = {"name": _Key(str), "description": _Key(str)}
_TYPE_NAMES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", list: "a list"}


def device_profile_names() -> list[str]:
    """The targets that come with the toolkit."""
    return sorted(path.stem for path in PROFILES.glob("*.toml"))


def load_device_profile(name: str) -> DeviceProfile:
    """Read a device profile.

    Args:
        name: one of `device_profile_names()`, or the path of a TOML file (ends with .toml).

    Raises:
        UserError: no such target (lists the choices) or file, not TOML, or an unknown key, a wrong type or
            a value out of range; the message names file and key.
    """
    if name.endswith(".toml"):
        return _read(Path(name))
    names = device_profile_names()
    if name not in names:
        raise UserError(
            f"Unknown target {name!r}." if name else "No target given.",
            f"Choose one of {', '.join(names)}, or give a device profile of your own (a path to a .toml).",
        )
    return _read(PROFILES / f"{name}.toml")


def _read(path: Path) -> DeviceProfile:
    return parse_device_profile(path, read_tables(path))


def check_device_name(name: str) -> str:
    """`name`, if a device may be called so.

    Raises:
        UserError: bundles and folders are named after devices, so only lower-case letters, digits and hyphens do.
    """
    if not _NAME.fullmatch(name):
        raise UserError(
            f"A device cannot be called {name!r}.", "Use lower-case letters, digits and hyphens, such as my-pi."
        )
    return name


def read_tables(path: Path) -> dict[str, Any]:
    """The TOML of a device profile, unchecked.

    Raises:
        UserError: the file cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise UserError(f"Cannot read the device profile {path}: {error.strerror}.", "Check the path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} is not TOML: {error}.", "Correct the file; device_profiles/README.md shows its form."
        ) from error


def parse_device_profile(path: Path, tables: Mapping[str, Any]) -> DeviceProfile:
    """The profile in the tables of the file at `path`.

    Raises:
        UserError: an unknown key, a wrong type or a value out of range; the message names file and key.
    """
    _check_keys(path, "", tables, (*_TOP, *_SCHEMA, *TABLES))
    top = _values(path, "", {key: tables[key] for key in _TOP if key in tables}, _TOP)
    values = {table: _table(path, table, tables.get(table, {})) for table in _SCHEMA}
    device, run = values["device"], values["run"]
    if not _NAME.fullmatch(top["name"]):
        raise _bad(path, "name", f"must be of lower-case letters, digits and hyphens, not {top['name']!r}")
    variants = _variants(path, run.pop("variants"))
    if run["threads"] > device["cores"]:
        raise _bad(path, "run.threads", f"{run['threads']} threads on {device['cores']} cores")
    if (length := values["budgets"]["p95_length"]) not in LENGTHS:
        measured = ", ".join(map(str, LENGTHS))
        raise _bad(path, "budgets.p95_length", f"latency is measured at {measured} sub-words, not at {length}")
    calibration = read_calibration(path, tables)
    if calibration and calibration.latency_model.for_threads(run["threads"]) is None:
        counts = ", ".join(str(model.threads) for model in calibration.latency_model.threads)
        raise _bad(path, "run.threads", f"was calibrated with {counts} threads, not with {run['threads']}")
    return DeviceProfile(
        **top,
        **device,
        **run,
        variants=variants,
        budgets=Budgets(**values["budgets"]),
        max_f1_loss_relative=values["quality"]["max_f1_loss_relative"],
        basis=values["basis"],
        source=path,
        roofline=Roofline(**values["roofline"]),
        calibration=calibration,
    )


def _table(path: Path, table: str, given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise _bad(path, table, f"must be a table, [{table}]")
    _check_keys(path, f"{table}.", given, tuple(_SCHEMA[table]))
    return _values(path, f"{table}.", given, _SCHEMA[table])


def _check_keys(path: Path, prefix: str, given: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    for key in given:
        if key not in allowed:
            where = f"in [{prefix[:-1]}]" if prefix else "at the top"
            raise UserError(f"{path}: unknown key {prefix + key!r}.", f"Allowed {where}: {', '.join(allowed)}.")


def _values(path: Path, prefix: str, given: Mapping[str, Any], schema: Mapping[str, _Key]) -> dict[str, Any]:
    return {name: _value(path, prefix + name, given.get(name, key.default), key) for name, key in schema.items()}


def _value(path: Path, where: str, value: Any, key: _Key) -> Any:
    if value is ...:
        raise _bad(path, where, "is missing")
    if value is None:
        return None
    if key.kind is float and value.__class__ is int:
        value = float(value)
    fits: bool = value.__class__ is key.kind  # isinstance would take true for a number
    if not fits:
        raise _bad(path, where, f"must be {_TYPE_NAMES[key.kind]}, not {value!r}")
    if key.kind is str and not value.strip():
        raise _bad(path, where, "must not be empty")
    # `not (low <= value)` also refuses nan, which TOML can write.
    if (key.low is not None and not value >= key.low) or (key.high is not None and not value <= key.high):
        span = f"at least {key.low:g}" if key.high is None else f"from {key.low:g} to {key.high:g}"
        raise _bad(path, where, f"must be {span}, not {value!r}")
    return value


def _variants(path: Path, names: list[Any]) -> tuple[str, ...]:
    for name in names:
        if name not in VARIANTS:
            raise _bad(path, "run.variants", f"unknown variant {name!r}; allowed: {', '.join(VARIANTS)}")
    if not names or len(set(names)) != len(names):
        raise _bad(path, "run.variants", "must name at least one variant, each once")
    return tuple(names)


def _bad(path: Path, where: str, problem: str) -> UserError:
    return UserError(f"{path}: {where}: {problem}.", "Correct the file; device_profiles/README.md lists every key.")
