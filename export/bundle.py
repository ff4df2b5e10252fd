"""Writes a bundle: a folder a device runs from, and a reproducible zip of it. README.md tells the format."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from export.archive import write_zip
from export.atomic import new_folder_atomic, write_bytes_atomic, write_json_atomic, write_text_atomic
from export.bundle_details import (
    DEFAULT_TOLERANCE,
    MODEL_FOLDER_FILES,
    TOLERANCES,
    BundleDetails,
    BundleReport,
)
from export.card import model_card
from export.golden import make_golden
from export.manifest import (
    EVIDENCE,
    GOLDEN,
    MANIFEST,
    NON_COMMERCIAL,
    FileEntry,
    Manifest,
    file_entry,
    inconsistencies,
    licence_line,
    parse_manifest,
    tensors,
)
from export.names import name_problem
from export.onnx_scan import scan_onnx
from export.runtime.encode import WordEncoder
from export.runtime.errors import UserError
from export.runtime.session import open_session, session_logits
from export.runtime.words import SPLIT_PATTERN
from export.runtime_files import runtime_files
from export.sbom import sbom
from export.transformers_js import tell_transformers_js

_HERE = Path(__file__).parent


def write_bundle(variant_folder: Path, details: BundleDetails, out: Path) -> BundleReport:
    """Write the folder `out` and `out`.zip beside it, both whole or not at all.

    The same input gives the same bytes (the zip's with the same zlib). An earlier bundle at `out` is
    replaced.

    Args:
        variant_folder: config.json, tokenizer.json … and the model, as transformers lays them out.

    Raises:
        UserError: a file is missing, the model reaches outside the folder or answers nonsense, a detail is
            not what the manifest's schema allows, `out` holds something else, or the disk is full.
    """
    out = out.resolve() if out.name in ("", "..") else out  # the zip needs a name
    _refuse_foreign_folder(out)
    parts = _model_parts(variant_folder, details)
    archive = out.with_name(out.name + ".zip")
    with new_folder_atomic(out) as folder:
        _copy_model(variant_folder, parts, details, folder)
        _copy_runtime(folder)
        manifest = _write_documents(folder, parts, details)
        data = _manifest_bytes(manifest)
        write_bytes_atomic(folder / MANIFEST, data)
        evidence = list(_write_evidence(folder, details, manifest.model_sha256))
        names = [MANIFEST, *manifest.files, *(evidence if details.zip_evidence else ())]
        zipped = write_zip(folder, names, archive)
    return BundleReport(
        folder=out,
        archive=archive,
        manifest=manifest,
        manifest_sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data) + sum(entry.bytes for entry in manifest.files.values()),
        zip_bytes=archive.stat().st_size,
        zipped=zipped,
    )


def _refuse_foreign_folder(out: Path) -> None:
    """Only an earlier bundle may be replaced: a mistyped OUT must not delete someone's folder."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    remedy = "Give another OUT, or move what is there."
    spared = (f"{EVIDENCE}/", "runtime/__pycache__/")
    if not out.is_dir() or out.is_symlink():
        raise UserError(f"{out} exists and is no bundle folder.", remedy)
    try:
        listed = json.loads((out / MANIFEST).read_bytes())["files"].keys()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{out} exists and holds something else than a bundle.", remedy) from error
    known = {MANIFEST, *listed}
    for file in sorted(out.rglob("*")):
        name = file.relative_to(out).as_posix()
        if not (file.is_dir() or name in known or name.startswith(spared)):
            raise UserError(f"{out} holds {name}, which is no part of the bundle there.", remedy)


def _model_parts(variant_folder: Path, details: BundleDetails) -> tuple[str, ...]:
    """The model's files, relative to the variant folder: the ONNX file, then its external data."""
    model = variant_folder / details.model
    if not model.is_file():
        raise UserError(f"There is no model at {model}.", "Export the variant first.")
    scan = scan_onnx(model)
    beside = frozenset(file.name for file in model.parent.iterdir() if not name_problem(file.name))
    if problem := next(scan.problems(beside), None):
        remedy = "Export it again with its weights beside it and standard operators."
        raise UserError(f"{model} {problem}.", remedy)
    folder = Path(details.model).parent
    return (details.model, *((folder / location).as_posix() for location in sorted(scan.locations)))


def _copy_model(variant_folder: Path, parts: tuple[str, ...], details: BundleDetails, folder: Path) -> None:
    others = [name for other in details.alternatives for name in other.files]
    for name in (*MODEL_FOLDER_FILES, *parts, *others):
        source = variant_folder / name
        if name == "special_tokens_map.json" and not source.exists():
            continue  # newer tokenizers keep it inside tokenizer_config.json
        if problem := name_problem(name):
            raise UserError(f"{name!r} cannot stand in a bundle: {problem}.", "Rename the file.")
        if not source.is_file():
            raise UserError(f"{source} is missing.", "A bundle needs it: export the variant again.")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / name)
    tell_transformers_js(folder / "config.json", parts)


