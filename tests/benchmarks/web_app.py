"""What the web app costs on a first visit and per keystroke, in headless Chromium at the size of a phone.

    python -m tests.benchmarks.web_app BUNDLE… [--visits 5]

Builds the app with the bundles, serves it as `make app` does, and visits it on fresh profiles of the browser. Bytes
are counted at the server's end of the connections: bodies as compressed, HTTP's headers, the service worker's
download too. Times are those of the page's own clock, medians over the visits; another program's work adds to them,
so the load average stands beside. Prints each figure beside its budget, and as the last line one JSON object. Needs
node, chromium and the packages of tests/export/app/js and tests/export/runtime/js.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from export.app.build import App, build_app
from export.runtime.machine import describe_machine
from tests.benchmarks.javascript import minified_bytes
from tests.export.app.app_site import CHROMIUM, SCRIPTS, missing, served, vendor


@dataclass(frozen=True)
class Figure:
    """A figure beside its budget; a budget of None means that there is none."""

    what: str
    reached: float
    unit: str
    budget: float | None = None

    def __str__(self) -> str:
        if self.budget is None:
            return f"{self.what}: {self.reached:g} {self.unit}"
        kept = "kept" if self.reached <= self.budget else "MISSED"
        return f"{self.what}: {self.reached:g} {self.unit}, budget {self.budget:g} {self.unit}: {kept}"


def visits(app: App, count: int) -> list[dict[str, Any]]:
    """What js/bench.js saw, one record per visit; the last one was looked over as well."""
    entry = app.entries[0]
    work = {"golden": str(app.folder / entry.path / "golden.jsonl"), "lang": entry.languages[0], "visits": count}
    with tempfile.TemporaryDirectory() as scratch, served(app.folder) as address:
        given = {"APP": address, "CHROMIUM": str(CHROMIUM), "WORK": json.dumps(work), "SCRATCH": scratch}
        command = ["node", str(SCRIPTS / "bench.js")]
        done = subprocess.run(command, env={**os.environ, **given}, stdout=subprocess.PIPE, check=True, text=True)
    runs: list[dict[str, Any]] = json.loads(done.stdout)
    return runs


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all do not exceed (nearest rank)."""
    return sorted(values)[math.ceil(len(values) * share) - 1]


def figures(app: App, runs: Sequence[dict[str, Any]]) -> list[Figure]:
    """The soft budgets of the app, and what was reached."""

    def middle(name: str) -> float:
        return round(statistics.median(run[name] for run in runs), 1)

    def keys(name: str, share: float) -> float:
        return round(statistics.median(percentile(run[name], share) for run in runs), 1)

    first = app.first_visit
    wire = statistics.median(run["wire"] for run in runs)
    return [
        Figure("first visit, over the wire", round(wire / 1e6, 2), "MB", 7.5),
        Figure("  of it the page and its packages", round((first.shell + first.wasm) / 1e6, 2), "MB"),
        Figure("  of it the bundle", round(first.bundle / 1e6, 2), "MB"),
        Figure("requests of a first visit", middle("requests"), ""),
        Figure("from the start of navigation until ready", middle("ready"), "ms", 2000),
        Figure("first tag, ready until painted", middle("firstTag"), "ms", 300),
        Figure("keystroke in 30 words until its result is in the page, p50", keys("drawn", 0.5), "ms"),
        Figure("keystroke in 30 words until its result is in the page, p95", keys("drawn", 0.95), "ms"),
        Figure("keystroke in 30 words until painted, p50", keys("painted", 0.5), "ms"),
        Figure("keystroke in 30 words until painted, p95", keys("painted", 0.95), "ms", 25),
        Figure("  of it in the worker, p50", keys("worker", 0.5), "ms"),
        Figure("  of it in the worker, p95", keys("worker", 0.95), "ms"),
        Figure("100,000 characters", middle("long"), "ms"),
        Figure("  longest time without a frame", middle("gap"), "ms"),
        Figure("JavaScript runtime, minified", minified_bytes(), "bytes", 15_000),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Visit and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("bundles", nargs="+", type=Path, metavar="BUNDLE")
    parser.add_argument("--visits", type=int, default=5, help="default: 5")
    chosen = parser.parse_args(arguments)
    if lacking := missing():
        parser.error(f"this needs {lacking}")
    with tempfile.TemporaryDirectory() as folder:
        app = build_app(chosen.bundles, vendor(Path(folder) / "vendor"), Path(folder) / "app")
        load = os.getloadavg()[0]
        runs = visits(app, chosen.visits)
    found = figures(app, runs)
    print(*found, sep="\n")
    last = runs[-1]
    print(f"offline ready: {'yes' if last['offline'] else 'no'}")
    print(f"accessibility rules broken (axe-core): {', '.join(last['violations']) or 'none'}")
    print(f"keeps it from being installed: {last['installability'] or 'nothing'}")
    print(f"load average: {load:.1f} before, {os.getloadavg()[0]:.1f} after, {os.cpu_count()} cores", file=sys.stderr)
    machine = describe_machine()
    record = {
        "benchmark": "web_app",
        "bundles": [path.name for path in chosen.bundles],
        "visits": len(runs),
        "figures": [asdict(figure) for figure in found],
        "offline": last["offline"],
        "violations": last["violations"],
        "installability": last["installability"],
        "load_average": [round(load, 1), round(os.getloadavg()[0], 1)],
        "machine": {"cpu": machine.cpu, "os": machine.os},
    }
    print(json.dumps(record))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
