"""The report of a run: one self-contained HTML page, and the same as Markdown.

The page loads nothing, runs nothing and says so to the browser (Content-Security-Policy); every name, label and
reason in it is other people's text and is escaped. The same records always give the same bytes.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from export.atomic import write_text_atomic
from toolkit.record import SUFFIX, RunRecord, read_records, record_files
from toolkit.reporting.blocks import Page
from toolkit.reporting.devices import devices_section
from toolkit.reporting.evidence import Evidence, read_evidence
from toolkit.reporting.facts import all_runs
from toolkit.reporting.headline import headline, verdict_section
from toolkit.reporting.markdown import render_markdown
from toolkit.reporting.origin import provenance_section
from toolkit.reporting.quality import calibration_section, front_section, languages_section, types_section
from toolkit.reporting.speed import latency_section, measurement_section
from toolkit.reporting.text import clean
from toolkit.reporting.work import candidates_section, stages_section, trim_section

PARTS = Path(__file__).with_name("reporting")
PAGE = ".report.html"
NEEDED = ("jinja2", "matplotlib")  # to draw a page; measuring a bundle needs neither


def write_report(records: Sequence[RunRecord], current: RunRecord, html: Path, markdown: Path) -> None:
    """Write the report of `current` as a page and as Markdown.

    Args:
        records: all runs of the folder, for F1 per language; an older record of the same language, target and
            recipe gives way to `current`.
        html: NAME.report.html beside the bundle NAME, whose evidence is shown.

    Raises:
        UserError: the disk is full, or a measurement in the record is of another schema.
    """
    evidence = read_evidence(html.with_name(html.name.removesuffix(PAGE)))
    page = make_page(records, current, evidence)
    write_text_atomic(html, render_html(page))
    write_text_atomic(markdown, render_markdown(page))


def update_report(bundle: Path) -> Path | None:
    """Write the report of the run that made a bundle once more, with what its evidence folder holds by now.

    Returns:
        The page; None where no run is recorded beside the bundle, or where what draws pages is not installed.

    Raises:
        UserError: as `write_report`.
    """
    if not all(map(importlib.util.find_spec, NEEDED)):
        return None
    folder = Path(os.path.abspath(bundle))
    records, files = read_records(folder.parent), record_files(folder.parent)
    wanted = folder.with_name(folder.name + SUFFIX)
    record = next((record for record, file in zip(records, files, strict=True) if file == wanted), None)
    if record is None:
        return None
    page = folder.with_name(folder.name + PAGE)
    write_report(records, record, page, page.with_suffix(".md"))
    return page


def make_page(records: Sequence[RunRecord], current: RunRecord, evidence: Evidence) -> Page:
    """The content of a report: what it says, before it becomes HTML or Markdown."""
    sections = (
        verdict_section(current),
        front_section(current),
        latency_section(current),
        devices_section(evidence),
        types_section(current),
        languages_section(all_runs(records, current), current),
        stages_section(current),
        trim_section(current),
        calibration_section(current),
        candidates_section(current),
        measurement_section(current),
        provenance_section(current),
    )
    return Page(
        title=f"{current.language} for {current.target}: {current.selected.name}",
        headline=headline(current),
        sections=tuple(section for section in sections if section is not None),
        foot=f"Licence: {current.licence}. F1 is entity F1 as seqeval's default counts it, 0 to 100; "
        "MB are 10^6 bytes; – is not known.",
    )


def render_html(page: Page) -> str:
    """The page as one HTML file with everything inside."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def fit(value: Any) -> Any:
        return value if isinstance(value, Markup) else clean(value)

    environment = Environment(
        loader=FileSystemLoader(PARTS), autoescape=True, undefined=StrictUndefined, finalize=fit
    )
    css = Markup((PARTS / "page.css").read_text("utf-8"))
    outcomes = ("pass", "fail", "undecided")
    template = environment.get_template("page.html.jinja", globals={"css": css, "outcomes": outcomes})
    return template.render(page=page) + "\n"
