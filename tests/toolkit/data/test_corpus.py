from __future__ import annotations

import gzip
import lzma
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from export.runtime.errors import UserError
from toolkit.data import corpus
from toolkit.data.corpus import load_corpus_folder
from toolkit.data.types import Sentence

TEXT = "Aya ya kwanza.\n\n  Aya ya pili.  \r\nAya ya tatu."
PARAGRAPHS = ("Aya ya kwanza.", "Aya ya pili.", "Aya ya tatu.")


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("swa.txt", bytes),
        ("swa.txt.gz", gzip.compress),
        ("swa.txt.xz", lzma.compress),
        ("swa/habari.txt", bytes),
        ("swa/habari.txt.xz", lzma.compress),
        ("habari.txt.gz", gzip.compress),
    ],
)
def test_every_form_gives_the_same_paragraphs(tmp_path: Path, name: str, pack: Callable[[bytes], bytes]) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(pack(b"\xef\xbb\xbf" + TEXT.encode()))
    found = load_corpus_folder(tmp_path, "swa", ())
    assert found.paragraphs == PARAGRAPHS
    assert (found.name, found.source, found.removed) == (tmp_path.name, "folder", 0)


def test_files_of_a_folder_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("pili")
    (tmp_path / "a.txt").write_text("kwanza")
    (tmp_path / "notes.md").write_text("not text")
    assert load_corpus_folder(tmp_path, "swa", ()).paragraphs == ("kwanza", "pili")


def test_another_languages_text_is_never_taken(tmp_path: Path) -> None:
    (tmp_path / "hau.txt").write_text("Labari")
    (tmp_path / "yor").mkdir()
    with pytest.raises(UserError, match="no text for 'swa'") as caught:
        load_corpus_folder(tmp_path, "swa", ())
    assert "it has: hau, yor" in caught.value.remedy


def test_paragraphs_that_hold_a_held_out_sentence_are_dropped_and_counted(tmp_path: Path) -> None:
    words = ("Asha", "alifika", "Moshi", "siku", "ya", "Jumatatu", "asubuhi", ".")
    held = Sentence(words, ("O",) * len(words))
    lines = ["Jana, ASHA alifika Moshi siku ya Jumatatu (asubuhi), kisha akaondoka.", "Asha alifika Moshi."]
    (tmp_path / "swa.txt").write_text("\n".join(lines))
    found = load_corpus_folder(tmp_path, "swa", [held])
    assert found.paragraphs == ("Asha alifika Moshi.",)
    assert found.removed == 1


def test_reading_stops_at_either_limit_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "swa.txt").write_text("aaaa\nbbbb\ncccc\n")
    by_count = load_corpus_folder(tmp_path, "swa", (), max_paragraphs=2)
    assert by_count.paragraphs == ("aaaa", "bbbb")
    assert by_count.notes == ("text after the first 8 bytes left unread",)
    assert load_corpus_folder(tmp_path, "swa", (), max_bytes=5).paragraphs == ("aaaa", "bbbb")
    assert load_corpus_folder(tmp_path, "swa", (), max_paragraphs=3).notes == ()


def test_unreadable_lines_are_skipped_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "MAX_LINE", 20)
    lines = [b"sawa", b"na\0ul", b"\xff\xfe", b"x" * 50, b"x" * 19, b"x" * 20, b"sawa tena"]
    (tmp_path / "swa.txt").write_bytes(b"\n".join(lines))
    found = load_corpus_folder(tmp_path, "swa", ())
    assert found.paragraphs == ("sawa", "x" * 19, "sawa tena")
    assert found.notes == (
        "lines with NUL bytes skipped: 1",
        "lines that are not UTF-8 skipped: 1",
        "lines longer than 20 bytes skipped: 2",
    )


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("swa.txt.gz", b"not gzip"),
        ("swa.txt.gz", gzip.compress(TEXT.encode() * 99, mtime=0)[:-20]),
        ("swa.txt.xz", b"not xz"),
        ("swa.txt.xz", lzma.compress(TEXT.encode() * 99)[:-20]),
        ("swa.txt.gz", gzip.compress(b"abc", mtime=0)[:10] + b"\xff" * 30),
    ],
)
def test_a_damaged_archive_is_named(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match="is damaged") as caught:
        load_corpus_folder(tmp_path, "swa", ())
    assert name in caught.value.message
    assert "-t" in caught.value.remedy


def test_a_small_file_that_unpacks_to_one_huge_line_is_not_held_in_memory(tmp_path: Path) -> None:
    (tmp_path / "swa.txt.gz").write_bytes(gzip.compress(b"a" * (64 << 20) + b"\nsawa", mtime=0))
    tracemalloc.start()
    assert load_corpus_folder(tmp_path, "swa", ()).paragraphs == ("sawa",)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20


def test_no_usable_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "swa.txt").write_bytes("habari\n".encode("utf-16"))
    with pytest.raises(UserError, match="no usable text for 'swa'"):
        load_corpus_folder(tmp_path, "swa", ())
    with pytest.raises(UserError, match="is not a folder"):
        load_corpus_folder(tmp_path / "none", "swa", ())


def test_an_unreadable_path_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Cannot read"):
        list(corpus.file_lines(tmp_path))


def test_the_digest_is_of_the_kept_paragraphs(tmp_path: Path) -> None:
    digests = set()
    for name, text in (("swa.txt", "a\nb"), ("hau.txt", "a\n\nb\n"), ("ibo.txt", "ab")):
        (tmp_path / name).write_text(text)
        digests.add(load_corpus_folder(tmp_path, name[:3], ()).digest)
    assert len(digests) == 2
