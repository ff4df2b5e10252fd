"""OpenSSH as the only way to another machine: keys only, known hosts only, each failure with its remedy.

The user's own ~/.ssh/config applies (aliases, ports, jump hosts); what would weaken or stall a call is overruled
(ssh_config(5)). ssh's own messages go to a log apart (-E), so they are never mixed up with the other machine's.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from export.runtime.errors import UserError

CONFIG_VARIABLE = "TOOLKIT_SSH_CONFIG"
ANSWER_SECONDS = 60.0
SSH_FAILED = 255  # ssh's exit status for its own failures
OPTIONS = {
    "BatchMode": "yes",  # never asks
    "PreferredAuthentications": "publickey",
    "PasswordAuthentication": "no",
    "KbdInteractiveAuthentication": "no",
    "StrictHostKeyChecking": "yes",
    "UpdateHostKeys": "no",
    "ServerAliveInterval": "5",  # a silent link is given up after 15 s
    "ServerAliveCountMax": "3",
    "ConnectionAttempts": "1",
    "ControlMaster": "no",  # a shared connection would not tell which host key was used
    "ControlPath": "none",
    "ClearAllForwardings": "yes",
    "ForwardAgent": "no",
    "PermitLocalCommand": "no",
    "RemoteCommand": "none",
    "EscapeChar": "none",
}
# A name, user@name, an alias, ssh://user@name:port, an IPv6 address. Nothing that a shell or rsync would read.
TARGET = re.compile(r"(?!-)[\w.@:%+/\[\]-]+")
_CHANGED = re.compile(r"Host key for (\S+) has changed")
_FINGERPRINT = re.compile(r"Server host key: (\S+ \S+)")
_CHATTER = re.compile(
    r"debug\d:|OpenSSH_|Authenticated to |Authenticated using |Transferred: |Bytes per second: |@+\s*$"
)


class LinkError(UserError):
    """The host cannot be reached, or no longer; another attempt may succeed."""


# What ssh says, and what that means; the first that fits is told. {host} is as given to ssh, {line} what ssh said,
# {key} the host key that was shown, {found} the name that known_hosts has for it.
FAILURES: tuple[tuple[str, type[UserError], str, str], ...] = (
    (
        r"Host key for \S+ has changed|REMOTE HOST IDENTIFICATION HAS CHANGED",
        UserError,
        "The host key of {host} is not the one this computer knows; it now shows {key}.",
        "If the system there was installed anew, compare that with what the device prints (ssh-keygen -lf "
        "/etc/ssh/ssh_host_ed25519_key.pub), then run ssh-keygen -R '{found}' and, once, ssh {host}. If it was not, "
        "someone may be between you and the device: do not go on.",
    ),
    (r"REVOKED|revoked", UserError, "The host key of {host} is marked as revoked.", "Do not connect to it."),
    (
        r"No \S+ host key is known for|Host key verification failed",
        UserError,
        "The host key of {host} ({key}) is not known to this computer yet.",
        "Connect once by hand: ssh {host}, compare the fingerprint with what the device prints (ssh-keygen -lf "
        "/etc/ssh/ssh_host_ed25519_key.pub), and say yes. Then run the same command again.",
    ),
    (
        r"UNPROTECTED PRIVATE KEY FILE|Bad owner or permissions|Bad configuration option.*|Load key .*",
        UserError,
        "ssh cannot use your key or configuration: {line}.",
        "Correct that file; keys need mode 600 (chmod 600 FILE).",
    ),
    (
        r"Permission denied|Too many authentication failures|No supported authentication methods",
        UserError,
        "{host} accepts none of your keys, and passwords are never used.",
        "Put your key there once: ssh-copy-id {host} (make one with ssh-keygen). A key with a passphrase must be in "
        "the agent: ssh-add. A wrong user name is refused like this too.",
    ),
    (
        r"Could not resolve hostname",
        LinkError,
        "There is no machine called {host} to be found.",
        "Check the spelling and that both are in the same network. A name in .local needs mDNS (avahi-daemon); "
        "otherwise give its address: hostname -I on the device tells it.",
    ),
    (
        r"Connection refused",
        LinkError,
        "{host} is there, but no ssh server answers.",
        "Turn ssh on: sudo raspi-config, Interface Options, SSH; elsewhere: sudo apt install openssh-server. Another "
        "port goes into ~/.ssh/config.",
    ),
    (
        r"[Tt]imed out|No route to host|Network is unreachable|Host is down|Timeout, server",
        LinkError,
        "{host} cannot be reached.",
        "Check that it is switched on and in this network: ping it.",
    ),
    (
        r"[Cc]onnection (to \S+ )?(closed|reset|aborted)|Broken pipe|[Cc]onnection lost|disconnect",
        LinkError,
        "{host} closed the connection: {line}.",
        "Run the same command again.",
    ),
)


@dataclass(frozen=True)
class Answer:
    """What a command on the other machine said.

    Attributes:
        output, errors: its standard output and standard error.
        code: its exit status.
        fingerprint: type and SHA256 fingerprint of the host key that was used.
    """

    output: bytes
    errors: str
    code: int
    fingerprint: str


@dataclass(frozen=True)
class Ssh:
    """How to reach a machine.

    Attributes:
        target: as given to ssh: an alias, HOST, USER@HOST.
        config: used instead of ~/.ssh/config; None for that one.
        connect_s: seconds that connecting may take.
    """

    target: str
    config: Path | None = None
    connect_s: int = 10

    def command(self, log: Path) -> list[str]:
        """ssh up to and with its destination; what follows is the command for the other machine."""
        chosen = ["-F", str(self.config)] if self.config else []
        settings = {**OPTIONS, "ConnectTimeout": str(self.connect_s)}
        options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
        return ["ssh", "-T", "-v", "-E", str(log), *chosen, *options, "--", self.target]

    def run(self, remote: str, data: bytes = b"", limit_s: float = ANSWER_SECONDS) -> Answer:
        """Run a command for the login shell there, `data` on its standard input; see `Call.finish`."""
        with self.call(remote) as call:
            return call.finish(data, limit_s)

    @contextmanager
    def call(self, remote: str) -> Iterator[Call]:
        """The same to be read from or written to while it runs. Leaving the block ends it, whatever happened."""
        with tempfile.TemporaryDirectory(prefix="ssh-") as folder, tempfile.TemporaryFile() as errors:
            log = Path(folder) / "log"
            process = start([*self.command(log), remote], errors)
            call = Call(self, process, log, errors)
            try:
                yield call
            finally:
                end(process)

    def failure(self, log: Path, said: str = "") -> UserError | None:
        """What went wrong, by ssh's own messages; None where they tell of nothing."""
        text = _read(log)
        key = fingerprint(text) or "none"
        lines = [line.strip() for line in f"{text}\n{said}".splitlines() if line.strip()]
        spoken = [line for line in lines if not _CHATTER.match(line)]
        for pattern, kind, message, remedy in FAILURES:
            for line in spoken:
                if re.search(pattern, line):
                    named = next((found[1] for each in spoken if (found := _CHANGED.search(each))), self.target)
                    facts = {"host": self.target, "key": key, "line": line[:200].rstrip("."), "found": named}
                    return kind(message.format(**facts), remedy.format(**facts))
        return None

    def unexplained(self, log: Path, said: str = "") -> UserError:
        """`failure`, or what can be said without it."""
        spoken = [line for line in f"{_read(log)}\n{said}".splitlines() if line.strip() and not _CHATTER.match(line)]
        last = spoken[-1].strip()[:300] if spoken else "it gave no reason"
        remedy = f"Try it by hand: ssh {self.target}"
        return self.failure(log, said) or LinkError(f"ssh to {self.target} failed: {last}.", remedy)


