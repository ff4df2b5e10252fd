from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from export.runtime import process
from export.runtime.errors import UserError
from export.runtime.process import WorkerProcess

ECHO = "import sys\nfor line in sys.stdin: print('{\"pid\": 1}', flush=True)\n"


@pytest.fixture
def worker_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a module whose source a test writes to WORKER_FILE before starting it."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("WORKER_FILE", str(tmp_path / "some_worker.py"))
    return "some_worker"


def start(module: str, source: str) -> WorkerProcess:
    Path(os.environ["WORKER_FILE"]).write_text(source)
    return WorkerProcess("int8", module, threads=1)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_crash_tells_the_last_line_of_stderr(worker_module: str) -> None:
    source = "import sys\nsys.stdin.readline()\nprint('progress', file=sys.stderr)\nraise MemoryError('no room')\n"
    with (
        pytest.raises(UserError, match=r"int8: .* during 'load' with exit status 1.* MemoryError: no room") as caught,
        start(worker_module, source) as worker,
    ):
        worker.ask("load", 30)
    assert "progress" not in caught.value.message


def test_a_worker_that_never_starts_is_a_crash(worker_module: str) -> None:
    with (
        pytest.raises(UserError, match="No module named"),
        WorkerProcess("int8", "no_such_worker", 1) as worker,
    ):
        time.sleep(0.2)
        worker.ask("load", 30)


@pytest.mark.parametrize(
    ("number", "how", "remedy"),
    [
        (signal.SIGKILL, "by SIGKILL", "memory ran out"),
        (
            signal.SIGILL,
            "by SIGILL, an illegal instruction: this onnxruntime does not fit this CPU",
            "another release",
        ),
        (signal.SIGSEGV, "by SIGSEGV: a library crashed", "another release"),
    ],
)
def test_a_killed_worker_tells_its_signal(worker_module: str, number: int, how: str, remedy: str) -> None:
    source = f"import os, sys\nsys.stdin.readline()\nos.kill(os.getpid(), {int(number)})\n"
    with (
        pytest.raises(UserError, match=f"int8: the process ended during 'golden' {how}") as caught,
        start(worker_module, source) as worker,
    ):
        worker.ask("golden", 30)
    assert remedy in caught.value.remedy


def test_a_signal_without_a_name_is_told_by_its_number() -> None:
    assert process._ending(-200)[0] == "by signal 200: a library crashed"


def test_silence_ends_in_a_timeout_and_an_ended_process(worker_module: str) -> None:
    source = "import sys, time\nprint('loading', file=sys.stderr, flush=True)\ntime.sleep(60)\n"
    with (
        pytest.raises(UserError, match="no answer to 'load' within 1 s"),
        start(worker_module, source) as worker,
    ):
        worker.ask("load", 1.0)
    assert not is_running(worker.pid)


def test_an_error_answer_carries_its_remedy(worker_module: str) -> None:
    answer = json.dumps({"error": "no model", "remedy": "make one"})
    source = f"import sys\nsys.stdin.readline()\nprint({answer!r}, flush=True)\n"
    with pytest.raises(UserError, match="int8: no model") as caught, start(worker_module, source) as worker:
        worker.ask("load", 30)
    assert caught.value.remedy == "make one"


def test_ctrl_c_leaves_no_process_behind(worker_module: str) -> None:
    with pytest.raises(KeyboardInterrupt), start(worker_module, ECHO) as worker:
        worker.ask("load", 30)
        raise KeyboardInterrupt
    assert not is_running(worker.pid)


def test_a_worker_that_ignores_everything_is_killed(worker_module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE", 0.2)
    source = (
        "import signal, sys, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "sys.stdin.readline()\nprint('{}', flush=True)\ntime.sleep(60)\n"
    )
    with start(worker_module, source) as worker:
        worker.ask("load", 30)
    assert not is_running(worker.pid)


def test_a_talkative_worker_does_not_block(worker_module: str) -> None:
    source = "import sys\nsys.stdin.readline()\nsys.stderr.write('x' * 2_000_000)\nprint('{}', flush=True)\n"
    with start(worker_module, source) as worker:
        assert worker.ask("load", 30) == {}


def test_memory_is_measured_with_the_allocators_defaults(worker_module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    source = (
        "import json, os, sys\nsys.stdin.readline()\n"
        "names = ('MALLOC_ARENA_MAX', 'OMP_NUM_THREADS')\n"
        "print(json.dumps({name: os.environ.get(name) for name in names}), flush=True)\n"
    )
    with start(worker_module, source) as worker:
        assert worker.ask("load", 30) == {"MALLOC_ARENA_MAX": None, "OMP_NUM_THREADS": "1"}


def test_a_file_where_the_user_stands_is_not_imported(
    worker_module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    standing = tmp_path / "elsewhere"
    standing.mkdir()
    (standing / "json.py").write_text("raise SystemExit('the wrong json')")
    monkeypatch.chdir(standing)
    with start(worker_module, "import json\n" + ECHO) as worker:
        assert worker.ask("load", 30) == {"pid": 1}
