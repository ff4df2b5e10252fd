"""A bundle measured on a machine at the other end of ssh: verify, ask, send, run, fetch.

The machine needs Python and sshd. Nothing from the bundle is executed there either: what runs is this toolkit's own
export/runtime, with wheels that were chosen and unpacked here.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import export.runtime
from export.atomic import canonical_json, write_json_atomic
from export.manifest import EVIDENCE, MANIFEST, Manifest, read_manifest
from export.runtime.errors import UserError
from export.runtime.profile_record import Profile
from export.strict_json import loads
from export.verify import verify_bundle
from toolkit.console import console, megabytes
from toolkit.remote.host import Host, connect
from toolkit.remote.job import run_job
from toolkit.remote.send import send
from toolkit.remote.trees import Tree
from toolkit.remote.wheels import device_site

RUNTIME = Path(export.runtime.__file__).parent
SETUP_MEMORY = 60_000_000  # bytes: Python, numpy, onnxruntime, tokenizers
PATIENCE_SECONDS = 300.0
LIMIT_SECONDS = 2 * 3600.0  # a full profile takes ten minutes on a laptop


def profile_on_host(
    bundle: Path,
    target: str,
    *,
    threads: int | None = None,
    sustained_minutes: float = 0.0,
    quick: bool = False,
    folder: str = "",
    limit_s: float | None = None,
    config: Path | None = None,
    site: Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> tuple[Profile, Path]:
    """Measure a bundle on another machine and write the profile into the bundle's evidence folder here.

    Args:
        bundle: the bundle's folder.
        target: an alias, HOST or USER@HOST, as ssh takes it.
        threads, sustained_minutes, quick: as for `export.runtime.profiler.profile_bundle`.
        folder: everything there lies in afriberta-edge below it; "" is ~/.cache.
        limit_s: seconds after which the run is ended there; None is two hours and twice the sustained run.
        config, site, progress: as for `connect` and `run_on_host`.

    Returns:
        The profile, and the file it was written to.

    Raises:
        UserError: the bundle is not to be trusted, or see `connect` and `run_on_host`.
    """
    tree, manifest = verified_tree(bundle)
    place = bundle / EVIDENCE
    if not os.access(place if place.is_dir() else bundle, os.W_OK):
        raise UserError(f"{place} cannot be written to.", "Copy the bundle to a place you can write to.")
    host = connect(target, config, folder)
    _tell(host, sum(manifest.files[name].bytes for name in manifest.model_parts))
    arguments = ["--bundle", "{bundle}"]
    arguments += ["--threads", str(threads)] if threads else []
    arguments += ["--sustained", f"{sustained_minutes:g}"] if sustained_minutes else []
    arguments += ["--quick"] if quick else []
    limit_s = limit_s or LIMIT_SECONDS + 120 * sustained_minutes
    data = run_on_host(host, "runtime.measure", arguments, {"bundle": tree}, limit_s, progress, site=site)
    name = f"The profile from {target}"
    profile = Profile.from_json(loads(data, name), name)
    if profile.model_sha256 != manifest.model_sha256:
        raise UserError(f"{name} is about another model ({profile.model_sha256}).", "Run the same command again.")
    profile = replace(profile, host=host.fingerprint)
    path = place / profile.file_name
    write_json_atomic(path, profile.to_json())
    return profile, path


def run_on_host(
    host: Host,
    module: str,
    arguments: Sequence[str],
    folders: Mapping[str, Path | Tree],
    limit_s: float,
    progress: Callable[[float], None] | None = None,
    *,
    runtime: Path = RUNTIME,
    site: Path | None = None,
    patience_s: float = PATIENCE_SECONDS,
) -> bytes:
    """Run `python3 -m MODULE ARGUMENTS --out FILE` on a host and bring FILE home.

    The run goes on there when the link breaks; the same call picks it up, or fetches its result.

    Args:
        module: of the runtime, such as "runtime.measure". It writes FILE whole, tells its progress as 'NN % what' on
            standard error, and ends with 0, or with 2 and a line on standard error.
        arguments: '{name}' in them becomes the path there of the folder of that name.
        folders: name, in letters, to what is sent; what the host has already is not sent again.
        limit_s: seconds after which the host ends the run.
        progress: told the share that is done.
        runtime: the folder that becomes the package `runtime` there.
        site: a folder of unpacked packages; None chooses and downloads them.
        patience_s: seconds that a broken link is tried again.

    Raises:
        UserError: what went wrong, on which side, and what to do.
    """
    trees = {name: it if isinstance(it, Tree) else Tree.of_folder(name, it) for name, it in folders.items()}
    code = Tree.of_folder("runtime", runtime, "runtime", "*.py")
    packages = Tree.of_folder("packages", site or device_site(host.architecture, host.python_version[:2]))
    places = {name: f"{host.root}/{tree.name}" for name, tree in trees.items()}
    filled = [_fill(argument, places) for argument in arguments]
    # Modules of the current folder stay out (-P); no bytecode is written beside what was sent (-B).
    command = [host.python, "-B", "-P", "-m", module, *filled]
    script = send(host, [code, packages, *trees.values()], patience_s)
    paths = f"{host.root}/{code.name}:{host.root}/{packages.name}"
    job = hashlib.sha256(canonical_json([paths, command]).encode()).hexdigest()[:32]
    command += ["--out", f"{host.root}/jobs/{job}/out.json"]
    return run_job(script, job, limit_s, paths, command, progress, patience_s)


def verified_tree(bundle: Path) -> tuple[Tree, Manifest]:
    """A bundle's files as they are sent, after `verify`: without its runtime, other formats and evidence.

    Raises:
        UserError: it is not to be trusted, or no folder.
    """
    if bundle.is_file():
        raise UserError(f"{bundle} is a file; a bundle is measured as a folder.", "Unpack it and name the folder.")
    report = verify_bundle(bundle)
    if not report.ok:
        more = f" (and {len(report.problems) - 1} more)" if len(report.problems) > 1 else ""
        remedy = f"All of it: make verify BUNDLE={bundle}"
        raise UserError(f"{bundle} is not to be trusted: {report.problems[0]}{more}", remedy)
    manifest = read_manifest(bundle / MANIFEST)
    others = {name for other in manifest.alternatives for name in other.files} - set(manifest.model_parts)
    kept = [name for name in manifest.files if name not in others and not name.startswith("runtime/")]
    files = {name: bundle / name for name in (*kept, MANIFEST)}
    return Tree.of("bundle", files, report.manifest_sha256 or ""), manifest


def _tell(host: Host, model_bytes: int) -> None:
    """Say what was found, and warn of too little memory."""
    memory = f", {megabytes(host.memory)} of memory" if host.memory else ""
    python = ".".join(map(str, host.python_version))
    console.note(f"{host.name}: {host.architecture}, Python {python}{memory}; host key {host.fingerprint}.")
    needed = model_bytes + SETUP_MEMORY
    if host.available is not None and host.available < needed:
        console.warn(
            f"{host.name} has {megabytes(host.available)} of memory to spare and the run needs about "
            f"{megabytes(needed)}; close other programs there, or it may be killed."
        )


def _fill(argument: str, places: Mapping[str, str]) -> str:
    for name, place in places.items():
        argument = argument.replace(f"{{{name}}}", place)
    return argument
