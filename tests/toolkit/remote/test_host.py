from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import pytest

from export.runtime import compatibility
from export.runtime.errors import UserError
from tests.toolkit.remote.loopback import BASE_PYTHON, TOOLS, Device
from toolkit.remote import host as host_module
from toolkit.remote.host import connect, free_bytes, read_facts

PI = "Raspberry Pi 4 Model B Rev 1.4"
GOOD = "3.13.5 64 cpython .cpython-313-aarch64-linux-gnu.so complete /usr/bin/python3"
FACTS = {
    "root": ["/home/me/.cache/afriberta-edge"], "system": ["Linux"], "machine": ["aarch64"], "bits": ["64"],
    "libc": ["glibc 2.41"], "board": [PI], "features": ["Features\t: fp asimd evtstrm crc32 cpuid"],
    "total": ["MemTotal:         945364 kB"], "available": ["MemAvailable:     512000 kB"],
    "disk": ["/dev/root 30000000 20000000 9000000 70% /"], "tool": ["rsync", "tar"], "python": [GOOD], "end": [""],
}  # fmt: skip


def judged(**changes: list[str]) -> host_module.Host:
    facts = {key: values for key, values in {**FACTS, **changes}.items() if values}
    return host_module._judged(host_module.reach("pi"), "ssh-ed25519 SHA256:x", facts)


def refused(**changes: list[str]) -> UserError:
    with pytest.raises(UserError) as caught:
        judged(**changes)
    assert caught.value.exit_code == 2
    assert caught.value.remedy
    return caught.value


def python(
    version: str, bits: int = 64, implementation: str = "cpython", abi: str = "", missing: str = "complete"
) -> str:
    tag = "".join(version.split(".")[:2])
    abi = abi or f".cpython-{tag}-aarch64-linux-gnu.so"
    return f"{version} {bits} {implementation} {abi} {missing} /usr/bin/python3"


def test_what_a_pi_says_of_itself_is_read() -> None:
    host = judged()
    assert host.target == "pi"
    assert host.name == f"pi ({PI})"
    assert host.fingerprint == "ssh-ed25519 SHA256:x"
    assert host.architecture == "aarch64"
    assert (host.python, host.python_version) == ("/usr/bin/python3", (3, 13, 5))
    assert (host.memory, host.available) == (945364 * 1024, 512000 * 1024)
    assert host.board == PI
    assert host.free == 9000000 * 1024
    assert host.root == "/home/me/.cache/afriberta-edge"
    assert host.tools == {"rsync", "tar"}


def test_what_a_machine_does_not_tell_is_none() -> None:
    host = judged(board=[], total=[], available=[], disk=[], features=[], tool=[])
    assert (host.board, host.memory, host.available, host.free) == (None, None, None, None)
    assert host.name == "pi"
    assert host.tools == frozenset()


@pytest.mark.parametrize("machine", ["armv6l", "armv7l", "armv8l", "i686", "i386"])
def test_a_32_bit_system_is_refused(machine: str) -> None:
    error = refused(machine=[machine])
    assert f"is a 32-bit system ({machine})" in error.message
    assert "64-bit" in error.remedy


