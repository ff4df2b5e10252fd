from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any

import pytest

from export.runtime.errors import UserError
from export.runtime.memory import read_memory
from export.runtime.serve import CONNECTIONS, _listening

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets here")

ROOT = Path(__file__).resolve().parents[3]
MEGABYTE = 1 << 20
PATIENCE = 60.0  # seconds; these tests share a machine
Start = Callable[..., AbstractContextManager[subprocess.Popen[bytes]]]


@pytest.fixture
def path() -> Iterator[Path]:
    """Where a socket may be made; pytest's own folders are too long for one."""
    with tempfile.TemporaryDirectory(prefix="tagger") as folder:
        yield Path(folder) / "socket"


@pytest.fixture
def start(bundle_folder: Path) -> Start:
    """Runs `tagger.py --serve` and waits until it listens, if it is to; ends it whatever happens."""

    @contextlib.contextmanager
    def run(*options: str | Path, program: tuple[str, ...] = ("-m", "export.runtime.tagger")) -> Any:
        command = [sys.executable, "-B", *program, "--bundle", bundle_folder, "--serve", *options]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe) as process:
            try:
                if "--socket" in options:
                    assert b"Listening on" in of(process.stderr).readline()
                yield process
            finally:
                process.kill()

    return run


def of(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def request(text: str, identity: object = 1) -> bytes:
    return json.dumps({"id": identity, "text": text}).encode() + b"\n"


def names(answer: bytes) -> list[str]:
    return [entity["text"] for entity in json.loads(answer)["entities"]]


@contextlib.contextmanager
def connected(path: Path) -> Iterator[tuple[socket.socket, IO[bytes]]]:
    with socket.socket(socket.AF_UNIX) as client, client.makefile("rb") as answers:
        client.connect(str(path))
        client.settimeout(PATIENCE)
        yield client, answers


def asked(path: Path, text: str = "Samia") -> list[str]:
    """What a client of its own is answered."""
    with connected(path) as (client, answers):
        client.sendall(request(text))
        return names(answers.readline())


def ended(process: subprocess.Popen[bytes], number: int) -> tuple[int, bytes]:
    process.send_signal(number)
    return process.wait(PATIENCE), of(process.stderr).read()


def test_standard_input_is_answered_line_by_line_and_to_the_last(start: Start) -> None:
    with start() as process:
        requests, answers = of(process.stdin), of(process.stdout)
        for text in ("Samia", "Arusha"):
            requests.write(request(text))
            requests.flush()
            assert names(answers.readline()) == [text]
        requests.write(b"no\n" + request("habari", "last").rstrip())
        requests.close()
        assert json.loads(answers.readline())["line"] == 3
        assert json.loads(answers.readline()) == {"id": "last", "entities": []}
        assert (process.wait(PATIENCE), answers.read(), of(process.stderr).read()) == (0, b"", b"")


def test_a_bundle_serves_with_its_own_runtime(start: Start, bundle_folder: Path, path: Path) -> None:
    with start("--socket", path, program=(str(bundle_folder / "runtime" / "tagger.py"),)) as process:
        assert asked(path) == ["Samia"]
        assert ended(process, signal.SIGTERM) == (0, b"")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_standard_input_cleanly(start: Start, number: int, code: int) -> None:
    with start() as process:
        of(process.stdin).write(request("Samia"))
        of(process.stdin).flush()
        assert names(of(process.stdout).readline()) == ["Samia"]
        assert ended(process, number) == (code, b"")


def test_a_signal_ends_it_when_nobody_reads_its_answers(start: Start) -> None:
    with start() as process:
        os.set_blocking(of(process.stdin).fileno(), False)
        _send_until_blocked(lambda data: os.write(of(process.stdin).fileno(), data), request("Samia") * 50)
        assert ended(process, signal.SIGTERM) == (0, b"")


@pytest.mark.parametrize("options", [("--max-line", "100000"), ()])
def test_an_over_long_line_is_answered_without_being_held(start: Start, options: tuple[str, ...]) -> None:
    limit = int(options[1]) if options else MEGABYTE
    with start(*options) as process:
        requests, answers = of(process.stdin), of(process.stdout)
        requests.write(request("Samia"))
        requests.flush()
        assert names(answers.readline()) == ["Samia"]
        before = read_memory(Path(f"/proc/{process.pid}/status")).peak
        for _ in range(48):
            requests.write(b"x" * MEGABYTE)
        requests.write(b"\n" + request("Arusha"))
        requests.close()
        assert json.loads(answers.readline()) == {
            "line": 2,
            "error": f"line 2: longer than {limit} bytes; send the text in parts, or start with a larger --max-line",
        }
        after = read_memory(Path(f"/proc/{process.pid}/status")).peak
        assert names(answers.readline()) == ["Arusha"]
        if before is not None and after is not None:
            assert after - before < 8 * MEGABYTE
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_socket_is_its_users_own_and_goes_with_the_server(start: Start, path: Path, number: int, code: int) -> None:
    with start("--socket", path) as process:
        found = path.lstat()
        assert stat.S_ISSOCK(found.st_mode)
        assert stat.S_IMODE(found.st_mode) == 0o600
        with connected(path) as (client, answers):
            client.sendall(request("Samia"))
            assert names(answers.readline()) == ["Samia"]
            assert ended(process, number) == (code, b"")
            assert answers.readline() == b""
        assert not path.exists()


def test_nobody_else_may_connect_from_the_first_moment(path: Path) -> None:
    umask = os.umask(0)
    try:
        with _listening(path):
            assert stat.S_IMODE(path.lstat().st_mode) == 0o600
        assert os.umask(0) == 0
    finally:
        os.umask(umask)


def test_another_servers_socket_is_left_alone(path: Path) -> None:
    with _listening(path):
        path.unlink()
        path.write_text("of somebody else")
    assert path.read_text() == "of somebody else"


def test_clients_get_their_own_answers_in_order_after_half_closing_too(start: Start, path: Path) -> None:
    with start("--socket", path), connected(path) as (one, from_one), connected(path) as (two, from_two):
        one.sendall(b"".join(request("Samia", number) for number in range(50)) + b"[")
        two.sendall(request("Arusha", "two"))
        one.shutdown(socket.SHUT_WR)
        assert names(from_two.readline()) == ["Arusha"]
        answers = [json.loads(line) for line in from_one.readlines()]
        assert [answer.get("id") for answer in answers] == [*range(50), None]
        assert answers[-1]["line"] == 51


def _send_until_blocked(send: Callable[[bytes], int], data: bytes) -> int:
    """Sends what the other side takes, until it has taken nothing for a second; returns how much."""
    sent, since = 0, time.monotonic()
    while time.monotonic() - since < 1.0:
        try:
            sent += send(data[sent % len(data) :])
            since = time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)
    return sent


