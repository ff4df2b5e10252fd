"""The app's folder: what lies in it, that it is the same each time, and what is refused."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from export.app.build import RUNTIME, WEB, App, build_app
from export.app.serve import CSP
from export.bundle import write_bundle
from export.golden import golden_texts
from export.runtime.errors import UserError
from tests.export.conftest import build_details, build_variant

SOURCES = {
    "index.html": "<!doctype html><title>made up</title>",
    "style.css": "p { margin: 0 }",
    "app.js": "export {};",
    "sw.js": 'importScripts("precache.js");',
    "manifest.webmanifest": "{}",
    "icon.svg": "<svg/>",
    "measure/run.js": "export {};",
    "measure/run.css": "",
    "package.json": "{}",
    "README.md": "not part of the app",
    "node_modules/x/index.js": "not part of the app",
}
PACKAGES = {"ort-wasm-simd-threaded.wasm": "wasm" * 1000, "ort.wasm.min.mjs": "export {};", "LICENSES.txt": "MIT"}


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., App]:
    """Builds with made-up sources into tmp_path/app."""
    web, packages = written(tmp_path / "web", SOURCES), written(tmp_path / "vendor", PACKAGES)

    def made(*bundles: Path, out: str = "app", **sources: str) -> App:
        written(web, {name.replace("_", "."): text for name, text in sources.items()})
        return build_app(bundles, packages, tmp_path / out, web=web)

    return made


@pytest.fixture
def yoruba(tmp_path: Path) -> Path:
    """A second bundle, whose weights lie in a file of their own."""
    variant = build_variant(tmp_path / "yoruba-variant", seed=1, external=True)
    return write_bundle(variant, build_details(name="yor tiny", languages=("yor",)), tmp_path / "yor-web-edge").folder


def contents(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def catalog(app: App) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((app.folder / "catalog.json").read_bytes())
    return value


def shell(app: App) -> dict[str, Any]:
    text = (app.folder / "precache.js").read_text("utf-8")
    value: dict[str, Any] = json.loads(text.removeprefix("self.SHELL = ").removesuffix(";\n"))
    return value


def test_the_folder_holds_sources_runtime_packages_and_what_a_bundle_needs(
    bundle: Path, build: Callable[..., App]
) -> None:
    found = set(contents(build(bundle).folder))
    outside = {name for name in found if not name.startswith("bundles/")}
    mine = {name for name in SOURCES if not name.startswith("node_modules")} - {"package.json", "README.md"}
    runtime = {f"runtime/{file.name}" for file in RUNTIME.glob("*.js")}
    assert len(runtime) > 5
    assert outside == mine | runtime | {f"vendor/{name}" for name in PACKAGES} | {"catalog.json", "precache.js"}
    digest = hashlib.sha256((bundle / "manifest.json").read_bytes()).hexdigest()
    inside = {name.removeprefix(f"bundles/bundle-{digest[:8]}/") for name in found - outside}
    assert inside == {
        "manifest.json", "tokenizer.json", "onnx/model.onnx", "golden.jsonl", "README.md",
        "LICENSES/Apache-2.0.txt", "LICENSES/inputs.txt",
    }  # fmt: skip


def test_the_catalog_says_what_each_bundle_is(bundle: Path, yoruba: Path, build: Callable[..., App]) -> None:
    app = build(bundle, yoruba)
    value = catalog(app)
    assert value["version"] == app.version and re.fullmatch("[0-9a-f]{16}", app.version)
    first, second = value["bundles"]
    assert first == json.loads(json.dumps(dataclasses.asdict(app.entries[0])))
    assert (first["name"], first["languages"], first["entity_types"]) == ("bundle", ["swa"], ["LOC", "PER"])
    assert (first["licence"], first["path"]) == ("commercial use allowed", f"bundles/{first['id']}")
    assert first["model_sha256"] == hashlib.sha256((bundle / "onnx/model.onnx").read_bytes()).hexdigest()
    # External data is part of the model.
    assert second["files"] == ["manifest.json", "tokenizer.json", "onnx/model.onnx", "onnx/model.onnx_data"]
    sizes = {name: (yoruba / name).stat().st_size for name in second["files"]}
    assert second["download_bytes"] == sum(sizes.values())
    assert second["model_bytes"] == sizes["onnx/model.onnx"] + sizes["onnx/model.onnx_data"]
    for entry in value["bundles"]:
        assert all((app.folder / entry["path"] / name).is_file() for name in entry["files"])


def test_examples_are_golden_sentences_in_the_bundles_language(yoruba: Path, build: Callable[..., App]) -> None:
    golden = [json.loads(line) for line in (yoruba / "golden.jsonl").read_bytes().splitlines()]
    expected = [line["text"] for line in golden if line["why"] == "yor"][:3]
    assert len(expected) == 3 and len(golden) == len(golden_texts(("yor",)))
    assert catalog(build(yoruba))["bundles"][0]["examples"] == expected


def test_the_service_worker_keeps_the_shell_and_not_itself(bundle: Path, build: Callable[..., App]) -> None:
    app = build(bundle)
    listed = shell(app)
    assert listed["version"] == app.version
    assert listed["files"][0] == "./" and {"app.js", "catalog.json", "measure/run.js"} < set(listed["files"])
    kept = {"index.html" if name == "./" else name for name in listed["files"]}
    outside = {name for name in contents(app.folder) if not name.startswith("bundles/")}
    assert kept == outside - {"sw.js", "precache.js"}


def test_the_same_input_gives_the_same_bytes(bundle: Path, build: Callable[..., App]) -> None:
    first, second = build(bundle), build(bundle, out="again")
    assert contents(first.folder) == contents(second.folder)
    assert (first.version, first.bytes) == (second.version, sum(map(len, contents(second.folder).values())))


def test_any_change_of_the_shell_or_of_a_bundle_is_another_version(
    bundle: Path, yoruba: Path, build: Callable[..., App]
) -> None:
    apps = [build(bundle), build(yoruba), build(bundle, yoruba), build(bundle, sw_js="// changed")]
    assert len({app.version for app in apps}) == 4
    assert apps[0].entries == apps[3].entries  # the bundle's address stays, and with it what browsers have stored


def test_a_first_visit_is_what_goes_over_the_wire(bundle: Path, yoruba: Path, build: Callable[..., App]) -> None:
    app = build(bundle, yoruba)
    files = contents(app.folder)

    def size(name: str) -> int:
        return min(len(files[name]), len(gzip.compress(files[name], 9)))

    wasm = "vendor/ort-wasm-simd-threaded.wasm"
    entry = app.entries[0]
    assert app.first_visit.wasm == size(wasm) < 200 < len(files[wasm])
    assert app.first_visit.bundle == sum(size(f"{entry.path}/{name}") for name in entry.files)
    assert app.first_visit.shell == sum(size(name) for name in files if not name.startswith("bundles/")) - size(wasm)
    assert app.first_visit.total == app.first_visit.shell + app.first_visit.wasm + app.first_visit.bundle


def test_a_zip_is_as_good_as_its_folder(finished_bundle: Path, build: Callable[..., App]) -> None:
    folder, archive = build(finished_bundle), build(finished_bundle.with_name("bundle.zip"), out="zipped")
    assert contents(folder.folder) == contents(archive.folder)


def test_a_bundle_that_has_changed_is_refused_and_nothing_is_left(bundle: Path, build: Callable[..., App]) -> None:
    model = bundle / "onnx" / "model.onnx"
    data = bytearray(model.read_bytes())
    data[-1] ^= 1
    model.write_bytes(data)
    with pytest.raises(UserError, match=r"not to be trusted: onnx/model\.onnx: its content has changed") as caught:
        build(bundle)
    assert caught.value.exit_code == 1 and "make verify" in caught.value.remedy
    assert not list(bundle.parent.glob("*app*"))


def test_a_bundle_of_another_schema_is_refused(bundle: Path, build: Callable[..., App]) -> None:
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    (bundle / "manifest.json").write_text(json.dumps({**manifest, "schema_version": 2}), "utf-8")
    with pytest.raises(UserError, match="written for schema version 2"):
        build(bundle)


def test_a_bundle_given_twice_is_refused(bundle: Path, yoruba: Path, build: Callable[..., App]) -> None:
    with pytest.raises(UserError, match="Two bundles are named bundle"):
        build(bundle, bundle)
    copy = Path(shutil.copytree(bundle, bundle.with_name("copy")))
    with pytest.raises(UserError, match="copy is the same bundle as bundle"):
        build(yoruba, bundle, copy)


def test_a_name_that_no_address_has_is_refused(bundle: Path, build: Callable[..., App]) -> None:
    with pytest.raises(UserError, match="other characters"):
        build(bundle.rename(bundle.with_name("mein Bündel")))


def test_without_a_bundle_there_is_no_app(build: Callable[..., App]) -> None:
    with pytest.raises(UserError, match="No bundle for the app"):
        build()


def test_an_earlier_app_is_replaced_whole(bundle: Path, yoruba: Path, build: Callable[..., App]) -> None:
    earlier = build(bundle)
    (earlier.folder / "left-over.js").write_text("")
    later = build(yoruba)
    assert not (later.folder / "left-over.js").exists() and len(list((later.folder / "bundles").iterdir())) == 1
    assert not list(later.folder.parent.glob(".app*"))


def test_an_earlier_app_stays_when_a_build_fails(bundle: Path, build: Callable[..., App]) -> None:
    before = contents(build(bundle).folder)
    (bundle / "tokenizer.json").unlink()
    with pytest.raises(UserError):
        build(bundle)
    assert contents(bundle.parent / "app") == before


@pytest.mark.parametrize(
    "there", [{"thesis.tex": "x"}, {"catalog.json": '{"books": []}'}, {"catalog.json": "no JSON", "precache.js": ""}]
)
def test_a_folder_that_is_no_app_is_not_replaced(
    there: dict[str, str], tmp_path: Path, bundle: Path, build: Callable[..., App]
) -> None:
    written(tmp_path / "mine", there)
    with pytest.raises(UserError, match="something else than an app"):
        build(bundle, out="mine")
    assert {name: data.decode() for name, data in contents(tmp_path / "mine").items()} == there


def test_a_file_or_a_link_is_not_replaced(tmp_path: Path, bundle: Path, build: Callable[..., App]) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path)
    for out in ("file", "link"):
        with pytest.raises(UserError, match="is not a folder"):
            build(bundle, out=out)
    (tmp_path / "empty").mkdir()
    assert build(bundle, out="empty").bytes > 0


def test_the_pages_policy_is_the_servers() -> None:
    page = (WEB / "index.html").read_text("utf-8")
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy"\s+content="([^"]+)"', page)
    assert " ".join(policy.split()) == CSP
