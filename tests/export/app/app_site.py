"""The app built without the network, and served, for tests in a browser and for benchmarks/web_app.py."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from export.app.packages import LICENCES, VENDOR
from export.app.serve import make_server
from tests.export.runtime.browser import CHROMIUM

SCRIPTS = Path(__file__).with_name("js")
ROOT = SCRIPTS.parents[3]
MODULES = ROOT / "tests" / "export" / "runtime" / "js" / "node_modules"


def missing() -> str:
    """What is not installed that browsers' tests need, and how to get it; empty if nothing is."""
    install = "&& npm ci --ignore-scripts"
    needs = {
        "node": shutil.which("node") is not None,
        "chromium": CHROMIUM is not None,
        f"npm packages: cd tests/export/app/js {install}": all(
            (SCRIPTS / "node_modules" / name).is_dir() for name in ("playwright-core", "axe-core")
        ),
        f"npm packages: cd tests/export/runtime/js {install}": (MODULES / "onnxruntime-web").is_dir(),
    }
    return ", ".join(need for need, there in needs.items() if not there)


def vendor(folder: Path) -> Path:
    """What `export.app.packages.runtime_packages` fetches, from the packages of the runtime's tests."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in VENDOR.items():
        shutil.copyfile(MODULES / source, folder / name)
    (folder / LICENCES).write_text("MIT, Apache-2.0\n", "utf-8")
    return folder


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Address of a running server of the app in `folder`."""
    with make_server(folder, 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
