from __future__ import annotations

import json
import platform
import shutil
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from export.bundle import write_bundle
from export.runtime.errors import UserError
from export.runtime.profile_record import Profile
from export.verify import verify_bundle
from tests.export.conftest import build_details, build_variant
from tests.toolkit.remote.loopback import Device
from toolkit.remote import measuring as remote
from toolkit.remote.host import Host, connect
from toolkit.remote.measuring import profile_on_host, run_on_host, verified_tree
from toolkit.remote.wheels import device_site, pinned_versions


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages of this environment as wheels again, unpacked as those for a device are."""
    folder = tmp_path_factory.mktemp("repacked")
    (folder / "wheels").mkdir()
    for name in pinned_versions():
        found = metadata.distribution(name)
        with zipfile.ZipFile(folder / "wheels" / f"{name}-{found.version}-py3-none-any.whl", "w") as archive:
            for file in found.files or ():
                if ".." not in file.parts and file.suffix != ".pyc":
                    archive.write(str(file.locate()), file.as_posix())
    pip = folder / "pip.py"
    pip.write_text(
        "import shutil, sys\n"
        f"shutil.copytree({str(folder / 'wheels')!r}, sys.argv[sys.argv.index('--dest') + 1], dirs_exist_ok=True)\n"
    )
    return device_site(platform.machine(), sys.version_info[:2], folder / "cache", (sys.executable, str(pip)))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    return write_bundle(build_variant(folder / "variant"), build_details(), folder / "bundle").folder


@pytest.fixture
def bundle(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "bundle"))


@pytest.fixture
def without_running(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Nothing is sent or run; what the device would have written is the one item of this list."""
    result: list[Any] = []

    def run(host: Host, module: str, arguments: list[str], *rest: Any, **more: Any) -> bytes:
        result.append(arguments)
        return result[0] if isinstance(result[0], bytes) else json.dumps(result[0]).encode()

    monkeypatch.setattr(remote, "run_on_host", run)
    return result


def test_a_bundle_is_measured_on_another_machine_and_its_profile_comes_home(
    device: Device, bundle: Path, site: Path
) -> None:
    shares: list[float] = []
    profile, path = profile_on_host(
        bundle, "device", quick=True, config=device.config, site=site, progress=shares.append
    )

    assert profile.host == device.sshd.fingerprint
    assert profile.quick
    assert profile.agreement.ok
    assert profile.agreement.sentences > 20
    assert profile.measurement.machine.onnxruntime == pinned_versions()["onnxruntime"]
    assert path.parent == bundle / "evidence"
    assert Profile.from_json(json.loads(path.read_bytes())) == profile
    assert verify_bundle(bundle).ok
    assert shares and shares == sorted(shares)
    assert device.left_behind() == []

    # Of the bundle neither its runtime nor its evidence was sent.
    (sent,) = device.root.glob("bundle-*")
    names = {file.relative_to(sent).as_posix() for file in sent.rglob("*") if file.is_file()}
    assert {"manifest.json", "golden.jsonl", "tokenizer.json", "onnx/model.onnx"} <= names
    assert not any(name.startswith(("runtime/", "evidence/")) for name in names)

    # What of the packages was left out was not missed, and nothing was written beside the rest.
    (sent,) = device.root.glob("packages-*")
    assert not (sent / "numpy" / "f2py").exists()
    assert not list((sent / "onnxruntime" / "capi").glob("libonnxruntime.so*"))
    assert not list(sent.rglob("*.pyc"))
    # Nothing but our own folder: onnxruntime's events and its identifier of the device would lie beside it.
    assert [file.name for file in (device.home / ".cache").iterdir()] == ["afriberta-edge"]


