from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from export.runtime.errors import UserError
from tests.toolkit.remote.loopback import TOOLS, Device
from toolkit.remote.host import Host, connect
from toolkit.remote.send import Patience, send
from toolkit.remote.ssh import LinkError
from toolkit.remote.trees import Tree

PATIENCE = 20.0
WITHOUT_RSYNC = tuple(tool for tool in TOOLS if tool != "rsync")
needs_rsync = pytest.mark.skipif(shutil.which("rsync") is None, reason="no rsync here")
BOTH = pytest.mark.parametrize("way", [pytest.param("rsync", marks=needs_rsync), "tar"])


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """3 MB in a few files, one of them empty."""
    folder = tmp_path / "thing"
    (folder / "below" / "deeper").mkdir(parents=True)
    (folder / "big").write_bytes(os.urandom(3_000_000))
    (folder / "below" / "small").write_text("small")
    (folder / "below" / "deeper" / "empty").touch()
    return Tree.of_folder("thing", folder)


def prepared(device: Device, way: str = "rsync") -> Host:
    if way == "tar":
        device.keep_only(*WITHOUT_RSYNC)
    return connect("device", device.config)


def arrived(device: Device, tree: Tree) -> bool:
    there = {
        path.relative_to(device.root / tree.name).as_posix(): path.read_bytes()
        for path in (device.root / tree.name).rglob("*")
        if path.is_file()
    }
    return there == {name: path.read_bytes() for name, path in tree.files}


@pytest.fixture
def small_disk(device: Device) -> Iterator[Path]:
    """The device's folder on a disk of 1 MB, which df takes for a large one."""
    device.root.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", device.root], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    device.program("df", "echo /dev/root 100000000 1 99999999 1% /")
    yield device.root
    subprocess.run(["umount", "-l", device.root], check=True)


