"""The torch-free tagger that ships inside a bundle: standard library, numpy, onnxruntime, tokenizers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .tagger import Tagger

__all__ = ["Tagger"]

# onnxruntime 1.31 reports its use to its maker unless told not to; read when it is first imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def __getattr__(name: str) -> object:
    """`Tagger` on first use: whoever wants only the word splitter pays for no onnxruntime."""
    if name == "Tagger":
        from .tagger import Tagger

        return Tagger
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
