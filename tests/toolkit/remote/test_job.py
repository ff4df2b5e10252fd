from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from export.runtime.errors import UserError
from tests.toolkit.remote.loopback import TOOLS, Device, Sshd
from toolkit.remote.host import Host, connect
from toolkit.remote.measuring import run_on_host
from toolkit.remote.ssh import LinkError

LIMIT = 60.0
# Stands for runtime.measure: does what it is told, counts its runs beside its folder.
STAND_IN = """
import argparse, json, os, pathlib, signal, subprocess, sys, time

parser = argparse.ArgumentParser()
parser.add_argument("--do", default="")
parser.add_argument("--thing", type=pathlib.Path)
parser.add_argument("--out", type=pathlib.Path)
chosen = parser.parse_args()
home = pathlib.Path(os.environ["HOME"])
with (home / "runs").open("a") as runs:
    runs.write(f"{os.getpid()}\\n")
say = lambda text: print(text, file=sys.stderr, flush=True)
what, _, rest = chosen.do.partition(":")
if what == "wait":
    say(" 50 %  waiting (about 3 s left)")
    while not (home / "go").exists():
        time.sleep(0.05)
elif what == "child":
    subprocess.Popen(["sleep", "300"])
    say("50 % with a child")
    time.sleep(300)
elif what == "say":
    say(rest)
elif what == "exit":
    say("10 % so far")
    say("the last word")
    sys.exit(int(rest))
elif what == "signal":
    os.kill(os.getpid(), int(rest))
elif what == "raise":
    raise RuntimeError("a defect")
elif what == "nothing":
    sys.exit(0)
elif what == "sleep":
    time.sleep(float(rest))
elif what == "full":  # the file that tells the exit status cannot be written
    pathlib.Path("exit.new").mkdir()
    pathlib.Path("exit.new/exit").touch()
    pathlib.Path("exit").touch()
    time.sleep(300)
elif what == "large":
    chosen.out.write_bytes(b"x" * int(rest))
    sys.exit(0)
facts = {
    "thing": sorted(path.name for path in chosen.thing.iterdir()) if chosen.thing else None,
    "path": sys.path, "do": chosen.do, "telemetry": os.environ.get("ORT_DISABLE_TELEMETRY"),
    "bytecode": sys.dont_write_bytecode, "group": os.getpgid(0),
}
chosen.out.with_suffix(".new").write_text(json.dumps(facts))
chosen.out.with_suffix(".new").rename(chosen.out)
"""
Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    (folder / "package.py").write_text("")
    return folder


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stand_in")
    (folder / "__init__.py").touch()
    (folder / "standin.py").write_text(STAND_IN)
    return folder


@pytest.fixture(scope="module")
def runner(site: Path, stand_in: Path) -> Callable[[Host], Run]:
    """Makes a function that runs the stand-in on a host."""

    def bind(host: Host) -> Run:
        def run(do: str = "", limit_s: float = LIMIT, **more: Any) -> dict[str, Any]:
            folders = more.pop("folders", {})
            arguments = ["--do", do, *(f"--{name}={{{name}}}" for name in folders)]
            code = {"runtime": stand_in, "site": site, "patience_s": 20.0}
            data = run_on_host(host, "runtime.standin", arguments, folders, limit_s, **{**code, **more})
            return dict(json.loads(data))

        return run

    return bind


@pytest.fixture(scope="module")
def used(sshd: Sshd, tmp_path_factory: pytest.TempPathFactory) -> Device:
    """A device that several tests use one after the other, so that most find everything sent."""
    return Device(sshd, tmp_path_factory.mktemp("used"))


@pytest.fixture(scope="module")
def used_run(used: Device, runner: Callable[[Host], Run]) -> Run:
    return runner(connect("device", used.config))


@pytest.fixture
def run(device: Device, runner: Callable[[Host], Run]) -> Run:
    return runner(connect("device", device.config))


def runs(device: Device) -> list[int]:
    return [int(line) for line in (device.home / "runs").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pid: int) -> bool:
    """Whether a process ends within moments."""
    for _ in range(100):
        if not alive(pid):
            return True
        time.sleep(0.05)
    return False


