"""Checks a bundle, folder or zip, without torch and without running anything that came with it.

Files are hashed and names checked first; the model is opened only when all of that holds, and golden.jsonl is
replayed with the toolkit's own runtime. Digests prove integrity, not origin: README.md says how to sign.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from export.archive import unpack_zip
from export.golden import replay_golden
from export.manifest import (
    EVIDENCE,
    GOLDEN,
    MANIFEST,
    MAX_MANIFEST_BYTES,
    TEXT2LABELS,
    Manifest,
    file_entry,
    inconsistencies,
    parse_manifest,
    tensors,
)
from export.names import collisions, name_problem
from export.onnx_scan import TEXT_OPERATORS, scan_onnx
from export.runtime.encode import WordEncoder
from export.runtime.errors import UserError
from export.runtime.machine import package_version
from export.runtime.session import open_session, session_logits
from export.runtime_files import runtime_files
from export.strict_json import loads

INTEGRITY_NOT_ORIGIN = (
    "The digests prove that the files are those the manifest lists, not who made them. "
    "For the origin check a signature with ssh-keygen -Y verify (see export/README.md)."
)
_FRESH = "Get a fresh copy."
# In a downloaded folder, where nothing of the bundle reads them: a file and a folder.
_LEFT_BY_HUBS = {".gitattributes": stat.S_ISREG, ".cache/huggingface": stat.S_ISDIR}


@dataclass(frozen=True)
class VerifyReport:
    """What was found. Each problem and note is one line.

    Attributes:
        files, bytes: listed in the manifest.
        sentences: golden sentences answered as they should be, all of them or none.
        manifest_sha256: identifies the bundle; None when there is no manifest.
    """

    path: Path
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()
    files: int = 0
    bytes: int = 0
    sentences: int = 0
    manifest_sha256: str | None = None

    @property
    def ok(self) -> bool:
        return not self.problems


def verify_bundle(path: Path) -> VerifyReport:
    """Check the bundle at `path`: integrity, safe names, safe model, right answers.

    Collects every integrity problem; golden.jsonl is replayed only when there is none.

    Raises:
        UserError: there is no folder or file at `path`, it cannot be read, or the disk is full while a zip is
            unpacked.
    """
    with verified(path) as (report, _):
        return report


@contextmanager
def verified(path: Path) -> Iterator[tuple[VerifyReport, Path]]:
    """What `verify_bundle` says of the bundle at `path`, and its folder: a zip's is there for as long.

    Raises:
        UserError: as `verify_bundle`.
    """
    with ExitStack() as stack:
        try:
            report, folder = _verify(path, stack)
        except OSError as error:
            raise UserError(
                f"{error.filename or path} cannot be read: {error.strerror}.",
                "Check its permissions and the disk.",
            ) from error
        yield report, folder


def _verify(path: Path, stack: ExitStack) -> tuple[VerifyReport, Path]:
    if path.is_dir():
        return _verify_folder(path, path), path
    if not path.is_file():
        raise UserError(f"There is no bundle at {path}.", "Give the folder or the zip that `make bundle` wrote.")
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="verify-")))
    if problems := unpack_zip(path, folder):
        return VerifyReport(path, _lines(problems)), folder
    return _verify_folder(folder, path), folder


def _verify_folder(folder: Path, shown: Path) -> VerifyReport:
    present, problems = list_folder(folder)
    try:
        if MANIFEST not in present:
            raise UserError(f"{MANIFEST}: missing.", "Give a bundle, or get a fresh copy.")
        if present[MANIFEST] > MAX_MANIFEST_BYTES:
            raise UserError(f"{MANIFEST}: larger than any manifest.", _FRESH)
        data = (folder / MANIFEST).read_bytes()
        manifest = parse_manifest(data)
    except UserError as error:
        return VerifyReport(shown, _lines([*problems, str(error)]))
    problems += [f"{MANIFEST}: {problem}. {_FRESH}" for problem in inconsistencies(manifest)]
    problems += _check_files(folder, manifest, present)
    problems += _check_evidence(folder, manifest, present)
    problems += _check_labels(folder, manifest, present)
    problems += _check_models(folder, manifest, present)
    if not problems:
        problems += _check_answers(folder, manifest)
    return VerifyReport(
        path=shown,
        problems=_lines(problems),
        notes=(*_lines(_notes(manifest)), INTEGRITY_NOT_ORIGIN),
        files=len(manifest.files),
        bytes=sum(entry.bytes for entry in manifest.files.values()),
        sentences=0 if problems else manifest.golden_sentences,
        manifest_sha256=hashlib.sha256(data).hexdigest(),
    )


def _lines(found: Iterable[str]) -> tuple[str, ...]:
    """Each problem or note on one line of bearable length, whatever the bundle's names hold."""
    return tuple(" ".join(text.split())[:600] for text in found)


def list_folder(folder: Path) -> tuple[dict[str, int], list[str]]:
    """Bytes of every regular file below `folder`, and what is there besides: links, devices, bad names.

    Links are not followed. A hard link cannot be told from a file, and holds what its digest says.
    """
    files: dict[str, int] = {}
    problems: list[str] = []
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                name = Path(entry.path).relative_to(folder).as_posix()
                status = entry.stat(follow_symlinks=False)
                if name in _LEFT_BY_HUBS and _LEFT_BY_HUBS[name](status.st_mode):
                    continue
                if stat.S_ISDIR(status.st_mode):
                    waiting.append(Path(entry.path))
                elif stat.S_ISREG(status.st_mode):
                    files[name] = status.st_size
                else:
                    what = "a link" if stat.S_ISLNK(status.st_mode) else "neither a file nor a folder"
                    problems.append(f"{name!a}: {what}, which a bundle never holds. Delete it or get a fresh copy.")
    problems += [
        f"{name!a}: {problem}. Delete it or get a fresh copy." for name in files if (problem := name_problem(name))
    ]
    return files, sorted(problems + [f"{problem}. {_FRESH}" for problem in collisions(files)])


