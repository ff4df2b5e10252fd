"""A page that measures a bundle in headless Chromium, with nothing but a local server, under the app's policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from export.app.serve import CSP
from tests.export.runtime.browser import report_of_page

TESTS = Path(__file__).with_name("measure")
ROOT = TESTS.parents[3]
MEASURE = ROOT / "export" / "app" / "web" / "measure"
RUNTIME = ROOT / "export" / "runtime" / "js"
MODULES = ROOT / "tests" / "export" / "runtime" / "js" / "node_modules"
VENDOR = (MODULES / "onnxruntime-web" / "dist", MODULES / "@huggingface" / "tokenizers" / "dist")
PAGE = (
    '<!doctype html><meta charset="utf-8"><title>Measure</title><link rel="stylesheet" href="/measure/measure.css">'
    '<section id="measure"><div id="container"></div></section><script type="module" src="/tests/page.js"></script>'
)


def measure_in_chromium(bundle: Path, profile: Path) -> dict[str, Any]:
    """What page.js reports of measuring `bundle`.

    Args:
        profile: an empty folder for the browser.
    """
    folders = {"bundle": [bundle], "measure": [MEASURE], "runtime": [RUNTIME], "vendor": VENDOR, "tests": [TESTS]}
    return report_of_page(PAGE, folders, CSP, profile)
