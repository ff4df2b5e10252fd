"""The commands: help that teaches, mistakes in one line, exit codes, and what is imported when."""

from __future__ import annotations

import argparse
import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import export.verify
import toolkit.pipeline
import toolkit.summary
from export.runtime.errors import UserError
from toolkit import commands
from toolkit.cli import build_parser, main
from toolkit.device_profile import device_profile_names
from toolkit.languages import LANGUAGES
from toolkit.recipe import recipe_names
from toolkit.record import SUFFIX, RunRecord, write_record
from toolkit.verdict import Verdict

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "transformers", "datasets", "matplotlib", "optimum", "bitsandbytes", "onnx")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(commands.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    yield


def command_parsers() -> dict[str, argparse.ArgumentParser]:
    actions = build_parser()._actions
    (commands_action,) = [action for action in actions if isinstance(action, argparse._SubParsersAction)]
    return dict(commands_action.choices)


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True
    )


def test_there_is_a_command_for_each_make_target_and_more() -> None:
    assert set(command_parsers()) == {
        "app", "bundle", "calibrate-device", "choices", "clean", "emulate", "evaluate", "profile", "push", "report",
        "score", "setup", "verify",
    }  # fmt: skip


@pytest.mark.parametrize("name", command_parsers())
def test_the_help_of_a_command_says_what_it_does_and_what_each_option_is(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = command_parsers()[name]
    assert parser.description and len(parser.description) > 40
    assert all(action.help and len(action.help) > 8 for action in parser._actions)
    with pytest.raises(SystemExit) as caught:
        main([name, "--help"])
    assert caught.value.code == 0
    assert name in capsys.readouterr().out


def test_without_a_command_the_help_shows_commands_and_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in command_parsers())
    assert "python -m toolkit bundle --lang swa --target cpu" in out and "exit codes" in out


def test_the_examples_of_the_help_are_valid(capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    lines = [line.split()[3:] for line in capsys.readouterr().out.splitlines() if line.startswith("  python -m")]
    assert len(lines) >= 5
    for words in lines:
        build_parser().parse_args(words)


@pytest.mark.parametrize("command", ["bundle", "choices"])
@pytest.mark.parametrize(
    ("arguments", "said", "choices"),
    [
        (["--lang", "xx", "--target", "cpu"], "Unknown language 'xx'.", LANGUAGES),
        (["--lang", "", "--target", "cpu"], "No language given.", LANGUAGES),
        (["--target", "cpu"], "No language given.", LANGUAGES),
        (["--lang", "swa"], "No target given.", device_profile_names()),
        (["--lang", "swa", "--target", "toaster"], "Unknown target 'toaster'.", device_profile_names()),
        (["--lang", "swa", "--target", "cpu", "--recipe", "cake"], "Unknown recipe 'cake'.", recipe_names()),
    ],
    ids=str,
)
def test_a_missing_or_unknown_choice_lists_the_choices(
    command: str, arguments: list[str], said: str, choices: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, *arguments]) == 2
    captured = capsys.readouterr()
    first, second = captured.err.splitlines()
    assert first == f"error: {said}"
    assert second.startswith("  -> ") and all(choice in second for choice in choices)
    assert captured.out == ""


def test_the_choices_are_listed_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["choices"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n{name} " in out for name in (*LANGUAGES, *device_profile_names(), *recipe_names()))
    assert main(["choices", "--lang", "swa", "--target", "cpu"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bundle", "--colour", "red"], "unrecognized arguments"),
        (["cake"], "invalid choice"),
        (["bundle", "--seed", "-1"], "'-1' is no whole number"),
        (["bundle", "--seed", "4294967296"], "is no whole number from 0 to 4294967295"),
        (["bundle", "--seed", "one"], "'one' is no whole number"),
        (["bundle", "--out", "a-file"], "a-file is a file"),
        (["profile", "b", "--threads", "0"], "'0' is no whole number above 0"),
        (["evaluate", "--bundle", "b", "--data", "d", "--lang", "swa", "--split", "all"], "invalid choice"),
        (["score", "--gold", "g"], "required: --pred"),
    ],
    ids=str,
)
def test_wrong_usage_exits_with_2(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a-file").write_text("")
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("command", ["verify", "profile", "push"])
def test_a_bundle_that_was_not_named_is_told_with_those_that_there_are(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in ([command], [command, "--", ""]):
        assert main(arguments) == 2
        assert "make bundle LANG=swa TARGET=cpu" in capsys.readouterr().err
    for name in ("swa-cpu-edge", "yor-cpu-edge"):
        (Path("build") / name).mkdir(parents=True)
        (Path("build") / name / "manifest.json").write_text("{}")
    assert main([command]) == 2
    assert "build/swa-cpu-edge, build/yor-cpu-edge" in capsys.readouterr().err


def raising(error: BaseException) -> Any:
    def run(options: argparse.Namespace) -> int:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UserError("Bad line.", "Correct it."), 2, "error: Bad line.\n  -> Correct it.\n"),
        (UserError("Bad line.", ""), 2, "error: Bad line.\n"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/p"),
            2,
            "error: /p: Permission denied.\n  -> Name another path, or correct that one.\n",
        ),
        (KeyboardInterrupt(), 130, "Stopped. Finished stages are kept; the same command goes on from here.\n"),
    ],
    ids=repr,
)
def test_what_goes_wrong_is_told_in_a_line_without_a_traceback(
    error: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, "clean", raising(error))
    assert main(["clean"]) == code
    assert capsys.readouterr().err == said


