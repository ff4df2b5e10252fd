"""The page of a run is written again once a device has been profiled."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import toolkit.report
from tests.toolkit.reporting.made_devices import laptop, lay, make_bundle
from toolkit.record import RunRecord, write_record
from toolkit.report import update_report, write_report


@pytest.fixture
def bundle(tmp_path: Path, record: RunRecord) -> Path:
    """A bundle with the record of its run and that run's page beside it."""
    made = make_bundle(tmp_path / "swa-cpu-edge")
    write_record(record, tmp_path / "swa-cpu-edge.run.json")
    html = tmp_path / "swa-cpu-edge.report.html"
    write_report([record], record, html, html.with_suffix(".md"))
    return made


def test_the_page_gets_the_new_device_and_changes_in_nothing_else(bundle: Path) -> None:
    page, markdown = (bundle.with_name(f"swa-cpu-edge.report.{kind}") for kind in ("html", "md"))
    before = page.read_bytes(), markdown.read_bytes()
    assert update_report(bundle) == page
    assert (page.read_bytes(), markdown.read_bytes()) == before
    profile = lay(bundle, "profile-a.json", laptop())
    assert update_report(bundle) == page
    assert "On devices" in page.read_text("utf-8") and "On devices" in markdown.read_text("utf-8")
    profile.unlink()
    update_report(bundle)
    assert (page.read_bytes(), markdown.read_bytes()) == before


def test_other_runs_of_the_folder_stay_on_the_page(bundle: Path, record: RunRecord) -> None:
    write_record(replace(record, lang="hau", language="Hausa"), bundle.with_name("hau-cpu-edge.run.json"))
    page = update_report(bundle)
    assert page and "Mean of 2" in page.read_text("utf-8")
    assert not bundle.with_name("hau-cpu-edge.report.html").exists()


def test_a_bundle_may_be_named_from_anywhere(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bundle)
    page = bundle.with_name("swa-cpu-edge.report.html")
    assert update_report(Path(".")) == page
    assert update_report(Path("../swa-cpu-edge/")) == page


def test_without_a_record_nothing_is_written(tmp_path: Path, bundle: Path) -> None:
    alone = make_bundle(tmp_path / "elsewhere" / "swa-cpu-edge")
    assert update_report(alone) is None
    assert sorted(path.name for path in alone.parent.iterdir()) == ["swa-cpu-edge"]
    bundle.with_name("swa-cpu-edge.run.json").write_text("{", "utf-8")
    assert update_report(bundle) is None


@pytest.mark.parametrize("missing", ["jinja2", "matplotlib"])
def test_without_what_draws_pages_nothing_is_written(
    bundle: Path, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = toolkit.report.importlib.util.find_spec
    monkeypatch.setattr(toolkit.report.importlib.util, "find_spec", lambda name: name != missing and found(name))
    assert update_report(bundle) is None


def test_asking_for_a_page_needs_neither_jinja2_nor_matplotlib(bundle: Path) -> None:
    code = (
        "import sys; sys.modules.update(jinja2=None, markupsafe=None, matplotlib=None, torch=None, rich=None)\n"
        "from pathlib import Path; from toolkit.report import update_report\n"
        f"assert update_report(Path({str(bundle)!r})) is None"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(toolkit.report.__file__).parents[1])
