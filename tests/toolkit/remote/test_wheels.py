from __future__ import annotations

import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from export.runtime.errors import UserError
from toolkit.remote.wheels import PYTHONS, ROOT, device_site, pinned_versions, unpack

Pip = tuple[str, ...]
FILES = {
    "numpy": [
        "numpy/__init__.py",
        "numpy/tests/test_x.py",
        "numpy/__init__.pyi",
        "numpy-2.dist-info/licenses/LICENSE",
    ],
    "onnxruntime": ["onnxruntime/capi/onnxruntime_pybind11_state.so", "onnxruntime/capi/libonnxruntime.so.1.31.1"],
    "tokenizers": ["tokenizers/tokenizers.abi3.so", "tokenizers/tools/visualizer.py"],
}


def write_wheel(path: Path, names: list[str]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, f"# {name}")


@pytest.fixture
def pip(tmp_path: Path) -> Callable[..., Pip]:
    """Makes a pip that notes its arguments in calls.txt and copies prepared wheels."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    for package, names in FILES.items():
        write_wheel(shelf / f"{package}-{pinned_versions()[package]}-py3-none-any.whl", names)

    def make(ending: str = "") -> Pip:
        script = tmp_path / "pip.py"
        script.write_text(
            "import pathlib, shutil, sys\n"
            f"with open({str(tmp_path / 'calls.txt')!r}, 'a') as calls: print(*sys.argv[1:], file=calls)\n"
            f"{ending}\n"
            "target = sys.argv[sys.argv.index('--dest') + 1]\n"
            f"for wheel in pathlib.Path({str(shelf)!r}).iterdir(): shutil.copy(wheel, target)\n"
        )
        return (sys.executable, str(script))

    return make


def calls(tmp_path: Path) -> list[str]:
    return (tmp_path / "calls.txt").read_text().splitlines()


def test_the_pins_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert [f"{name}=={version}" for name, version in pinned_versions().items()] == project["dependencies"]
    assert list(pinned_versions()) == ["numpy", "onnxruntime", "tokenizers"]


def test_pip_is_asked_for_binary_wheels_of_that_machine_and_nothing_else(
    tmp_path: Path, pip: Callable[..., Pip]
) -> None:
    device_site("aarch64", (3, 13), tmp_path / "cache", pip())
    (call,) = calls(tmp_path)
    before, _, after = call.partition(" --dest ")
    assert before == (
        "download --quiet --no-deps --only-binary=:all: --implementation cp --python-version 3.13 --abi cp313 "
        "--abi abi3 --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 "
        "--platform manylinux2014_aarch64"
    )
    assert after.split()[1:] == [f"{name}=={version}" for name, version in pinned_versions().items()]


def test_wheels_are_unpacked_into_one_folder_without_what_a_device_never_imports(
    tmp_path: Path, pip: Callable[..., Pip]
) -> None:
    site = device_site("aarch64", (3, 11), tmp_path / "cache", pip())
    assert sorted(path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()) == [
        "numpy-2.dist-info/licenses/LICENSE",
        "numpy/__init__.py",
        "onnxruntime/capi/onnxruntime_pybind11_state.so",
        "tokenizers/tokenizers.abi3.so",
    ]


def test_what_was_downloaded_once_needs_no_pip_again(tmp_path: Path, pip: Callable[..., Pip]) -> None:
    first = device_site("x86_64", (3, 12), tmp_path / "cache", pip())
    assert device_site("x86_64", (3, 12), tmp_path / "cache", ("no-such-pip",)) == first
    assert device_site("aarch64", (3, 12), tmp_path / "cache", pip()) != first
    assert len(calls(tmp_path)) == 2


@pytest.mark.parametrize("damage", ["changed", "deleted", "added", "unmarked"])
def test_a_damaged_folder_is_downloaded_again(tmp_path: Path, pip: Callable[..., Pip], damage: str) -> None:
    site = device_site("x86_64", (3, 12), tmp_path / "cache", pip())
    file = site / "numpy" / "__init__.py"
    before = file.read_text()
    if damage == "deleted":
        file.unlink()
    elif damage == "unmarked":
        (site.parent / "content").unlink()
    else:
        (file if damage == "changed" else file.with_name("x.py")).write_text("other")
    assert device_site("x86_64", (3, 12), tmp_path / "cache", pip()) == site
    assert file.read_text() == before
    assert not (site / "numpy" / "x.py").exists()
    assert len(calls(tmp_path)) == 2


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        ("sys.stderr.write('noise\\nERROR: No matching distribution found for numpy\\n'); sys.exit(1)",
         "No matching distribution found for numpy"),
        ("sys.stderr.write('Traceback\\nsome failure\\n'); sys.exit(1)", "some failure"),
        ("sys.exit(3)", "exit status 3"),
        ("sys.exit(0)", "exit status 0"),
    ],
)  # fmt: skip
def test_a_failing_download_is_told_and_leaves_nothing(
    tmp_path: Path, pip: Callable[..., Pip], ending: str, reason: str
) -> None:
    with pytest.raises(UserError) as caught:
        device_site("aarch64", (3, 11), tmp_path / "cache", pip(ending))
    assert caught.value.message == f"pip could not get the packages for Linux aarch64, Python 3.11: {reason}"
    assert "the device needs none" in caught.value.remedy
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_damaged_wheel_is_told_and_leaves_nothing(tmp_path: Path, pip: Callable[..., Pip]) -> None:
    command = pip()
    next((tmp_path / "shelf").glob("numpy*")).write_bytes(b"no zip")
    with pytest.raises(UserError, match=r"numpy-\S+\.whl is damaged"):
        device_site("aarch64", (3, 11), tmp_path / "cache", command)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_wheel_cannot_write_outside_its_folder(tmp_path: Path) -> None:
    write_wheel(tmp_path / "x.whl", ["../outside.py", "/absolute.py", "inside.py"])
    unpack([tmp_path / "x.whl"], tmp_path / "site")
    assert sorted(path.name for path in (tmp_path / "site").iterdir()) == ["absolute.py", "inside.py", "outside.py"]
    assert not (tmp_path / "outside.py").exists()


def test_a_python_without_packages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no packages for Python 3\.10") as caught:
        device_site("aarch64", (3, 10), tmp_path, ("no-such-pip",))
    assert caught.value.remedy == "Use one of 3.11, 3.12, 3.13."
    assert (3, 10) not in PYTHONS