def test_a_full_disk_anywhere_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, "clean", raising(OSError(errno.ENOSPC, "No space left on device")))
    assert main(["clean"]) == 2
    assert "error: The disk is full" in capsys.readouterr().err


def test_a_fault_of_the_toolkits_own_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "clean", raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        main(["clean"])


@pytest.mark.parametrize(
    ("outcome", "strict", "code"),
    [("pass", True, 0), ("undecided", False, 0), ("undecided", True, 1), ("fail", False, 1)],
)
def test_bundle_hands_its_options_to_the_line_and_exits_by_the_verdict(
    outcome: Any, strict: bool, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def make_bundle(request: Any) -> Any:
        asked.append(request)
        return SimpleNamespace(verdict=Verdict((), outcome))

    monkeypatch.setattr(toolkit.pipeline, "make_bundle", make_bundle)
    monkeypatch.setattr(toolkit.summary, "print_summary", lambda outcome: None)
    options = "--lang luo --target rpi4 --recipe trim-int8 --teacher a/b --data d --corpus c --seed 7 --out o --yes"
    assert main(["bundle", *options.split(), *(["--strict"] if strict else [])]) == code
    (request,) = asked
    assert request == toolkit.pipeline.Request(
        "luo", "rpi4", "trim-int8", "a/b", "d", "c", 7, Path("o"), commands.cache_folder(), True
    )


@pytest.mark.parametrize(("problems", "code", "said"), [((), 0, "are right"), (("a",), 1, "not to be trusted, 1")])
def test_verify_exits_with_1_for_a_bundle_that_is_not_whole(
    problems: tuple[str, ...],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = export.verify.VerifyReport(Path("b"), problems, ("signed by nobody",), 12, 99, 40)
    monkeypatch.setattr(export.verify, "verify_bundle", lambda path: report)
    assert main(["verify", "b"]) == code
    out = capsys.readouterr().out
    assert said in out and "note: signed by nobody" in out
    assert ("problem: a" in out) == bool(problems)


def test_score_prints_entity_f1_of_two_files(capsys: pytest.CaptureFixture[str]) -> None:
    Path("gold").write_text("Rais O\nSamia B-PER\n\nArusha B-LOC\n")
    Path("pred").write_text("Rais O\nSamia B-PER\n\nArusha O\n")
    assert main(["score", "--gold", "gold", "--pred", "pred"]) == 0
    assert "66.67" in capsys.readouterr().out


def test_report_writes_the_pages_of_all_runs_again(
    finished_run: RunRecord, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import toolkit.report

    written: list[Any] = []
    monkeypatch.setattr(toolkit.report, "write_report", lambda *arguments: written.append(arguments))
    assert main(["report", "--out", "none"]) == 2
    assert "none holds no recorded run" in capsys.readouterr().err
    write_record(finished_run, Path(f"runs/swa-cpu-edge{SUFFIX}"))
    assert main(["report", "--out", "runs"]) == 0
    page = Path("runs/swa-cpu-edge.report.html")
    assert written == [([finished_run], finished_run, page, page.with_suffix(".md"))]
    assert capsys.readouterr().out == f"{page}\n"


def test_clean_says_what_it_frees(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    work = tmp_path / "cache" / "work" / "x"
    work.mkdir(parents=True)
    (work / "checkpoint").write_bytes(b"x" * 1_500_000)
    assert main(["clean"]) == 0
    assert "1.50 MB  freed from" in capsys.readouterr().out


def test_the_cache_lies_beside_the_code_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(commands.CACHE_VARIABLE)
    assert commands.cache_folder() == ROOT / ".cache" / "stages"
    monkeypatch.setenv(commands.CACHE_VARIABLE, "elsewhere")
    assert commands.cache_folder() == Path("elsewhere")


@pytest.mark.parametrize(
    "module",
    ["toolkit.cli", "toolkit.pipeline", "toolkit.store", "export.verify", "export.app.build", "toolkit.push"],
)
def test_what_every_run_imports_is_light(module: str) -> None:
    script = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = python("-c", script)
    assert done.stdout == "[]\n", done.stderr


def test_choices_setup_and_clean_need_nothing_but_python(tmp_path: Path) -> None:
    wrong = ([command, "--lang", "xx"] for command in ("bundle", "app"))
    for arguments in (["choices"], ["clean"], ["setup", "--help"], *wrong):
        done = python("-S", "-m", "toolkit", *arguments, TOOLKIT_CACHE=str(tmp_path / "c"))  # -S: no site-packages
        assert "Traceback" not in done.stderr
        assert done.returncode == (2 if "xx" in arguments else 0)


def test_another_python_is_refused_before_anything_is_imported() -> None:
    script = (
        "import sys; sys.version_info = (3, 10, 4); import runpy; runpy.run_module('toolkit', run_name='__main__')"
    )
    done = python("-c", script)
    assert done.returncode == 2
    assert "Python 3.11, 3.12 or 3.13 is needed" in done.stderr and "PYTHON=" in done.stderr
    assert 'requires-python = ">=3.11,<3.14"' in (ROOT / "pyproject.toml").read_text()


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "toolkit", "choices"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 1
