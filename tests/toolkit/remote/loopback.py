"""A real sshd on this machine, and devices behind it: each test has a home folder and programs of its own there."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

BASE_PYTHON = getattr(sys, "_base_executable", sys.executable)  # the one without this environment's packages
SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
# What host.sh calls, for a device that has nothing else.
TOOLS = (
    "awk", "basename", "cat", "df", "dirname", "env", "find", "getconf", "grep", "head", "ldd", "ls", "mkdir", "mv",
    "rm", "setsid", "sh", "sleep", "tail", "tar", "touch", "tr", "uname", "wc",
)  # fmt: skip
CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile {folder}/pid
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
AcceptEnv DEVICE_*
ForceCommand exec env HOME="$DEVICE_HOME" PATH="$DEVICE_PATH" $DEVICE_SHELL -c "$SSH_ORIGINAL_COMMAND"
"""


def make_key(path: Path) -> Path:
    """An ed25519 key without a passphrase."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


@dataclass
class Sshd:
    """sshd on a port of its own; only its own key opens it."""

    folder: Path
    port: int = 0
    _process: subprocess.Popen[bytes] | None = None

    @property
    def fingerprint(self) -> str:
        told = subprocess.run(
            ["ssh-keygen", "-lf", self.folder / "host_key.pub"], capture_output=True, text=True, check=True
        )
        return f"ssh-ed25519 {told.stdout.split()[1]}"

    @property
    def known_hosts(self) -> str:
        return f"[127.0.0.1]:{self.port} {(self.folder / 'host_key.pub').read_text()}"

    def start(self) -> Sshd:
        """Start it, on the same port as before; skips the test where that is impossible."""
        if sys.platform != "linux":
            pytest.skip("only Linux can be measured over ssh")
        if SSHD is None or not shutil.which("ssh") or not shutil.which("ssh-keygen"):
            pytest.skip("no OpenSSH server and client here")
        if os.geteuid() == 0:
            try:
                Path("/run/sshd").mkdir(exist_ok=True)  # its privilege separation insists on it
            except OSError as error:
                pytest.skip(f"sshd cannot run here: {error}")
        for name in ("host_key", "user_key"):
            if not (self.folder / name).exists():
                make_key(self.folder / name)
        if not self.port:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
        (self.folder / "config").write_text(CONFIG.format(port=self.port, folder=self.folder))
        command = [SSHD, "-D", "-e", "-f", str(self.folder / "config")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stderr=log, stdin=subprocess.DEVNULL)
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        pytest.skip(f"sshd does not start here: {(self.folder / 'log').read_text()[-300:]}")

    def stop(self) -> None:
        """End it and all its connections."""
        assert self._process is not None
        connections = self._connections()
        self._process.terminate()
        self._process.wait()
        for pid in connections:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def cut(self) -> int:
        """Kill the processes of all open connections, as a link that drops; returns how many."""
        found = self._connections()
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        return len(found)

    def _connections(self) -> list[int]:
        assert self._process is not None
        parents: dict[int, list[int]] = {}
        names = {}
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                before, _, after = status.read_text().rpartition(")")
            except OSError:
                continue
            pid, parent = int(before.split()[0]), int(after.split()[1])
            names[pid] = before.partition("(")[2]
            parents.setdefault(parent, []).append(pid)
        found, waiting = [], [self._process.pid]
        while waiting:
            children = [pid for pid in parents.get(waiting.pop(), []) if names[pid].startswith("sshd")]
            found += children
            waiting += children
        return found


@dataclass
class Device:
    """A machine behind `sshd` called `device`, with its home folder and programs of its own."""

    sshd: Sshd
    folder: Path
    shell: str = "/bin/sh"
    only: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("home", "bin"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.program("python3", f'exec "{BASE_PYTHON}" "$@"')
        (self.folder / "known_hosts").write_text(self.sshd.known_hosts)
        self.configure()

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def root(self) -> Path:
        """Where everything that is sent lies."""
        return self.home / ".cache" / "afriberta-edge"

    @property
    def config(self) -> Path:
        return self.folder / "config"

    def configure(self, **settings: str) -> Path:
        """Write the client's configuration; `settings` are ssh's own, which may differ from the right ones."""
        self.settings.update(settings)
        path = str(self.folder / "bin")
        if not self.only:
            path += ":/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        chosen = {
            "HostName": "127.0.0.1",
            "Port": str(self.sshd.port),
            "IdentityFile": f"{self.sshd.folder}/user_key",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "UserKnownHostsFile": f"{self.folder}/known_hosts",
            "GlobalKnownHostsFile": "/dev/null",
            "KexAlgorithms": "curve25519-sha256",  # the default one takes three times as long
            "SetEnv": f'DEVICE_HOME="{self.home}" DEVICE_PATH="{path}" DEVICE_SHELL="{self.shell}"',
            **self.settings,
        }
        lines = [f"  {name} {value}" for name, value in chosen.items()]
        self.config.write_text("\n".join(["Host device", *lines, ""]))
        return self.config

    def program(self, name: str, script: str) -> None:
        """A program of this device, found before any other of its name."""
        path = self.folder / "bin" / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def keep_only(self, *tools: str) -> None:
        """Let it have these programs and its own, and no others."""
        self.only = tools
        for tool in tools:
            found = shutil.which(tool)
            if found and not (self.folder / "bin" / tool).exists():
                (self.folder / "bin" / tool).symlink_to(found)
        self.configure()

    def with_shell(self, shell: str) -> None:
        self.shell = shell
        self.configure()

    def once(self, name: str, script: str) -> None:
        """A program that does something else the first time, and then what it does elsewhere."""
        found, mark = shutil.which(name), self.folder / f"{name}.called"
        self.program(name, f'if [ -e "{mark}" ]; then exec "{found}" "$@"; fi\n: >"{mark}"\n{script}')

    @property
    def cutting(self) -> str:
        """Shell code by which a program of this device kills the connection it was started over."""
        return (
            "pid=$$; while [ $pid -gt 1 ]; do read -r line </proc/$pid/stat; name=${line#*(}; "
            "case $name in sshd*) kill -9 $pid; break ;; esac; rest=${line##*) }; set -- $rest; pid=$2; done"
        )

    def left_behind(self) -> list[str]:
        """What lies in its folder besides whole folders that were sent, and the script."""
        names = [path.name for path in self.root.glob("*")] if self.root.exists() else []
        names += [f"jobs/{path.name}" for path in self.root.glob("jobs/*")]
        return sorted(name for name in names if name.startswith(".") or name.startswith("jobs/"))
