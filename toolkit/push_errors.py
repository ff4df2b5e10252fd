"""What can go wrong while a hub is written to, each with what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from export.runtime.errors import UserError

# What answered is not the hub's API: a captive portal, a wrong endpoint.
_NO_HUB = (AttributeError, KeyError, TypeError)
_LOG_IN = "log in again (hf auth login), or correct HF_TOKEN"


@contextmanager
def explained(repo: str) -> Iterator[None]:
    """Turn what huggingface_hub raises during an upload into a UserError with a remedy."""
    import requests
    from huggingface_hub import constants, errors

    hub = constants.ENDPOINT
    try:
        yield
    except errors.OfflineModeIsEnabled as error:
        raise UserError("HF_HUB_OFFLINE keeps the hub out.", "Unset it and run again.") from error
    except UserError:
        raise
    except (requests.RequestException, errors.FileMetadataError, RuntimeError, ValueError, *_NO_HUB) as error:
        raise _explanation(_first_cause(error), repo, hub) from error


def _first_cause(error: BaseException) -> BaseException:
    """huggingface_hub wraps what went wrong with one file in a RuntimeError."""
    while type(error) is RuntimeError and error.__cause__ is not None:
        error = error.__cause__
    return error


def _explanation(error: BaseException, repo: str, hub: str) -> UserError:
    """The one that fits the answer's status, else that of no usable answer."""
    import requests

    if isinstance(error, requests.ConnectionError | requests.Timeout):
        return UserError(
            f"Could not reach {hub} for {repo}.", "Check the connection and run again; what has arrived is kept."
        )
    status = getattr(getattr(error, "response", None), "status_code", None)
    page, tokens = f"{hub}/{repo}", f"{hub}/settings/tokens"
    said = _said(error)
    match status:
        case 401:
            return UserError(f"The hub does not know this token{said}.", f"Make one at {tokens}, then {_LOG_IN}.")
        case 403:
            owner = repo.split("/")[0]
            return UserError(
                f"This token may not write to {repo}{said}.",
                f"If {owner} is yours, make a token with write permission at {tokens} and {_LOG_IN}; "
                "if not, give a REPO under your own name.",
            )
        case 404:
            return UserError(f"The hub has no {repo} any more.", f"Look at {page} and run again.")
        case 409 | 412:
            return UserError(f"{repo} was changed while this was under way.", f"Look at {page} and run again.")
        case 413 | 507:
            return UserError(f"The hub has no room for this in {repo}{said}.", f"See {hub}/settings/billing.")
        case 429:
            return UserError("The hub asks for a pause: too many requests.", "Run again in some minutes.")
    if isinstance(error, ValueError) and "README.md" in str(error):
        return UserError(
            f"The hub refuses the model card{said}.",
            "This is a fault of the card's front matter: report it with this message, please.",
        )
    what = f"HTTP {status}" if status else type(error).__name__
    return UserError(f"No usable answer from {hub} about {repo} ({what}{said}).", "Run again later.")


def _said(error: BaseException) -> str:
    """What the hub itself says, on one line of bearable length."""
    text = getattr(error, "server_message", None) or ("" if hasattr(error, "response") else str(error))
    return f": {' '.join(text.split())[:300]}".rstrip(".") if text else ""
