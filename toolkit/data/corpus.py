"""Unlabelled text: one paragraph a line, streamed from plain, gz and xz files, free of held-out sentences."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from export.runtime.errors import UserError
from toolkit.data.leaks import HeldOutText
from toolkit.data.types import Corpus, Sentence
from toolkit.languages import LANGUAGES

SUFFIXES = (".txt", ".txt.gz", ".txt.xz")
MAX_BYTES = 64 << 20  # of UTF-8 text kept; the default bound on memory
MAX_LINE = 1 << 20  # bytes; a longer line is no paragraph, and in a small gz file it may be a bomb
LICENCE = "unknown (yours)"


def load_corpus_folder(
    folder: Path,
    lang: str,
    exclude: Iterable[Sentence],
    max_bytes: int = MAX_BYTES,
    max_paragraphs: int | None = None,
) -> Corpus:
    """Read `folder/LANG.txt`, `LANG.txt.gz`, `LANG.txt.xz` or `folder/LANG/*.txt[.gz|.xz]`.

    A folder without any file named by a language is taken whole, as text of this language.

    Args:
        exclude: dev and test sentences; a paragraph that holds one is dropped and counted.
        max_bytes: stop after this much kept text, in UTF-8 bytes.
        max_paragraphs: stop after this many kept paragraphs.

    Raises:
        UserError: no such folder, no file for the language, a damaged gz or xz file (named), no text.
    """
    files = corpus_files(folder, lang)
    lines = (line for path in files for line in file_lines(path))
    name = folder.resolve().name
    return collect(lines, name, lang, exclude, LICENCE, "folder", max_bytes=max_bytes, limit=max_paragraphs)


def corpus_files(folder: Path, lang: str) -> tuple[Path, ...]:
    """The text files of one language in a folder.

    Raises:
        UserError: no such folder or no file for the language; the remedy lists the languages there are.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder.", f"Give one that holds {lang}.txt, .txt.gz or .txt.xz.")
    for suffix in SUFFIXES:
        if (path := folder / f"{lang}{suffix}").is_file():
            return (path,)
    if inside := _text_files(folder / lang):
        return inside
    files = _text_files(folder)
    known = sorted({_stem(path) for path in (*files, *folder.iterdir())} & LANGUAGES.keys())
    if files and not known:
        return files
    raise UserError(
        f"{folder} has no text for {lang!r}.",
        f"Put {lang}.txt (one paragraph a line), {lang}.txt.gz or {lang}.txt.xz there"
        + (f"; it has: {', '.join(known)}." if known else "."),
    )


def file_lines(path: Path) -> Iterator[bytes | None]:
    """`stream_lines` of a plain, gz or xz file.

    Raises:
        UserError: the file cannot be read or is damaged; it is named.
    """
    openers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}
    try:
        with cast(BinaryIO, openers.get(path.suffix, open)(path, "rb")) as stream:
            yield from stream_lines(stream)
    except (gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError) as error:
        raise UserError(
            f"{path} is damaged: {error}.",
            f"Copy it again and check it with: {_checker(path)} -t {path.name}",
        ) from error
    except OSError as error:
        raise UserError(
            f"Cannot read {path}: {error.strerror or error}.", "Check the path and its permissions."
        ) from error


def stream_lines(stream: BinaryIO) -> Iterator[bytes | None]:
    """Each line without its end, or None for one longer than `MAX_LINE`, which is never held whole."""
    while line := stream.readline(MAX_LINE):
        if len(line) == MAX_LINE and not line.endswith(b"\n"):
            while (rest := stream.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                pass
            yield None
        else:
            yield line.rstrip(b"\r\n")


def collect(
    lines: Iterable[bytes | None],
    name: str,
    lang: str,
    exclude: Iterable[Sentence],
    licence: str,
    source: str,
    max_bytes: int = MAX_BYTES,
    limit: int | None = None,
) -> Corpus:
    """Decode, filter and count lines until a limit is reached.

    Raises:
        UserError: no paragraph is left.
    """
    held_out = HeldOutText(exclude)
    skipped: Counter[str] = Counter()
    paragraphs: list[str] = []
    digest = hashlib.sha256()
    size = removed = 0
    notes: tuple[str, ...] = ()
    for line in lines:
        if size >= max_bytes or (limit is not None and len(paragraphs) >= limit):
            notes = (f"text after the first {size} bytes left unread",)
            break
        paragraph = _decode(line, skipped)
        if not paragraph:
            continue
        if held_out.inside(paragraph):
            removed += 1
            continue
        encoded = paragraph.encode("utf-8")
        digest.update(encoded + b"\n")
        size += len(encoded)
        paragraphs.append(paragraph)
    if not paragraphs:
        raise UserError(
            f"{name} has no usable text for {lang!r} ({removed} paragraphs hold dev or test sentences, "
            f"{sum(skipped.values())} are unreadable).",
            "Give another corpus: UTF-8 text, one paragraph a line.",
        )
    notes += tuple(f"{what}: {count}" for what, count in skipped.items())
    return Corpus(name, lang, tuple(paragraphs), licence, source, digest.hexdigest(), removed, notes)


def _decode(line: bytes | None, skipped: Counter[str]) -> str:
    """The paragraph, or "" for an empty line and for one that is skipped and counted."""
    if line is None:
        skipped[f"lines longer than {MAX_LINE} bytes skipped"] += 1
        return ""
    if b"\0" in line:
        skipped["lines with NUL bytes skipped"] += 1
        return ""
    try:
        return line.decode("utf-8").removeprefix("\ufeff").strip()
    except UnicodeDecodeError:
        skipped["lines that are not UTF-8 skipped"] += 1
        return ""


def _text_files(folder: Path) -> tuple[Path, ...]:
    if not folder.is_dir():
        return ()
    return tuple(sorted(path for path in folder.iterdir() if path.is_file() and path.name.endswith(SUFFIXES)))


def _stem(path: Path) -> str:
    return path.name.split(".", 1)[0]


def _checker(path: Path) -> str:
    return {".gz": "gzip", ".xz": "xz"}[path.suffix]
