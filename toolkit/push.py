"""A bundle on the hub: verified first, then one commit that makes the repository equal to the bundle.

What goes there is what the manifest lists, the manifest, and evidence/, which the card's numbers rest on. A file that
has not changed is not sent again. Uploads go through huggingface_hub, large files by LFS or as the hub asks for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.manifest import EVIDENCE, MANIFEST, MAX_MANIFEST_BYTES, FileEntry, file_entry
from export.runtime.errors import UserError
from export.strict_json import loads
from export.verify import list_folder, verified
from toolkit import __version__
from toolkit.push_errors import explained

if TYPE_CHECKING:
    from huggingface_hub import HfApi

Progress = Callable[[float], None]
_HUBS_OWN = {".gitattributes"}  # which a hub writes when it makes a repository
TIMEOUT = 20.0  # seconds to wait for a listing


@dataclass(frozen=True)
class Pushed:
    """Where a bundle is on the hub.

    Attributes:
        commit: the repository's newest commit, full sha.
        files: of the bundle, in the repository now.
        uploaded_bytes: of the files that were not there as they are.
        unchanged: all of it was there, and there is no new commit.
    """

    url: str
    commit: str
    files: int
    uploaded_bytes: int
    unchanged: bool


@dataclass(frozen=True)
class _Remote:
    """What a repository holds: per file the sha256 of LFS files, and the git digest of the others."""

    commit: str
    private: bool
    files: dict[str, str]


def push_bundle(bundle: Path, repo: str, *, public: bool = False, progress: Progress | None = None) -> Pushed:
    """Make the model repository `repo` hold the bundle and nothing else.

    Args:
        bundle: its folder or its zip (which has no evidence/).
        repo: `name/repository` on the hub; made where there is none, private unless `public`.
        progress: told how far the work has come, from 0 to 1.

    Raises:
        UserError: the bundle is damaged; no token, or one that may not write; the repository holds something else
            than a bundle, or is open to other people than asked for; the hub refuses the card, does not answer, or
            the repository changed meanwhile.
    """
    from huggingface_hub import HfApi, constants, get_token
    from huggingface_hub.utils import disable_progress_bars

    told = progress or (lambda done: None)
    _check_name(repo)
    token = get_token()
    if not token:
        raise UserError(
            "There is no token of the hub on this machine.",
            f"Make one with write permission at {constants.ENDPOINT}/settings/tokens, then: hf auth login, "
            "or set HF_TOKEN.",
        )
    constants.HF_HUB_DISABLE_TELEMETRY = True  # else each request names the libraries installed here
    if progress is not None:
        disable_progress_bars()  # two bars in one terminal overwrite each other
    with _opened(bundle) as folder:
        told(0.1)
        names = sorted(list_folder(folder)[0])
        api = HfApi(token=token, library_name="afriberta-edge", library_version=__version__)
        with explained(repo):
            remote = _remote(api, repo) or _create(api, repo, public)
            _check_theirs(api, repo, remote, public)
            told(0.2)
            return _commit(api, repo, remote, folder, names, told)


def _check_name(repo: str) -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    said = f"{repo!r} is no repository of the hub." if repo else "No repository given."
    wrong = UserError(said, "Give REPO as name/repository: you/swa-names.")
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise wrong from error
    if "/" not in repo:
        raise wrong


@contextmanager
def _opened(bundle: Path) -> Iterator[Path]:
    """The folder of a bundle that is whole; a zip is unpacked for as long."""
    with verified(bundle) as (report, folder):
        if not report.ok:
            listed = "; ".join(report.problems[:3])
            raise UserError(f"{bundle} is damaged and stays here: {listed}", "Make it again; see make verify.", 1)
        yield folder


def _remote(api: HfApi, repo: str) -> _Remote | None:
    """What the repository holds; None where there is none, or none that this token may see."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        info = api.model_info(repo, files_metadata=True, timeout=TIMEOUT)
    except RepositoryNotFoundError:
        return None
    files = {item.rfilename: item.lfs.sha256 if item.lfs else item.blob_id or "" for item in info.siblings or ()}
    return _Remote(info.sha or "", bool(info.private), files)


def _create(api: HfApi, repo: str, public: bool) -> _Remote:
    api.create_repo(repo, repo_type="model", private=not public, exist_ok=True)
    made = _remote(api, repo)
    if made is None:
        raise UserError(f"The hub made {repo} and does not show it.", "Run again in a minute.")
    return made


def _check_theirs(api: HfApi, repo: str, remote: _Remote, public: bool) -> None:
    """Nothing of anyone's is overwritten, and nothing is shown to more people than asked for."""
    page = f"{api.endpoint}/{repo}"
    if remote.private == public:
        now, other = ("private", "without PUBLIC=1") if remote.private else ("public", "with PUBLIC=1")
        raise UserError(f"{repo} is {now}.", f"Push {other}, or change it at {page}/settings.")
    there = set(remote.files) - _HUBS_OWN
    if not there:
        return
    remedy = f"Push to another repository, or empty this one first: {page}/tree/main."
    if MANIFEST not in there:
        raise UserError(f"{repo} holds {min(there)} and no bundle of this toolkit.", remedy)
    listed = _listed(Path(api.hf_hub_download(repo, MANIFEST, revision=remote.commit)))
    if listed is None:
        raise UserError(f"{repo} holds a {MANIFEST} that is none of this toolkit.", remedy)
    if foreign := sorted(name for name in there - listed - {MANIFEST} if not name.startswith(f"{EVIDENCE}/")):
        raise UserError(f"{repo} holds {foreign[0]}, which is no part of the bundle there.", remedy)


def _listed(manifest: Path) -> set[str] | None:
    """The files that a manifest lists, also one of another schema version; None if it is no bundle's."""
    try:
        value: Any = loads(manifest.read_bytes()[: MAX_MANIFEST_BYTES + 1], MANIFEST)
    except UserError:
        return None
    if not (isinstance(value, dict) and isinstance(value.get("files"), dict) and "schema_version" in value):
        return None
    return set(value["files"])


def _commit(api: HfApi, repo: str, remote: _Remote, folder: Path, names: list[str], told: Progress) -> Pushed:
    """One commit with what differs: changed files, and those that the bundle no longer has."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    entries = {name: file_entry(folder / name) for name in names}
    changed = [name for name in names if not _is_there(remote.files.get(name), folder / name, entries[name])]
    gone = sorted(set(remote.files) - set(names) - _HUBS_OWN)
    commit = remote.commit
    if changed or gone:
        title = json.loads((folder / MANIFEST).read_bytes())["name"]
        commit = api.create_commit(
            repo,
            [
                *(CommitOperationAdd(name, folder / name) for name in changed),
                *(CommitOperationDelete(name, is_folder=False) for name in gone),
            ],
            commit_message=f"Bundle {' '.join(str(title).split())}",
            repo_type="model",
            parent_commit=commit or None,
        ).oid
    told(1.0)
    return Pushed(
        url=f"{api.endpoint}/{repo}",
        commit=commit,
        files=len(names),
        uploaded_bytes=sum(entries[name].bytes for name in changed),
        unchanged=not (changed or gone),
    )


def _is_there(digest: str | None, file: Path, entry: FileEntry) -> bool:
    """The hub has the file with this content, by its LFS digest or by git's."""
    if digest == entry.sha256:
        return True
    if digest is None or len(digest) != hashlib.sha1().digest_size * 2:
        return False
    header = f"blob {entry.bytes}\0".encode()
    return hashlib.sha1(header + file.read_bytes(), usedforsecurity=False).hexdigest() == digest
