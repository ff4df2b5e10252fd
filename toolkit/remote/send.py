"""Puts folders on a host: only those that are not there, whole or not at all, by rsync or else as a tar stream."""

from __future__ import annotations

import contextlib
import hashlib
import re
import shlex
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from export.runtime.errors import UserError
from toolkit.console import console, megabytes
from toolkit.remote.host import SCRIPT, Facts, Host, free_bytes, read_facts
from toolkit.remote.ssh import ANSWER_SECONDS, LinkError, end, ended_there, start
from toolkit.remote.trees import Tree

BLOCK = 4096  # bytes that a file takes at least
SPARE = 20_000_000  # bytes that must stay free for logs, results and the system
SETTLE_SECONDS = 600.0  # a slow card takes its time to write what it has taken in
NOTE_SECONDS = 10.0
LONGEST_PAUSE = 30.0
LIKE = 5  # earlier folders of a kind that rsync may copy from
# One line, and no '!': any login shell passes it on as it is.
INSTALL = (
    'umask 077; folder=$1; name=$2; shift 2; mkdir -p "$folder" && cat >"$folder/.$name" && '
    'mv "$folder/.$name" "$folder/$name" && exec sh "$folder/$name" state "$@"'
)
FULL = re.compile(r"No space left on device|Disk quota exceeded|Wrote only \d+ of \d+ bytes")
# rsync and the shell there both read the path; where it holds more than this, tar does it.
PLAIN = re.compile(r"[\w./+-]+", re.ASCII)
LINK_CODES = (10, 12, 30, 35, 255)  # rsync: its connection broke, or what runs there did
PROGRESS = re.compile(rb"(\d+)%")


@dataclass
class Patience:
    """How long a broken link is tried again: `seconds` in all since it last worked, with longer and longer pauses."""

    seconds: float
    _since: float | None = None
    _pause: float = 1.0

    def met(self) -> None:
        """The link works."""
        self._since, self._pause = None, 1.0

    def wait(self, error: LinkError) -> None:
        """Wait before another attempt.

        Raises:
            LinkError: `error`, when patience is at its end.
        """
        now = time.monotonic()
        if self._since is None:
            self._since = now
            console.note(f"{error.message} Trying again for {self.seconds:.0f} s.")
        if now - self._since + self._pause > self.seconds:
            raise error
        time.sleep(self._pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)


@dataclass(frozen=True)
class Script:
    """host.sh on a host."""

    host: Host
    path: str

    def call(self, verb: str, *arguments: str) -> str:
        """The command for `Ssh.run`."""
        return shlex.join(["sh", self.path, verb, *arguments])

    def ask(self, verb: str, *arguments: str, limit_s: float = ANSWER_SECONDS) -> Facts:
        """Run a short verb; raises as `Ssh.run` does."""
        answer = self.host.ssh.run(self.call(verb, *arguments), limit_s=limit_s)
        return read_facts(answer.output.decode("utf-8", "replace"))


def send(host: Host, trees: Sequence[Tree], patience_s: float) -> Script:
    """Put host.sh on a host and make all `trees` stand there, sending those that do not.

    Args:
        patience_s: seconds that a broken link is tried again.

    Raises:
        LinkError: the link stays broken; what rsync has sent stays for the next attempt.
        UserError: the host's folder cannot be used, too little space there, or what arrived is not what was sent.
    """
    script, facts = _install(host, trees)
    patience = Patience(patience_s)
    missing = [tree for tree in trees if tree.name not in facts.get("whole", ())]
    needed = sum(tree.bytes + BLOCK * len(tree.files) for tree in missing)
    free = free_bytes(facts.get("disk", [""])[0])
    if free is not None and free < needed + SPARE:
        raise _full(host, needed + SPARE, free)
    for tree in missing:
        console.note(f"Sending {tree.name.partition('-')[0]} to {host.name}: {megabytes(tree.bytes)}.")
        while True:
            try:
                _send(script, tree, facts.get("there", ()))
                break
            except LinkError as error:
                patience.wait(error)
            except (UserError, KeyboardInterrupt):
                with contextlib.suppress(UserError):
                    script.ask("discard", tree.name)
                raise
        patience.met()
    return script


def _install(host: Host, trees: Sequence[Tree]) -> tuple[Script, Facts]:
    """host.sh in its place, and what it says of `trees`."""
    data = SCRIPT.read_bytes()
    name = f"host-{hashlib.sha256(data).hexdigest()[:12]}.sh"
    expected = [word for tree in trees for word in _expected(tree)]
    command = shlex.join(["sh", "-c", INSTALL, "sh", host.root, name, *expected])
    answer = host.ssh.run(command, data, SETTLE_SECONDS)
    facts = read_facts(answer.output.decode("utf-8", "replace"))
    if "end" not in facts:
        if FULL.search(answer.errors):
            raise _full(host, None)
        raise UserError(
            f"{host.root} on {host.name} cannot be used: {_last(answer.errors)}.", "Name another: FOLDER=…"
        )
    return Script(host, f"{host.root}/{name}"), facts


def _send(script: Script, tree: Tree, there: Sequence[str]) -> None:
    plain = PLAIN.fullmatch(script.host.root) and "'" not in str(script.host.ssh.config)
    if plain and "rsync" in script.host.tools and shutil.which("rsync") and _rsync(script, tree, there):
        return
    if "tar" not in script.host.tools:
        raise UserError(f"{script.host.name} has neither rsync nor tar.", "Install one there: sudo apt install rsync")
    _tar(script, tree)


