from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.runtime.errors import UserError
from toolkit.data.conll import read_conll, read_conll_file, write_conll
from toolkit.data.types import Sentence


def file_of(folder: Path, data: str | bytes) -> Path:
    path = folder / "train.txt"
    path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8"))
    return path


def test_sentences_are_separated_by_blank_lines_of_any_kind(tmp_path: Path) -> None:
    path = file_of(tmp_path, "\n\nAsha B-PER\namefika O\n \t \n\u00a0\nleo O\n\n\n")
    assert read_conll(path) == (
        Sentence(("Asha", "amefika"), ("B-PER", "O")),
        Sentence(("leo",), ("O",)),
    )


def test_crlf_tabs_a_byte_order_mark_and_docstart_lines_read_the_same(tmp_path: Path) -> None:
    plain = read_conll(file_of(tmp_path, "Asha B-PER\nMoshi B-LOC\n\nleo O\n"))
    odd = "\ufeff-DOCSTART- -X- O O\r\n\r\nAsha\tB-PER \r\nMoshi   B-LOC\r\n\r\nleo\tO"
    assert read_conll(file_of(tmp_path, odd)) == plain
    assert read_conll_file(file_of(tmp_path, odd)).byte_order_mark


@pytest.mark.parametrize("token", ["\ufe0f", "\u200b", "a\u00a0b", "x\u0085y", "x\u2028y", "\ufeff", "#", "ng'ombe"])
def test_an_odd_token_stays_one_token(tmp_path: Path, token: str) -> None:
    path = file_of(tmp_path, f"leo O\n{token} O\n")
    assert read_conll(path)[0].words == ("leo", token)


def test_an_orphan_inside_tag_is_kept(tmp_path: Path) -> None:
    assert read_conll(file_of(tmp_path, "leo O\nMoshi I-LOC\n"))[0].tags == ("O", "I-LOC")


def test_a_line_with_tag_o_and_no_token_is_skipped_and_counted(tmp_path: Path) -> None:
    found = read_conll_file(file_of(tmp_path, "leo O\n O\nkesho O\n"))
    assert found.sentences[0].words == ("leo", "kesho")
    assert found.tokenless == 1


@pytest.mark.parametrize(
    ("line", "message", "remedy"),
    [
        ("Moshi", "not a token and a tag", "one space and its tag"),
        ("B-LOC", "not a token and a tag", "one space and its tag"),
        (" B-LOC", "not a token and a tag", "one space and its tag"),
        ("Moshi NNP B-NP B-LOC", "4 columns", "awk"),
        ("Moshi LOC", "unknown tag 'LOC'", "O, B-TYPE and I-TYPE"),
        ("Moshi S-LOC", "unknown tag 'S-LOC'", "BIOES"),
        ("Moshi o", "unknown tag 'o'", "O, B-TYPE"),
        ("Moshi B-", "unknown tag 'B-'", "O, B-TYPE"),
    ],
)
def test_a_bad_line_is_named_with_its_remedy(tmp_path: Path, line: str, message: str, remedy: str) -> None:
    path = file_of(tmp_path, f"leo O\n\nkesho O\n{line}\n")
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        read_conll(path)
    assert f"{path}:4" in caught.value.message
    assert remedy in caught.value.remedy


def test_a_tag_outside_the_label_set_is_named(tmp_path: Path) -> None:
    path = file_of(tmp_path, "leo O\nMoshi B-LOC\n")
    assert read_conll(path, ("O", "B-LOC", "I-LOC"))[0].tags == ("O", "B-LOC")
    with pytest.raises(UserError, match=r":2: tag 'B-LOC' is not in the label set") as caught:
        read_conll(path, ("O", "B-PER", "I-PER"))
    assert "O, B-PER, I-PER" in caught.value.remedy


@pytest.mark.parametrize("content", ["", "\n \n\r\n", "\ufeff", "-DOCSTART- O\n\n"])
def test_a_file_without_a_sentence_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(UserError, match="has no sentence"):
        read_conll(file_of(tmp_path, content))


@pytest.mark.parametrize(
    ("data", "line"), [(b"leo O\nk\xe9sho O\n", 2), ("leo O\n".encode("utf-16"), 1), (b"leo O\n\xc3", 2)]
)
def test_a_file_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path, data: bytes, line: int) -> None:
    path = file_of(tmp_path, data)
    with pytest.raises(UserError, match="not UTF-8") as caught:
        read_conll(path)
    assert f"{path}:{line}:" in caught.value.message
    assert "iconv" in caught.value.remedy


def test_a_missing_file_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Cannot read"):
        read_conll(tmp_path / "none.txt")


def test_control_characters_in_a_message_are_escaped(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read_conll(file_of(tmp_path, "\x1b[31mMoshi\n"))
    assert "\x1b" not in caught.value.message


def test_what_cannot_be_read_back_is_not_written(tmp_path: Path) -> None:
    for word in ("", "a b", "a\nb", "a\tb"):
        with pytest.raises(ValueError, match="not one CoNLL token"):
            write_conll(tmp_path / "out.txt", [Sentence((word,), ("O",))])
    with pytest.raises(ValueError, match="argument"):
        write_conll(tmp_path / "out.txt", [Sentence(("leo", "kesho"), ("O",))])
    assert list(tmp_path.iterdir()) == []


# The first token of a file may not begin with a byte order mark, nor be a -DOCSTART- line.
words = st.text(st.characters(exclude_categories=("Cs", "Zs", "Zl", "Zp", "Cc")), min_size=1).map(lambda w: "x" + w)
pairs = st.lists(st.tuples(words, st.sampled_from(["O", "B-PER", "I-PER", "B-X-Y"])), min_size=1, max_size=5)


@settings(max_examples=60, deadline=None)
@given(st.lists(pairs, min_size=1, max_size=4))
def test_what_is_written_reads_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[tuple[str, str]]]
) -> None:
    path = tmp_path_factory.mktemp("conll") / "out.txt"
    sentences = tuple(Sentence(tuple(w for w, _ in row), tuple(t for _, t in row)) for row in rows)
    write_conll(path, sentences)
    assert read_conll(path) == sentences