@pytest.mark.parametrize(
    "changes",
    [
        {"bits": ["32"]},
        {"bits": [], "python": [python("3.13.5", 32, abi=".cpython-313-arm-linux-gnueabihf.so")]},
    ],
)
def test_a_64_bit_kernel_under_a_32_bit_system_is_found_out(changes: dict[str, list[str]]) -> None:
    assert "32-bit system on a 64-bit kernel (aarch64)" in refused(**changes).message


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"system": ["Darwin"]}, "runs Darwin"),
        ({"system": []}, "runs an unknown system"),
        ({"machine": ["riscv64"]}, "no onnxruntime packages for riscv64"),
        ({"libc": ["musl libc (aarch64)"]}, "has musl instead of glibc"),
        ({"libc": [""], "musl": ["/lib/ld-musl-aarch64.so.1"]}, "has musl instead of glibc"),
        ({"libc": [""], "python": [python("3.12.1", abi=".cpython-312-aarch64-linux-musl.so")]}, "has musl"),
        ({"libc": ["glibc 2.27"]}, "has glibc 2.27, and the packages need 2.28"),
        ({"python": []}, "has no Python."),
        ({"python": [python("3.9.2")]}, "python3 3.9.2: the packages need 3.11, 3.12, 3.13"),
        ({"python": [python("3.14.0")]}, "the packages need 3.11, 3.12, 3.13"),
        ({"python": [python("3.11.2", implementation="pypy", abi=".pypy311-pp73.so")]}, "its ABI is pypy"),
        ({"python": [python("3.13.1", abi=".cpython-313t-x-linux-gnu.so")]}, "its ABI is cpython .cpython-313t-"),
        ({"python": [python("3.11.2", missing="ctypes,json")]}, "it lacks ctypes,json"),
        ({"python": ["sh: 1: python3: not found"]}, "no Python that can be used (sh: 1: python3: not found)"),
        ({"unwritable": ["/mnt"]}, "/mnt cannot be written to"),
        ({"foreign": ["/tmp/afriberta-edge"]}, "/tmp/afriberta-edge belongs to another user"),
    ],
)  # fmt: skip
def test_each_reason_to_refuse_is_told(changes: dict[str, list[str]], what: str) -> None:
    assert what in refused(**changes).message


def test_musl_installed_beside_glibc_is_no_reason() -> None:
    assert judged(musl=["/lib/ld-musl-aarch64.so.1"]).architecture == "aarch64"


def test_the_first_python_that_fits_is_taken() -> None:
    found = judged(python=[python("3.9.2"), python("3.13.1", 32), python("3.12.4"), python("3.11.2")])
    assert found.python_version == (3, 12, 4)


def test_names_of_processors_are_spelled_as_wheels_do() -> None:
    assert judged(machine=["arm64"]).architecture == "aarch64"
    assert judged(machine=["amd64"], features=[]).architecture == "x86_64"


@pytest.mark.parametrize(
    ("version", "board", "features"),
    [("1.21.0", PI, "Features : fp asimd"), ("1.22.0", "Raspberry Pi Zero 2 W Rev 1.0", "Features : fp asimd")],
)
def test_a_release_that_fails_on_the_board_is_not_sent(
    monkeypatch: pytest.MonkeyPatch, version: str, board: str, features: str
) -> None:
    monkeypatch.setattr(host_module, "pinned_versions", lambda: {"onnxruntime": version})
    error = refused(board=[board], features=[features])
    assert f"onnxruntime {version} does not run on pi ({board})" in error.message
    assert "pyproject.toml" in error.remedy
    assert judged(board=["Raspberry Pi 5 Model B"], features=["Features : fp asimd asimddp"]).board
    assert {bad.version for bad in compatibility.KNOWN_BAD} >= {version}


@pytest.mark.parametrize(
    ("line", "free"),
    [
        ("/dev/mmcblk0p2 30000000 20000000 9000000 70% /", 9000000 * 1024),
        ("/dev/a name with spaces 100 90 10 90% /mnt/with space", 10 * 1024),
        ("overlay 100 200 -5 100% /", 0),
        ("", None),
        ("df: no file systems processed", None),
    ],
)
def test_free_space_is_read_from_df(line: str, free: int | None) -> None:
    assert free_bytes(line) == free


def test_lines_of_login_scripts_are_passed_over() -> None:
    assert read_facts("Welcome!\n@@a 1\nnoise @@b 2\n@@a 2\n@@end\n") == {"a": ["1", "2"], "end": [""]}


def test_a_machine_is_asked_in_one_go_and_nothing_is_written_there(device: Device) -> None:
    host = connect("device", device.config)
    assert host.fingerprint == device.sshd.fingerprint
    assert host.architecture == platform.machine()
    assert host.python_version == sys.version_info[:3]
    assert os.path.samefile(host.python, BASE_PYTHON)
    total = Path("/proc/meminfo").read_text().split()[1]
    assert host.memory == int(total) * 1024
    assert host.available and host.available <= host.memory
    assert host.free and host.free > 0
    assert host.root == str(device.root)
    assert "tar" in host.tools
    assert list(device.home.iterdir()) == []


