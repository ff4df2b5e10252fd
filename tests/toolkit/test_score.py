"""Scoring a CoNLL file against another."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from seqeval.metrics import f1_score

from export.runtime.errors import UserError
from toolkit.score import score_files


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    return write(tmp_path / "gold.txt", "Amina B-PER\nOtieno I-PER\n\nna O\nKisumu B-LOC\n. O\n\n")


def test_scores_are_seqevals_on_the_same_files(tmp_path: Path) -> None:
    generator = random.Random(5)
    labels = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    sides = [[generator.choices(labels, k=6) for _ in range(30)] for _ in range(2)]
    files = [
        write(
            tmp_path / f"{name}.txt",
            "\n".join("".join(f"neno{i} {t}\n" for i, t in enumerate(tags)) for tags in side),
        )
        for name, side in zip(("gold", "pred"), sides, strict=True)
    ]
    scores = score_files(files[0], files[1])
    assert scores.f1 == pytest.approx(100 * f1_score(*sides)) and scores.f1 > 0
    assert set(scores.per_type) == {"PER", "LOC"}


def test_blank_lines_and_line_ends_do_not_matter(gold: Path, tmp_path: Path) -> None:
    pred = write(
        tmp_path / "pred.txt",
        "\ufeff-DOCSTART- O\r\n\r\nAmina\tB-PER\r\nOtieno I-PER\r\n\n\n\nna O\nKisumu B-LOC\n. O",
    )
    assert score_files(gold, pred).f1 == 100.0


def test_the_first_token_that_differs_is_named_in_both_files(gold: Path, tmp_path: Path) -> None:
    pred = write(tmp_path / "pred.txt", "\n-DOCSTART- O\n\nAmina B-PER\nOtieno I-PER\n\nna O\nKisumo B-LOC\n. O\n")
    with pytest.raises(UserError) as caught:
        score_files(gold, pred)
    assert caught.value.message == (
        f"The files part at token 2 of sentence 2: {gold}:5 has 'Kisumu' and {pred}:8 has 'Kisumo'."
    )


@pytest.mark.parametrize("swapped", [False, True])
def test_a_sentence_that_ends_early_is_named_in_both_files(gold: Path, tmp_path: Path, swapped: bool) -> None:
    short = write(tmp_path / "short.txt", "Amina B-PER\nOtieno I-PER\n\nna O\nKisumu B-LOC\n")
    with pytest.raises(UserError) as caught:
        score_files(*((short, gold) if swapped else (gold, short)))
    assert "token 3 of sentence 2" in caught.value.message
    assert f"{gold}:6 has '.'" in caught.value.message
    assert f"{short}:5 ends its sentence before that" in caught.value.message


@pytest.mark.parametrize("swapped", [False, True])
def test_a_missing_sentence_is_named_with_both_counts(gold: Path, tmp_path: Path, swapped: bool) -> None:
    short = write(tmp_path / "short.txt", "Amina B-PER\nOtieno I-PER\n")
    with pytest.raises(UserError) as caught:
        score_files(*((short, gold) if swapped else (gold, short)))
    told = f"{short} has 1 sentences and {gold} has 2" if swapped else f"{gold} has 2 sentences and {short} has 1"
    assert told in caught.value.message
    assert f"{gold}:4 starts the first one without a counterpart" in caught.value.message


def test_a_line_without_a_token_is_not_counted_as_one(tmp_path: Path) -> None:
    gold = write(tmp_path / "gold.txt", "Amina B-PER\n O\nKisumu B-LOC\n")
    pred = write(tmp_path / "pred.txt", "Amina B-PER\nKisumo B-LOC\n")
    with pytest.raises(UserError, match=r"token 2 of sentence 1: \S+gold.txt:3 has"):
        score_files(gold, pred)


def test_tokens_that_differ_in_unicode_form_only_are_told_so(tmp_path: Path) -> None:
    gold = write(tmp_path / "gold.txt", "b\u00e1 O\n")
    pred = write(tmp_path / "pred.txt", "ba\u0301 O\n")
    with pytest.raises(UserError) as caught:
        score_files(gold, pred)
    assert r"'b\xe1'" in caught.value.message and r"'ba\u0301'" in caught.value.message
    assert "normal form" in caught.value.remedy


def test_a_file_that_is_missing_or_malformed_is_named(gold: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.txt"):
        score_files(gold, tmp_path / "nowhere.txt")
    with pytest.raises(UserError, match=r"pred\.txt:2"):
        score_files(gold, write(tmp_path / "pred.txt", "Amina B-PER\nOtieno\n"))
