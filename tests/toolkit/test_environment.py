"""`make setup`: what is installed when, with the programs that install replaced by ones that note it."""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from export.runtime.errors import UserError
from toolkit import environment
from toolkit.environment import EXTRAS, set_up

PROJECT = """[project]
name = "x"
[project.optional-dependencies]
pipeline = ["transformers==4.57.6", "torch==2.13.0"]
"""


class Machine:
    """A project in a folder; `calls` are pip's arguments, `torch` what is installed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls: list[str] = []
        self.torch = ""
        self.fails = ""
        self.made = 0

    def pip(self, python: Path, root: Path, action: str, *arguments: str) -> None:
        call = " ".join((action, *arguments))
        if self.fails and self.fails in call:
            raise UserError(f"pip {call} failed.", "Check the connection.")
        self.calls.append(call)

    def output(self, python: Path, *arguments: str) -> str | None:
        return self.torch if "torch" in arguments[-1] else ""

    def make(self, venv: Path) -> Path:
        self.made += 1
        venv.mkdir(exist_ok=True)
        return venv / "bin" / "python"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    made = Machine(tmp_path)
    monkeypatch.setattr(environment, "_pip", made.pip)
    monkeypatch.setattr(environment, "_output", made.output)
    monkeypatch.setattr(environment, "_environment", made.make)
    monkeypatch.setattr(environment, "_answers", lambda address: True)
    monkeypatch.setattr(sys, "platform", "linux")
    return made


def test_a_device_gets_no_torch(machine: Machine) -> None:
    set_up("runtime", torch_index="https://index", root=machine.root)
    assert machine.calls == ["install --editable ."]
    assert (machine.root / ".venv" / ".runtime").exists()
    assert not (machine.root / ".venv" / ".pipeline").exists()


def test_each_extent_holds_those_before_it_and_pushing_needs_no_torch(machine: Machine) -> None:
    set_up("hub", torch_index="https://index", root=machine.root)
    assert machine.calls == ["install --editable .[calibration,hub]"]
    noted = {file.name for file in (machine.root / ".venv").glob(".*")}
    assert noted == {".runtime", ".calibration", ".hub"}
    extras = [set(extra.strip("[]").split(",")) - {""} for extra in EXTRAS.values()]
    assert all(before < after for before, after in pairwise(extras))
    assert EXTRAS.keys() == environment.EXTENT.keys()


def test_the_cpu_build_of_torch_comes_first_and_only_from_its_index(machine: Machine) -> None:
    set_up("pipeline", torch_index="https://index/cpu", root=machine.root)
    assert machine.calls == [
        "install --index-url https://index/cpu torch==2.13.0",
        "install --editable .[calibration,hub,pipeline]",
    ]


@pytest.mark.parametrize("case", ["no answer", "pip fails", "no index", "macOS", "installed"])
def test_the_set_up_goes_on_where_that_index_is_of_no_use(
    case: str, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    if case == "no answer":
        monkeypatch.setattr(environment, "_answers", lambda address: False)
    if case == "macOS":
        monkeypatch.setattr(sys, "platform", "darwin")
    machine.fails = "--index-url" if case == "pip fails" else ""
    machine.torch = "2.13.0+cpu" if case == "installed" else ""
    set_up("dev", torch_index="" if case == "no index" else "https://index", root=machine.root)
    assert machine.calls == ["install --editable .[calibration,hub,pipeline,dev]"]


def test_a_gpu_takes_the_package_indexs_build_in_place_of_the_cpu_one(machine: Machine) -> None:
    machine.torch = "2.13.0+cpu"
    set_up("pipeline", "gpu", "https://index", machine.root)
    assert machine.calls == ["uninstall --yes torch", "install --editable .[calibration,hub,pipeline]"]
    assert (machine.root / ".venv" / ".gpu").exists()


def test_what_is_installed_is_not_installed_again(machine: Machine) -> None:
    set_up("dev", root=machine.root)
    machine.calls.clear()
    stamp = machine.root / ".venv" / ".pipeline"
    os.utime(stamp, (1, 1))
    for packages in ("dev", "pipeline", "runtime"):
        set_up(packages, root=machine.root)
    assert machine.calls == []
    assert stamp.stat().st_mtime > 1  # for make, which compares times
    set_up("pipeline", "gpu", root=machine.root)
    assert machine.calls == ["install --editable .[calibration,hub,pipeline]"]


def test_a_changed_pyproject_is_installed_anew(machine: Machine) -> None:
    set_up("pipeline", root=machine.root)
    (machine.root / "pyproject.toml").write_text(PROJECT + "# changed\n")
    machine.calls.clear()
    set_up("pipeline", root=machine.root)
    assert machine.calls == ["install --editable .[calibration,hub,pipeline]"]


def test_a_failed_installation_is_tried_again(machine: Machine) -> None:
    machine.fails = "--editable"
    with pytest.raises(UserError, match="failed"):
        set_up("pipeline", root=machine.root)
    assert not (machine.root / ".venv" / ".pipeline").exists()
    machine.fails = ""
    set_up("pipeline", root=machine.root)
    assert machine.calls == ["install --editable .[calibration,hub,pipeline]"]


def test_two_at_once_install_once(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    started, go_on = threading.Event(), threading.Event()

    def slow(python: Path, root: Path, action: str, *arguments: str) -> None:
        started.set()
        go_on.wait(10)
        machine.calls.append(action)

    monkeypatch.setattr(environment, "_pip", slow)
    first = threading.Thread(target=set_up, args=("runtime", "cpu", "", machine.root))
    second = threading.Thread(target=set_up, args=("runtime", "cpu", "", machine.root))
    first.start()
    started.wait(10)
    second.start()
    second.join(0.2)
    assert second.is_alive()
    go_on.set()
    first.join(10)
    second.join(10)
    assert machine.calls == ["install"]


def test_a_missing_venv_module_names_the_package(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="no venv module") as caught:
        set_up("runtime", root=machine.root)
    assert "apt install python3-venv" in caught.value.remedy
    assert machine.made == 0


def test_an_environment_is_made_once_and_a_broken_one_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "MAKE", (*environment.MAKE, "--without-pip"))  # pip takes seconds
    monkeypatch.setattr(environment, "READY", "import tomllib")
    venv = tmp_path / "with space" / ".venv"
    python = environment._environment(venv)
    assert environment._output(python, "-c", "import sys; print(sys.prefix)") == str(venv)
    (venv / "mine").write_text("")
    assert environment._environment(venv) == python
    assert (venv / "mine").exists()
    python.unlink()
    python.symlink_to(tmp_path / "gone")
    assert environment._output(environment._environment(venv), "-c", "print(1)") == "1"


def test_an_environment_that_cannot_be_made_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 1, "", "ensurepip is not available\n")

    monkeypatch.setattr(environment.subprocess, "run", fails)
    with pytest.raises(UserError, match="ensurepip is not available") as caught:
        environment._environment(tmp_path / ".venv")
    assert "python3-venv" in caught.value.remedy


def test_pip_that_fails_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="pip install --no-such-option failed") as caught:
        environment._pip(Path(sys.executable), tmp_path, "install", "--no-such-option")
    assert "run the same command again" in caught.value.remedy


@pytest.fixture
def index() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200 if self.path == "/cpu/torch/" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_an_index_is_asked_before_it_is_used(index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert environment._answers(f"{index}/cpu/torch/")
    assert not environment._answers(f"{index}/other/torch/")
    assert not environment._answers("http://127.0.0.1:1/cpu/torch/")
    assert not environment._answers("no address")
