"""The torch-free tagger that ships inside a bundle: standard library, numpy, onnxruntime, tokenizers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .tagger import Tagger

__all__ = ["Tagger"]


def __getattr__(name: str) -> object:
    """`Tagger` on first use: whoever wants only the word splitter pays for no onnxruntime."""
    if name == "Tagger":
        from .tagger import Tagger

        return Tagger
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
