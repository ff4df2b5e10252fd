"""How commands take their options."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable
from pathlib import Path

LARGEST_SEED = 2**32 - 1  # numpy's
MOST_MINUTES = 24 * 60
Parsers = argparse._SubParsersAction  # argparse has no public name for it


def add_command(
    parsers: Parsers[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    description: str,
) -> argparse.ArgumentParser:
    """A command: what it runs, its line in the list, its help."""
    parser = parsers.add_parser(name, help=summary, description=description)
    parser.set_defaults(run=run)
    return parser


def seed(text: str) -> int:
    """A seed of random draws."""
    if not text.isdecimal() or int(text) > LARGEST_SEED:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 to {LARGEST_SEED}")
    return int(text)


def positive(text: str) -> int:
    """A number of threads, sentences and the like."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def minutes(text: str) -> float:
    """A time of up to a day; fractions are fine."""
    with contextlib.suppress(ValueError):
        if 0 <= (minutes := float(text)) <= MOST_MINUTES:
            return minutes
    raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes from 0 to {MOST_MINUTES}")


def folder(text: str) -> Path:
    """A folder, or a path where one can be made."""
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a file; name a folder")
    return path
