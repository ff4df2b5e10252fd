"""The front door: what `make` hands on, what it keeps to itself, and when it installs.

Each test runs the real Makefile in a folder where Python is a program that notes how it was called.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
STAMPS = ("runtime", "calibration", "hub", "pipeline", "gpu", "dev")
TARGETS = {
    "setup", "bundle", "profile", "emulate", "calibrate-device", "app", "push", "verify", "report", "test", "lint",
    "clean", "help",
}  # fmt: skip
VARIABLES = (
    "LANG", "TARGET", "RECIPE", "TEACHER", "DATA", "CORPUS", "SEED", "OUT", "BUNDLE", "YES", "STRICT", "HOST",
    "NAME", "SUSTAINED", "QUICK", "PYTHON", "FILE", "PORT", "SERVE", "REPO", "PUBLIC",
)  # fmt: skip
FAKE = """#!/bin/sh
{ echo "call"; for word in "$@"; do printf '%s\\n' " $word"; done; } >> "$NOTES/calls"
env > "$NOTES/env"
case " $* " in *" $FAIL "*) exit 1;; esac
"""
# Made by make itself; a test that runs below `make test` must not pass them on.
OF_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "GNUMAKEFLAGS")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


class Project:
    """A folder with the Makefile and a Python that takes notes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.system = root / "system python"
        self.environment = root / ".venv" / "bin" / "python"
        for python in (self.system, self.environment):
            python.parent.mkdir(parents=True, exist_ok=True)
            python.write_text(FAKE)
            python.chmod(0o755)
        (root / "Makefile").write_text(MAKEFILE)
        (root / "pyproject.toml").write_text("")
        os.utime(root / "pyproject.toml", (1, 1))
        for name in STAMPS:
            (root / ".venv" / f".{name}").write_text("")

    def make(self, *arguments: str, fail: str = "nothing", **environment: str) -> subprocess.CompletedProcess[str]:
        (self.root / "calls").write_text("")
        kept = {name: value for name, value in os.environ.items() if name not in (*OF_MAKE, "LANG", "TARGET")}
        env = {**kept, "NOTES": str(self.root), "FAIL": fail, **environment}
        command = ["make", f"PYTHON={self.system}", *arguments]
        return subprocess.run(command, cwd=self.root, env=env, capture_output=True, text=True)

    @property
    def calls(self) -> list[list[str]]:
        """The arguments of each call of Python, without `-m toolkit`."""
        calls: list[list[str]] = []
        for line in (self.root / "calls").read_text("utf-8").splitlines():
            if line == "call":
                calls.append([])
            else:
                calls[-1].append(line[1:])
        return [call[2:] if call[:2] == ["-m", "toolkit"] else call for call in calls]

    @property
    def child_environment(self) -> dict[str, str]:
        """What the last call saw."""
        lines = (self.root / "env").read_text("utf-8", errors="replace").splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_make_alone_teaches_targets_variables_and_choices(project: Project) -> None:
    done = project.make()
    assert done.returncode == 0
    assert project.calls == [["choices"]]
    for word in TARGETS - {"help"}:
        assert re.search(rf"make .*\b{word}\b", done.stdout), word
    for variable in VARIABLES:
        assert re.search(rf"^  {variable}\b", done.stdout, re.MULTILINE), variable
    assert "make bundle LANG=swa TARGET=cpu" in done.stdout
    assert project.make("help").stdout == done.stdout


def test_the_targets_are_the_documented_ones() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert set(phony.split()) == {*TARGETS, "choices", "app-choices"}


def test_bundle_is_one_command_after_a_check_of_the_choices(project: Project) -> None:
    assert project.make("bundle", "LANG=swa", "TARGET=cpu").returncode == 0
    chosen = ["--lang", "swa", "--target", "cpu"]
    assert project.calls == [["choices", *chosen], ["bundle", *chosen]]


