"""The report of a run: one self-contained HTML page, and the same as Markdown.

The page loads nothing, runs nothing and says so to the browser (Content-Security-Policy); every name, label and
reason in it is other people's text and is escaped. The same records always give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from export.atomic import write_text_atomic
from toolkit.record import RunRecord
from toolkit.reporting.blocks import Page
from toolkit.reporting.facts import all_runs
from toolkit.reporting.headline import headline, verdict_section
from toolkit.reporting.markdown import render_markdown
from toolkit.reporting.origin import provenance_section
from toolkit.reporting.quality import calibration_section, front_section, languages_section, types_section
from toolkit.reporting.speed import latency_section, measurement_section
from toolkit.reporting.text import clean
from toolkit.reporting.work import candidates_section, stages_section, trim_section

PARTS = Path(__file__).with_name("reporting")


def write_report(records: Sequence[RunRecord], current: RunRecord, html: Path, markdown: Path) -> None:
    """Write the report of `current` as a page and as Markdown.

    Args:
        records: all runs of the folder, for F1 per language; an older record of the same language, target and
            recipe gives way to `current`.

    Raises:
        UserError: the disk is full, or a measurement in the record is of another schema.
    """
    page = make_page(records, current)
    write_text_atomic(html, render_html(page))
    write_text_atomic(markdown, render_markdown(page))


def make_page(records: Sequence[RunRecord], current: RunRecord) -> Page:
    """The content of a report: what it says, before it becomes HTML or Markdown."""
    sections = (
        verdict_section(current),
        front_section(current),
        latency_section(current),
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
