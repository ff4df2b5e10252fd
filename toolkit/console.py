"""The one place that writes to the screen: notes, progress bars with an ETA, tables.

On a terminal this is rich; elsewhere (a log, a pipe, CI) each message is one plain line, and progress is a line
every tenth of the way, one a second at most. rich is not among a device's three packages, so plain lines also
serve where it is absent.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

Advance = Callable[[float], None]
PLAIN_SECONDS = 1.0  # at least, between two plain lines of progress
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def _rich() -> Any:
    """rich's console on a terminal, else None."""
    if not sys.stderr.isatty():
        return None
    try:
        from rich.console import Console as RichConsole
    except ImportError:
        return None
    return RichConsole(stderr=True, highlight=False)


def _escaped(text: str) -> str:
    """Control characters as escapes: strings out of bundles and profiles must not steer a terminal."""
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


def _lines(text: str) -> str:
    return "\n".join(map(_escaped, text.split("\n")))


def _write(stream: TextIO, text: str) -> None:
    """Lines on any terminal: what its encoding lacks is written as an escape, as are lone surrogates."""
    encoding = stream.encoding or "utf-8"
    stream.write(_lines(text).encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()


class Console:
    """Notes and progress go to standard error, results to standard output."""

    def note(self, text: str) -> None:
        """One line of progress or explanation."""
        _write(sys.stderr, text)

    def warn(self, text: str) -> None:
        """A line that should not be missed."""
        terminal = _rich()
        if terminal is None:
            self.note(f"warning: {text}")
        else:
            terminal.print(f"warning: {_lines(text)}", style="bold yellow", markup=False)

    def result(self, text: str) -> None:
        """Text on standard output."""
        _write(sys.stdout, text)

    @contextmanager
    def progress(self, label: str, total: float) -> Iterator[Advance]:
        """A bar with an ETA; yields a function that is told how far the work has come, in units of `total`."""
        terminal = _rich()
        if terminal is None:
            yield self._plain_progress(label, total)
            return
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        with Progress(*columns, console=terminal, transient=False) as bar:
            task = bar.add_task(label, total=total)
            yield lambda done: bar.update(task, completed=done)

    def _plain_progress(self, label: str, total: float) -> Advance:
        started = time.monotonic()
        shown, shown_at = -1, float("-inf")

        def advance(done: float) -> None:
            nonlocal shown, shown_at
            tenth = int(10 * done / total) if total else 10
            now = time.monotonic()
            if tenth <= shown or (tenth < 10 and now - shown_at < PLAIN_SECONDS):
                return
            shown, shown_at = tenth, now
            elapsed = now - started
            left = "" if not done else f", {duration(elapsed * max(0.0, total - done) / done)} left"
            self.note(f"{label}: {min(100, tenth * 10)} % after {duration(elapsed)}{left}")

        return advance

    def table(self, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table on standard output, aligned in plain text so that it survives a pipe."""
        header, *rows = ([_escaped(str(cell)) for cell in row] for row in (header, *rows))
        widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]

        def line(cells: Sequence[str]) -> str:
            return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()

        self.result("\n".join(["", title, line(header), "  ".join("─" * w for w in widths), *map(line, rows)]))


def duration(seconds: float) -> str:
    """12 s, 3 min 05 s, 1 h 02 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def megabytes(count: float) -> str:
    """Bytes as decimal megabytes, as app stores and data plans count them."""
    return f"{count / 1e6:.2f} MB"


console = Console()