def test_every_variable_becomes_its_option(project: Project) -> None:
    given = "LANG=luo TARGET=rpi4 RECIPE=trim-int8 TEACHER=a/b DATA=c CORPUS=d SEED=7 OUT=o YES=1 STRICT=1"
    project.make("bundle", *given.split())
    options = "--lang luo --target rpi4 --recipe trim-int8 --teacher a/b --data c --corpus d --seed 7 --out o"
    assert project.calls[-1] == ["bundle", *options.split(), "--yes", "--strict"]


def test_a_device_is_measured_on_a_host_where_one_is_named(project: Project) -> None:
    project.make("profile", "BUNDLE=b", "HOST=pi@raspberrypi.local", "SUSTAINED=10", "QUICK=1")
    options = ["--host=pi@raspberrypi.local", "--sustained", "10", "--quick"]
    assert project.calls == [["profile", *options, "--", "b"]]
    project.make("calibrate-device", "NAME=my-pi", "HOST=-oProxyCommand=x")
    assert project.calls == [["calibrate-device", "--host=-oProxyCommand=x", "--", "my-pi"]]
    project.make("emulate", "BUNDLE=b", "DATA=d", "LANG=luo")
    assert project.calls == [["emulate", "--data", "d", "--lang", "luo", "--", "b"]]


def test_what_a_phone_measured_is_taken_over(project: Project) -> None:
    project.make("profile", "BUNDLE=b", "FILE=my phone.json", "TARGET=cpu")
    assert project.calls == [["profile", "--file=my phone.json", "--", "b"]]


def test_the_app_makes_the_bundles_of_its_languages_first(project: Project) -> None:
    assert project.make("app", "LANG=swa").returncode == 0
    line = ["--lang", "swa", "--target", "web"]
    assert project.calls == [["choices", *line], ["app", *line, "--"]]
    given = "TARGET=android-low RECIPE=r TEACHER=a/b DATA=c CORPUS=d SEED=7 OUT=o YES=1 PORT=8001 SERVE=0"
    project.make("app", "LANG=swa yor", *given.split())
    options = "--target android-low --recipe r"
    assert project.calls[:2] == [["choices", "--lang", lang, *options.split()] for lang in ("swa", "yor")]
    sources = "--teacher a/b --data c --corpus d --seed 7 --yes --out o --port 8001 --no-serve"
    assert project.calls[2:] == [["app", *f"--lang swa --lang yor {options} {sources} --".split()]]


def test_an_app_of_bundles_that_are_there_needs_no_torch(project: Project) -> None:
    (project.root / ".venv" / ".pipeline").unlink()
    assert project.make("app", "BUNDLE=build/swa-web-edge it's", "TEACHER=builtin", "SERVE=1").returncode == 0
    assert project.calls == [["app", "--", "build/swa-web-edge", "it's"]]
    project.make("app")
    assert project.calls == [["app", "--"]]  # which says what is missing


def test_a_wrong_language_of_an_app_is_told_before_anything_is_installed(project: Project) -> None:
    (project.root / ".venv" / ".pipeline").unlink()
    assert project.make("app", "LANG=swa xx", fail="xx").returncode == 2
    assert [call[:3] for call in project.calls] == [["choices", "--lang", "swa"], ["choices", "--lang", "xx"]]


def test_nothing_is_pushed_to_or_made_public_because_of_the_environment(project: Project) -> None:
    project.make("push", "BUNDLE=b", "REPO=you/swa-names", "PUBLIC=1")
    assert project.calls == [["push", "--repo=you/swa-names", "--public", "--", "b"]]
    for arguments, switched in ((["REPO=r"], "1"), (["REPO=r", "PUBLIC=0"], "")):
        project.make("push", "BUNDLE=b", *arguments, PUBLIC=switched)
        assert project.calls == [["push", "--repo=r", "--", "b"]]
    project.make("push", "BUNDLE=b", REPO="elsewhere", FILE="f")
    assert project.calls == [["push", "--repo=", "--", "b"]]
    project.make("profile", "BUNDLE=b", FILE="f")
    assert project.calls == [["profile", "--", "b"]]


