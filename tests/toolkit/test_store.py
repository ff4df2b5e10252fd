"""The stage cache: what hits, what misses, what a kill, a full disk or a second run leaves behind."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from export.runtime.errors import UserError
from toolkit import store as store_module
from toolkit.stages import STAGES
from toolkit.store import Artifact, Store, clean_store, combined_digest, folder_digests, library_versions

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Config:
    """A stage's configuration."""

    pieces: int = 6000
    widths: tuple[int, ...] = (4, 8)


class Recorder:
    """A stage that counts its runs."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, out: Path, work: Path) -> dict[str, Any]:
        self.runs += 1
        (out / "sub").mkdir()
        (out / "weights.bin").write_bytes(b"weights" * 100)
        (out / "sub" / "labels.json").write_text("[]")
        return {"f1": 76.25, "shape": (4, 4), "by_id": {2: "b", 10: "c"}}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def run(store: Store, build: Callable[[Path, Path], dict[str, Any]], **changed: Any) -> Artifact:
    given: dict[str, Any] = {"stage": "trim", "config": Config(), "inputs": {"model": "aa"}, "seed": 1}
    return store.run(build=build, **{**given, **changed})


def entry_folder(store: Store, stage: str = "trim") -> Path:
    (home,) = (store.root / stage).iterdir()
    return home


def test_a_stage_runs_once_and_is_found_again_with_the_same_answer(store: Store) -> None:
    build = Recorder()
    first = run(store, build)
    second = run(Store(store.root), build)
    assert build.runs == 1
    assert (first.cached, second.cached) == (False, True)
    assert second == replace(first, cached=True)
    assert first.report == {"f1": 76.25, "shape": [4, 4], "by_id": {"2": "b", "10": "c"}}
    assert (second.path / "weights.bin").read_bytes() == b"weights" * 100
    assert not list((store.root / "work").iterdir())


@pytest.mark.parametrize(
    "changed",
    [
        {"config": Config(pieces=6001)},
        {"inputs": {"model": "ab"}},
        {"inputs": {"model": "aa", "data": "aa"}},
        {"seed": 2},
        {"seed": None},
        {"stage": "prune"},
    ],
    ids=str,
)
def test_each_part_of_the_key_decides(store: Store, changed: dict[str, Any]) -> None:
    build = Recorder()
    run(store, build)
    assert not run(store, build, **changed).cached
    assert build.runs == 2
    assert run(store, build).cached


def test_a_raised_stage_version_is_a_miss(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    build = Recorder()
    run(store, build)
    raised = replace(STAGES["trim"], version=STAGES["trim"].version + 1)
    monkeypatch.setitem(STAGES, "trim", raised)
    assert not run(store, build).cached


def test_another_version_of_a_library_that_decides_results_is_a_miss(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = Recorder()
    run(store, build)
    monkeypatch.setattr(store_module, "version", lambda name: "0.0.1")
    assert not run(store, build).cached


def test_a_configuration_counts_by_its_values_not_its_class(store: Store) -> None:
    build = Recorder()
    run(store, build)
    assert run(store, build, config={"widths": [4, 8], "pieces": 6000}).cached


def flip_a_byte(home: Path) -> None:
    file = home / "out" / "weights.bin"
    data = bytearray(file.read_bytes())
    data[300] ^= 1
    file.write_bytes(bytes(data))


def change_the_report(home: Path) -> None:
    entry = home / "entry.json"
    entry.write_text(entry.read_text().replace("76.25", "86.25"))


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "flipped bit": flip_a_byte,
    "missing file": lambda home: (home / "out" / "sub" / "labels.json").unlink(),
    "extra file": lambda home: (home / "out" / "extra").write_text(""),
    "a report of better results": change_the_report,
    "broken entry.json": lambda home: (home / "entry.json").write_text('{"files": '),
    "entry.json of another kind": lambda home: (home / "entry.json").write_text("[]"),
    "no entry.json": lambda home: (home / "entry.json").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_entry_is_built_again_with_a_warning(
    store: Store, damage: Callable[[Path], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    build = Recorder()
    whole = run(store, build)
    home = entry_folder(store)
    damage(home)
    again = run(store, build)
    assert build.runs == 2 and not again.cached
    assert again.digest == whole.digest and again.report == whole.report
    assert f"warning: The cache entry {home} is damaged" in capsys.readouterr().err
    assert run(store, build).cached


SCRIPT = """
import sys, time
from pathlib import Path
from toolkit.store import Store

def build(out, work):
    {body}