def _copy_runtime(folder: Path) -> None:
    for name, source in runtime_files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / name)


def _write_documents(folder: Path, parts: tuple[str, ...], details: BundleDetails) -> Manifest:
    """Everything that is made rather than copied; returns the manifest, not yet written."""
    session = open_session(folder / details.model, details.threads, details.prepacking)
    encoder = WordEncoder.load(folder, details.max_length)
    lines = make_golden(encoder, session_logits(session), details.labels, details.languages)
    write_text_atomic(folder / GOLDEN, "".join(line + "\n" for line in lines))
    _write_licences(folder, details)
    manifest = Manifest(
        name=details.name,
        languages=details.languages,
        labels=details.labels,
        max_length=details.max_length,
        model=details.model,
        external_data=parts[1:],
        dtype=details.dtype,
        inputs=tensors(session.get_inputs()),
        outputs=tensors(session.get_outputs()),
        threads=details.threads,
        prepacking=details.prepacking,
        temperature=details.temperature,
        normalisation=details.normalisation,
        word_rule=details.word_rule,
        split_pattern=SPLIT_PATTERN,
        golden_sentences=len(lines),
        logit_tolerance=_tolerance(details),
        recipe=details.recipe,
        provenance=details.provenance,
        licence=licence_line(details.licences),
        licences=details.licences,
        alternatives=details.alternatives,
        requires=tuple(f"{package.name}=={package.version}" for package in details.packages),
        tested_runtimes=details.tested_runtimes,
        known_bad_runtimes=details.known_bad_runtimes,
        files=_file_entries(folder),
    )
    write_text_atomic(folder / "README.md", model_card(manifest, details.card))
    write_json_atomic(folder / "sbom.cdx.json", sbom(manifest, details.packages, details.alternative_packages))
    return replace(manifest, files=_file_entries(folder))


def _tolerance(details: BundleDetails) -> float:
    if details.logit_tolerance is not None:
        return details.logit_tolerance
    return TOLERANCES.get(details.dtype, DEFAULT_TOLERANCE)


def _write_licences(folder: Path, details: BundleDetails) -> None:
    target = folder / "LICENSES"
    target.mkdir()
    shutil.copyfile(_HERE / "licenses" / "Apache-2.0.txt", target / "Apache-2.0.txt")
    line = licence_line(details.licences)
    if line == NON_COMMERCIAL:
        notice = "weights-non-commercial.txt"
        shutil.copyfile(_HERE / "licenses" / notice, target / notice)
    inputs = [" ".join(f"{item.what}: {item.licence}".split()) for item in details.licences]
    rows = [f"The weights: {line}. They were made from:", "", *inputs, ""]
    write_text_atomic(target / "inputs.txt", "\n".join(rows))


def _file_entries(folder: Path) -> dict[str, FileEntry]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file_entry(file) for file in files}


def _manifest_bytes(manifest: Manifest) -> bytes:
    """manifest.json, after reading it back the way `verify` will."""
    text = json.dumps(manifest.to_json(), sort_keys=True, ensure_ascii=False, indent=1) + "\n"
    data = text.encode("utf-8")
    problems = list(inconsistencies(parse_manifest(data, "the bundle's details")))
    if problems:
        raise UserError(f"The bundle's details contradict each other: {'; '.join(problems[:5])}.")
    return data


def _write_evidence(folder: Path, details: BundleDetails, model_sha256: str) -> Iterator[str]:
    for name, record in details.evidence.items():
        file = f"{EVIDENCE}/{name}.json"
        if problem := name_problem(file):
            raise UserError(f"Evidence cannot be named {name!r}: {problem}.")
        write_json_atomic(folder / file, {**record, "model_sha256": model_sha256})
        yield file