def test_host_and_name_of_the_environment_name_no_device(project: Project) -> None:
    # tcsh exports HOST, and Linux under Windows has NAME.
    project.make("profile", "BUNDLE=b", HOST="laptop")
    assert project.calls == [["profile", "--", "b"]]
    project.make("calibrate-device", NAME="laptop")
    assert project.calls == [["calibrate-device", "--", ""]]


@pytest.mark.parametrize("no", ["0", "no", "false", ""])
def test_a_switch_that_is_off_is_off(no: str, project: Project) -> None:
    project.make("bundle", "LANG=swa", "TARGET=cpu", f"YES={no}", f"STRICT={no}")
    assert not {"--yes", "--strict"} & set(project.calls[-1])


def test_the_locale_of_the_environment_names_no_language(project: Project) -> None:
    for arguments in (["bundle", "TARGET=cpu"], ["-e", "bundle", "TARGET=cpu"]):
        project.make(*arguments, LANG="swa")
        assert project.calls[-1][:3] == ["bundle", "--lang", ""]


def test_a_language_leaks_into_no_child_as_its_locale(project: Project) -> None:
    for locale in ({}, {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}):
        project.make("bundle", "LANG=swa", "TARGET=cpu", "OUT=elsewhere", **locale)
        seen = project.child_environment
        assert seen.get("LANG") != "swa"
        assert "swa" not in seen.get("MAKEFLAGS", "") + seen.get("MFLAGS", "")
        assert "swa" not in seen.values()
        assert not {"TARGET", "OUT"} & set(seen)
        assert seen.get("LC_ALL") == locale.get("LC_ALL")


def test_a_make_below_this_one_does_not_take_up_the_language(project: Project) -> None:
    (project.root / "below.mk").write_text("all:\n\t@echo LANG=$(LANG) from $(origin LANG)\n")
    project.environment.write_text('#!/bin/sh\nexec make -f "$NOTES/below.mk"\n')
    assert "LANG= from undefined" in project.make("bundle", "LANG=swa", "TARGET=cpu").stdout


@pytest.mark.parametrize(
    "value", ["my bundle", "it's", 'a"b', "$HOME", "a$$b", "a;b|c&d", "`id`", "a,b", "*", "n'ụlọ"]
)
def test_a_path_reaches_the_command_as_it_was_given(value: str, project: Project) -> None:
    for target, variable in (("verify", "BUNDLE"), ("profile", "BUNDLE"), ("report", "OUT"), ("bundle", "TEACHER")):
        assert project.make(target, f"{variable}={value}").returncode == 0
        assert project.calls[-1][-1] == value


def test_verify_and_profile_without_a_bundle_leave_the_answer_to_the_command(project: Project) -> None:
    for target in ("verify", "profile"):
        project.make(target)
        assert project.calls == [[target, "--", ""]]
    project.make("push")
    assert project.calls == [["push", "--repo=", "--", ""]]


def test_a_command_that_fails_makes_make_fail_with_2(project: Project) -> None:
    assert project.make("verify", "BUNDLE=b", fail="verify").returncode == 2


def test_a_mistake_is_told_before_anything_is_installed(project: Project) -> None:
    (project.root / ".venv" / ".pipeline").unlink()
    assert project.make("bundle", "LANG=xx", "TARGET=cpu", fail="choices").returncode == 2
    assert [call[0] for call in project.calls] == ["choices"]


