"""Puts the app's static folder together: its sources, the runtime, the two packages and the bundles it offers.

The same input gives the same bytes. README.md beside this file says what lies where in the folder.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.app.serve import BUNDLES, COMPRESSED_ALREADY, gzipped
from export.atomic import canonical_json, new_folder_atomic, write_json_atomic
from export.manifest import GOLDEN, MANIFEST, Manifest, read_manifest
from export.names import name_problem
from export.runtime.errors import UserError
from export.verify import verified

WEB = Path(__file__).parent / "web"
RUNTIME = Path(__file__).parent.parent / "runtime" / "js"
CATALOG = "catalog.json"
PRECACHE = "precache.js"
WORKER = "sw.js"
WASM = "ort-wasm-simd-threaded.wasm"
SOURCES = ("*.html", "*.css", "*.js", "*.webmanifest", "*.svg", "*.png", "measure/*.js", "measure/*.css")
EXAMPLES = 3  # sentences of a bundle that the app offers for trying
VERSION_DIGITS = 16
ID_DIGITS = 8


@dataclass(frozen=True)
class Entry:
    """A bundle as catalog.json lists it; sizes in bytes.

    Attributes:
        id: the folder's name and the first digits of its manifest's sha256, so that a path never changes content.
        languages: ISO 639-3.
        download_bytes: of `files`, which are what tagging needs.
        examples: sentences of ours in the bundle's languages.
    """

    id: str
    name: str
    path: str
    languages: tuple[str, ...]
    entity_types: tuple[str, ...]
    licence: str
    model_bytes: int
    download_bytes: int
    files: tuple[str, ...]
    model_sha256: str
    examples: tuple[str, ...]


@dataclass(frozen=True)
class FirstVisit:
    """What a browser fetches before it tags for the first time, in bytes with gzip and without HTTP's headers.

    Attributes:
        shell: page, workers, runtime and packages without the WebAssembly file.
        wasm: that file.
        bundle: manifest, tokenizer and model of the first bundle.
    """

    shell: int
    wasm: int
    bundle: int

    @property
    def total(self) -> int:
        return self.shell + self.wasm + self.bundle


@dataclass(frozen=True)
class App:
    """A built app. `bytes` is the size of the whole folder."""

    folder: Path
    version: str
    entries: tuple[Entry, ...]
    bytes: int
    first_visit: FirstVisit


def build_app(bundles: Sequence[Path], packages: Path, out: Path, *, web: Path = WEB, runtime: Path = RUNTIME) -> App:
    """Build the app with `bundles`, folders or zips, into the folder `out`, which appears whole or not at all.

    Args:
        packages: what `export.app.packages.runtime_packages` returned.
        web, runtime: folders of the sources.

    Raises:
        UserError: a bundle that `export.verify` does not trust, is given twice or has an unusable name; there is
            none; or `out` holds something else than an app.
    """
    if not bundles:
        raise UserError("No bundle for the app.", "Name at least one bundle's folder or zip.")
    check_replaceable(out)
    with new_folder_atomic(out) as folder:
        entries: list[Entry] = []
        for path in bundles:
            with _opened(path) as opened:
                entries.append(_add_bundle(opened, path, folder, entries))
        for name, file in _shell_sources(packages, web, runtime):
            _copy(file, folder / name)
        catalog: dict[str, Any] = {"bundles": [_listed(entry) for entry in entries]}
        version = _version(folder, catalog)
        write_json_atomic(folder / CATALOG, {"version": version, **catalog})
        shell = {"version": version, "files": ["./", *_precached(folder)]}
        (folder / PRECACHE).write_text(f"self.SHELL = {canonical_json(shell)};\n", "utf-8")
        first = _first_visit(folder, entries[0])
        size = sum(file.stat().st_size for file in _files(folder))
    return App(out, version, tuple(entries), size, first)


def check_replaceable(out: Path) -> None:
    """Raises UserError unless there is nothing at `out`, an empty folder, or an app, which may be replaced."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise UserError(f"{out} is not a folder.", "Name another one: OUT=…")
    if not out.exists() or not any(out.iterdir()) or _is_app(out):
        return
    raise UserError(
        f"{out} holds something else than an app, and would be replaced.",
        "Move it away, or name another folder: OUT=…",
    )


