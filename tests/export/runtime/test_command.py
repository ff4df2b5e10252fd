from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from export.runtime.command import HELP, NOTES, main

Run = Callable[..., tuple[int, list[str], str]]


@pytest.fixture
def run(bundle_folder: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Call the command; returns exit code, lines of stdout, stderr."""

    def call(*arguments: str, given: bytes = b"") -> tuple[int, list[str], str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        code = main(["--bundle", str(bundle_folder), *arguments])
        out, err = capfdbinary.readouterr()
        return code, out.decode("utf-8").splitlines(), err.decode("utf-8")

    return call


def test_one_text(run: Run) -> None:
    assert run("Samia wa Arusha") == (0, ["PER\t0.932\t0-5\tSamia", "LOC\t0.932\t9-15\tArusha"], "")


def test_a_text_without_entities_says_so(run: Run) -> None:
    assert run("habari") == (0, ["(no entities)"], "")


def test_several_texts_are_numbered(run: Run) -> None:
    assert run("habari", "Samia") == (0, ["1\t(no entities)", "2\tPER\t0.932\t0-5\tSamia"], "")


@pytest.mark.parametrize("arguments", [(), ("-",)])
def test_standard_input_is_read_line_by_line(run: Run, arguments: tuple[str, ...]) -> None:
    given = "Samia\r\n\nhabari\nni Ọlá".encode()
    assert run(*arguments, given=given) == (0, ["1\tPER\t0.932\t0-5\tSamia", "4\tPER\t0.932\t3-6\tỌlá"], "")


def test_json_answers_every_line_with_all_offsets(run: Run) -> None:
    code, lines, _ = run("--json", given="ṣé Arusha\n\n".encode())
    place = {"type": "LOC", "text": "Arusha", "start": 3, "end": 9, "start_byte": 6, "end_byte": 12}
    place |= {"start_utf16": 3, "end_utf16": 9, "score": 0.9317}
    assert code == 0
    assert [json.loads(line) for line in lines] == [
        {"text": "ṣé Arusha", "entities": [place]},
        {"text": "", "entities": []},
    ]


def test_json_lines_answer_bad_lines_and_go_on(run: Run) -> None:
    requests = [
        b'{"id": 7, "text": "Samia"}',
        b"not json",
        b'{"id": "a"}',
        b'{"text": 3}',
        b"[]",
        b"\xff",
        b"",
        b"[" * 100_000,
        b'{"id": null, "text": "\\ud800 Arusha"}',
        b'{"text": "habari"}',
    ]
    code, lines, err = run("--jsonl", given=b"\n".join(requests))
    answers = [json.loads(line) for line in lines]
    assert (code, err, len(answers)) == (0, "", len(requests))
    assert (answers[0]["id"], answers[0]["entities"][0]["text"]) == (7, "Samia")
    for number in range(2, 9):
        assert answers[number - 1]["error"].startswith(f"line {number}: ")
        assert "entities" not in answers[number - 1]
    assert answers[2]["id"] == "a"
    assert [entity["start"] for entity in answers[8]["entities"]] == [2]
    assert answers[9] == {"line": 10, "entities": []}


def test_lone_surrogates_reach_the_output(run: Run) -> None:
    code, lines, _ = run("--json", "\ud800Samia")
    assert (code, json.loads(lines[0])["text"]) == (0, "\ud800Samia")
    assert run("\ud800Samia") == (0, ["PER\t0.932\t1-6\tSamia"], "")


def test_bytes_that_are_no_utf8_are_named_by_line(run: Run) -> None:
    code, lines, err = run(given=b"Samia\nTimb\xe9\n")
    assert (code, lines) == (2, ["1\tPER\t0.932\t0-5\tSamia"])
    assert err.startswith("Standard input, line 2: byte 4 is not UTF-8.")
    assert err.count("\n") == 1


def test_json_lines_take_no_texts(run: Run) -> None:
    code, _, err = run("--jsonl", "Samia")
    assert code == 2
    assert "--jsonl reads standard input" in err


def test_a_terminal_without_text_gets_a_hint(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(io, "TextIOWrapper", Terminal)
    code, _, err = run()
    assert (code, err) == (2, 'No text given. Put it in quotes: tagger.py "…"; --help shows more.\n')


@pytest.mark.parametrize("value", ["0", "-1", "two", "²", "9999"])
def test_threads_must_be_a_number(run: Run, value: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(f"--threads={value}", "Samia")
    assert stopped.value.code == 2
    assert "is no number of threads" in capfdbinary.readouterr().err.decode()


def test_threads_are_taken(run: Run) -> None:
    assert run("--threads", "2", "Samia")[1] == ["PER\t0.932\t0-5\tSamia"]


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    assert HELP.strip() in shown
    assert NOTES.strip() in shown


def test_a_reader_that_leaves_early_is_no_error(bundle_folder: Path) -> None:
    command = [sys.executable, str(bundle_folder / "runtime" / "tagger.py"), "--json", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdout.close()
        process.stdin.write(b"Samia\n" * 2000)
        process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0
