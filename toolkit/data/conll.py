"""CoNLL files: one `token tag` a line, a blank line between sentences (Tjong Kim Sang & De Meulder 2003)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from export.atomic import write_text_atomic
from export.runtime.errors import UserError
from toolkit.data.types import Sentence

BYTE_ORDER_MARK = "\ufeff"
_TAG = re.compile(r"O|[BI]-\S+")
_SEPARATOR = re.compile(r"[ \t]+")  # never \s: a token may be, or hold, a no-break or zero-width space


@dataclass(frozen=True)
class ConllFile:
    """What a file holds and what was left out of it.

    Attributes:
        byte_order_mark: it began with one.
        tokenless: lines with the tag O and no token, skipped (two are in MasakhaNER 2.0's xho).
    """

    sentences: tuple[Sentence, ...]
    byte_order_mark: bool
    tokenless: int


def read_conll(path: Path, labels: Iterable[str] | None = None) -> tuple[Sentence, ...]:
    """Read the sentences of a CoNLL file.

    The separator is a space or a tab; a byte order mark, CRLF line ends, `-DOCSTART-` lines and
    sentences separated by several blank lines are accepted. An I- tag that no entity precedes is
    kept as it is: seqeval's default takes it as the start of an entity.

    Args:
        path: the file, in UTF-8.
        labels: the tags that may occur; by default any `O`, `B-X` and `I-X`.

    Raises:
        UserError: the file is missing, not UTF-8 or without a sentence, or a line is not a token
            and a known tag. The message names the file and the line.
    """
    return read_conll_file(path, labels).sentences


def read_conll_file(path: Path, labels: Iterable[str] | None = None) -> ConllFile:
    """`read_conll` that also says what was left out."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.", "Check the path and its permissions.") from error
    text = _decode(data, str(path))
    allowed = None if labels is None else tuple(labels)
    sentences: list[Sentence] = []
    pairs: list[tuple[str, str]] = []
    tokenless = 0
    # Split on \n alone: str.splitlines would also cut at U+0085 and U+2028, which are inside some tokens.
    for number, line in enumerate(text.removeprefix(BYTE_ORDER_MARK).split("\n"), start=1):
        if not line.strip() or line.startswith("-DOCSTART-"):
            _close(pairs, sentences)
            continue
        word, tag = _split_line(line, f"{path}:{number}")
        check_tag(tag, f"{path}:{number}", allowed)
        if word:
            pairs.append((word, tag))
        else:
            tokenless += 1
    _close(pairs, sentences)
    if not sentences:
        raise UserError(
            f"{path} has no sentence.", "Put at least one `token tag` line into it, or take another file."
        )
    return ConllFile(tuple(sentences), text.startswith(BYTE_ORDER_MARK), tokenless)


def write_conll(path: Path, sentences: Iterable[Sentence]) -> None:
    """Write sentences as `token<space>tag` lines, whole or not at all.

    Raises:
        ValueError: a word is empty or holds a space, a tab or a line end, so that it could not be read back.
        UserError: the disk is full.
    """
    lines: list[str] = []
    for sentence in sentences:
        for word, tag in zip(sentence.words, sentence.tags, strict=True):
            if not word or re.search(r"[ \t\r\n]", word):
                raise ValueError(f"not one CoNLL token: {word!r}")
            lines.append(f"{word} {tag}\n")
        lines.append("\n")
    write_text_atomic(path, "".join(lines))


def _decode(data: bytes, name: str) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{name}:{line}: not UTF-8 (byte 0x{data[error.start]:02x}).",
            "Save the file as UTF-8, for example with: iconv -f ENCODING -t UTF-8.",
        ) from error
    return text


def _close(pairs: list[tuple[str, str]], sentences: list[Sentence]) -> None:
    """Move the pairs read so far, if any, into a sentence of their own."""
    if pairs:
        words, tags = zip(*pairs, strict=True)
        sentences.append(Sentence(words, tags))
        pairs.clear()


def _split_line(line: str, where: str) -> tuple[str, str]:
    """Token and tag; the token is empty where the line has the tag O and nothing else."""
    columns = _SEPARATOR.split(line.rstrip(" \t\r"))
    if len(columns) == 2 and (columns[0] or columns[1] == "O"):
        return columns[0], columns[1]
    if len(columns) > 2 and columns[0]:
        raise UserError(
            f"{where}: {len(columns)} columns where a token and a tag are expected: {_shown(line)}.",
            'Keep the first and the last column, for example with: awk \'{print NF ? $1" "$NF : ""}\'.',
        )
    raise UserError(
        f"{where}: not a token and a tag: {_shown(line)}.",
        "Write each token, one space and its tag (O, B-TYPE or I-TYPE) on a line of its own.",
    )


def check_tag(tag: str, where: str, allowed: tuple[str, ...] | None = None) -> None:
    """Raise a UserError that names `where` unless `tag` is O, B-X or I-X and, if given, one of `allowed`."""
    if not _TAG.fullmatch(tag):
        raise UserError(
            f"{where}: unknown tag {_shown(tag)}.",
            "Tags are O, B-TYPE and I-TYPE; convert other schemes (BIOES, IO) first.",
        )
    if allowed is not None and tag not in allowed:
        raise UserError(
            f"{where}: tag {_shown(tag)} is not in the label set.",
            f"The labels are {', '.join(allowed)}: correct the tag, or use data with the same labels.",
        )


def _shown(text: str) -> str:
    """Printable, short form of what a line holds: control and format characters are escaped."""
    text = text.strip(" \t\r")
    return ascii(text[:40]) if not text[:40].isprintable() else repr(text[:40])
