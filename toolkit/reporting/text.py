"""Numbers and other people's strings, made fit for reading."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

UNKNOWN = "–"
SPACE = "\N{NO-BREAK SPACE}"  # between a number and its unit
REPLACED = "\N{REPLACEMENT CHARACTER}"
# Overrides and embeddings reorder what stands beside them; plain right-to-left letters don't.
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean(value: object) -> str:
    """`value` as one line that any page can hold: no control characters, lone surrogates or reorderings."""
    text = value if isinstance(value, str) else str(value)
    return "".join(" " if char in "\t\r\n" else REPLACED if _unfit(char) else char for char in text)


def _unfit(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cs") or char in _REORDERING


def shorten(text: str, length: int) -> str:
    """`text` cut to `length` characters, with an ellipsis where something is missing."""
    return text if len(text) <= length else text[: max(1, length - 1)].rstrip() + "…"


def size(count: float | None) -> str:
    """Bytes as decimal megabytes with three significant digits: 2.61 MB, 46.1 MB, 443 MB; small ones as kB."""
    if count is None:
        return UNKNOWN
    if count < 1e5:
        return f"{count / 1e3:.1f}{SPACE}kB"
    megabytes = count / 1e6
    digits = 0 if megabytes >= 99.95 else 1 if megabytes >= 9.995 else 2
    return f"{megabytes:.{digits}f}{SPACE}MB"


def times(ratio: float | None) -> str:
    """2.9 ×, 17 ×."""
    if ratio is None:
        return UNKNOWN
    return f"{ratio:.{0 if ratio >= 9.95 else 1}f}{SPACE}×"


def ms(value: float | None, unit: bool = True) -> str:
    """Milliseconds with three significant digits."""
    if value is None:
        return UNKNOWN
    digits = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:.{digits}f}" + (f"{SPACE}ms" if unit else "")


def share(value: float | None, digits: int = 1) -> str:
    """A share of 1 as per cent."""
    return UNKNOWN if value is None else f"{100 * value:.{digits}f}{SPACE}%".replace("-", "−")


def f1(scores: Mapping[str, Any] | None, interval: bool = True) -> str:
    """F1, 0..100, with its 95 % interval: 87.2 (85.1–89.0)."""
    if not scores or scores.get("f1") is None:
        return UNKNOWN
    bounds = scores.get("interval")
    shown = f"{scores['f1']:.1f}"
    return f"{shown} ({bounds[0]:.1f}–{bounds[1]:.1f})" if interval and bounds else shown


def signed(value: float | None) -> str:
    """+0.4, −1.2 with a real minus sign."""
    return UNKNOWN if value is None else f"{value:+.1f}".replace("-", "−")


def whole(value: int | None) -> str:
    """Thousands apart."""
    return UNKNOWN if value is None else f"{value:,}"


def flatten(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested reports as (dotted key, value), by key; long lists are counted, not printed."""
    pairs: list[tuple[str, str]] = []
    for key, item in sorted(value.items()):
        name = f"{prefix}{key}"
        if isinstance(item, Mapping):
            pairs += flatten(item, f"{name}.")
        elif isinstance(item, (list, tuple)):
            plain = all(isinstance(part, (str, int, float)) for part in item) and len(item) <= 24
            pairs.append((name, ", ".join(map(_scalar, item)) if plain else f"{len(item)} entries"))
        elif item is not None:
            pairs.append((name, _scalar(item)))
    return pairs


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return whole(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return shorten(str(value), 160)
