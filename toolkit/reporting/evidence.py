"""What a bundle's evidence folder says about devices: profiles, and the check on emulated ARM CPUs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.manifest import EVIDENCE, MANIFEST, MAX_MANIFEST_BYTES, read_manifest
from export.runtime.errors import UserError
from export.runtime.profile_record import Profile
from export.runtime.records import from_plain
from export.strict_json import loads
from toolkit.emulation.record import SCHEMA, CpuResult
from toolkit.reporting.text import clean, shorten

PROFILES = "profile-*.json"
EMULATION = "emulation.json"
KIND = "ARM emulation"
LONGEST_NAME = 48
LONGEST_REASON = 300
LARGEST = 1e15  # of any number: beyond every byte count, clock and time
SMALLEST_MS = 1e-6  # of a latency
EDITED = "Measure again; do not edit the file."


@dataclass(frozen=True)
class Device:
    """A profile under a name that no other on the page has."""

    name: str
    profile: Profile


@dataclass(frozen=True)
class Sample:
    """What emulated CPUs were asked: `sentences` of the `of` there are; templates where it is not real text."""

    source: str
    real_text: bool
    sentences: int
    of: int


@dataclass(frozen=True)
class Emulation:
    """What a page shows of an emulation; see `toolkit.emulation.record.EmulationReport.to_json`."""

    rule: str
    sample: Sample
    cpus: tuple[CpuResult, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Evidence:
    """What there is to show.

    Attributes:
        left_out: a line for each file that cannot be shown, with its name and the reason.
    """

    devices: tuple[Device, ...] = ()
    emulation: Emulation | None = None
    left_out: tuple[str, ...] = ()


def read_evidence(bundle: Path) -> Evidence:
    """Read the profiles of devices and the emulation in a bundle's evidence folder; none is no error.

    A file that is damaged or about another model is named in `left_out` and does no other harm.
    """
    folder = bundle / EVIDENCE
    files = [*sorted(folder.glob(PROFILES)), *folder.glob(EMULATION)]
    if not files:
        return Evidence()
    try:
        digest = read_manifest(bundle / MANIFEST).model_sha256
    except UserError:
        unknown = f"the bundle's {MANIFEST} cannot be used, so nobody knows whether this is about its model."
        return Evidence(left_out=tuple(f"{file.name}: {unknown}" for file in files))
    profiles: list[Profile] = []
    emulation: Emulation | None = None
    left_out = []
    for file in files:
        try:
            data = _read(file, digest)
            if file.name == EMULATION:
                emulation = _emulation(data, file.name)
            else:
                profiles.append(read_profile(data, file.name))
        except UserError as error:
            left_out.append(shorten(error.message, LONGEST_REASON))
    return Evidence(_named(profiles), emulation, tuple(left_out))


def _read(file: Path, digest: str) -> dict[str, Any]:
    """A JSON object about the model of this digest."""
    try:
        if not file.is_file() or file.stat().st_size > MAX_MANIFEST_BYTES:
            raise UserError(f"{file.name} is not a file of at most {MAX_MANIFEST_BYTES} bytes.")
        data = loads(file.read_bytes(), file.name)
    except OSError as error:
        raise UserError(f"{file.name} cannot be read: {error.strerror}.") from error
    if not isinstance(data, dict):
        raise UserError(f"{file.name} is not a JSON object.")
    if data.get("model_sha256") != digest:
        raise UserError(f"{file.name} is about another model than the one in the bundle.")
    return data


def _check_numbers(data: Any, name: str) -> None:
    if any(abs(number) > LARGEST for number in _numbers(data)):
        raise UserError(f"{name} holds a number beyond {LARGEST:g}.", EDITED)


def _numbers(value: Any) -> Iterator[float]:
    rest = [value]
    while rest:
        item = rest.pop()
        if isinstance(item, dict):
            rest += item.values()
        elif isinstance(item, list):
            rest += item
        elif isinstance(item, (int, float)):
            yield item


def read_profile(data: Any, name: str) -> Profile:
    """A profile that a page can show.

    Args:
        data: parsed JSON.
        name: what messages call it.

    Raises:
        UserError: it is none, or holds numbers that no chart can.
    """
    _check_numbers(data, name)
    profile = Profile.from_json(data, name)
    if any(bucket.length < 1 for bucket in profile.measurement.buckets):
        raise UserError(f"{name} holds a latency of texts without a sub-word.", EDITED)
    latencies = [bucket.total.p50 for bucket in profile.measurement.buckets]
    latencies += [found.p50_ms for found in profile.settings]
    if profile.sustained:
        latencies += [one.p50_ms for one in profile.sustained.slices]
    if min(latencies) < SMALLEST_MS:
        raise UserError(f"{name} holds a latency below {SMALLEST_MS:g} ms.", EDITED)
    return profile


def _emulation(data: dict[str, Any], name: str) -> Emulation:
    _check_numbers(data, name)
    if (data.get("kind"), data.get("schema")) != (KIND, SCHEMA):
        raise UserError(f"{name} is not an {KIND} of schema {SCHEMA}.")
    shown = {key: data.get(key) for key in Emulation.__annotations__}
    if isinstance(shown["cpus"], list):
        shown["cpus"] = [_without_verdict(cpu) for cpu in shown["cpus"]]
    return from_plain(Emulation, shown, name)


def _without_verdict(cpu: Any) -> Any:
    """`ok` follows from the problems."""
    return {key: value for key, value in cpu.items() if key != "ok"} if isinstance(cpu, dict) else cpu


def _named(profiles: list[Profile]) -> tuple[Device, ...]:
    """Its device's name, with a number where several have the same, and a mark on what was measured in haste."""
    names = [shorten(clean(profile.device), LONGEST_NAME) for profile in profiles]
    total, seen = Counter(names), Counter[str]()
    devices = []
    for name, profile in zip(names, profiles, strict=True):
        seen[name] += 1
        marks = [str(seen[name])] if total[name] > 1 else []
        marks += ["quick"] if profile.quick else []
        devices.append(Device(f"{name} ({', '.join(marks)})" if marks else name, profile))
    return tuple(devices)
