"""apt, dpkg and QEMU are shell scripts here that do as the real ones do, but for the download."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from export.runtime.errors import UserError
from toolkit.emulation.arm_cpus import CPUS, arm_cpus
from toolkit.emulation.sysroot import build_sysroot, cpu_root, find_qemu

APT = """
echo "$@" >> {log}
for word in "$@"; do case "$word" in Dir::Cache::archives=*) archives=${{word#*=}} ;; esac; done
case " $* " in *" update "*) echo "{warning}" >&2; exit 0 ;; esac
[ -z "{error}" ] || {{ echo "{error}" >&2; exit 100; }}
for name in libc6_2.36_arm64 python3.11-minimal_3.11.2_arm64; do echo "$name" > "$archives/$name.deb"; done
"""
UNPACK = """
mkdir -p "$3/usr/bin" "$3/lib" "$3/usr/share"
touch "$3/usr/bin/python3" "$3/usr/bin/python3.11" "$3/usr/bin/qemu-aarch64-static" "$3/lib/{loader}"
touch "$3/usr/bin/qemu-arm-static" "$3/usr/share/copyright"
printf '#!/bin/sh\\n{qemu}\\n' > "$3/usr/bin/qemu-aarch64-static"
chmod +x "$3/usr/bin/qemu-aarch64-static"
"""
QEMU = '[ "$1" = --version ] && echo "qemu-aarch64 version 7.2.22 (Debian)" && exit 0; echo "%s"; exit 1'
LOADER = "ld-linux-aarch64.so.1"
Tools = Callable[..., Path]


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    """Writes the scripts and puts them alone on PATH; returns apt-get's log of calls."""

    def write(
        warning: str = "", error: str = "", unpack: str = UNPACK, known: str = "\\n".join(CPUS), without: str = ""
    ) -> Path:
        folder, log = tmp_path / "bin", tmp_path / "apt.log"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        scripts = {
            "apt-get": APT.format(log=log, warning=warning, error=error),
            "dpkg-deb": unpack.format(loader=LOADER, qemu=QEMU % known),
            "dpkg": "echo amd64",
        }
        for name, text in scripts.items():
            if name != without:
                (folder / name).write_text(f"#!/bin/sh\n{text}")
                (folder / name).chmod(0o755)
        for name in ("mkdir", "touch", "chmod"):
            (folder / name).symlink_to(str(shutil.which(name, path="/usr/bin:/bin")))
        monkeypatch.setenv("PATH", str(folder))
        return log

    return write


def test_the_system_is_downloaded_once_for_arm64_with_a_state_of_its_own(tools: Tools, tmp_path: Path) -> None:
    log = tools()
    cache = tmp_path / "cache"
    first = build_sysroot(cache)
    assert first.version == (3, 11)
    assert first.python == first.folder / "usr" / "bin" / "python3.11"
    update, install = log.read_text().splitlines()
    assert "APT::Architecture=arm64" in update and update.endswith("update")
    assert f"Dir::State={cache}" in install and "--download-only" in install
    assert install.endswith("python3-minimal libpython3-stdlib libstdc++6 libgomp1")
    assert build_sysroot(cache) == first
    assert len(log.read_text().splitlines()) == 2
    assert sorted(path.name for path in cache.iterdir()) == sorted(["lock", first.folder.parent.name])


def test_other_packages_are_another_system(tools: Tools, tmp_path: Path) -> None:
    tools()
    first = build_sysroot(tmp_path / "one")
    script = tmp_path / "bin" / "apt-get"
    script.write_text(script.read_text().replace("libc6_2.36", "libc6_2.41"))
    assert build_sysroot(tmp_path / "two").digest != first.digest


def test_without_a_network_the_failed_download_is_told_and_nothing_is_left(tools: Tools, tmp_path: Path) -> None:
    tools(
        warning="W: Failed to fetch http://mirror/InRelease  Could not connect", error="E: Unable to locate package"
    )
    with pytest.raises(UserError, match=r"for arm64: W: Failed to fetch .* Could not connect") as caught:
        build_sysroot(tmp_path / "cache")
    assert "Check the connection" in caught.value.remedy and "ports" in caught.value.remedy
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["lock"]


def test_sources_without_arm64_are_told_by_apts_own_error(tools: Tools, tmp_path: Path) -> None:
    tools(error="E: Unable to locate package libgomp1")
    with pytest.raises(UserError, match="for arm64: E: Unable to locate package libgomp1"):
        build_sysroot(tmp_path / "cache")


@pytest.mark.parametrize("error", ["E: You don't have enough free space in /x/archives/.", "No space left on device"])
def test_a_full_disk_is_told_as_such(tools: Tools, tmp_path: Path, error: str) -> None:
    tools(error=error)
    with pytest.raises(UserError, match="The disk is full"):
        build_sysroot(tmp_path / "cache")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["lock"]


def test_a_package_that_cannot_be_unpacked_leaves_no_half_system(tools: Tools, tmp_path: Path) -> None:
    tools(unpack="exit 2 # {loader} {qemu}")
    with pytest.raises(UserError, match=r"libc6_2.36_arm64.deb cannot be unpacked: exit status 2"):
        build_sysroot(tmp_path / "cache")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["lock"]


def test_a_machine_without_apt_is_told_where_to_go(tools: Tools, tmp_path: Path) -> None:
    tools(without="apt-get")
    with pytest.raises(UserError, match="needs apt-get, which this machine has not") as caught:
        build_sysroot(tmp_path / "cache")
    assert "Debian" in caught.value.remedy and "make profile" in caught.value.remedy


def test_a_damaged_cache_is_named(tools: Tools, tmp_path: Path) -> None:
    tools()
    built = build_sysroot(tmp_path / "cache")
    built.python.unlink()
    with pytest.raises(UserError, match="is no complete system") as caught:
        build_sysroot(tmp_path / "cache")
    assert caught.value.remedy.startswith("Delete it")


def test_qemu_is_downloaded_for_this_machine_where_there_is_none(tools: Tools, tmp_path: Path) -> None:
    log = tools()
    qemu = find_qemu(tmp_path / "cache", arm_cpus(CPUS))
    assert qemu.version == "7.2.22"
    assert qemu.path.is_relative_to(tmp_path / "cache")
    assert "APT::Architecture=amd64" in log.read_text()
    # Of emulators for thirty architectures only one is kept.
    assert [path.name for path in qemu.path.parent.iterdir()] == ["qemu-aarch64-static"]
    assert find_qemu(tmp_path / "cache", arm_cpus(CPUS)) == qemu
    assert len(log.read_text().splitlines()) == 2


def test_qemu_on_the_path_is_taken(tools: Tools, tmp_path: Path) -> None:
    log = tools()
    own = tmp_path / "bin" / "qemu-aarch64"
    own.write_text(f"#!/bin/sh\n{QEMU % ' '.join(CPUS)}\n")
    own.chmod(0o755)
    assert find_qemu(tmp_path / "cache", arm_cpus(CPUS)).path == own
    assert not log.exists()


def test_a_qemu_too_old_for_a_core_is_refused(tools: Tools, tmp_path: Path) -> None:
    tools(known="cortex-a53\\ncortex-a72")
    with pytest.raises(UserError, match=r"QEMU 7.2.22\) does not know neoverse-n1") as caught:
        find_qemu(tmp_path / "cache", arm_cpus(CPUS))
    assert "7.2 or later" in caught.value.remedy


def test_a_package_without_the_emulator_is_told(tools: Tools, tmp_path: Path) -> None:
    tools(unpack='mkdir -p "$3/usr" # {loader} {qemu}')
    with pytest.raises(UserError, match="holds none of qemu-aarch64-static, qemu-aarch64"):
        find_qemu(tmp_path / "cache", arm_cpus(CPUS))


def test_a_qemu_that_cannot_run_is_told(tools: Tools, tmp_path: Path) -> None:
    tools()
    own = tmp_path / "bin" / "qemu-aarch64-static"
    own.write_bytes(b"\x7fELF and nothing more")
    own.chmod(0o755)
    with pytest.raises(UserError, match="qemu-aarch64-static does not run: Exec format error"):
        find_qemu(tmp_path / "cache", arm_cpus(CPUS))


@pytest.mark.parametrize("below_usr", [False, True])
def test_each_core_sees_its_own_cpuinfo_and_one_system(tools: Tools, tmp_path: Path, below_usr: bool) -> None:
    tools()
    system = build_sysroot(tmp_path / "cache")
    if below_usr:  # as Debian is since release 13
        (system.folder / "lib").rename(system.folder / "usr" / "lib")
    a53, _, n1 = (cpu_root(system, cpu, tmp_path / cpu.name) for cpu in arm_cpus(CPUS))
    assert (a53 / "usr" / "bin" / "python3.11").is_file()
    assert (n1 / "lib" / LOADER).is_file()
    info = (a53 / "proc" / "cpuinfo").read_text()
    assert info.count("CPU part\t: 0xd03\n") == 4 and "asimddp" not in info
    # onnxruntime picks its dot-product kernels by this flag.
    assert "asimddp" in (n1 / "proc" / "cpuinfo").read_text()


def test_an_unknown_core_is_answered_with_the_choices() -> None:
    with pytest.raises(UserError, match="no emulated CPU 'max'") as caught:
        arm_cpus(["cortex-a53", "max"])
    assert "neoverse-n1" in caught.value.remedy
    with pytest.raises(UserError, match="No CPU"):
        arm_cpus([])
    assert [cpu.name for cpu in arm_cpus(["cortex-a72", "cortex-a72"])] == ["cortex-a72"]


def test_another_release_of_the_distribution_has_a_folder_of_its_own(
    tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools()
    here = build_sysroot(tmp_path / "cache")
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: {"ID": "debian", "VERSION_CODENAME": "next"})
    assert build_sysroot(tmp_path / "cache").folder != here.folder

    def missing() -> dict[str, str]:
        raise OSError("no os-release")

    monkeypatch.setattr("platform.freedesktop_os_release", missing)
    assert build_sysroot(tmp_path / "cache").folder.is_dir()
