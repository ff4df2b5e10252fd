"""The table of devices: a column for each, a row for each figure of its profile."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence

from export.runtime.conditions import Conditions
from export.runtime.profile_record import Profile
from export.runtime.settings import LENGTH, spoken
from toolkit.reporting import text
from toolkit.reporting.blocks import Table, row
from toolkit.reporting.evidence import Device
from toolkit.reporting.speed import BUSY

FINGERPRINT = 16  # characters shown of a host key's, "SHA256:" among them
PART = "… "  # before the parts of the figure above
# What a figure is called where a browser is among the devices.
IN_BROWSER = {f"{PART}Python": f"{PART}Python, or a browser's worker"}


def profile_table(devices: Sequence[Device]) -> Table:
    """All devices side by side; what one does not tell is a dash."""
    in_browser = any(device.profile.browser for device in devices)
    figures = {(IN_BROWSER.get(name, name) if in_browser else name): shown for name, shown in _FIGURES.items()}
    rows = [
        row((name, *(shown(device.profile) for device in devices)), "quiet" if name.startswith(PART) else "")
        for name, shown in figures.items()
    ]
    header = ("Figure", *(device.name for device in devices))
    return Table("Profiles of devices", header, "l" * len(header), tuple(rows))


def pair(p50: float, p95: float) -> str:
    """Two latencies in ms, without the unit."""
    return f"{text.ms(p50, False)} / {text.ms(p95, False)}"


def throttled(found: Iterable[tuple[str, ...] | None]) -> str:
    """What throttled at any of these moments; a dash where the machine never tells."""
    known = [names for names in found if names is not None]
    names = dict.fromkeys(name for moment in known for name in moment)
    return text.shorten(", ".join(names), 200) or "no" if known else text.UNKNOWN


def celsius(value: float | None) -> str:
    """Whole degrees."""
    return text.UNKNOWN if value is None else f"{value:.0f}{text.SPACE}°C".replace("-", "−")


def megahertz(value: float | None) -> str:
    """Whole MHz, thousands apart."""
    return text.UNKNOWN if value is None else f"{value:,.0f}{text.SPACE}MHz"


def _taken(profile: Profile) -> str:
    day = profile.measured_at[:10]
    return f"{day}; quick: a tenth of the runs, decides nothing" if profile.quick else day


def _reached(profile: Profile) -> str:
    if profile.browser:
        return "by a page in its browser"
    if profile.host is None:
        return "directly"
    return f"over ssh, host key {text.shorten(profile.host, FINGERPRINT)}"


def _machine(profile: Profile) -> str:
    machine = profile.measurement.machine
    parts = [machine.cpu, machine.architecture]
    parts += [f"{machine.cores} cores"] if machine.cores else []
    parts += [f"{machine.ram / 1e9:.1f}{text.SPACE}GB RAM"] if machine.ram else []
    return ", ".join([*(part for part in parts if part), machine.os])


def _runtime(profile: Profile) -> str:
    machine = profile.measurement.machine
    if profile.browser:
        return f"onnxruntime-web {machine.onnxruntime or text.UNKNOWN}, {profile.browser}"
    return f"onnxruntime {machine.onnxruntime or text.UNKNOWN}, Python {machine.python or text.UNKNOWN}"


def _latency(profile: Profile) -> str:
    """At LENGTH sub-words, and whether the machine was busy with other things."""
    bucket = next((one for one in profile.measurement.buckets if one.length == LENGTH), None)
    if bucket is None:
        return text.UNKNOWN
    busy = f", other programs had the processor {text.share(bucket.waiting, 0)} of it"
    shown = f"{pair(bucket.total.p50, bucket.total.p95)}{text.SPACE}ms"
    return shown + (busy if (bucket.waiting or 0) > BUSY else "")


def _rate(profile: Profile) -> str:
    value = profile.measurement.throughput.sentences_per_s
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _agreement(profile: Profile) -> str:
    found = profile.agreement
    ids = f"{text.whole(found.same_ids)} of {text.whole(found.sentences)} sentences with the same ids"
    tags = f"{text.whole(found.same_tags)} of {text.whole(found.words)} words with the same tag"
    return f"{'yes' if found.ok else 'no'}: {ids}, {tags}"


def _logits(profile: Profile) -> str:
    largest = profile.agreement.largest_logit_difference
    if largest is None:
        return text.UNKNOWN
    return f"{largest:.2g} ({profile.agreement.tolerance:g} allowed)"


def _energy(profile: Profile) -> str:
    energy = profile.energy
    if energy is None:
        return text.UNKNOWN
    net = energy.net_joules_per_sentence
    above = "" if net is None else f"{_millijoules(net)} of it above idle; "
    return f"{_millijoules(energy.joules_per_sentence)} ({above}{energy.scope}, {energy.meter})"


def _millijoules(joules: float) -> str:
    return f"{1000 * joules:.3g}{text.SPACE}mJ"


def _twice(profile: Profile, shown: Callable[[Conditions], str]) -> str:
    """Before and after; one dash where neither is known."""
    before, after = shown(profile.before), shown(profile.after)
    return before if before == after == text.UNKNOWN else f"{before} then {after}"


def _clock(now: Conditions) -> str:
    """The mean over the cores."""
    return megahertz(statistics.fmean(now.frequency_mhz) if now.frequency_mhz else None)


def _seconds(part: Callable[[Profile], float]) -> Callable[[Profile], str]:
    return lambda profile: text.ms(1000 * part(profile))


_FIGURES: dict[str, Callable[[Profile], str]] = {
    "Measured on": _taken,
    "Reached": _reached,
    "Machine": _machine,
    "Runtime": _runtime,
    "Recommended setting": lambda p: spoken(p.recommended),
    "Setting of the figures below": lambda p: spoken(p.setting),
    f"p50 / p95 at {LENGTH} sub-words": _latency,
    "Sentences per second": _rate,
    "Cold start": _seconds(lambda p: p.measurement.cold_start.total),
    f"{PART}Python": _seconds(lambda p: p.measurement.cold_start.interpreter),
    f"{PART}imports": _seconds(lambda p: p.measurement.cold_start.imports),
    f"{PART}model": _seconds(lambda p: p.measurement.cold_start.session),
    f"{PART}tokenizer": _seconds(lambda p: p.measurement.cold_start.tokenizer),
    f"{PART}first answer": _seconds(lambda p: p.measurement.cold_start.first_answer),
    "Peak memory": lambda p: text.size(p.measurement.memory.peak),
    "Anonymous memory": lambda p: text.size(p.measurement.memory.anonymous),
    "Answers agree": _agreement,
    "Logits differ by at most": _logits,
    "Energy per sentence": _energy,
    "Temperature, before and after": lambda p: _twice(p, lambda now: celsius(now.temperature_c)),
    "Clock, before and after": lambda p: _twice(p, _clock),
    "Highest clock": lambda p: megahertz(p.after.frequency_max_mhz),
    "Governor": lambda p: p.after.governor or text.UNKNOWN,
    "Throttled": lambda p: throttled([p.before.throttled, p.after.throttled]),
}
