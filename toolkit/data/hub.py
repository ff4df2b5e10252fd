"""Files from the Hugging Face hub: pinned to a commit, cache first, every failure explained.

The listing that files were downloaded by is kept beside them in the hub's own cache and is used from then
on, so that a later run needs no network and sees the same commit. `revision` asks for another one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from export.atomic import disk_full_explained, write_json_atomic
from export.runtime.errors import UserError

Kind = Literal["dataset", "model"]
TIMEOUT = 5.0  # seconds to wait for the hub's first answer
QUICK_TRIAL = "the quick trial that needs no network is TEACHER=builtin DATA=builtin"
_UNREACHABLE_REMEDY = (
    "Check the connection and run again (finished downloads are kept), or name folders with AFRIBERTA_DIR, "
    f"MASAKHANER_DIR and CORPUS_DIR; {QUICK_TRIAL}."
)
# What a model folder needs; README.md for its licence. Nothing that could run.
_MODEL_FILES = (
    "config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "sentencepiece.bpe.model", "README.md",
)  # fmt: skip
_WEIGHTS = (
    re.compile(r"model(-\d+-of-\d+)?\.safetensors|model\.safetensors\.index\.json"),
    re.compile(r"pytorch_model(-\d+-of-\d+)?\.bin|pytorch_model\.bin\.index\.json"),
)


class HubUnreachable(UserError):
    """No answer from the hub, and the cache does not have what is needed."""


@dataclass(frozen=True)
class Listing:
    """The files of one commit of a repository.

    Attributes:
        commit: full sha that every download is pinned to.
        files: path -> size in bytes (0 where the hub does not tell).
        licence: as the repository's card states it.
        asked: the revision that was asked for first; the listing is found again by it.
    """

    repo_id: str
    kind: Kind
    commit: str
    files: dict[str, int]
    licence: str
    asked: str

    @property
    def source(self) -> str:
        """`id@commit`, as manifests record it."""
        return f"{self.repo_id}@{self.commit}"


def list_repo(repo_id: str, kind: Kind, revisions: tuple[str, ...] = ("main",)) -> Listing:
    """The first of `revisions` that exists: the one listed before, else as the hub answers now.

    Raises:
        HubUnreachable: no connection and nothing cached.
        UserError: no such repository or revision, or no access to it.
    """
    if cached := _read_listing(repo_id, kind, revisions[0]):
        return cached
    try:
        return _ask(repo_id, kind, revisions)
    except HubUnreachable:
        for revision in revisions:
            if downloaded := _from_snapshot(repo_id, kind, revision):
                return downloaded
        raise


def download(listing: Listing, names: Iterable[str]) -> tuple[Path, ...]:
    """Local paths of files of that commit, downloaded where the cache lacks them.

    Shows huggingface_hub's own progress bar on a terminal.

    Raises:
        HubUnreachable, UserError: as `list_repo`; also when the disk is full.
    """
    from huggingface_hub import hf_hub_download

    paths = []
    for name in names:
        with explained(listing.repo_id, listing.kind), disk_full_explained(_cache()):
            paths.append(
                Path(
                    hf_hub_download(
                        listing.repo_id,
                        name,
                        repo_type=listing.kind,
                        revision=listing.commit,
                        etag_timeout=TIMEOUT,
                    )
                )
            )
    with disk_full_explained(_cache()):
        write_json_atomic(_listing_file(listing.repo_id, listing.kind, listing.asked), asdict(listing))
    return tuple(paths)


def missing_bytes(listing: Listing, names: Iterable[str]) -> int:
    """How much of these files is still to be downloaded."""
    return sum(listing.files[name] for name in names if not is_cached(listing, name))


def check_obtainable(listing: Listing, names: Iterable[str]) -> None:
    """Make sure that a listing from the cache does not promise files that an absent hub would have to send.

    Raises:
        HubUnreachable, UserError: a file is missing here, and the hub does not answer.
    """
    from_cache = _read_listing(listing.repo_id, listing.kind, listing.asked) is not None
    if from_cache and not all(is_cached(listing, name) for name in names):
        _ask(listing.repo_id, listing.kind, (listing.commit,))


def is_cached(listing: Listing, name: str) -> bool:
    """The file is on this machine, at the listed commit."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(listing.repo_id, name, revision=listing.commit, repo_type=listing.kind)
    return isinstance(found, str)


def model_files(listing: Listing) -> tuple[str, ...]:
    """Configuration, tokenizer, card and weights; safetensors if there are any, else PyTorch's .bin.

    Raises:
        UserError: the repository lacks a configuration or weights.
    """
    weights = next(
        (found for kind in _WEIGHTS if (found := [name for name in listing.files if kind.fullmatch(name)])),
        None,
    )
    if weights is None or "config.json" not in listing.files:
        raise UserError(
            f"{listing.repo_id} on the hub has no {'weights' if weights is None else 'config.json'}.",
            "Name a repository with config.json and model.safetensors (or pytorch_model.bin), "
            "such as castorini/afriberta_base.",
        )
    return (*(name for name in _MODEL_FILES if name in listing.files), *sorted(weights))


