"""What is written to the screen, on a terminal and elsewhere."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit import console as module
from toolkit.console import Console, duration, megabytes

ROOT = Path(__file__).resolve().parents[2]
WORK = """
from toolkit.console import console
with console.progress("Distilling", 4) as advance:
    for done in range(5):
        advance(done)
    console.note("a checkpoint")
console.warn("mind this")
console.result("F1 76.3")
"""


def on_a_terminal(script: str) -> tuple[str, str]:
    """Standard error, a terminal, and standard output, a pipe, of a Python script."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, stderr=theirs, env=environment
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # Linux says so when the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert process.stdout is not None
    out = process.stdout.read()
    assert process.wait() == 0
    return shown.decode(), out.decode()


def test_a_terminal_sees_a_bar_with_an_eta_and_notes_above_it() -> None:
    shown, out = on_a_terminal(WORK)
    assert "\x1b[" in shown and "━" in shown
    assert re.search(r"Distilling.*100%.*\d:\d\d:\d\d", shown)
    assert "a checkpoint" in shown and "warning: mind this" in shown
    assert out == "F1 76.3\n"


def test_a_terminal_without_rich_sees_plain_lines() -> None:
    shown, _ = on_a_terminal("import sys; sys.modules['rich'] = None; sys.modules['rich.console'] = None\n" + WORK)
    assert "\x1b[" not in shown
    assert "Distilling: 100 % after 0 s" in shown and "warning: mind this" in shown


def test_a_pipe_sees_one_plain_line_for_every_tenth(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    with Console().progress("Tagging", 1000) as advance:
        for done in range(1001):
            advance(done)
            now[0] += 0.1
    captured = capsys.readouterr()
    assert [int(line.split()[1]) for line in captured.err.splitlines()] == list(range(0, 101, 10))
    assert captured.out == ""
    assert "\x1b" not in captured.err


def test_work_that_is_soon_done_fills_no_log(capsys: pytest.CaptureFixture[str]) -> None:
    with Console().progress("Tagging", 1000) as advance:
        for done in range(1001):
            advance(done)
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("Tagging: 0 %") and last.startswith("Tagging: 100 %")


def test_the_time_left_follows_from_the_time_taken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    with Console().progress("Measuring", 8) as advance:
        now[0] += 60
        advance(2)
        now[0] += 30
        advance(9)  # more than was announced
    first, second = capsys.readouterr().err.splitlines()
    assert first == "Measuring: 20 % after 1 min 00 s, 3 min 00 s left"
    assert second == "Measuring: 100 % after 1 min 30 s, 0 s left"


def test_no_work_at_all_is_done_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with Console().progress("Nothing", 0) as advance:
        advance(0)
    assert capsys.readouterr().err == "Nothing: 100 % after 0 s\n"


def test_notes_and_results_go_to_different_streams(capsys: pytest.CaptureFixture[str]) -> None:
    Console().note("doing")
    Console().warn("mind")
    Console().result("done")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("done\n", "doing\nwarning: mind\n")


def test_a_table_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    Console().table("Scores", ("type", "F1"), [("PER", "80.1"), ("LOCATION", "7")])
    assert capsys.readouterr().out == "\nScores\ntype      F1\n────────  ────\nPER       80.1\nLOCATION  7\n"


def test_text_that_the_terminal_cannot_show_is_escaped_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    Console().result("n'ụlọ \udcff ─")
    assert raw.getvalue() == b"n'\\u1ee5l\\u1ecd \\udcff \\u2500\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3720, "1 h 02 min"),
        (90000, "25 h 00 min"),
    ],
)
def test_durations_are_read_at_a_glance(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_sizes_are_decimal_megabytes() -> None:
    assert megabytes(2_914_999) == "2.91 MB"


def test_strings_of_strangers_do_not_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.table("Pi\x1b[31m", ("what", "value"), [("board", "Pi\x1b]0;x\x07\nfake  row\r"), ("os", "Linux")])
    console.result("two\nlines\x9b")
    console.warn("mind\x1b[2J this")
    shown = capsys.readouterr()
    assert shown.out.splitlines()[1] == r"Pi\x1b[31m"
    assert shown.out.splitlines()[4:] == [r"board  Pi\x1b]0;x\x07\nfake  row\r", "os     Linux", "two", r"lines\x9b"]
    assert shown.err == "warning: mind\\x1b[2J this\n"