def test_a_client_that_does_not_read_is_held_back_and_holds_back_no_other(start: Start, path: Path) -> None:
    with start("--socket", path) as process, connected(path) as (flood, _):
        assert asked(path) == ["Samia"]
        status = Path(f"/proc/{process.pid}/status")
        before = read_memory(status).resident
        flood.setblocking(False)
        sent = _send_until_blocked(flood.send, request("Samia") * 1000)
        assert sent < 4 * MEGABYTE
        assert asked(path, "Arusha") == ["Arusha"]
        after = read_memory(status).resident
        if before is not None and after is not None:
            assert after - before < 4 * MEGABYTE


def test_memory_is_released_after_loading_and_after_each_long_text(start: Start, path: Path) -> None:
    count = path.with_name("count")
    code = f"""
from export.runtime import command, serve
serve.release_memory = lambda: open({str(count)!r}, "a").write("x")
raise SystemExit(command.main())
"""
    with start("--socket", path, program=("-c", code)):
        assert count.read_text() == "x"
        with connected(path) as (client, answers):
            for text in ("Samia", "Samia " * 6000, "Samia"):
                client.sendall(request(text))
                assert names(answers.readline())[0] == "Samia"
        assert count.read_text() == "xx"


def test_a_client_that_never_reads_is_dropped(start: Start, path: Path) -> None:
    code = "from export.runtime import serve, command; serve.WRITE_TIMEOUT = 0.2; raise SystemExit(command.main())"
    with start("--socket", path, program=("-c", code)), connected(path) as (flood, _):
        flood.setblocking(False)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            _send_until_blocked(flood.send, request("Samia") * 1000)
        assert asked(path) == ["Samia"]


def test_clients_that_vanish_leave_the_server_standing(start: Start, path: Path) -> None:
    with start("--socket", path) as process:
        for begun in (b"", b'{"text": "Sam', request("Samia") * 200):
            for _ in range(CONNECTIONS + 1):
                with connected(path) as (client, _):
                    client.sendall(begun)
        assert asked(path) == ["Samia"]
        assert ended(process, signal.SIGTERM) == (0, b"")


OFTEN = "from export.runtime import command, serve; serve.POLL = 0.05; raise SystemExit(command.main())"


