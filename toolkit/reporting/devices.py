"""Profiles of devices: what the bundle costs where it will run, and whether it answers there as it should."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from export.runtime.profile_record import Profile
from export.runtime.settings import LENGTH, SettingResult, spoken
from export.runtime.sustained import Slice, Sustained
from toolkit.reporting import text
from toolkit.reporting.blocks import Block, Chart, Figure, Items, Row, Section, Table, Text, row
from toolkit.reporting.device_charts import (
    BARE,
    PACKED,
    STYLES,
    Line,
    Moment,
    Point,
    length_chart,
    settings_chart,
    sustained_chart,
)
from toolkit.reporting.device_table import celsius, megahertz, pair, profile_table, throttled
from toolkit.reporting.emulated import emulation_blocks
from toolkit.reporting.evidence import Device, Evidence

BROWSER_NOTE = (
    "measured by the web app in a browser, with WebAssembly and one thread. A browser tells nothing of memory, heat "
    "or energy, and its clock is coarse: a sample may be the mean of several runs, which evens out single slow ones."
)
SINCE_BOOT = "has occurred"  # ends the name of what throttled before a run, not in it


def devices_section(evidence: Evidence) -> Section | None:
    """The devices side by side, their charts, and the answers of emulated CPUs; None without any of it."""
    blocks: list[Block] = []
    if evidence.devices:
        blocks += _profiles(evidence.devices)
    if evidence.emulation:
        blocks += emulation_blocks(evidence.emulation)
    if evidence.left_out:
        blocks += [Text("Left out of this page:"), Items(tuple(("", why) for why in evidence.left_out))]
    return Section("devices", "On devices", tuple(blocks)) if blocks else None


def _profiles(devices: Sequence[Device]) -> list[Block]:
    blocks: list[Block] = [
        Text(
            "Measured by running the bundle on each device: batch 1, words in and one row of logits per word out, "
            "files already in the page cache, answers compared with the golden ones."
        ),
    ]
    if paged := [device.name for device in devices if device.profile.browser]:
        blocks.append(Text(f"{'; '.join(paged)}: {BROWSER_NOTE}"))
    if wrong := [device.name for device in devices if not device.profile.agreement.ok]:
        blocks.append(Text(f"Wrong answers, so do not use the bundle there: {', '.join(wrong)}."))
    return [*blocks, profile_table(devices), *_lengths(devices), *_settings(devices), *_sustained(devices)]


def _lengths(devices: Sequence[Device]) -> list[Block]:
    """Latency by length of text."""
    lengths = sorted({bucket.length for device in devices for bucket in device.profile.measurement.buckets})
    lines: list[Line] = []
    rows = []
    for device in devices:
        totals = {bucket.length: bucket.total for bucket in device.profile.measurement.buckets}
        cells = [pair(totals[n].p50, totals[n].p95) if n in totals else text.UNKNOWN for n in lengths]
        rows.append(row((device.name, *cells)))
        if totals and len(lines) < len(STYLES):
            points = tuple(Point(n, totals[n].p50, totals[n].p95) for n in sorted(totals))
            lines.append(Line(device.name, STYLES[len(lines)], points))
    if not lines:
        return []
    summary = "Median latency by length of text on each device at the bundle's own setting; thin lines reach to p95."
    if len(lines) < len(devices):
        summary += f" Drawn are {len(lines)} of {len(devices)} devices; the table has all."
    header = ("Device", *(f"{length} sub-words" for length in lengths))
    table = Table("Latency by length, p50 / p95 in ms", header, "l" + "r" * len(lengths), tuple(rows))
    return [Figure((length_chart(lines, summary),), table)]


def _settings(devices: Sequence[Device]) -> list[Block]:
    """The thread sweep; drawn where more than one setting was tried."""
    charts, rows = [], []
    for number, device in enumerate(devices):
        profile = device.profile
        rows += [_setting_row(device.name, profile, found) for found in profile.settings]
        if len(profile.settings) > 1:
            charts.append(_settings_chart(f"device-{number}-settings", device))
    header = ("Device", "Setting", "p50", "p95", "As fast as the first", "Peak", "Anonymous")
    table = Table(f"Settings tried, at {LENGTH} sub-words", header, "llrrrrr", tuple(rows))
    why = Text(
        "Each setting was measured in turns with the first. More threads, and doing without prepacking, are "
        "recommended only where they pay: the former cost energy, the latter speed."
    )
    if not charts:
        return [why, table]
    return [why, Figure(tuple(charts), table, "below" if len(charts) == 1 else "folded")]


def _setting_row(name: str, profile: Profile, found: SettingResult) -> Row:
    best = found.setting == profile.recommended
    cells = (
        name,
        spoken(found.setting) + (", recommended" if best else ""),
        text.ms(found.p50_ms),
        text.ms(found.p95_ms),
        f"{found.ratio:.2f}{text.SPACE}× ({found.ratio_low:.2f}–{found.ratio_high:.2f})",
        text.size(found.peak),
        text.size(found.anonymous),
    )
    return row(cells, "selected" if best else "")


def _settings_chart(name: str, device: Device) -> Chart:
    profile = device.profile
    lines: list[Line] = []
    best = (0, 0)
    for prepacking, kind, style in ((True, "with prepacking", PACKED), (False, "without prepacking", BARE)):
        results = sorted(
            (found for found in profile.settings if found.setting.prepacking is prepacking),
            key=lambda found: found.setting.threads,
        )
        settings = [found.setting for found in results]
        if profile.recommended in settings:
            best = (len(lines), settings.index(profile.recommended))
        if results:
            points = tuple(Point(found.setting.threads, found.p50_ms, found.p95_ms) for found in results)
            lines.append(Line(kind, style, points))
    summary = (
        f"Median latency at {LENGTH} sub-words by setting on {device.name}; thin lines reach to p95. The "
        f"recommended one, {spoken(profile.recommended)}, is ringed."
    )
    return settings_chart(name, device.name, lines, best, summary)


def _sustained(devices: Sequence[Device]) -> list[Block]:
    """The throttling curves."""
    charts, rows = [], []
    for number, device in enumerate(devices):
        if long := device.profile.sustained:
            slower = f"{long.slowdown:.2f}{text.SPACE}×"
            charts.append(_sustained_chart(f"device-{number}-sustained", device.name, long, slower))
            rows.append(_sustained_row(device.name, long, slower))
    if not charts:
        return []
    header = ("Device", "Minutes", "p50", "End against start", "Temperature", "Clock", "Throttled")
    caption = "Work without a pause; the end is the last tenth of it, the start the first"
    table = Table(caption, header, "lrrrrrl", tuple(rows))
    return [Figure(tuple(charts), table, "below")]


def _sustained_chart(name: str, device: str, long: Sustained, slower: str) -> Chart:
    moments = [Moment(one.at_s / 60, one.p50_ms, one.temperature_c, _slowed(one)) for one in long.slices]
    summary = (
        f"Median latency at {long.length} sub-words over {long.minutes:.1f} minutes of work without a pause on "
        f"{device}: in the last tenth {slower} that of the first."
    )
    return sustained_chart(name, device, moments, summary)


def _slowed(one: Slice) -> bool:
    return any(not name.endswith(SINCE_BOOT) for name in one.throttled or ())


def _sustained_row(name: str, long: Sustained, slower: str) -> Row:
    def span(value: Callable[[Slice], float | None], shown: Callable[[float | None], str]) -> str:
        known = [found for found in map(value, long.slices) if found is not None]
        return f"{shown(min(known))} to {shown(max(known))}" if known else text.UNKNOWN

    cells = (
        name,
        f"{long.minutes:.1f}",
        span(lambda one: one.p50_ms, text.ms),
        slower,
        span(lambda one: one.temperature_c, celsius),
        span(lambda one: one.frequency_mhz, megahertz),
        throttled(one.throttled for one in long.slices),
    )
    return row(cells)
