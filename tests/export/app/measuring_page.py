"""A page that measures a bundle in headless Chromium, with nothing but a local server, under the app's policy."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.export.runtime.browser import CHROMIUM

TESTS = Path(__file__).with_name("measure")
ROOT = TESTS.parents[3]
MEASURE = ROOT / "export" / "app" / "web" / "measure"
RUNTIME = ROOT / "export" / "runtime" / "js"
MODULES = ROOT / "tests" / "export" / "runtime" / "js" / "node_modules"
VENDOR = (MODULES / "onnxruntime-web" / "dist", MODULES / "@huggingface" / "tokenizers" / "dist")
SECONDS = 180
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'"
)
PAGE = (
    '<!doctype html><meta charset="utf-8"><title>Measure</title><link rel="stylesheet" href="/measure/measure.css">'
    '<section id="measure"><div id="container"></div></section><script type="module" src="/tests/page.js"></script>'
)


def measure_in_chromium(bundle: Path, profile: Path) -> dict[str, Any]:
    """What page.js reports of measuring `bundle`.

    Args:
        profile: an empty folder for the browser.
    """
    assert CHROMIUM is not None
    reports: queue.Queue[dict[str, Any]] = queue.Queue()
    folders = {"bundle": (bundle,), "measure": (MEASURE,), "runtime": (RUNTIME,), "vendor": VENDOR, "tests": (TESTS,)}
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Pages, folders, reports))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    options = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={profile}")
    browser = subprocess.Popen(
        [CHROMIUM, *options, address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        return reports.get(timeout=SECONDS)
    finally:
        browser.terminate()
        browser.wait(timeout=20)
        server.shutdown()
        server.server_close()


class _Pages(SimpleHTTPRequestHandler):
    """The page at /, files of some folders below, and the report that the page posts."""

    def __init__(
        self, folders: dict[str, tuple[Path, ...]], reports: queue.Queue[dict[str, Any]], *rest: Any
    ) -> None:
        self.folders, self.reports = folders, reports
        super().__init__(*rest)

    def translate_path(self, path: str) -> str:
        first, _, name = path.lstrip("/").partition("/")
        places = [folder / name for folder in self.folders.get(first, ()) if ".." not in name]
        return str(next((place for place in places if place.is_file()), "/nowhere"))

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def do_GET(self) -> None:
        if self.path != "/":
            super().do_GET()
            return
        self._answer(PAGE.encode(), "text/html; charset=utf-8")

    def do_POST(self) -> None:
        self.reports.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._answer(b"", "text/plain")

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: requests are no news."""