def _rsync(script: Script, tree: Tree, there: Sequence[str]) -> bool:
    """Whether rsync brought the tree there whole; only what an earlier attempt or version lacks is sent."""
    host = script.host
    kind = tree.name.partition("-")[0]
    like = [name for name in there if name.startswith(f"{kind}-") and name != tree.name][-LIKE:]
    with tempfile.TemporaryDirectory(prefix="send-") as folder, tempfile.TemporaryFile() as errors:
        stage, log = Path(folder) / "stage", Path(folder) / "log"
        for name, path in tree.files:
            (stage / name).parent.mkdir(parents=True, exist_ok=True)
            (stage / name).symlink_to(path.resolve())
        # HOST must follow ssh's --, which rsync would part from it. So it belongs to the command, and the
        # host that rsync puts behind it is the first word of what runs there: env.
        shell = " ".join(f"'{word}'" for word in host.ssh.command(log))
        command = [
            "rsync", "--recursive", "--copy-links", "--checksum", "--delete", "--partial", "--info=progress2",
            "--chmod=D700,F600",
            *(f"--link-dest=../{name}" for name in like), "--rsh", shell,
            f"{stage}/", f"env:{host.root}/.{tree.name}.part/",
        ]  # fmt: skip
        process = start(command, errors)
        try:
            assert process.stdout is not None
            progress = _progress(host, tree)
            while chunk := process.stdout.read1(1 << 16):  # type: ignore[attr-defined]
                if found := PROGRESS.findall(chunk):
                    progress(int(found[-1]) / 100)
            code = process.wait()
        finally:
            end(process)
        said = _text(errors)
        if code and FULL.search(said):
            raise _full(host, tree.bytes)
        if code and (trouble := host.ssh.failure(log)):
            raise trouble
        if code in LINK_CODES and not ended_there(log):
            raise LinkError(f"The connection to {host.name} broke.", "Run the same command again.")
    if code:
        console.note(f"rsync does not work with {host.name} ({_last(said)}); using tar.")
        return False
    return "whole" in script.ask("settle", *_expected(tree), limit_s=SETTLE_SECONDS)


def _tar(script: Script, tree: Tree) -> None:
    host = script.host
    with host.ssh.call(script.call("unpack", *_expected(tree))) as call:
        assert call.process.stdin is not None
        sink = cast(IO[bytes], _Sink(call.process.stdin, tree.bytes, _progress(host, tree)))
        try:
            # Not the mode for streams, which would go on writing after Ctrl-C.
            with tarfile.open(fileobj=sink, mode="w") as archive:
                for name, path in tree.files:
                    with path.open("rb") as stream:
                        member = tarfile.TarInfo(name)
                        member.size, member.mode = path.stat().st_size, 0o600
                        archive.addfile(member, stream)
        except BrokenPipeError:
            pass  # the other end has stopped reading, and says why
        except OSError as error:
            remedy = "Let the files be while they are sent, and run the same command again."
            raise UserError(
                f"{error.filename or 'A file'} cannot be read: {error.strerror or error}.", remedy
            ) from error
        answer = call.finish(limit_s=SETTLE_SECONDS)
    facts = read_facts(answer.output.decode("utf-8", "replace"))
    if "whole" in facts:
        return
    if FULL.search(answer.errors):
        raise _full(host, tree.bytes)
    reason = _last(answer.errors) if "failed" in facts else "what arrived is not what was sent"
    raise UserError(f"{host.name} could not take in {tree.name}: {reason}.", "Run the same command again.")


class _Sink:
    """Hands on what tarfile writes, and tells how much it was."""

    def __init__(self, stream: IO[bytes], whole: int, progress: Callable[[float], None]) -> None:
        self._stream, self._whole, self._progress = stream, whole, progress
        self._sent = 0

    def write(self, data: bytes) -> int:
        self._stream.write(data)
        self._sent += len(data)
        self._progress(min(1.0, self._sent / max(1, self._whole)))
        return len(data)

    def tell(self) -> int:
        return self._sent


def _expected(tree: Tree) -> tuple[str, str, str]:
    return tree.name, str(len(tree.files)), str(tree.bytes)


def _progress(host: Host, tree: Tree) -> Callable[[float], None]:
    """Tells from time to time which share has been sent."""
    told = time.monotonic()

    def advance(share: float) -> None:
        nonlocal told
        if time.monotonic() - told >= NOTE_SECONDS:
            told = time.monotonic()
            console.note(f"Sending to {host.name}: {share:.0%} of {megabytes(tree.bytes)}.")

    return advance


def _full(host: Host, needed: int | None, free: int | None = None) -> UserError:
    has = "is full" if free is None else f"has {megabytes(free)} free"
    needs = f" and {megabytes(needed)} are needed" if needed else ""
    return UserError(
        f"The disk of {host.name} {has}{needs}; nothing half-sent was left there.",
        f"Free some space there (earlier bundles lie in {host.root} and can be deleted), or name a folder on another "
        "disk: FOLDER=/path/on/the/device.",
    )


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "replace")


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300].rstrip(".") if lines else "no reason given"
