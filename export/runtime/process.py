"""The parent's end of a measured process: start it, ask it, and never leave it behind."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from .errors import UserError

GRACE = 2.0  # seconds a worker gets to end by itself
PACKAGE = __package__ or ""
ROOT = Path(__file__).resolve().parents[PACKAGE.count(".") + 1]


class WorkerProcess:
    """A worker of its own, spoken to line by line; leaving the `with` block ends it, whatever happened."""

    def __init__(self, name: str, module: str, threads: int) -> None:
        """Start `python -m module`.

        Args:
            name: how messages call it.
            module: the worker's module, importable from where this package is.
            threads: threads that math libraries reading OMP_NUM_THREADS may use.
        """
        self.name = name
        self._started = time.perf_counter()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 (closed by __exit__)
        self._process = subprocess.Popen(
            # -P: no numpy.py of the current folder is imported. -B: no bytecode is written into a bundle.
            [sys.executable, "-P", "-B", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=_environment(threads),
        )
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Process id of the worker."""
        return self._process.pid

    def clock(self) -> float:
        """Seconds since the process was started."""
        return time.perf_counter() - self._started

    def ask(self, cmd: str, timeout: float, **fields: Any) -> dict[str, Any]:
        """Send one request and wait for its answer.

        Raises:
            UserError: the worker reports an error of the user's, has ended, or stays silent for `timeout`
                seconds; the last line it wrote to stderr is in the message.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"cmd": cmd, **fields}).encode("ascii") + b"\n")
            self._process.stdin.flush()
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            raise UserError(
                f"Measuring {self.name}: no answer to '{cmd}' within {timeout:.0f} s.{self._last_words()}",
                "Close other programs or measure fewer lengths, and run the same command again.",
            ) from None
        except OSError:
            line = b""
        if not line:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout)
            how, remedy = _ending(self._process.poll())
            raise UserError(
                f"Measuring {self.name}: the process ended during '{cmd}' {how}.{self._last_words()}", remedy
            )
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise UserError(f"Measuring {self.name}: {answer['error']}", answer["remedy"])
        return answer

    def close(self) -> None:
        """End the process: by request, then by SIGTERM, then by SIGKILL."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(b'{"cmd": "quit"}\n')
            self._process.stdin.close()
        for end in (self._process.terminate, self._process.kill):
            try:
                self._process.wait(GRACE)
                break
            except subprocess.TimeoutExpired:
                end()
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()
        self._stderr.close()

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._process.kill()
        self.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(b"")

    def _last_words(self) -> str:
        self._stderr.seek(0)
        lines = self._stderr.read().decode("utf-8", errors="replace").split("\n")
        spoken = [line.strip() for line in lines if line.strip()]
        return f" Its last line: {spoken[-1][:500]}" if spoken else ""


def _ending(status: int | None) -> tuple[str, str]:
    """How a process ended, in words, and what to do about it."""
    if status is None:
        return "and does not close", "Run the same command again."
    if status >= 0:
        return f"with exit status {status}", "Its last line says why."
    name = _signal_name(-status)
    if name == "SIGILL":
        return (
            "by SIGILL, an illegal instruction: this onnxruntime does not fit this CPU",
            "Install another release of onnxruntime; the bundle's manifest.json names those that were tested.",
        )
    if name == "SIGKILL":
        return "by SIGKILL", "Most likely memory ran out: close other programs, or take a smaller bundle."
    return f"by {name}: a library crashed", "Install another release of onnxruntime; its last line may say more."


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # real-time signals have no names
        return f"signal {number}"


def _environment(threads: int) -> dict[str, str]:
    # Memory is measured with the allocator's defaults, whatever this shell has set.
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("MALLOC_")}
    paths = [str(ROOT), *filter(None, [inherited.get("PYTHONPATH")])]
    return inherited | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": str(threads)}
