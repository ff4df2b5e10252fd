"""Takes in the profile that the web app measured on a phone."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

from export.manifest import EVIDENCE, MANIFEST, read_manifest
from export.runtime.errors import UserError
from export.runtime.profile_record import Profile
from export.runtime.writing import write_result
from export.strict_json import loads
from toolkit.reporting.evidence import read_profile

DIGITS = 8  # of a digest, to tell two models apart
MAX_BYTES = 2**20  # a profile has some 20 KB; indented, this stays below what evidence/ may hold
AGAIN = "Download it from the web app again, and copy it whole."


def import_profile(bundle: Path, file: Path) -> tuple[Profile, Path]:
    """Check a profile that was measured elsewhere and lay it into a bundle's evidence folder.

    A profile of the same device and browser is replaced, whatever their versions; another one of the same name
    stays, and the new one gets a number.

    Args:
        bundle: the folder whose model was measured.
        file: what the web app's download gave, under any name.

    Returns:
        The profile, and the file it was written to.

    Raises:
        UserError: the file is missing, too large, no JSON, no profile of this schema, contradicts itself or is about
            another model; this is no bundle; or the evidence folder cannot be written to.
    """
    if bundle.is_file():
        raise UserError(
            f"{bundle} is a file; a profile goes into a bundle's folder.", "Unpack it and name the folder."
        )
    digest = read_manifest(bundle / MANIFEST).model_sha256
    profile = read_profile(_loaded(file), str(file))
    if profile.model_sha256 != digest:
        raise UserError(
            f"{file} was measured with another model: {profile.measurement.name!r}, sha256 "
            f"{profile.model_sha256[:DIGITS]}…; that of {bundle} is {digest[:DIGITS]}….",
            "Name the bundle that the app was made from, or make the app from this one and measure again.",
        )
    path = _place(bundle / EVIDENCE, profile)
    write_result(path, profile.to_json())
    return profile, path


def _loaded(file: Path) -> Any:
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(
            f"{file} cannot be read: {error.strerror}.", "Name the file that the web app gave."
        ) from error
    if len(data) > MAX_BYTES:
        raise UserError(f"{file} has more than {MAX_BYTES} bytes: it is no profile.", AGAIN)
    try:
        return loads(data, str(file))
    except UserError as error:
        raise UserError(error.message, AGAIN) from error


def _place(folder: Path, profile: Profile) -> Path:
    first = folder / profile.file_name
    numbered = (first.with_stem(f"{first.stem}-{number}") for number in count(2))
    if not first.exists() or _same_device(first, profile):
        return first
    return next(path for path in numbered if not path.exists() or _same_device(path, profile))


def _same_device(path: Path, profile: Profile) -> bool:
    """Whether the profile at `path` is of this device and this browser; two phones of a model count as one."""
    try:
        other = Profile.from_json(loads(path.read_bytes(), path.name))
    except (OSError, UserError):
        return False
    return (_hardware(other), other.device) == (_hardware(profile), profile.device)


def _hardware(profile: Profile) -> tuple[object, ...]:
    machine = profile.measurement.machine
    return machine.board, machine.cpu, machine.architecture, machine.flags, machine.cores, machine.ram