artifact = Store(Path(sys.argv[1])).run("trim", None, {{}}, build)
print("cached" if artifact.cached else "built")
"""


def start(root: Path, body: str) -> subprocess.Popen[str]:
    script = SCRIPT.format(body=textwrap.indent(textwrap.dedent(body), "    ").strip())
    return subprocess.Popen(
        [sys.executable, "-c", script, str(root)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_stage_killed_half_way_keeps_its_checkpoints_and_not_its_outputs(tmp_path: Path) -> None:
    root = tmp_path / "cache"
    process = start(
        root,
        """
        (work / "checkpoint-10").mkdir()
        (work / "checkpoint-10" / "state").write_text("step 10")
        (out / "half-written").write_text("...")
        print("under way", flush=True)
        time.sleep(60)
        """,
    )
    assert process.stdout is not None and process.stdout.readline() == "under way\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()

    seen: dict[str, Any] = {}

    def go_on(out: Path, work: Path) -> dict[str, Any]:
        seen["checkpoint"] = (work / "checkpoint-10" / "state").read_text()
        seen["outputs"] = list(out.iterdir())
        (out / "model").write_text("whole")
        return {}

    resumed = Store(root).run("trim", None, {}, go_on)
    assert seen == {"checkpoint": "step 10", "outputs": []}
    assert [path.name for path in resumed.path.iterdir()] == ["model"]
    assert not list((root / "work").iterdir())


def test_what_a_kill_after_the_last_rename_leaves_is_removed_by_the_next_run(store: Store) -> None:
    build = Recorder()
    run(store, build)
    leftover = store.root / "work" / f"trim-{entry_folder(store).name}" / "checkpoint-5"
    leftover.mkdir(parents=True)
    assert run(store, build).cached
    assert not leftover.exists()


def test_two_processes_at_once_run_a_stage_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    body = f"""
        with open({str(log)!r}, "a") as stream:
            stream.write("ran\\n")
        time.sleep(1)
        (out / "model").write_text("whole")
        return {{}}
        """
    processes = [start(tmp_path / "cache", body) for _ in range(2)]
    answers = [process.communicate(timeout=60) for process in processes]
    assert sorted(out for out, _ in answers) == ["built\n", "cached\n"]
    assert log.read_text() == "ran\n"
    assert any("Another run is working on trim" in err for _, err in answers)


def test_a_full_disk_leaves_nothing_half_written_and_says_what_to_do(store: Store) -> None:
    def full(out: Path, work: Path) -> dict[str, Any]:
        (work / "checkpoint-3").mkdir()
        (out / "half").write_text("...")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(UserError, match="disk is full") as caught:
        run(store, full)
    assert "make clean" in caught.value.remedy
    assert not (store.root / "trim").exists()
    (work,) = (store.root / "work").iterdir()
    assert [path.name for path in work.iterdir()] == ["checkpoint-3"]
    assert not run(store, Recorder()).cached


def test_a_disk_that_is_full_when_the_entry_is_written_leaves_no_entry(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(UserError, match="disk is full"):
            run(store, Recorder())
    assert not (store.root / "trim").exists()
    assert not list((store.root / "work").iterdir())
    assert not run(store, Recorder()).cached


def test_a_stage_that_fails_leaves_no_entry_and_runs_again(store: Store) -> None:
    def fail(out: Path, work: Path) -> dict[str, Any]:
        (out / "half").write_text("...")
        raise UserError("Bad data.", "Correct it.")

    with pytest.raises(UserError, match="Bad data"):
        run(store, fail)
    assert not list((store.root / "work").iterdir())
    assert not run(store, Recorder()).cached


def test_a_cache_folder_that_is_a_file_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError, match="cache folder") as caught:
            run(Store(root), Recorder())
        assert "TOOLKIT_CACHE" in caught.value.remedy


def test_digests_are_of_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b").write_bytes(b"abc")
    assert folder_digests(tmp_path) == {"sub/b": hashlib.sha256(b"abc").hexdigest()}
    one = combined_digest({"a": "1", "b": "2"})
    assert one == combined_digest({"b": "2", "a": "1"})
    assert one not in (combined_digest({"a": "2", "b": "1"}), combined_digest({"a": "1"}))


def test_a_library_that_is_not_installed_is_absent_from_the_key() -> None:
    assert library_versions(("numpy", "no-such-library-here")) == {
        "numpy": library_versions(("numpy",))["numpy"],
        "no-such-library-here": "absent",
    }


def test_cleaning_deletes_what_the_store_made_and_says_how_much(tmp_path: Path) -> None:
    root = tmp_path / "cache"
    run(Store(root), Recorder())  # gone again when cleaning starts, as a run that has ended is
    (root / "work" / "distill-x").mkdir()
    (root / "work" / "distill-x" / "checkpoint").write_bytes(b"x" * 2_000_000)
    (root / "mine").mkdir()
    (root / "notes.txt").write_text("mine")
    size = sum(path.stat().st_size for path in (root / "trim").rglob("*") if path.is_file())
    lines = clean_store(root)
    assert lines[-1].split()[:2] == [f"{(size + 2_000_000) / 1e6:.2f}", "MB"]
    assert "2.00 MB  work" in "\n".join(lines)
    assert sorted(path.name for path in root.iterdir()) == ["in-use.lock", "mine", "notes.txt"]
    assert clean_store(root)[-1].split()[0] == "0.00"


def test_cleaning_an_absent_cache_frees_nothing(tmp_path: Path) -> None:
    (line,) = clean_store(tmp_path / "none")
    assert line.split()[:2] == ["0.00", "MB"]
    assert not (tmp_path / "none").exists()


def test_nothing_is_cleaned_away_under_a_run(tmp_path: Path) -> None:
    running = Store(tmp_path / "cache")
    run(running, Recorder())
    with pytest.raises(UserError, match="using"):
        clean_store(running.root)
    assert run(running, Recorder()).cached


def test_the_lock_of_a_stage_is_free_again_after_it(store: Store) -> None:
    run(store, Recorder())
    (lock,) = (store.root / "locks").iterdir()
    with lock.open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_an_entry_records_what_it_was_made_of(store: Store) -> None:
    run(store, Recorder())
    entry = json.loads((entry_folder(store) / "entry.json").read_text())
    assert entry["material"]["inputs"] == {"model": "aa"}
    assert entry["material"]["seed"] == 1
    assert set(entry["material"]["libraries"]) == set(STAGES["trim"].libraries)
    assert set(entry["files"]) == {"weights.bin", "sub/labels.json"}