@pytest.mark.parametrize(
    ("folder", "root"),
    [("work space", "home/work space"), ("~/work", "home/work"), ("", "home/.cache")],
)
def test_the_folder_can_be_chosen(device: Device, folder: str, root: str) -> None:
    assert connect("device", device.config, folder).root == str(device.folder / root / "afriberta-edge")


def test_an_absolute_folder_is_taken_as_it_is(device: Device, tmp_path: Path) -> None:
    assert connect("device", device.config, str(tmp_path / "else where")).root == str(
        tmp_path / "else where/afriberta-edge"
    )
    with pytest.raises(UserError, match="is no name for a folder"):
        connect("device", device.config, "a\nb")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_folder_of_another_user_is_not_trusted(device: Device) -> None:
    device.root.mkdir(parents=True)
    os.chown(device.root, 65534, 65534)
    with pytest.raises(UserError, match="afriberta-edge belongs to another user"):
        connect("device", device.config)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_told(device: Device, tmp_path: Path) -> None:
    tmp_path.joinpath("closed").mkdir(mode=0o500)
    with pytest.raises(UserError, match="closed cannot be written to") as caught:
        connect("device", device.config, str(tmp_path / "closed" / "below"))
    assert "FOLDER=" in caught.value.remedy


@pytest.mark.parametrize(
    ("program", "script", "what"),
    [
        ("uname", '[ "$1" = -s ] && echo Linux || echo armv7l', "is a 32-bit system (armv7l)"),
        ("getconf", '[ "$1" = LONG_BIT ] && echo 32 || echo glibc 2.36', "32-bit system on a 64-bit kernel"),
        ("uname", '[ "$1" = -s ] && echo Darwin || echo arm64', "runs Darwin"),
    ],
)
def test_a_machine_that_cannot_run_a_bundle_is_told_apart(
    device: Device, program: str, script: str, what: str
) -> None:
    device.program(program, script)
    with pytest.raises(UserError) as caught:
        connect("device", device.config)
    assert what in caught.value.message
    assert list(device.home.iterdir()) == []


def test_a_musl_system_is_told_apart(device: Device) -> None:
    device.program("getconf", '[ "$1" = LONG_BIT ] && echo 64')
    device.program("ldd", 'echo "musl libc (x86_64)" >&2; exit 1')
    with pytest.raises(UserError, match="has musl instead of glibc"):
        connect("device", device.config)


def test_an_old_python_is_passed_over_for_a_newer_one_beside_it(device: Device) -> None:
    old = "3.9.2 64 cpython .cpython-39-x86_64-linux-gnu.so complete /usr/bin/python3"
    device.keep_only(*TOOLS)
    device.program("python3", f"echo '{old}'")
    with pytest.raises(UserError, match=r"3\.9\.2: the packages need 3\.11, 3\.12, 3\.13"):
        connect("device", device.config)
    device.program("python3.12", f'exec "{BASE_PYTHON}" "$@"')
    assert connect("device", device.config).python_version == sys.version_info[:3]


def test_a_machine_without_python_is_told(device: Device) -> None:
    device.keep_only(*TOOLS)
    (device.folder / "bin" / "python3").unlink()
    with pytest.raises(UserError, match=r"device has no Python\.") as caught:
        connect("device", device.config)
    assert "apt install python3" in caught.value.remedy


def test_an_account_without_a_shell_is_told(device: Device) -> None:
    device.program("nologin", "echo This account is currently not available.; exit 1")
    device.with_shell(str(device.folder / "bin" / "nologin"))
    with pytest.raises(UserError) as caught:
        connect("device", device.config)
    assert "runs no commands (exit status 1): This account is currently not available." in caught.value.message
    assert "needs a shell" in caught.value.remedy


def test_a_talkative_login_script_does_no_harm(device: Device) -> None:
    device.program("chatty", 'echo "Welcome to this device"; echo "$(date)"; exec /bin/sh "$@"')
    device.with_shell(str(device.folder / "bin" / "chatty"))
    assert connect("device", device.config).root == str(device.root)
