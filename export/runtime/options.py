"""What options of both scripts take."""

from __future__ import annotations

import argparse


def thread_count(value: str) -> int:
    """A number of threads."""
    if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= 1024:
        raise argparse.ArgumentTypeError(f"{value!r} is no number of threads (1 or more)")
    return int(value)