def _is_app(folder: Path) -> bool:
    try:
        catalog = json.loads((folder / CATALOG).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(catalog, dict) and set(catalog) == {"version", "bundles"} and (folder / PRECACHE).is_file()


@contextmanager
def _opened(path: Path) -> Iterator[Path]:
    """The folder of a bundle that is whole and answers as it did; a zip is unpacked for as long."""
    with verified(path) as (report, folder):
        if not report.ok:
            more = f" (and {len(report.problems) - 1} more)" if len(report.problems) > 1 else ""
            raise UserError(
                f"{path} is not to be trusted: {report.problems[0]}{more}", f"make verify BUNDLE={path} lists all.", 1
            )
        yield folder


def _add_bundle(opened: Path, given: Path, folder: Path, others: Sequence[Entry]) -> Entry:
    """Copy what the app and its readers need of a bundle below `folder`; its entry in the catalog."""
    name = given.resolve().name if given.is_dir() else given.stem
    if problem := name_problem(name):
        raise UserError(f"{given}: the bundle's folder has {problem}.", "Rename it; its name becomes an address.")
    if name in (other.name for other in others):
        raise UserError(f"Two bundles are named {name}.", "Give each once, or rename one of them.")
    digest = hashlib.sha256((opened / MANIFEST).read_bytes()).hexdigest()
    manifest = read_manifest(opened / MANIFEST)
    identity = f"{name}-{digest[:ID_DIGITS]}"
    if twin := next((other for other in others if other.id.endswith(digest[:ID_DIGITS])), None):
        raise UserError(f"{given} is the same bundle as {twin.name}.", "Give it once.")
    needed = (MANIFEST, "tokenizer.json", *manifest.model_parts)
    texts = [file for file in manifest.files if file in (GOLDEN, "README.md") or file.startswith("LICENSES/")]
    for file in (*needed, *texts):
        _copy(opened / file, folder / BUNDLES / identity / file)
    return Entry(
        id=identity,
        name=name,
        path=f"{BUNDLES}/{identity}",
        languages=manifest.languages,
        entity_types=tuple(sorted({label[2:] for label in manifest.labels if label != "O"})),
        licence=manifest.licence,
        model_bytes=sum(manifest.files[part].bytes for part in manifest.model_parts),
        download_bytes=sum((opened / file).stat().st_size for file in needed),
        files=needed,
        model_sha256=manifest.model_sha256,
        examples=_examples(opened, manifest),
    )


def _examples(opened: Path, manifest: Manifest) -> tuple[str, ...]:
    lines = (json.loads(line) for line in (opened / GOLDEN).read_bytes().splitlines())
    return tuple(line["text"] for line in lines if line["why"] in manifest.languages)[:EXAMPLES]


def _listed(entry: Entry) -> dict[str, Any]:
    """An entry as JSON: tuples become lists."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in vars(entry).items()}


def _shell_sources(packages: Path, web: Path, runtime: Path) -> Iterator[tuple[str, Path]]:
    """Name in the app's folder and file of everything that is copied."""
    for kind in SOURCES:
        yield from ((file.relative_to(web).as_posix(), file) for file in web.glob(kind))
    yield from ((f"runtime/{file.name}", file) for file in runtime.glob("*.js"))
    yield from ((f"vendor/{file.name}", file) for file in packages.iterdir())


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def _shell(folder: Path) -> dict[str, Path]:
    """The shell's files that lie in `folder`, by name: all but the bundles."""
    named = {file.relative_to(folder).as_posix(): file for file in _files(folder)}
    return {name: file for name, file in sorted(named.items()) if not name.startswith(f"{BUNDLES}/")}


def _precached(folder: Path) -> list[str]:
    """What the service worker keeps: the shell, of which ./ is the page, and not the worker itself."""
    return [name for name in _shell(folder) if name not in ("index.html", WORKER, PRECACHE)]


def _version(folder: Path, catalog: dict[str, Any]) -> str:
    """Digits of a digest over names and bytes of the shell, with the catalog as it is without its version."""
    digest = hashlib.sha256(canonical_json(catalog).encode())
    for name, file in _shell(folder).items():
        digest.update(f"{name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:VERSION_DIGITS]


def _first_visit(folder: Path, first: Entry) -> FirstVisit:
    shell = _shell(folder)
    wasm = shell.pop(f"vendor/{WASM}", None)
    return FirstVisit(
        shell=_wire_bytes(shell.values()),
        wasm=_wire_bytes([wasm] if wasm else []),
        bundle=_wire_bytes(folder / first.path / name for name in first.files),
    )


def _wire_bytes(files: Iterable[Path]) -> int:
    """Bytes of the bodies as `export.app.serve` sends them."""
    total = 0
    for file in files:
        data = file.read_bytes()
        total += len(data) if file.suffix in COMPRESSED_ALREADY else min(len(data), len(gzipped(data)))
    return total
