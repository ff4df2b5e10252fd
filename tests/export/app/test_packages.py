"""The JavaScript packages of the app: fetched once, by a program that stands for npm."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from export.app import packages
from export.app.packages import LOCKED, MIT, VENDOR, runtime_packages
from export.runtime.errors import UserError

ROOT = Path(__file__).resolve().parents[3]
NPM = """#!/bin/sh
echo "$@" >> "{log}"
{more}
mkdir -p node_modules/onnxruntime-web/dist node_modules/@huggingface/tokenizers/dist
for name in ort.wasm.min.mjs ort-wasm-simd-threaded.mjs ort-wasm-simd-threaded.wasm unwanted.wasm; do
  echo "$name" > "node_modules/onnxruntime-web/dist/$name"
done
echo tokenizers > node_modules/@huggingface/tokenizers/dist/tokenizers.min.mjs
echo '{{"version": "1.2.3", "license": "MIT"}}' > node_modules/onnxruntime-web/package.json
echo '{{"version": "0.2.0", "license": "Apache-2.0"}}' > node_modules/@huggingface/tokenizers/package.json
echo "The text of the licence" > node_modules/@huggingface/tokenizers/LICENSE
"""


class Npm:
    """A program named npm, alone on the path with what a shell script needs."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "calls"

    def install(self, more: str = "") -> None:
        program = self.folder / "npm"
        program.write_text(NPM.format(log=self.log, more=more))
        program.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Npm:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    made = Npm(folder)
    made.install()
    return made


def test_only_what_the_app_takes_is_kept_with_its_licences(npm: Npm, tmp_path: Path) -> None:
    notes: list[str] = []
    folder = runtime_packages(tmp_path / "cache", notes.append)
    assert {file.name for file in folder.iterdir()} == {*VENDOR, "LICENSES.txt"}
    assert (folder / "tokenizers.min.mjs").read_text() == "tokenizers\n"
    licences = (folder / "LICENSES.txt").read_text()
    assert "@huggingface/tokenizers 0.2.0, Apache-2.0" in licences and "The text of the licence" in licences
    assert "onnxruntime-web 1.2.3, MIT" in licences and MIT.splitlines()[0] in licences
    assert "v1.2.3/ThirdPartyNotices.txt" in licences
    assert notes == ["Fetching @huggingface/tokenizers 0.2.0 and onnxruntime-web 1.30.0, once."]
    assert npm.calls == ["ci --ignore-scripts --no-audit --no-fund --loglevel=error"]


def test_the_second_time_needs_no_npm(npm: Npm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = runtime_packages(tmp_path / "cache", lambda text: None)
    monkeypatch.setenv("PATH", "")
    assert runtime_packages(tmp_path / "cache", pytest.fail) == folder
    assert len(npm.calls) == 1


def test_another_lock_is_fetched_anew(npm: Npm, tmp_path: Path) -> None:
    first = runtime_packages(tmp_path / "cache", lambda text: None)
    (tmp_path / "locked").mkdir()
    for name in ("package.json", "package-lock.json"):
        (tmp_path / "locked" / name).write_text((LOCKED / name).read_text() + "\n")
    second = runtime_packages(tmp_path / "cache", lambda text: None, tmp_path / "locked")
    assert first != second and len(npm.calls) == 2


def test_a_folder_that_lacks_a_file_is_fetched_again(npm: Npm, tmp_path: Path) -> None:
    folder = runtime_packages(tmp_path / "cache", lambda text: None)
    (folder / "tokenizers.min.mjs").unlink()
    assert runtime_packages(tmp_path / "cache", lambda text: None) == folder
    assert (folder / "tokenizers.min.mjs").is_file()


def test_without_npm_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="There is no npm") as caught:
        runtime_packages(tmp_path / "cache", pytest.fail)
    for word in ("Node.js 20", "apt install npm", "brew install node", "winget"):
        assert word in caught.value.remedy


def test_npm_that_fails_is_quoted_and_nothing_is_kept(npm: Npm, tmp_path: Path) -> None:
    npm.install("for n in 1 2 3 4 5 6 7 8; do echo line $n; done; echo 'npm error ENOTFOUND' >&2; exit 1")
    with pytest.raises(UserError, match=r"npm ci .* failed: line 4 .* npm error ENOTFOUND") as caught:
        runtime_packages(tmp_path / "cache", lambda text: None)
    assert "line 3" not in caught.value.message and "connection" in caught.value.remedy
    assert not (tmp_path / "cache").exists()
    npm.install("exit 1")
    with pytest.raises(UserError, match="it said nothing"):
        runtime_packages(tmp_path / "cache", lambda text: None)


def test_a_package_without_a_file_is_told(npm: Npm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "VENDOR", {"new.wasm": "onnxruntime-web/dist/new.wasm"})
    with pytest.raises(UserError, match=r"npm brought no onnxruntime-web/dist/new\.wasm"):
        runtime_packages(tmp_path / "cache", lambda text: None)
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_versions_are_those_that_the_runtime_is_tested_with() -> None:
    wanted = json.loads((LOCKED / "package.json").read_text("utf-8"))["dependencies"]
    peers = json.loads((ROOT / "export" / "runtime" / "js" / "package.json").read_text("utf-8"))["peerDependencies"]
    assert wanted == {name: peers[name] for name in ("@huggingface/tokenizers", "onnxruntime-web")}


def test_the_lock_names_a_digest_for_each_package_and_no_address() -> None:
    locked = json.loads((LOCKED / "package-lock.json").read_text("utf-8"))["packages"]
    root = locked.pop("")
    assert root["dependencies"] == json.loads((LOCKED / "package.json").read_text("utf-8"))["dependencies"]
    assert {name for name in root["dependencies"] if f"node_modules/{name}" not in locked} == set()
    assert [name for name, entry in locked.items() if not entry["integrity"].startswith("sha512-")] == []
    assert [name for name, entry in locked.items() if "resolved" in entry] == []