@BOTH
def test_a_tree_arrives_whole_and_is_not_sent_twice(
    device: Device, tree: Tree, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    host = prepared(device, way)
    send(host, [tree], PATIENCE)
    assert arrived(device, tree)
    assert device.left_behind() == []
    assert "Sending thing to device: 3.00 MB." in capsys.readouterr().err
    before = (device.root / tree.name / "big").stat()
    send(host, [tree], PATIENCE)
    assert capsys.readouterr().err == ""
    after = (device.root / tree.name / "big").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize(
    ("way", "damage"),
    [("tar", "shortened"), *(pytest.param("rsync", damage, marks=needs_rsync) for damage in ("deleted", "added"))],
)
def test_a_copy_that_was_damaged_there_is_repaired(device: Device, tree: Tree, way: str, damage: str) -> None:
    host = prepared(device, way)
    send(host, [tree], PATIENCE)
    file = device.root / tree.name / "below" / "small"
    if damage == "deleted":
        file.unlink()
    else:
        (file if damage == "shortened" else file.with_name("more")).write_text("x")
    send(host, [tree], PATIENCE)
    assert arrived(device, tree)


@BOTH
def test_a_long_transfer_tells_how_far_it_is(
    device: Device, tree: Tree, way: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("toolkit.remote.send.NOTE_SECONDS", 0.0)
    send(prepared(device, way), [tree], PATIENCE)
    assert "Sending to device: 100% of 3.00 MB." in capsys.readouterr().err


@BOTH
def test_only_its_owner_can_read_what_lies_there(device: Device, tree: Tree, way: str) -> None:
    send(prepared(device, way), [tree], PATIENCE)
    assert all(path.stat().st_mode & 0o077 == 0 for path in (device.root, *(device.root / tree.name).rglob("*")))


@needs_rsync
def test_of_a_newer_version_only_what_differs_is_sent(device: Device, tree: Tree, tmp_path: Path) -> None:
    host = prepared(device)
    send(host, [tree], PATIENCE)
    (tmp_path / "thing" / "below" / "small").write_text("other")
    newer = Tree.of_folder("thing", tmp_path / "thing")
    send(host, [newer], PATIENCE)
    assert arrived(device, newer)
    assert (device.root / newer.name / "big").samefile(device.root / tree.name / "big")
    assert (device.root / tree.name / "below" / "small").read_text() == "small"


@pytest.mark.parametrize("way", [pytest.param("rsync", marks=needs_rsync), "tar"])
def test_a_link_that_drops_while_sending_is_tried_again(
    device: Device, tree: Tree, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    host = prepared(device, way)
    device.once(way, device.cutting)
    send(host, [tree], PATIENCE)
    assert arrived(device, tree)
    assert device.left_behind() == []
    assert "Trying again" in capsys.readouterr().err


def test_a_link_that_stays_away_ends_in_its_own_error(device: Device, tree: Tree) -> None:
    host = prepared(device, "tar")
    device.program("tar", device.cutting)
    with pytest.raises(LinkError, match="closed the connection"):
        send(host, [tree], 0.5)


def test_a_stream_that_ends_early_never_gets_the_name(device: Device, tree: Tree) -> None:
    host = prepared(device, "tar")
    # Cut between two members, tar itself takes that for an archive.
    device.program("tar", f"head -c 1536 | {shutil.which('tar')} " + '"$@"')
    with pytest.raises(UserError, match=r"could not take in thing-\w+: what arrived is not what was sent"):
        send(host, [tree], PATIENCE)
    assert not (device.root / tree.name).exists()
    assert device.left_behind() == []


@pytest.mark.parametrize("change", ["deleted", "shortened"])
def test_a_file_that_changes_here_meanwhile_is_told(device: Device, tree: Tree, tmp_path: Path, change: str) -> None:
    host = prepared(device, "tar")
    big = tmp_path / "thing" / "big"
    if change == "deleted":
        big.unlink()
    else:
        big.write_bytes(b"x" * 100)
    with pytest.raises(UserError, match=r"big cannot be read|what arrived is not what was sent"):
        send(host, [tree], PATIENCE)
    assert device.left_behind() == []
    assert not (device.root / tree.name).exists()


@needs_rsync
def test_where_rsync_does_not_work_tar_does(device: Device, tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    host = prepared(device)
    device.program("rsync", "echo unknown option >&2; exit 1")
    send(host, [tree], PATIENCE)
    assert arrived(device, tree)
    assert "rsync does not work with device" in capsys.readouterr().err


@needs_rsync
def test_what_rsync_brought_damaged_tar_brings_again(device: Device, tree: Tree) -> None:
    host = prepared(device)
    device.once("ls", "echo -rw 1 0 0 7 x")  # what counts the files, once
    device.root.joinpath(tree.name).mkdir(parents=True)  # nothing to be counted before it is sent
    send(host, [tree], PATIENCE)
    assert arrived(device, tree)


def test_a_folder_with_spaces_is_no_obstacle(device: Device, tree: Tree) -> None:
    host = connect("device", device.config, "my work's $HOME")
    send(host, [tree], PATIENCE)
    assert (device.home / "my work's $HOME" / "afriberta-edge" / tree.name / "below" / "small").read_text() == "small"


def test_without_rsync_and_tar_nothing_can_be_sent(device: Device, tree: Tree) -> None:
    device.keep_only(*(tool for tool in WITHOUT_RSYNC if tool != "tar"))
    with pytest.raises(UserError, match="has neither rsync nor tar"):
        send(connect("device", device.config), [tree], PATIENCE)


def test_too_little_space_is_told_before_anything_is_sent(device: Device, tree: Tree) -> None:
    host = prepared(device)
    device.program("df", "echo /dev/root 30000000 29990000 10000 99% /")
    with pytest.raises(UserError) as caught:
        send(host, [tree], PATIENCE)
    assert "has 10.24 MB free and 23.01 MB are needed" in caught.value.message
    assert str(device.root) in caught.value.remedy
    assert device.left_behind() == []
    assert not (device.root / tree.name).exists()


@BOTH
def test_a_disk_that_fills_up_on_the_way_is_told_and_cleared(
    device: Device, tree: Tree, small_disk: Path, way: str
) -> None:
    host = prepared(device, way)
    with pytest.raises(UserError, match=r"The disk of device is full") as caught:
        send(host, [tree], PATIENCE)
    assert "FOLDER=" in caught.value.remedy
    assert device.left_behind() == []
    assert not (device.root / tree.name).exists()


def test_a_disk_that_is_full_from_the_start_is_told(device: Device, small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(b"x" * 1_048_576)
    with pytest.raises(UserError, match="The disk of device is full"):
        send(connect("device", device.config), [], PATIENCE)


def test_a_folder_that_cannot_be_made_is_told(device: Device) -> None:
    (device.home / "file").write_text("")
    with pytest.raises(UserError, match="file/below/afriberta-edge on device cannot be used") as caught:
        send(connect("device", device.config, "file/below"), [], PATIENCE)
    assert "FOLDER=" in caught.value.remedy


def test_what_nobody_uses_any_more_is_cleared_away(device: Device, tree: Tree) -> None:
    host = prepared(device)
    send(host, [tree], PATIENCE)
    ages = {
        "thing-0000": 100,
        "thing-1111": 10,
        ".thing-2222.part": 3,
        ".thing-3333.part": 0,
        tree.name: 100,
        "mine": 100,
    }
    for name, days in ages.items():
        (device.root / name).mkdir(exist_ok=True)
        os.utime(device.root / name, (time.time() - 86400 * days - 60,) * 2)
    host_script = next(device.root.glob("host-*.sh"))
    send(host, [], PATIENCE)
    left = {path.name for path in device.root.iterdir()}
    assert left == {"thing-1111", ".thing-3333.part", "mine", host_script.name}


def test_what_is_used_again_counts_as_new(device: Device, tree: Tree) -> None:
    host = prepared(device)
    send(host, [tree], PATIENCE)
    os.utime(device.root / tree.name, (time.time() - 86400 * 50,) * 2)
    send(host, [tree], PATIENCE)
    assert time.time() - (device.root / tree.name).stat().st_mtime < 3600


def test_ctrl_c_while_sending_leaves_nothing_half_sent(device: Device, tree: Tree) -> None:
    host = prepared(device, "tar")
    device.program("tar", f"{shutil.which('touch')} {device.home}/begun; sleep 2; exit 1")

    def interrupt() -> None:
        while not (device.home / "begun").exists():
            time.sleep(0.05)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        send(host, [tree], PATIENCE)
    assert device.left_behind() == []


def test_patience_grows_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr("toolkit.remote.send.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("toolkit.remote.send.time.sleep", sleep)
    patience, error = Patience(20.0), LinkError("away.", "")
    patience.wait(error)
    patience.wait(error)
    patience.met()  # it works again: counting starts anew
    with pytest.raises(LinkError, match="away"):
        for _ in range(100):
            patience.wait(error)
    assert slept == [1.0, 2.0, 1.0, 2.0, 4.0, 8.0]