def test_a_bundle_that_is_not_to_be_trusted_is_never_sent(device: Device, bundle: Path) -> None:
    with (bundle / "tokenizer.json").open("a") as file:
        file.write(" ")
    (bundle / "extra").touch()
    with pytest.raises(UserError) as caught:
        profile_on_host(bundle, "device", config=device.config)
    assert "is not to be trusted: tokenizer.json: " in caught.value.message
    assert "(and 1 more)" in caught.value.message
    assert f"make verify BUNDLE={bundle}" in caught.value.remedy
    assert list(device.home.iterdir()) == []


def test_a_zip_is_not_taken(device: Device, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "bundle.zip").write_bytes(b"PK")
    with pytest.raises(UserError, match="is a file; a bundle is measured as a folder"):
        profile_on_host(tmp_path / "bundle.zip", "device", config=device.config)


def test_a_bundle_s_tree_is_named_by_its_manifest_and_lacks_other_formats(finished: Path) -> None:
    tree, manifest = verified_tree(finished)
    digest = verify_bundle(finished).manifest_sha256
    assert digest is not None and tree.name == f"bundle-{digest[:32]}"
    assert {name for name, _ in tree.files} == {
        "manifest.json",
        *(name for name in manifest.files if not name.startswith("runtime/")),
    }


def test_the_options_reach_the_profiler(device: Device, bundle: Path, without_running: list[Any]) -> None:
    without_running.append({})
    with pytest.raises(UserError):
        profile_on_host(bundle, "device", threads=2, sustained_minutes=10, quick=True, config=device.config)
    assert without_running[1] == ["--bundle", "{bundle}", "--threads", "2", "--sustained", "10", "--quick"]


@pytest.mark.parametrize(
    ("result", "what"),
    [
        (b"no json", "The profile from device: not the JSON it should be"),
        ({"kind": "something"}, "The profile from device is not a device profile"),
        ({"schema": 99, "kind": "device profile"}, "is not a device profile of schema 1"),
    ],
)
def test_a_result_that_is_no_profile_is_not_kept(
    device: Device, bundle: Path, without_running: list[Any], result: Any, what: str
) -> None:
    before = sorted((bundle / "evidence").iterdir())
    without_running.append(result)
    with pytest.raises(UserError, match=what):
        profile_on_host(bundle, "device", config=device.config)
    assert sorted((bundle / "evidence").iterdir()) == before


def test_a_profile_of_another_model_is_not_kept(
    device: Device, bundle: Path, without_running: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    without_running.append({})
    other = SimpleNamespace(model_sha256="0" * 64)
    monkeypatch.setattr(remote.Profile, "from_json", lambda data, name: other)
    with pytest.raises(UserError, match=f"is about another model \\({other.model_sha256}\\)"):
        profile_on_host(bundle, "device", config=device.config)


def test_little_memory_is_warned_of(
    device: Device, bundle: Path, without_running: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    without_running.append({})
    grep = shutil.which("grep")
    device.program("grep", f'case $1 in ^MemAvailable:) echo "MemAvailable: 30000 kB" ;; *) exec {grep} "$@" ;; esac')
    with pytest.raises(UserError):
        profile_on_host(bundle, "device", config=device.config)
    told = capsys.readouterr().err
    assert "device has 30.72 MB of memory to spare and the run needs about 60" in told
    assert f"host key {device.sshd.fingerprint}" in told


def test_a_place_that_cannot_be_written_is_told_before_anything_runs(
    device: Device, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit.remote.measuring.os.access", lambda path, mode: False)
    with pytest.raises(UserError, match="evidence cannot be written to"):
        profile_on_host(bundle, "device", config=device.config)
    assert list(device.home.iterdir()) == []


def test_without_a_folder_of_packages_they_are_chosen_for_the_host(
    device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def choose(architecture: str, python: tuple[int, int]) -> Path:
        asked.append((architecture, python))
        raise UserError("no packages", "")

    monkeypatch.setattr(remote, "device_site", choose)
    host = connect("device", device.config)
    with pytest.raises(UserError, match="no packages"):
        run_on_host(host, "runtime.measure", [], {}, 10)
    assert asked == [(host.architecture, sys.version_info[:2])]
    assert list(device.home.iterdir()) == []