def _check_files(folder: Path, manifest: Manifest, present: dict[str, int]) -> Iterator[str]:
    for name, entry in sorted(manifest.files.items()):
        if name not in present:
            yield f"{name}: missing. {_FRESH}"
        elif present[name] != entry.bytes:
            yield f"{name}: {present[name]} bytes instead of {entry.bytes}. {_FRESH}"
        elif file_entry(folder / name) != entry:
            yield f"{name}: its content has changed (sha256 differs from the manifest's). {_FRESH}"
    for name in sorted(set(present) - set(manifest.files) - {MANIFEST}):
        if not name.startswith(f"{EVIDENCE}/"):
            yield f"{name!a}: not listed in the manifest. Delete it."


def _check_evidence(folder: Path, manifest: Manifest, present: dict[str, int]) -> Iterator[str]:
    """Evidence may be added later, so it is in no manifest; but it must be about this model."""
    if any(part not in manifest.files for part in manifest.model_parts):
        return  # told already
    for name in sorted(name for name in present if name.startswith(f"{EVIDENCE}/")):
        if name.count("/") > 1 or not name.endswith(".json") or present[name] > MAX_MANIFEST_BYTES:
            yield f"{name!a}: evidence/ holds JSON records of at most 16 MiB and nothing else. Delete it."
            continue
        try:
            record = loads((folder / name).read_bytes(), name)
        except UserError as error:
            yield str(error)
            continue
        if not isinstance(record, dict) or record.get("model_sha256") != manifest.model_sha256:
            yield f"{name}: about another model (model_sha256 is not {manifest.model_sha256}). Delete it."


def _check_labels(folder: Path, manifest: Manifest, present: dict[str, int]) -> Iterator[str]:
    """transformers reads its labels from config.json, so they must be the manifest's."""
    if present.get("config.json", MAX_MANIFEST_BYTES + 1) > MAX_MANIFEST_BYTES:
        return
    try:
        config = loads((folder / "config.json").read_bytes(), "config.json")
    except UserError as error:
        yield str(error)
        return
    expected = {str(index): label for index, label in enumerate(manifest.labels)}
    if not isinstance(config, dict) or config.get("id2label") != expected:
        yield f"config.json: id2label does not hold the manifest's labels. {_FRESH}"


def _check_models(folder: Path, manifest: Manifest, present: dict[str, int]) -> Iterator[str]:
    """No ONNX file of the bundle may reach for anything outside it, but for a declared text2labels' operators.

    What is declared as a model is one, whatever its name ends with.
    """
    others = {name for other in manifest.alternatives if other.format == TEXT2LABELS for name in other.files}
    models = {name for name in present if name.lower().endswith(".onnx") and not name_problem(name)}
    for name in sorted(models | ({manifest.model, *others} & set(present))):
        beside = {Path(other).name for other in manifest.external_data if Path(other).parent == Path(name).parent}
        try:
            operators = TEXT_OPERATORS if name in others - {manifest.model} else frozenset()
            found = list(scan_onnx(folder / name).problems(frozenset(beside), operators))
        except UserError as error:
            yield str(error)
            continue
        for problem in found:
            yield f"{name}: {problem}. Do not open it; get a bundle whose model stands alone."


def _check_answers(folder: Path, manifest: Manifest) -> list[str]:
    try:
        threads = min(manifest.threads, os.cpu_count() or 1)
        session = open_session(folder / manifest.model, threads, manifest.prepacking)
        encoder = WordEncoder.load(folder, manifest.max_length)
        found = (tensors(session.get_inputs()), tensors(session.get_outputs()))
        if found != (manifest.inputs, manifest.outputs):
            return [f"{manifest.model}: its inputs and outputs are not those of the manifest. {_FRESH}"]
        lines = (folder / GOLDEN).read_bytes().removesuffix(b"\n").split(b"\n")
        if len(lines) != manifest.golden_sentences:
            return [f"{GOLDEN}: {len(lines)} lines, not {manifest.golden_sentences}. {_FRESH}"]
        logits = session_logits(session)
        return list(replay_golden(lines, encoder, logits, manifest.labels, manifest.logit_tolerance))
    except UserError as error:
        return [str(error).replace(f"{folder}{os.sep}", "")]
    except BaseException as error:
        # Libraries read here what strangers wrote, and a panic inside tokenizers is not even an Exception.
        if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError):
            raise
        return [f"tokenizer.json: cannot be used ({type(error).__name__}: {error}). {_FRESH}"]


def _notes(manifest: Manifest) -> Iterator[str]:
    own = {name: file_entry(file).sha256 for name, file in runtime_files().items()}
    theirs = {name: entry.sha256 for name, entry in manifest.files.items() if name.startswith("runtime/")}
    if own != theirs:
        yield "runtime/ is not the one this toolkit carries (another version?): read it before you run it."
    for other in manifest.alternatives:
        needs = ", ".join(other.requires) or "more than this"
        yield f"{', '.join(other.files)}: checked by digest, not opened ({other.format} needs {needs})."
    installed = package_version("onnxruntime")
    for bad in manifest.known_bad_runtimes:
        if (bad.name, bad.version) == ("onnxruntime", installed):
            yield f"onnxruntime {bad.version}, installed here, is known to fail: {bad.reason}."
