"""Profiles a bundle on the machine it stands on: `python runtime/measure.py` inside a bundle.

Needs what the tagger needs and nothing else. The text is the bundle's own golden sentences, run on to fill
the lengths; the result goes to evidence/ and is tied to the model by its sha256. Exit code 0; 2 for bad input, told
in one line on stderr.
"""

from __future__ import annotations

import sys

if __name__ == "__main__" and not __package__:
    # A script's folder is not a package: start again as `runtime.measure`, with the bundle on the path.
    import runpy
    from pathlib import Path

    sys.dont_write_bytecode = True
    folder = Path(__file__).resolve().parent
    sys.path[0] = str(folder.parent)
    runpy.run_module(f"{folder.name}.measure", run_name="__main__", alter_sys=True)
    raise SystemExit

if __name__ == "__main__":
    from .compatibility import require_packages

    require_packages()

import argparse
import json
import signal
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from .errors import UserError
from .options import thread_count
from .profile_table import profile_rows
from .profiler import profile_bundle
from .progress import ProgressLines

MOST_MINUTES = 24 * 60


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    chosen = _parser().parse_args(arguments)
    before = signal.signal(signal.SIGTERM, _terminated)
    try:
        profile, path = profile_bundle(
            chosen.bundle,
            threads=chosen.threads,
            sustained_minutes=chosen.sustained,
            quick=chosen.quick,
            out=chosen.out,
            progress=ProgressLines(sys.stderr),
        )
    except UserError as error:
        sys.stderr.write(" ".join(str(error).split()) + "\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted: nothing was written.\n")
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)
    if chosen.json:
        sys.stdout.write(json.dumps(profile.to_json(), indent=1, sort_keys=True) + "\n")
        return 0
    rows = [*profile_rows(profile), ("written to", str(path))]
    width = max(len(what) for what, _ in rows)
    sys.stdout.writelines(f"{what:<{width}}  {value}\n" for what, value in rows)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="measure.py",
        description="Measure a bundle on this machine: answers, cold start, latency by length, memory, the best "
        "number of threads, energy. Progress goes to stderr with the time left.",
    )
    parser.add_argument("--bundle", type=Path, default=Path(__file__).resolve().parent.parent, metavar="PATH",
                        help="the bundle's folder (default: the one this file is in)")  # fmt: skip
    parser.add_argument("--threads", type=thread_count, metavar="N",
                        help="threads of the model (default: the bundle's own setting)")  # fmt: skip
    parser.add_argument("--sustained", type=_minutes, default=0.0, metavar="MINUTES",
                        help="then work so long without a pause, to see it throttle; 10 is advised")  # fmt: skip
    parser.add_argument("--quick", action="store_true",
                        help="a tenth of everything: to see that it works, not to decide anything")  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="FILE",
                        help="where the record goes (default: the bundle's evidence folder)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the whole record instead of a table")
    return parser


def _minutes(value: str) -> float:
    try:
        minutes = float(value)
    except ValueError:
        minutes = -1.0
    if not 0 <= minutes <= MOST_MINUTES:
        raise argparse.ArgumentTypeError(f"{value!r} is no number of minutes (0 to {MOST_MINUTES})")
    return minutes


def _terminated(number: int, frame: FrameType | None) -> None:
    """Ends like Ctrl-C does: workers are ended and temporary files removed on the way out."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    raise SystemExit(main())