@pytest.mark.parametrize(
    ("arguments", "packages", "target"),
    [
        (("setup",), "pipeline", "cpu"),
        (("setup", "TARGET=rpi4"), "pipeline", "cpu"),
        (("setup", "TARGET=gpu"), "pipeline", "gpu"),
        (("bundle", "LANG=swa", "TARGET=cpu"), "pipeline", "cpu"),
        (("bundle", "LANG=swa", "TARGET=gpu"), "pipeline", "gpu"),
        (("report",), "pipeline", "cpu"),
        (("verify", "BUNDLE=b"), "runtime", "cpu"),
        (("profile", "BUNDLE=b"), "runtime", "cpu"),
        (("emulate", "BUNDLE=b"), "runtime", "cpu"),
        (("calibrate-device", "NAME=my-pi"), "calibration", "cpu"),
        (("app", "LANG=swa"), "pipeline", "cpu"),
        (("app", "LANG=swa", "TARGET=gpu"), "pipeline", "gpu"),
        (("app", "BUNDLE=b"), "runtime", "cpu"),
        (("push", "BUNDLE=b", "REPO=r"), "hub", "cpu"),
        (("test",), "dev", "cpu"),
        (("lint",), "dev", "cpu"),
    ],
    ids=str,
)
def test_a_target_installs_what_it_needs_once_and_again_when_pyproject_changes(
    arguments: tuple[str, ...], packages: str, target: str, project: Project
) -> None:
    def installed() -> list[list[str]]:
        assert project.make(*arguments).returncode == 0
        return [call for call in project.calls if call[0] == "setup"]

    assert installed() == []
    os.utime(project.root / "pyproject.toml")
    later = (project.root / "pyproject.toml").stat().st_mtime + 10
    os.utime(project.root / "pyproject.toml", (later, later))
    ((_, *options),) = installed()
    assert options[:4] == ["--packages", packages, "--target", target]
    assert options[4] == "--torch-index" and options[5].startswith("https://")


def test_the_index_of_torch_can_be_left_out(project: Project) -> None:
    (project.root / ".venv" / ".pipeline").unlink()
    project.make("setup", "TORCH_CPU_INDEX=")
    assert project.calls[0][-2:] == ["--torch-index", ""]


def test_without_an_environment_the_named_python_lists_and_cleans(project: Project) -> None:
    shutil.rmtree(project.root / ".venv")
    for target, command in (("help", "choices"), ("clean", "clean")):
        assert project.make(target).returncode == 0
        assert project.calls == [[command]]


def test_a_python_that_is_not_there_is_named(project: Project) -> None:
    shutil.rmtree(project.root / ".venv")
    done = project.make("setup", "PYTHON=no-such-python")
    assert done.returncode == 2
    assert "no-such-python" in done.stderr and "PYTHON=python3.12" in done.stderr


def test_the_tests_run_without_network_and_with_coverage(project: Project) -> None:
    assert project.make("test").returncode == 0
    (call,) = project.calls
    assert call[:2] == ["-m", "pytest"] and "--cov" in call and "--cov-fail-under=90" in call
    assert project.child_environment["HF_ENDPOINT"] == "http://127.0.0.1:9"


def test_lint_checks_rules_form_and_types(project: Project) -> None:
    project.make("lint")
    assert [call[1] for call in project.calls] == ["ruff", "ruff", "mypy"]
    assert "--check" in project.calls[1]


def test_nothing_is_newer_than_make_3_81() -> None:
    rules = "\n".join(line for line in MAKEFILE.splitlines() if not line.startswith("#"))
    newer = {
        "3.82": (r"\.ONESHELL", r"^define \S+ *[:?+]?=", r"\bundefine\b", r"\bprivate\b"),
        "4.0": (r"\$\(file\b", r"!=", r"::=", r"\$\(guile\b"),
        "4.2": (r"\$\(\.SHELLSTATUS\)",),
        "4.3": (r"&:", r"\.EXTRA_PREREQS"),
        "4.4": (r"\$\((intcmp|let)\b", r"\.WAIT", r"\.NOTPARALLEL:.*\S"),
    }
    for version, patterns in newer.items():
        for pattern in patterns:
            assert not re.search(pattern, rules, re.MULTILINE), (version, pattern)
