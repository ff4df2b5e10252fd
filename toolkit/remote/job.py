"""A command that runs on a host on its own: begun once, followed over a link that may break, its result fetched."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from export.runtime.errors import UserError
from toolkit.console import console, duration
from toolkit.remote.host import Host
from toolkit.remote.send import Patience, Script
from toolkit.remote.ssh import LinkError

MAX_RESULT = 64 * 2**20  # bytes
STOP_SECONDS = 20.0
LINES_KEPT = 20
USER_ERROR, UNTOLD = 2, -1
PERCENT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%")
AGAIN = "The same command picks its result up."
# Exit statuses of a command that a signal ended (128 + its number, as a shell gives them).
SIGNALS = {
    132: (
        "with an illegal instruction (SIGILL): a package uses instructions that its processor does not have",
        "This release of onnxruntime or numpy does not fit the board; pin another one in pyproject.toml.",
    ),
    134: ("by itself (SIGABRT)", "Its last line may say why."),
    135: (
        "on a bus error (SIGBUS): a file became unreadable, as on a failing card or a full disk",
        "Check the card and the space on it, delete {root} there, and run the same command again.",
    ),
    137: (
        "because it was killed (SIGKILL): memory ran out, as a rule",
        "Close other programs there, add swap space, or make a smaller bundle: one with external data needs a third "
        "of the memory.",
    ),
    139: ("on a segmentation fault (SIGSEGV)", "Run it again; if it stays, pin another release of onnxruntime."),
    143: ("because it was told to (SIGTERM), as when the device shuts down", "Run the same command again."),
}


@dataclass
class _Followed:
    """What a job has said so far."""

    begun: bool = False
    late: bool = False
    code: int | None = None
    result: bytes | None = None
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LINES_KEPT))


def run_job(
    script: Script,
    job: str,
    limit_s: float,
    python_path: str,
    command: Sequence[str],
    progress: Callable[[float], None] | None,
    patience_s: float,
) -> bytes:
    """Begin a job, or find it begun by an earlier call, and bring its result home.

    Args:
        job: its name; the same name is the same job.
        limit_s: after that many seconds the host ends it.
        python_path: PYTHONPATH of the command.
        command: writes its result to jobs/JOB/out.json in the host's folder.
        progress: told the share that is done, where a line of standard error begins with 'NN %'.
        patience_s: seconds that a broken link is tried again.

    Returns:
        what the command wrote. The job is then gone from the host, so the next call begins a new one.

    Raises:
        LinkError: the link stays broken; the job goes on.
        UserError: the command reports an error of the user's, took too long, was killed or crashed.
        KeyboardInterrupt: by Ctrl-C, which ends the job there too.
    """
    host, patience, seen = script.host, Patience(patience_s), _Followed()
    start = script.call("start", job, str(max(1, round(limit_s))), python_path, *command)
    follow = script.call("follow", job)
    try:
        while True:
            try:
                _follow(script, follow if seen.begun else start, seen, progress, patience)
                break
            except LinkError as error:
                try:
                    patience.wait(error)
                except LinkError as last:
                    goes_on = f"{host.name} goes on measuring." if seen.begun else ""
                    raise LinkError(f"{last.message} {goes_on}".strip(), f"{AGAIN} {last.remedy}") from error
        _stop(script, job)
    except KeyboardInterrupt:
        if _stop(script, job):
            console.note(f"The run on {host.name} was ended.")
        else:
            console.note(f"The run on {host.name} could not be ended and goes on. {AGAIN}")
        raise
    except LinkError:
        raise
    except UserError:
        _stop(script, job)  # nothing of it is of use
        raise
    return _result(host, seen, limit_s)


def _stop(script: Script, job: str) -> bool:
    try:
        return "end" in script.ask("stop", job, limit_s=STOP_SECONDS)
    except UserError:
        return False


def _follow(
    script: Script,
    verb: str,
    seen: _Followed,
    progress: Callable[[float], None] | None,
    patience: Patience,
) -> None:
    """Read what host.sh tells of a job until it has ended.

    Raises:
        LinkError: the link broke before that.
        UserError: another job is running, or this one ended without a trace.
    """
    host = script.host
    with host.ssh.call(verb) as call:
        assert call.process.stdout is not None
        while line := call.process.stdout.readline():
            if not line.startswith(b"@@") or not line.endswith(b"\n"):
                continue
            patience.met()
            key, _, value = line[2:-1].decode("utf-8", "replace").partition(" ")
            if key == "out":
                size = int(value)
                if size > MAX_RESULT:
                    raise UserError(f"{host.name} wrote a result of {value} bytes.", "That is none; measure again.")
                seen.result = call.process.stdout.read(size)
                if len(seen.result) < size:
                    seen.code = None  # the link broke within it
            elif key == "log":
                seen.lines.append(value[:500])
                if progress and (match := PERCENT.match(value)):
                    progress(min(1.0, float(match[1]) / 100))
            else:
                _note(host, seen, key, value)
        answer = call.finish()
    if seen.code is None:
        said = answer.errors.strip().splitlines()
        raise LinkError(
            f"The connection to {host.name} ended early{': ' + said[-1][:200] if said else ''}.",
            "Run the same command again.",
        )


def _note(host: Host, seen: _Followed, key: str, value: str) -> None:
    """Take in what host.sh says of a job's state."""
    if key in ("started", "attached", "finished"):
        seen.begun = True
    if key == "attached":
        console.note(f"The run is in progress on {host.name} already; waiting for its result.")
    elif key == "finished":
        console.note(f"The run has ended on {host.name} already; fetching its result.")
    elif key == "busy":
        raise UserError(
            f"{host.name} is busy with another run, and two at a time would slow each other down.",
            f"Wait for it, or end it: ssh {host.target} kill -- -{value}",
        )
    elif key in ("lost", "gone"):
        raise UserError(
            f"The run on {host.name} ended without a trace: the device was switched off or restarted, or memory ran "
            "out.",
            "Check its power supply and memory, and run the same command again. Where a system ends all programs of "
            "a user who logs out: loginctl enable-linger there.",
        )
    elif key == "failed":
        raise UserError(
            f"No run can be started on {host.name}: {host.root}/jobs cannot be written.",
            "Check the space on its disk and its permissions.",
        )
    elif key == "late":
        seen.late = True
    elif key == "exit":
        seen.code = int(value) if value.isdigit() else UNTOLD


def _result(host: Host, seen: _Followed, limit_s: float) -> bytes:
    """The result, or the reason why there is none."""
    spoken = [line for line in seen.lines if line.strip() and not PERCENT.match(line)]
    last = f" Its last line: {spoken[-1].strip()}" if spoken else ""
    if seen.late and seen.code != 0:
        raise UserError(
            f"{host.name} was not done after {duration(limit_s)} and was stopped.",
            "Give it more time, or measure less (see the options of the command).",
        )
    if seen.code == USER_ERROR and spoken:
        raise UserError(f"{host.name}: {spoken[-1].strip()}")
    if seen.code == 0 and seen.result:
        return seen.result
    if seen.code in SIGNALS:
        how, remedy = SIGNALS[seen.code]
        raise UserError(f"On {host.name} the run ended {how}.{last}", remedy.format(root=host.root))
    how = "without a result" if seen.code == 0 else f"with exit status {seen.code}"
    if seen.code == UNTOLD:
        how = "and could not write down how: its disk may be full"
    raise UserError(f"On {host.name} the run ended {how}.{last}", "Run it again; if it stays, report that line.")
