"""A tagger that stays: JSON lines over standard input and output, or over a Unix socket."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from types import FrameType

from .errors import UserError
from .lines import MAX_LINE, answer_line, answer_lines, read_lines
from .tagger import Tagger

CONNECTIONS = 8  # answered side by side
BACKLOG = 64  # connections that wait for their turn; a client that won't wait is told EAGAIN when it is full
WRITE_TIMEOUT = 30.0  # seconds a client may take to receive one answer
GRACE = 2.0  # seconds for sending what has been answered when the server is told to end


class _Stop(BaseException):
    """Raised in the main thread by SIGTERM or SIGINT."""

    def __init__(self, exit_code: int) -> None:
        super().__init__()
        self.exit_code = exit_code


def serve(tagger: Tagger, path: Path | None = None, max_line: int = MAX_LINE) -> int:
    """Answer JSON lines until the input ends or SIGTERM or SIGINT comes; returns the exit code, 0 or 130.

    Args:
        path: the Unix socket to make, for this user only (mode 0600); None: standard input and output.
        max_line: longest line in bytes; a longer one is answered by an error.

    Raises:
        UserError: the socket cannot be made, or the bundle cannot answer.
    """
    tagger.tag("Arusha")  # a broken bundle ends here and not at the first request, which is answered sooner too
    try:
        with _ended_by_signals():
            if path is None:
                answer_lines(tagger, sys.stdin.buffer, sys.stdout.buffer, max_line)
            else:
                with _listening(path) as listener:
                    print(f"Listening on {path}; SIGTERM or Ctrl-C ends it.", file=sys.stderr, flush=True)
                    _Server(tagger, max_line).run(listener)
    except _Stop as stop:
        if path is None:
            # What is still to be written is a part of a line, and its reader may have stopped reading.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return stop.exit_code
    return 0


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Within, the first SIGTERM or SIGINT raises _Stop, and a second one ends the process at once."""

    def stop(number: int, frame: FrameType | None) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_DFL)
        raise _Stop(0 if number == signal.SIGTERM else 130)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    """A Unix socket at `path` that only this user may connect to; removed at the end."""
    if not hasattr(socket, "AF_UNIX"):
        raise UserError("This system's Python has no Unix sockets.", "Leave out --socket and use standard input.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        try:
            _make_way(path)
            umask = os.umask(0o177)  # before the name exists: at no moment may others connect
            try:
                listener.bind(str(path))
            finally:
                os.umask(umask)
            made = path.lstat()
        except OSError as error:
            reason = error.strerror or str(error)
            remedy = "Give a short path in a folder you can write to."
            raise UserError(f"Cannot make the socket {path}: {reason}.", remedy) from error
        try:
            listener.listen(BACKLOG)
            yield listener
        finally:
            with contextlib.suppress(OSError):
                if os.path.samestat(made, path.lstat()):  # and not another one that has come in its place
                    path.unlink()


def _make_way(path: Path) -> None:
    """Remove a socket that nobody listens to any more.

    Raises:
        UserError: something else is there, or somebody listens.
    """
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise UserError(f"{path} exists and is no socket.", "Give another path; nothing was changed.")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:  # its queue is full
            pass
    raise UserError(f"Another process listens on {path}.", "End that one first, or give another path.")


class _Server:
    """A thread per connection that reads and writes, and one thread that tags.

    Each connection waits for its answer before it reads on. The tagging thread takes requests in the order
    they come, so a client that sends without pause gets its turn and no more than that.
    """

    def __init__(self, tagger: Tagger, max_line: int) -> None:
        self._tagger = tagger
        self._max_line = max_line
        self._slots = threading.BoundedSemaphore(CONNECTIONS)
        self._tagging = ThreadPoolExecutor(max_workers=1)
        self._threads: dict[threading.Thread, socket.socket] = {}

    def run(self, listener: socket.socket) -> None:
        """Accept connections until an exception ends it, then finish what is being answered."""
        try:
            while True:
                self._slots.acquire()
                connection, _ = listener.accept()
                thread = threading.Thread(target=self._converse, args=(connection,), daemon=True)
                self._threads[thread] = connection
                thread.start()
        finally:
            self._close()

    def _converse(self, connection: socket.socket) -> None:
        """Answer one client until it has no more to say, goes away or does not read its answers."""
        try:
            with connection, connection.makefile("rb") as requests:
                for number, line in enumerate(read_lines(requests, self._max_line), start=1):
                    answer = self._answer(number, line)
                    connection.settimeout(WRITE_TIMEOUT)
                    connection.sendall(answer)
                    connection.settimeout(None)
        except (OSError, CancelledError):  # the client is gone or too slow, or the server ends
            pass
        finally:
            self._threads.pop(threading.current_thread(), None)
            self._slots.release()

    def _answer(self, number: int, line: bytes | None) -> bytes:
        try:
            work = self._tagging.submit(answer_line, self._tagger, number, line, self._max_line)
        except RuntimeError as ended:  # no work is taken any more
            raise CancelledError from ended
        return work.result()

    def _close(self) -> None:
        self._tagging.shutdown(cancel_futures=True)
        deadline = time.monotonic() + GRACE
        for thread, connection in list(self._threads.items()):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
            thread.join(max(0.0, deadline - time.monotonic()))