class Call:
    """One ssh in progress; `process` has pipes for standard input and output."""

    def __init__(self, ssh: Ssh, process: subprocess.Popen[bytes], log: Path, errors: IO[bytes]) -> None:
        self._ssh, self._log, self._errors = ssh, log, errors
        self.process = process

    def finish(self, data: bytes = b"", limit_s: float = ANSWER_SECONDS) -> Answer:
        """Send `data`, close standard input, and wait for the end.

        Raises:
            LinkError: the machine cannot be reached, the connection broke, or nothing came for `limit_s` seconds.
            UserError: ssh refused for a reason that only the user can mend.
        """
        try:
            output, _ = self.process.communicate(data, limit_s)
        except subprocess.TimeoutExpired:
            message = f"{self._ssh.target} did not answer within {limit_s:.0f} s."
            raise LinkError(
                message, "Check that the device is not overloaded, and run the same command again."
            ) from None
        self._errors.seek(0)
        said = self._errors.read().decode("utf-8", "replace")
        code = self.process.returncode
        if code == SSH_FAILED or code < 0:
            raise self._ssh.unexplained(self._log, said)
        return Answer(output, said, code, fingerprint(_read(self._log)))


def reach(target: str, config: Path | None = None) -> Ssh:
    """How to reach `target`, checked.

    Args:
        target: an alias, HOST or USER@HOST.
        config: used instead of ~/.ssh/config; None takes the file named in $TOOLKIT_SSH_CONFIG, if any.

    Raises:
        UserError: `target` is not a name that ssh may be given.
    """
    if not TARGET.fullmatch(target):
        raise UserError(
            f"{target!r} is no machine's name: those do not begin with '-' and hold letters, digits, . _ - @ and :",
            "Give HOST=user@name, or an alias from ~/.ssh/config.",
        )
    named = os.environ.get(CONFIG_VARIABLE)
    return Ssh(target, config or (Path(named) if named else None))


def start(command: list[str], errors: IO[bytes] | int) -> subprocess.Popen[bytes]:
    """Start ssh or a program that starts it, with pipes for standard input and output.

    In a session of its own: Ctrl-C reaches this program alone, which then ends things in order.

    Raises:
        UserError: it is not installed.
    """
    environment = {**os.environ, "LC_ALL": "C"}
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=errors, env=environment, start_new_session=True
        )
    except FileNotFoundError as error:
        remedy = "Install the OpenSSH client: sudo apt install openssh-client"
        raise UserError(f"There is no {command[0]} on this computer.", remedy) from error


def end(process: subprocess.Popen[bytes]) -> None:
    """End a program from `start` that may have ended already, and close its pipes."""
    process.terminate()
    try:
        process.wait(2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):  # what was not yet sent
            assert stream is not None
            stream.close()


def fingerprint(log: str) -> str:
    """The host key in a log of ssh -v; the last one, after those of any jump hosts. "" where there is none."""
    found = _FINGERPRINT.findall(log)
    return found[-1] if found else ""


def ended_there(log: Path) -> bool:
    """Whether the command on the other machine came to its end, by a log of ssh -v."""
    return re.search(r"Exit status \d", _read(log)) is not None  # -1 is that of a broken connection


def _read(log: Path) -> str:
    try:
        return log.read_text("utf-8", "replace")
    except OSError:
        return ""