def fetch_model(repo_id: str, revision: str | None = None) -> Path:
    """Folder with a model repository's configuration, tokenizer and weights; its name is the commit.

    The files are links into the hub's cache. No code is fetched and none is run.

    Raises:
        HubUnreachable, UserError: as `list_repo` and `model_files`.
    """
    listing = list_repo(repo_id, "model", (revision or "main",))
    return download(listing, model_files(listing))[0].parent


@contextmanager
def explained(repo_id: str, kind: Kind) -> Iterator[None]:
    """Turn what huggingface_hub raises into a UserError with a remedy."""
    import requests
    from huggingface_hub import constants, errors

    page = f"{constants.ENDPOINT}/{'datasets/' if kind == 'dataset' else ''}{repo_id}"
    try:
        yield
    except errors.OfflineModeIsEnabled as error:
        raise HubUnreachable(
            f"{repo_id} is not in the cache, and HF_HUB_OFFLINE keeps the hub out.", _UNREACHABLE_REMEDY
        ) from error
    except errors.HFValidationError as error:
        raise UserError(
            f"{repo_id!r} is neither a folder here nor a hub id.",
            "Give an existing folder, an id of the form organisation/name, or 'builtin'.",
        ) from error
    except errors.GatedRepoError as error:
        raise UserError(
            f"{repo_id} is gated.",
            f"Accept its terms at {page}, then log in: hf auth login, or set HF_TOKEN.",
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise UserError(
            f"The hub has no {kind} {repo_id}, or it is private.",
            f"Check the id at {page}; for a private one log in: hf auth login, or set HF_TOKEN.",
        ) from error
    except errors.RevisionNotFoundError as error:
        raise UserError(f"{repo_id} has no such revision.", f"Choose one from {page}.") from error
    except (errors.LocalEntryNotFoundError, requests.ConnectionError, requests.Timeout) as error:
        raise HubUnreachable(f"Could not reach {constants.ENDPOINT} for {repo_id}.", _UNREACHABLE_REMEDY) from error
    except errors.EntryNotFoundError as error:
        raise UserError(
            f"{repo_id} no longer has a file that its listing names.", f"Look at {page}, or give a revision."
        ) from error
    except (requests.RequestException, errors.FileMetadataError, KeyError, TypeError) as error:
        if _cause(error) in ("HTTP 401", "HTTP 403"):
            raise UserError(
                f"The hub refuses access to {repo_id} ({_cause(error)}).",
                "Log in anew (hf auth login), or correct or unset HF_TOKEN.",
            ) from error
        # KeyError and TypeError: what answered is not the hub's API (a captive portal, a wrong endpoint).
        raise HubUnreachable(
            f"No usable answer from {constants.ENDPOINT} about {repo_id} ({_cause(error)}).",
            _UNREACHABLE_REMEDY,
        ) from error
    except OSError as error:
        raise UserError(
            f"Could not store {repo_id} in {_cache()}: {str(error).splitlines()[0]}.",
            "Check that the folder is writable, or set HF_HOME to another one, and run again.",
        ) from error


def _cause(error: Exception) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    return f"HTTP {status}" if status else type(error).__name__


def _ask(repo_id: str, kind: Kind, revisions: tuple[str, ...]) -> Listing:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RevisionNotFoundError

    with explained(repo_id, kind):
        for revision in revisions:
            try:
                info = HfApi().repo_info(
                    repo_id, repo_type=kind, revision=revision, timeout=TIMEOUT, files_metadata=True
                )
            except RevisionNotFoundError:
                if revision == revisions[-1]:
                    raise
                continue
            break
    files = {sibling.rfilename: sibling.size or 0 for sibling in info.siblings or ()}
    tags = [tag.removeprefix("license:") for tag in info.tags or () if tag.startswith("license:")]
    licence = tags[0] if tags else f"unknown (see the hub page of {repo_id})"
    return Listing(repo_id, kind, info.sha or "", files, licence, revisions[0])


def _from_snapshot(repo_id: str, kind: Kind, revision: str) -> Listing | None:
    """What another program left in the hub's cache, for a machine that is offline now."""
    cache = _repo_cache(repo_id, kind)
    reference = cache / "refs" / revision
    commit = reference.read_text("utf-8").strip() if reference.is_file() else revision
    snapshot = cache / "snapshots" / commit
    files = {
        path.relative_to(snapshot).as_posix(): path.stat().st_size for path in snapshot.rglob("*") if path.is_file()
    }
    if not files:
        return None
    return Listing(repo_id, kind, commit, files, f"unknown (see the hub page of {repo_id})", revision)


def _read_listing(repo_id: str, kind: Kind, revision: str) -> Listing | None:
    try:
        return Listing(**json.loads(_listing_file(repo_id, kind, revision).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None  # never listed, or damaged: the hub is asked again


def _listing_file(repo_id: str, kind: Kind, revision: str) -> Path:
    return _repo_cache(repo_id, kind) / "listings" / f"{quote(revision, safe='')}.json"


def _repo_cache(repo_id: str, kind: Kind) -> Path:
    return _cache() / f"{kind}s--{repo_id.replace('/', '--')}"


def _cache() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)