def interrupt(share: float) -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.fixture(autouse=True)
def ctrl_c_interrupts() -> None:
    """As in a terminal, also where tests run in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_a_run_brings_its_result_home_and_leaves_only_what_was_sent(device: Device, run: Run, tmp_path: Path) -> None:
    (tmp_path / "thing").mkdir()
    (tmp_path / "thing" / "data").write_text("x")
    result = run("it's a 'quoted' {word} $HOME", folders={"thing": tmp_path / "thing"})
    assert result["thing"] == ["data"]
    assert result["do"] == "it's a 'quoted' {word} $HOME"
    assert [Path(path).name.split("-")[0] for path in result["path"][:2]] == ["runtime", "packages"]
    assert result["bytecode"] is True
    assert result["telemetry"] == "1"
    assert device.left_behind() == []
    kinds = sorted(path.name.split("-")[0] for path in device.root.iterdir())
    assert kinds == ["host", "jobs", "packages", "runtime", "thing"]


def test_the_same_call_later_runs_anew_and_sends_nothing(
    device: Device, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    assert "Sending" in capsys.readouterr().err
    run()
    assert capsys.readouterr().err == ""
    assert len(runs(device)) == 2


def test_progress_is_passed_on(used: Device, used_run: Run) -> None:
    shares: list[float] = []
    (used.home / "go").touch()
    used_run("wait", progress=shares.append)
    assert shares == [0.5]


@pytest.mark.parametrize(
    ("do", "message", "remedy"),
    [
        ("exit:2", "device: the last word", ""),
        ("exit:3", "the run ended with exit status 3. Its last line: the last word", "report that line"),
        ("raise", "the run ended with exit status 1. Its last line: RuntimeError: a defect", "report that line"),
        ("nothing", "the run ended without a result.", "report that line"),
        ("full", "the run ended and could not write down how: its disk may be full", "report that line"),
        (f"signal:{signal.SIGILL.value}", "ended with an illegal instruction (SIGILL)", "does not fit the board"),
        (f"signal:{signal.SIGKILL.value}", "killed (SIGKILL): memory ran out", "a third of the memory"),
        (f"signal:{signal.SIGBUS.value}", "bus error (SIGBUS)", "Check the card"),
        (f"signal:{signal.SIGTERM.value}", "told to (SIGTERM)", "same command again"),
        (f"large:{70 * 2**20}", "wrote a result of 73400320 bytes", "measure again"),
    ],
)
def test_each_bad_end_has_its_message_and_leaves_nothing(
    used: Device, used_run: Run, do: str, message: str, remedy: str
) -> None:
    with pytest.raises(UserError) as caught:
        used_run(do)
    assert message in caught.value.message
    assert remedy in caught.value.remedy
    assert caught.value.exit_code == 2
    assert used.left_behind() == []


def test_a_run_beyond_its_time_is_ended_with_all_it_started(device: Device, run: Run) -> None:
    with pytest.raises(UserError, match="was not done after 1 s and was stopped"):
        run("child", limit_s=1)
    (pid,) = runs(device)
    assert gone(pid)
    children = [path for path in Path("/proc").glob("[0-9]*/cmdline") if path.read_bytes() == b"sleep\x00300\x00"]
    assert children == []
    assert device.left_behind() == []


def test_a_link_that_drops_is_taken_up_again_and_the_run_goes_on(
    device: Device, own_sshd: Sshd, tmp_path: Path, runner: Callable[[Host], Run], capsys: pytest.CaptureFixture[str]
) -> None:
    mine = Device(own_sshd, tmp_path / "mine")
    cuts: list[int] = []

    def progress(share: float) -> None:
        if not cuts:
            cuts.append(own_sshd.cut())
            (mine.home / "go").touch()

    run = runner(connect("device", mine.config))
    assert run("wait", progress=progress)["do"] == "wait"
    assert cuts[0] > 0
    assert len(runs(mine)) == 1
    assert "Trying again" in capsys.readouterr().err
    assert mine.left_behind() == []


def test_a_link_that_stays_away_leaves_the_run_and_the_same_call_fetches_its_result(
    own_sshd: Sshd, tmp_path: Path, runner: Callable[[Host], Run], capsys: pytest.CaptureFixture[str]
) -> None:
    mine = Device(own_sshd, tmp_path / "mine")
    run = runner(connect("device", mine.config))
    with pytest.raises(LinkError) as caught:
        run("wait", progress=lambda share: own_sshd.stop(), patience_s=0.5)
    assert "device goes on measuring" in caught.value.message
    assert "The same command picks its result up." in caught.value.remedy
    (pid,) = runs(mine)
    assert alive(pid)

    own_sshd.start()
    with pytest.raises(LinkError):  # found in progress, and lost again
        run("wait", progress=lambda share: own_sshd.stop(), patience_s=0.5)
    assert "in progress on device already" in capsys.readouterr().err
    (mine.home / "go").touch()
    assert gone(pid)

    own_sshd.start()
    assert run("wait")["do"] == "wait"
    assert "has ended on device already" in capsys.readouterr().err
    assert runs(mine) == [pid]
    assert mine.left_behind() == []


def test_a_result_that_came_in_part_is_fetched_again(
    device: Device, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    device.once("wc", "echo 100000")  # announces more than comes
    assert run("say:hello")["do"] == "say:hello"
    assert "The connection to device ended early" in capsys.readouterr().err
    assert len(runs(device)) == 1


def test_ctrl_c_ends_the_run_there(device: Device, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        run("child", progress=interrupt)
    assert "The run on device was ended." in capsys.readouterr().err
    (pid,) = runs(device)
    assert gone(pid)
    assert device.left_behind() == []


def test_ctrl_c_without_a_link_says_that_the_run_goes_on(
    own_sshd: Sshd, tmp_path: Path, runner: Callable[[Host], Run], capsys: pytest.CaptureFixture[str]
) -> None:
    mine = Device(own_sshd, tmp_path / "mine")

    def progress(share: float) -> None:
        own_sshd.stop()
        interrupt(share)

    with pytest.raises(KeyboardInterrupt):
        runner(connect("device", mine.config))("wait", progress=progress)
    assert "could not be ended and goes on" in capsys.readouterr().err
    (pid,) = runs(mine)
    assert alive(pid)
    (mine.home / "go").touch()
    assert gone(pid)
    own_sshd.start()


def test_a_folder_for_runs_that_cannot_be_made_is_told(device: Device, run: Run) -> None:
    device.root.mkdir(parents=True)
    (device.root / "jobs").write_text("no folder")
    with pytest.raises(UserError, match="jobs cannot be written"):
        run()


def test_two_runs_at_a_time_would_disturb_each_other(
    device: Device, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[UserError] = []

    def second(share: float) -> None:
        with pytest.raises(UserError, match="is busy with another run") as caught:
            run("another")
        seen.append(caught.value)
        (device.home / "go").touch()

    run("wait", progress=second)
    (pid,) = runs(device)
    assert "ssh device kill -- -" in seen[0].remedy
    group = int(seen[0].remedy.rpartition("-")[2])
    assert group != pid


def test_a_run_whose_device_was_switched_off_is_told_and_the_next_call_begins_anew(device: Device, run: Run) -> None:
    def power_cut(share: float) -> None:
        (pid,) = runs(device)
        os.killpg(os.getpgid(pid), signal.SIGKILL)

    with pytest.raises(UserError, match="ended without a trace"):
        run("wait", progress=power_cut)
    (device.home / "go").touch()
    assert run("wait")["do"] == "wait"
    assert len(runs(device)) == 2
    assert device.left_behind() == []


def test_a_device_without_setsid_keeps_the_run_apart_all_the_same(
    device: Device, runner: Callable[[Host], Run]
) -> None:
    device.keep_only(*(tool for tool in TOOLS if tool != "setsid"))
    run = runner(connect("device", device.config))
    with pytest.raises(KeyboardInterrupt):
        run("child", progress=interrupt)
    (pid,) = runs(device)
    assert gone(pid)
    assert run()["group"] != os.getpgid(0)


def test_a_number_that_another_process_got_is_not_taken_for_the_run(device: Device, run: Run) -> None:
    def power_cut(share: float) -> None:
        (job,) = (device.root / "jobs").iterdir()
        os.killpg(int((job / "pid").read_text()), signal.SIGKILL)
        (job / "pid").write_text(str(os.getpid()))  # as after a restart

    with pytest.raises(UserError):
        run("wait", progress=power_cut, patience_s=0.5)
    assert alive(os.getpid())
    (device.home / "go").touch()
    assert partial(run, "wait")()["do"] == "wait"
