"""Pages in headless Chromium with nothing but a local server; one of them replays a bundle's golden.jsonl.

It holds to a content security policy as strict as the runtime allows.
"""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SECONDS = 600
POLICY = "default-src 'none'; connect-src 'self'; script-src 'self' 'nonce-page' 'wasm-unsafe-eval'"

PAGE = """<!doctype html><meta charset="utf-8"><script type="module" nonce="page">
const send = (report) => fetch("/report", { method: "POST", body: JSON.stringify(report) });
try {
  const ort = await import("/packages/onnxruntime-web/dist/ort.wasm.min.mjs");
  ort.env.wasm.numThreads = 1;
  const tokenizers = await import("/packages/@huggingface/tokenizers/dist/tokenizers.min.mjs");
  const runtime = await import("/bundle/runtime/js/index.js");
  const { replayGolden } = await import("/tests/replay.js");
  const tagger = await runtime.Tagger.load("/bundle", { ort, tokenizers });
  const golden = await (await fetch("/bundle/golden.jsonl")).text();
  const lines = golden.trimEnd().split("\\n").map((line) => JSON.parse(line));
  const { manifest } = await runtime.openBundle("/bundle");
  await send(await replayGolden(runtime, tagger, lines, manifest.golden.logit_tolerance));
} catch (error) {
  await send({ problems: [String(error.stack ?? error)] });
}
</script>"""


def replay_in_chromium(bundle: Path, tests: Path, profile: Path) -> dict[str, Any]:
    """The report of replay.js on `bundle`, made by the runtime that lies in the bundle.

    Args:
        tests: the folder tests/export/runtime/js, with its node_modules.
        profile: an empty folder for the browser.
    """
    folders = {"bundle": [bundle], "packages": [tests / "node_modules"], "tests": [tests]}
    return report_of_page(PAGE, folders, POLICY, profile)


def report_of_page(page: str, folders: Mapping[str, Sequence[Path]], policy: str, profile: Path) -> dict[str, Any]:
    """The JSON that a page in headless Chromium posts to /report.

    Args:
        folders: where the files below each first part of a path lie.
        policy: content security policy of everything that is served.
        profile: an empty folder for the browser.
    """
    assert CHROMIUM is not None
    reports: queue.Queue[dict[str, Any]] = queue.Queue()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Pages, page, folders, policy, reports))
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
        self,
        page: str,
        folders: Mapping[str, Sequence[Path]],
        policy: str,
        reports: queue.Queue[dict[str, Any]],
        *rest: Any,
    ) -> None:
        self.page, self.folders, self.policy, self.reports = page, folders, policy, reports
        super().__init__(*rest)

    def translate_path(self, path: str) -> str:
        first, _, name = path.lstrip("/").partition("/")
        places = [folder / name for folder in self.folders.get(first, ()) if ".." not in name]
        return str(next((place for place in places if place.is_file()), "/nowhere"))

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", self.policy)
        super().end_headers()

    def do_GET(self) -> None:
        if self.path != "/":
            super().do_GET()
            return
        self._answer(self.page.encode(), "text/html; charset=utf-8")

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
