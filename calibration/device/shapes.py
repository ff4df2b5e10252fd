"""What is timed on a device: encoders from our smallest student to AfriBERTa base, and single kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Precision = Literal["int8", "fp32"]
LENGTHS = (12, 32, 64, 128)  # sub-words; texts cut to 16 have a few less, and the longest window has 128
PIECES = 6000  # rows of an embedding table, those of the made-up tokenizer; more cost nothing, since few are read
KERNEL_LENGTH = 64  # sub-words of the texts that kernels are timed with


@dataclass(frozen=True)
class Shape:
    """An encoder with a tagging head, as the recipes make them.

    Attributes:
        pieces: rows of the embedding table.
        embedding: width of the table; one narrower than `hidden` is projected, as in ELECTRA.
    """

    layers: int
    hidden: int
    heads: int
    ffn: int
    pieces: int
    embedding: int
    labels: int = 9
    positions: int = 512


@dataclass(frozen=True)
class Standard:
    """A standard artifact: an encoder with weights that mean nothing."""

    name: str
    shape: Shape
    precision: Precision
    lengths: tuple[int, ...] = LENGTHS


@dataclass(frozen=True)
class Kernel:
    """One operation by itself, on rows of a table.

    Attributes:
        widths: of the matrix products after the table, one from each width to the next; a single width is
            the gather alone.
        rows: of the table.
    """

    name: str
    precision: Precision
    widths: tuple[int, ...]
    rows: int = 512
    lengths: tuple[int, ...] = (KERNEL_LENGTH,)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of its products per sub-word."""
        return sum(one * other for one, other in zip(self.widths, self.widths[1:], strict=False))


_NANO = Shape(2, 128, 2, 512, PIECES, 128)
_EDGE = Shape(4, 256, 4, 320, PIECES, 128)
_WIDE = Shape(6, 256, 8, 1024, PIECES, 256)
_MEDIUM = Shape(4, 384, 6, 1536, PIECES, 384)
_DEEP = Shape(6, 512, 8, 2048, PIECES, 256)
_ONE = Shape(1, 768, 6, 3072, PIECES, 768)
_THREE = Shape(3, 768, 12, 1536, PIECES, 256)
_PAPER = Shape(4, 768, 4, 3072, PIECES, 768)
_BASE = Shape(8, 768, 6, 3072, PIECES, 768)

# The small ones first: a device without room for all leaves out the last.
ARTIFACTS: tuple[Standard, ...] = (
    Standard("nano int8", _NANO, "int8"),
    Standard("nano fp32", _NANO, "fp32"),
    Standard("edge int8", _EDGE, "int8"),
    Standard("edge fp32", _EDGE, "fp32"),
    Standard("4x256x4 int8", Shape(4, 256, 4, 1024, PIECES, 256), "int8"),
    Standard("6x256x8 int8", _WIDE, "int8"),
    Standard("6x256x8 fp32", _WIDE, "fp32"),
    Standard("4x384x6 int8", _MEDIUM, "int8"),
    Standard("4x384x6 fp32", _MEDIUM, "fp32"),
    Standard("1x768x6 int8", _ONE, "int8"),
    Standard("1x768x6 fp32", _ONE, "fp32"),
    Standard("6x512x8 int8", _DEEP, "int8"),
    Standard("3x768x12 int8", _THREE, "int8"),
    Standard("3x768x12 fp32", _THREE, "fp32"),
    Standard("4x768x4 int8", _PAPER, "int8"),
    Standard("8x768x6 int8", _BASE, "int8"),
)
KERNELS: tuple[Kernel, ...] = tuple(
    Kernel(f"{what} {precision}", precision, widths, rows)
    for what, widths, rows in (
        ("gather 8850x256", (256,), 8850),
        ("product 256x256", (256,) * 9, 512),
        ("product 256x1024", (256, 1024) * 4 + (256,), 512),
        ("product 768x3072", (768, 3072, 768), 512),
    )
    for precision in ("int8", "fp32")
)