def test_one_connection_too_many_waits_for_its_turn(start: Start, path: Path) -> None:
    with start("--socket", path, program=("-c", OFTEN)), contextlib.ExitStack() as stack:
        time.sleep(0.2)  # nobody comes for some rounds
        clients = [stack.enter_context(connected(path)) for _ in range(CONNECTIONS + 1)]
        for client, _ in clients:
            client.sendall(request("Samia"))
        for _, answers in clients[:-1]:
            assert names(answers.readline()) == ["Samia"]
        last, answers = clients[-1]
        last.settimeout(0.3)
        with pytest.raises(TimeoutError):
            last.recv(1)
        last.settimeout(PATIENCE)
        clients[0][0].shutdown(socket.SHUT_RDWR)
        assert names(last.recv(MEGABYTE)) == ["Samia"]


def test_a_signal_whose_exception_is_lost_ends_the_server_all_the_same(start: Start, path: Path) -> None:
    lost = """
import contextlib, signal
install = signal.signal
def without_exception(number, handler):
    def handle(*arguments):
        with contextlib.suppress(BaseException):
            handler(*arguments)
    return install(number, handle if callable(handler) else handler)
signal.signal = without_exception
"""
    with start("--socket", path, program=("-c", lost + OFTEN)) as process:
        assert asked(path) == ["Samia"]
        assert ended(process, signal.SIGTERM) == (0, b"")
    assert not path.exists()


def test_what_is_being_answered_is_answered_before_the_end(start: Start, path: Path) -> None:
    with start("--socket", path) as process, connected(path) as (client, answers), connected(path) as (other, rest):
        client.sendall(request("Samia"))
        assert names(answers.readline()) == ["Samia"]
        client.sendall(request("Samia habari. " * 20_000) + request("never"))
        time.sleep(0.3)
        other.sendall(request("never"))
        process.send_signal(signal.SIGTERM)
        assert names(answers.readline()) == ["Samia"] * 20_000
        assert (answers.read(), rest.read()) == (b"", b"")
        assert (process.wait(PATIENCE), of(process.stderr).read()) == (0, b"")


def test_a_dead_socket_is_replaced(start: Start, path: Path) -> None:
    with start("--socket", path) as process:
        process.kill()
        process.wait(PATIENCE)
    assert path.exists()
    with start("--socket", path) as process:
        assert asked(path) == ["Samia"]
        assert ended(process, signal.SIGTERM) == (0, b"")


@pytest.mark.parametrize("backlog", [0, 5])
def test_a_socket_in_use_is_not_taken(path: Path, backlog: int) -> None:
    with socket.socket(socket.AF_UNIX) as other, contextlib.ExitStack() as stack:
        other.bind(str(path))
        other.listen(backlog)
        if not backlog:  # its queue is full
            stack.enter_context(connected(path))
        with pytest.raises(UserError, match="Another process listens on"), _listening(path):
            pass
        assert path.exists()


def test_what_is_no_socket_is_not_replaced(path: Path) -> None:
    path.write_text("mine")
    with pytest.raises(UserError, match="exists and is no socket"), _listening(path):
        pass
    assert path.read_text() == "mine"
    link = path.with_name("link")
    link.symlink_to("nowhere")
    with pytest.raises(UserError, match="exists and is no socket"), _listening(link):
        pass


@pytest.mark.parametrize("name", ["absent/socket", "x" * 200])
def test_a_socket_that_cannot_be_made_says_why(path: Path, name: str) -> None:
    message = r"Cannot make the socket .*: .+\. Give a short path"
    with pytest.raises(UserError, match=message), _listening(path.parent / name):
        pass


def test_a_system_without_unix_sockets_is_told_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "AF_UNIX")
    with pytest.raises(UserError, match="has no Unix sockets"), _listening(path):
        pass


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--socket", "{taken}"), "exists and is no socket. Give another path"),
        (("Samia",), "--serve reads standard input, not texts."),
        (("--max-line", "0"), "'0' is no number of bytes"),
        (("--max-line", "1e6"), "'1e6' is no number of bytes"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(
    bundle_folder: Path, path: Path, options: tuple[str, ...], message: str
) -> None:
    path.write_text("mine")
    given = [option.replace("{taken}", str(path)) for option in options]
    command = [sys.executable, "-m", "export.runtime.tagger", "--bundle", str(bundle_folder), "--serve", *given]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (2, b"")
    assert message in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_a_socket_without_serving_is_wrong_use(bundle_folder: Path, path: Path) -> None:
    command = [sys.executable, "-m", "export.runtime.tagger", "--bundle", str(bundle_folder), "--socket", str(path)]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (2, b"--socket needs --serve. Add --serve.\n")
