"""The section on devices, as the page and as Markdown."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from export.runtime.profile_record import Profile
from tests.toolkit.reporting.made_devices import FINGERPRINT, PI, emulation, laptop, lay, make_bundle, pi, wrong
from toolkit.record import RunRecord
from toolkit.report import write_report
from toolkit.reporting.blocks import Figure, Section, Table
from toolkit.reporting.device_charts import STYLES
from toolkit.reporting.devices import devices_section
from toolkit.reporting.evidence import Device, Evidence, read_evidence

HOSTILE = "<script>alert(1)</script>|</svg></table>\"'&amp;$x_{1}$"


def section(*profiles: Profile) -> Section:
    made = devices_section(Evidence(tuple(Device(f"device {n}", profile) for n, profile in enumerate(profiles))))
    assert made is not None
    return made


def tables(made: Section) -> dict[str, Table]:
    """By the beginning of their captions."""
    found = [block.table if isinstance(block, Figure) else block for block in made.blocks]
    return {table.caption.split(",")[0]: table for table in found if isinstance(table, Table)}


def figures(profile: Profile) -> dict[str, str]:
    """What the table of devices says of one."""
    rows = tables(section(profile))["Profiles of devices"].rows
    return {row.cells[0]: row.cells[1].replace("\N{NO-BREAK SPACE}", " ") for row in rows}


def pages(tmp_path: Path, record: RunRecord) -> tuple[str, str]:
    """Page and Markdown beside the bundle swa-cpu-edge."""
    html = tmp_path / "swa-cpu-edge.report.html"
    write_report([], record, html, html.with_suffix(".md"))
    return html.read_text("utf-8"), html.with_suffix(".md").read_text("utf-8")


def changed(profile: Profile, **changes: Any) -> Profile:
    return replace(profile, measurement=replace(profile.measurement, **changes))


def test_no_evidence_makes_no_section() -> None:
    assert devices_section(Evidence()) is None


def test_pages_of_bundles_without_profiles_stay_as_they_were(tmp_path: Path, record: RunRecord) -> None:
    (tmp_path / "none").mkdir()
    before = pages(tmp_path / "none", record)
    make_bundle(tmp_path / "swa-cpu-edge")
    assert pages(tmp_path, record) == before
    assert "device" not in before[0].split("</style>")[1].replace("device profile", "").replace("for that device", "")


def test_the_section_stands_after_latency_in_both_renderings(tmp_path: Path, record: RunRecord) -> None:
    bundle = make_bundle(tmp_path / "swa-cpu-edge")
    for name, profile in (("profile-a.json", laptop()), ("profile-b.json", pi())):
        lay(bundle, name, profile)
    lay(bundle, "profile-c.json", {"schema": 1})
    page, markdown = pages(tmp_path, record)
    headings = re.findall(r"<h2[^>]*>([^<]*)</h2>", page)
    assert headings[headings.index("Latency") + 1] == "On devices"
    assert re.findall(r"(?m)^## (.*)$", markdown) == headings
    assert page.count('<svg viewBox="0 0 400') == 8 + 3  # lengths of both, settings and minutes of the Pi
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    for text in (page, markdown):
        assert "Raspberry Pi 4 Model B Rev 1.4" in text
        assert "profile-c.json is about another model" in text
        assert "Kq3JdN8x…" in text and FINGERPRINT not in text


def test_a_device_that_tells_all_is_told_in_full() -> None:
    shown = figures(pi())
    assert shown["Measured on"] == "2026-11-02"
    assert shown["Reached"] == "over ssh, host key SHA256:Kq3JdN8x…"
    assert shown["Machine"] == "Cortex-A72, aarch64, 4 cores, 4.0 GB RAM, Debian GNU/Linux 13"
    assert shown["Runtime"] == "onnxruntime 1.31.1, Python 3.13.5"
    assert shown["Recommended setting"] == "2 threads without prepacking"
    assert shown["Setting of the figures below"] == "1 thread"
    assert shown["p50 / p95 at 64 sub-words"] == "6.40 / 7.68 ms"
    assert shown["Sentences per second"] == "1,234"
    parts = [value for name, value in shown.items() if name.startswith("… ")]
    assert (shown["Cold start"], parts) == ("190 ms", ["20.0 ms", "105 ms", "41.0 ms", "12.3 ms", "7.10 ms"])
    assert (shown["Peak memory"], shown["Anonymous memory"]) == ("61.0 MB", "31.0 MB")
    assert shown["Answers agree"] == (
        "yes: 35 of 35 sentences with the same ids, 1,898 of 1,898 words with the same tag"
    )
    assert shown["Logits differ by at most"] == "0.027 (1 allowed)"
    assert shown["Energy per sentence"] == "52.3 mJ (21.1 mJ of it above idle; board, PMIC)"
    assert shown["Temperature, before and after"] == "45 °C then 81 °C"
    assert shown["Clock, before and after"] == "1,500 MHz then 1,500 MHz"
    assert (shown["Highest clock"], shown["Governor"]) == ("1,800 MHz", "ondemand")
    assert shown["Throttled"] == "under-voltage has occurred"


def test_what_a_device_does_not_tell_is_a_dash() -> None:
    machine = replace(PI, board=None, cpu=None, cores=None, ram=None, onnxruntime=None)
    memory = replace(laptop().measurement.memory, peak=None, anonymous=None)
    silent = changed(laptop(), machine=machine, memory=memory, buckets=())
    silent = replace(silent, agreement=replace(silent.agreement, largest_logit_difference=None))
    shown = figures(silent)
    dashes = {name for name, value in shown.items() if value == "–"}
    assert dashes == {
        "p50 / p95 at 64 sub-words", "Peak memory", "Anonymous memory", "Logits differ by at most",
        "Energy per sentence", "Temperature, before and after", "Clock, before and after", "Highest clock",
        "Governor", "Throttled",
    }  # fmt: skip
    assert shown["Reached"] == "directly"
    assert shown["Machine"] == "aarch64, Debian GNU/Linux 13"
    assert shown["Runtime"] == "onnxruntime –, Python 3.13.5"


def test_what_is_known_only_afterwards_says_so() -> None:
    shown = figures(replace(laptop(), after=replace(pi().after, throttled=())))
    assert shown["Temperature, before and after"] == "– then 81 °C"
    assert shown["Throttled"] == "no"


def test_haste_a_busy_machine_and_a_slow_one_say_so() -> None:
    buckets = tuple(replace(bucket, waiting=0.41) for bucket in laptop().measurement.buckets)
    shown = figures(replace(changed(laptop(), buckets=buckets), quick=True))
    assert shown["Measured on"] == "2026-11-02; quick: a tenth of the runs, decides nothing"
    assert shown["p50 / p95 at 64 sub-words"] == "6.40 / 7.68 ms, other programs had the processor 41 % of it"
    slow = changed(laptop(), throughput=replace(laptop().measurement.throughput, sentences_per_s=3.14))
    assert figures(slow)["Sentences per second"] == "3.1"


def test_wrong_answers_are_said_before_the_table() -> None:
    shown = figures(wrong(pi()))
    assert shown["Answers agree"].startswith("no: 34 of 35 sentences with the same ids, 1,897 of 1,898")
    said = [block.text for block in section(laptop(), wrong(pi())).blocks if hasattr(block, "text")]
    assert "Wrong answers, so do not use the bundle there: device 1." in said
    assert not any("Wrong" in text for text in [b.text for b in section(pi()).blocks if hasattr(b, "text")])


def test_latency_by_length_is_drawn_and_tabled_for_each_device() -> None:
    bare = changed(laptop(), buckets=laptop().measurement.buckets[2:3])
    table = tables(section(pi(), bare))["Latency by length"]
    assert table.header == ("Device", "16 sub-words", "32 sub-words", "64 sub-words", "128 sub-words")
    assert table.rows[0].cells == ("device 0", "1.60 / 1.92", "3.20 / 3.84", "6.40 / 7.68", "12.8 / 15.4")
    assert table.rows[1].cells == ("device 1", "–", "–", "6.40 / 7.68", "–")
    assert "Latency by length" not in tables(section(changed(laptop(), buckets=())))


def test_more_devices_than_can_be_told_apart_are_in_the_table_alone() -> None:
    made = section(*[laptop()] * (len(STYLES) + 2))
    (chart,) = next(block for block in made.blocks if isinstance(block, Figure)).charts
    assert "device 6<" in chart.svg and "device 7<" not in chart.svg
    assert "Drawn are 7 of 9 devices" in chart.summary
    assert len(tables(made)["Latency by length"].rows) == 9


def test_the_sweep_marks_the_recommended_setting() -> None:
    made = section(pi(), laptop())
    rows = tables(made)["Settings tried"].rows
    assert [(row.cells[:2], row.tone) for row in rows] == [
        (("device 0", "1 thread"), ""),
        (("device 0", "2 threads"), ""),
        (("device 0", "2 threads without prepacking, recommended"), "selected"),
        (("device 1", "1 thread, recommended"), "selected"),
    ]
    assert rows[1].cells[2:] == tuple(
        cell.replace(" ", "\N{NO-BREAK SPACE}", 1)
        for cell in ("25.0 ms", "31.2 ms", "1.60 × (1.44–1.76)", "80.0 MB", "40.0 MB")
    )
    (figure,) = [b for b in made.blocks if isinstance(b, Figure) and b.table.caption.startswith("Settings")]
    (chart,) = figure.charts  # a device with one setting has nothing to draw
    assert "The recommended one, 2 threads without prepacking, is ringed." in chart.summary


def test_a_sustained_run_shows_how_it_ended() -> None:
    made = section(laptop(), pi())
    (row,) = tables(made)["Work without a pause; the end is the last tenth of it"].rows
    cells = [cell.replace("\N{NO-BREAK SPACE}", " ") for cell in row.cells]
    assert cells == [
        "device 1", "1.0", "20.0 ms to 23.0 ms", "1.15 ×", "60 °C to 81 °C", "1,200 MHz to 1,800 MHz", "throttled",
    ]  # fmt: skip
    assert "shaded: throttled" in next(b for b in made.blocks[::-1] if isinstance(b, Figure)).charts[0].svg


def test_what_throttled_before_the_run_shades_nothing() -> None:
    long = pi().sustained
    assert long is not None
    slices = tuple(replace(one, throttled=("throttled has occurred",), temperature_c=None) for one in long.slices)
    made = section(replace(pi(), sustained=replace(long, slices=slices)))
    (row,) = tables(made)["Work without a pause; the end is the last tenth of it"].rows
    assert (row.cells[4], row.cells[6]) == ("–", "throttled has occurred")
    assert "shaded" not in next(b for b in made.blocks[::-1] if isinstance(b, Figure)).charts[0].svg


def test_emulated_answers_never_pass_for_speed(tmp_path: Path, record: RunRecord) -> None:
    bundle = make_bundle(tmp_path / "swa-cpu-edge")
    lay(bundle, "emulation.json", emulation())
    page, markdown = pages(tmp_path, record)
    assert page.count("under emulation, says nothing about speed") >= 3  # text, caption, label of the scroll area
    assert "Answers of ARM CPUs against native ones: under emulation, says nothing about speed:" in markdown
    rows = re.findall(r"(?m)^\| cortex-.*$", markdown)
    assert rows == [
        "| cortex-a53 | Raspberry Pi Zero 2 W | 92 of 92 | 0.043 | 0 of 2,567 | 100.00 | 897 of 898 | pass |",
        "| cortex-a72 | Raspberry Pi 4 | 91 of 92 | 0.043 | 1 of 2,567 | – | – | fail |",
    ]
    assert "- **cortex-a72:** other ids reach the model in 1 of 92 sentences\n- A flip where" in markdown
    assert "on 92 of 300 sentences of news, swa, dev. To pass means: ids equal" in markdown
    assert "4242" not in markdown and "1 h 10" not in markdown


def test_emulation_on_templates_says_so_and_may_have_nothing_to_add(tmp_path: Path, record: RunRecord) -> None:
    bundle = make_bundle(tmp_path / "swa-cpu-edge")
    cpus = [{**emulation()["cpus"][0], "largest_logit_difference": None}]
    sample = {**emulation()["sample"], "real_text": False}
    lay(bundle, "emulation.json", emulation(notes=[], cpus=cpus, sample=sample))
    _, markdown = pages(tmp_path, record)
    assert "swa, dev, which are templates and no real text. To pass" in markdown
    assert "| 92 of 92 | – | 0 of 2,567 |" in markdown


def test_hostile_text_is_shown_and_never_becomes_markup(tmp_path: Path, record: RunRecord) -> None:
    bundle = make_bundle(tmp_path / "swa-cpu-edge")
    base = pi()
    spoiled = changed(
        replace(
            base,
            host=HOSTILE,
            measured_at=HOSTILE,
            after=replace(base.after, governor=HOSTILE, throttled=(HOSTILE,)),
            energy=base.energy and replace(base.energy, meter=HOSTILE, scope=HOSTILE),
        ),
        machine=replace(PI, board=HOSTILE, cpu=HOSTILE, os=HOSTILE, python=HOSTILE, onnxruntime=HOSTILE),
    )
    lay(bundle, "profile-a.json", spoiled)
    lay(bundle, "profile-<script>.json", [])
    cpu = {**emulation()["cpus"][1], "cpu": HOSTILE, "stands_for": HOSTILE, "problems": [HOSTILE]}
    sample = {**emulation()["sample"], "source": HOSTILE}
    lay(bundle, "emulation.json", emulation(cpus=[cpu], notes=[HOSTILE], rule=HOSTILE, sample=sample))
    page, markdown = pages(tmp_path, record)
    assert "<script" not in page and "<script" not in markdown
    assert page.count("&lt;script&gt;alert(1)") > 15
    assert page.count("<table>") == page.count("</table>") and page.count("<svg") == page.count("</svg>")
    for table in re.findall(r"(?m)(?:^\|.*\|$\n?)+", markdown):
        assert len({len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in table.splitlines()}) == 1, table


def test_same_evidence_gives_the_same_bytes(tmp_path: Path, record: RunRecord) -> None:
    bundle = make_bundle(tmp_path / "swa-cpu-edge")
    lay(bundle, "profile-a.json", pi())
    assert read_evidence(bundle) == read_evidence(bundle)
    assert pages(tmp_path, record) == pages(tmp_path, record)
