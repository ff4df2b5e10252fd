"""A profile as lines for people."""

from __future__ import annotations

from .answers import Agreement
from .conditions import Conditions
from .measurement import Measurement
from .profile_record import Profile
from .settings import LENGTH, spoken

BUSY = 0.05  # share of the time without the processor above which a latency says so
Rows = list[tuple[str, str]]


def profile_rows(profile: Profile) -> Rows:
    """A profile as (what, value) lines for a table; what the machine does not tell is 'unknown'."""
    return [
        *_machine_rows(profile),
        *_latency_rows(profile.measurement),
        *_setting_rows(profile),
        ("answers", _agreement(profile.agreement)),
        ("conditions before", _conditions(profile.before)),
        ("conditions after", _conditions(profile.after)),
        *_optional_rows(profile),
    ]


def _machine_rows(profile: Profile) -> Rows:
    measurement = profile.measurement
    machine, cold, sizes = measurement.machine, measurement.cold_start, measurement.sizes
    parts = {
        "worker" if profile.browser else "Python": cold.interpreter,
        "imports": cold.imports,
        "load": cold.load,
        "first answer": cold.first_answer,
    }
    name = machine.board or machine.cpu or (None if profile.browser else "unknown")
    split = ", ".join(f"{part} {seconds * 1000:.0f}" for part, seconds in parts.items())
    rows = [
        ("machine", ", ".join(part for part in (name, machine.os, profile.browser) if part)),
        ("onnxruntime, setting", f"{machine.onnxruntime or 'unknown'}, {spoken(profile.setting)}"),
        ("model, tokenizer, labels", f"{_mb(sizes.total)} on disk, {_mb(sizes.zipped)} zipped"),
        ("cold start", f"{cold.total * 1000:.0f} ms: {split} (median of {cold.samples})"),
    ]
    quick = ("quick", "a tenth of the protocol: shows that all works, decides nothing")
    return [quick, *rows] if profile.quick else rows


def _latency_rows(measurement: Measurement) -> Rows:
    rows = []
    for bucket in measurement.buckets:
        total, apart = bucket.total, bucket.tokenization.p50
        value = f"p50 {total.p50:.2f}, p95 {total.p95:.2f}, p99 {total.p99:.2f} ms"
        busy = f"; the machine was busy {bucket.waiting:.0%} of it" if (bucket.waiting or 0) > BUSY else ""
        value += f"; tokenization {apart:.2f} ({total.samples} runs{busy})"
        rows.append((f"{bucket.length} sub-words", value))
    speed, memory = measurement.throughput, measurement.memory
    parts = f"peak {_mb(memory.peak)}, anonymous {_mb(memory.anonymous)}, file-backed {_mb(memory.file_backed)}"
    return [
        *rows,
        ("throughput", f"{speed.sentences_per_s:.0f} sentences/s, {speed.tokens_per_s:.0f} sub-words/s"),
        ("memory", parts),
    ]


def _setting_rows(profile: Profile) -> Rows:
    first = profile.settings[0]
    rows = []
    for found in profile.settings:
        value = f"p50 {found.p50_ms:.2f}, p95 {found.p95_ms:.2f} ms at {LENGTH} sub-words, peak {_mb(found.peak)}"
        if found is not first:
            value += f"; {found.ratio:.2f} times as fast as {spoken(first.setting)}"
        rows.append((spoken(found.setting), value))
    return [*rows, ("recommended", spoken(profile.recommended))]


def _agreement(found: Agreement) -> str:
    verdict = "right" if found.ok else "NOT AS THEY SHOULD BE: do not use the bundle here"
    words = f"{found.same_tags} of {found.words} words tagged as golden.jsonl says"
    return f"{verdict}: {found.same_ids} of {found.sentences} sentences with the same ids, {words}"


def _conditions(now: Conditions) -> str:
    clocks = now.frequency_mhz
    parts = [
        "temperature unknown" if now.temperature_c is None else f"{now.temperature_c:.0f} °C",
        f"{min(clocks):.0f} to {max(clocks):.0f} MHz" if clocks else "clock unknown",
        f"governor {now.governor or 'unknown'}",
    ]
    if now.throttled is not None:
        parts.append(f"throttled: {', '.join(now.throttled) or 'no'}")
    return ", ".join(parts)


def _optional_rows(profile: Profile) -> Rows:
    rows = []
    if energy := profile.energy:
        net = energy.net_joules_per_sentence
        apart = "" if net is None else f", {1000 * net:.1f} mJ above idle"
        rows.append(("energy", f"{1000 * energy.joules_per_sentence:.1f} mJ per sentence{apart} ({energy.meter})"))
    if long := profile.sustained:
        hottest = max((one.temperature_c for one in long.slices if one.temperature_c is not None), default=None)
        heat = "" if hottest is None else f", up to {hottest:.0f} °C"
        rows.append(
            ("sustained", f"{long.minutes:.1f} minutes: {long.slowdown:.2f} times the latency at the end{heat}")
        )
    return rows


def _mb(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 1e6:.1f} MB"
