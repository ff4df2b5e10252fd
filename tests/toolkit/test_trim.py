"""Trimming is exact for the pieces it keeps, says what it cost, and leaves files that agree."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForTokenClassification, AutoTokenizer, XLMRobertaTokenizer

from export.parity import torch_logits
from export.runtime.encode import WordEncoder, word_logits
from export.runtime.errors import UserError
from toolkit.data.types import Labelled
from toolkit.recipe import TrimConfig
from toolkit.tokenizer import SPM, read_sentencepiece
from toolkit.trim import SPECIAL, TrimReport, choose_pieces, trim

TABLE = "roberta.embeddings.word_embeddings.weight"
KEPT = 250
Words = list[tuple[str, ...]]


@pytest.fixture(scope="module")
def trimmed(
    teacher: Path, few: Labelled, paragraphs: Words, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, TrimReport]:
    folder = tmp_path_factory.mktemp("trimmed")
    labelled = [sentence.words for sentence in few.train]
    return folder, trim(teacher, labelled, paragraphs, TrimConfig(KEPT), folder)


def tokens_by_id(folder: Path) -> list[str]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return list(tokenizer.convert_ids_to_tokens(range(len(tokenizer))))


def kept_words(teacher: Path, folder: Path, words: set[str]) -> list[str]:
    """The words of which trimming kept every piece."""
    before, names, kept = WordEncoder.load(teacher), tokens_by_id(teacher), set(tokens_by_id(folder))
    return [word for word in sorted(words) if all(names[i] in kept for i in before.sub_words([word])[0])]


def test_kept_words_are_cut_identically(teacher: Path, trimmed: tuple[Path, TrimReport], demo: Labelled) -> None:
    folder, _ = trimmed
    every = {word for sentence in (*demo.train, *demo.dev, *demo.test) for word in sentence.words}
    words = kept_words(teacher, folder, every)
    assert 200 < len(words) < len(every)
    before, after = WordEncoder.load(teacher), WordEncoder.load(folder)
    old, new = tokens_by_id(teacher), tokens_by_id(folder)
    for word in words:
        assert [new[i] for i in after.sub_words([word])[0]] == [old[i] for i in before.sub_words([word])[0]]


def test_tokenizer_sentencepiece_model_and_embedding_agree(teacher: Path, trimmed: tuple[Path, TrimReport]) -> None:
    folder, report = trimmed
    model = AutoModelForTokenClassification.from_pretrained(folder)
    rows = model.get_input_embeddings().weight
    pieces = read_sentencepiece(folder / SPM).pieces
    names = tokens_by_id(folder)
    assert len(rows) == len(names) == len(pieces) + 2 == WordEncoder.load(folder).vocab_size == KEPT
    assert model.config.vocab_size == report.pieces_after == KEPT and report.pieces_before == 402
    assert names[SPECIAL:-1] == [piece.piece for piece in pieces[3:]]
    old = load_file(teacher / "model.safetensors")[TABLE]
    place = {name: index for index, name in enumerate(tokens_by_id(teacher))}
    assert torch.equal(rows, old[[place[name] for name in names]])


def test_the_sentencepiece_file_cuts_like_tokenizer_json(trimmed: tuple[Path, TrimReport], demo: Labelled) -> None:
    slow = XLMRobertaTokenizer(str(trimmed[0] / SPM))
    encoder = WordEncoder.load(trimmed[0])
    words = sorted({word for sentence in demo.test for word in sentence.words})
    for word in words:
        assert encoder.sub_words([word])[0].tolist() == slow.convert_tokens_to_ids(slow.tokenize(word)), word


def test_logits_of_kept_text_are_those_of_the_untrimmed_model(
    teacher: Path, trimmed: tuple[Path, TrimReport], demo: Labelled
) -> None:
    known = set(kept_words(teacher, trimmed[0], {word for s in demo.test for word in s.words}))
    sentences = [s.words for s in demo.test if known.issuperset(s.words)]
    assert len(sentences) > 20
    models = [
        (torch_logits(AutoModelForTokenClassification.from_pretrained(folder)), WordEncoder.load(folder))
        for folder in (teacher, trimmed[0])
    ]
    for words in sentences:
        before, after = (word_logits(logits, encoder, words) for logits, encoder in models)
        assert (before == after).all()


def test_the_evidence_is_counted_on_the_held_out_paragraphs(teacher: Path, tmp_path: Path) -> None:
    encoder, names = WordEncoder.load(teacher), tokens_by_id(teacher)
    # Nine paragraphs in ten say "na": it is kept. The held-out one adds a word of other pieces and an emoji.
    held_out = ("na", "na", "na", "Kibaki", "🦒")
    paragraphs = [held_out, *[("na",)] * 9]
    report = trim(teacher, [("Rais",)], paragraphs, TrimConfig(300), tmp_path)
    kept = set(tokens_by_id(tmp_path))
    na, other, emoji = ([names[i] for i in encoder.sub_words([word])[0]] for word in ("na", "Kibaki", "🦒"))
    assert kept.issuperset(na) and not kept.issuperset(other) and emoji[-1] == "<unk>"
    after = WordEncoder.load(tmp_path)
    old_tokens = 3 * len(na) + len(other) + len(emoji)
    new_tokens = sum(len(after.sub_words([word])[0]) for word in held_out)
    new_unknown = sum(after.sub_words([word])[0].tolist().count(3) for word in held_out)
    assert report.words == 5 and report.identical == pytest.approx(4 / 5)
    covered = old_tokens - sum(token not in kept for token in other)
    assert report.coverage == pytest.approx(covered / old_tokens, abs=1e-5)
    assert report.fertility_before == pytest.approx(old_tokens / 5)
    assert report.fertility_after == pytest.approx(new_tokens / 5)
    assert report.unknown_before == pytest.approx(1 / old_tokens, abs=1e-6)
    assert report.unknown_after == pytest.approx(new_unknown / new_tokens, abs=1e-6) and new_unknown > 1


def test_keeping_more_costs_less(
    teacher: Path, trimmed: tuple[Path, TrimReport], few: Labelled, paragraphs: Words, tmp_path: Path
) -> None:
    fewer = trimmed[1]
    more = trim(teacher, [s.words for s in few.train], paragraphs, TrimConfig(KEPT + 80), tmp_path)
    assert fewer.coverage < more.coverage <= 1 and fewer.identical < more.identical <= 1
    assert fewer.fertility_after > more.fertility_after >= more.fertility_before == fewer.fertility_before > 1


def test_without_unlabelled_text_the_labelled_words_are_the_evidence(teacher: Path, tmp_path: Path) -> None:
    report = trim(teacher, [("na", "Rais"), ("na",)], [], TrimConfig(300), tmp_path)
    assert (report.words, report.coverage, report.identical) == (3, 1.0, 1.0)
    assert report.pieces_after < 20


def test_enough_pieces_change_nothing(teacher: Path, tmp_path: Path) -> None:
    report = trim(teacher, [("na",)], [], TrimConfig(5000), tmp_path)
    assert report.pieces_after == report.pieces_before
    for name in ("tokenizer.json", SPM):
        assert (tmp_path / name).read_bytes() == (teacher / name).read_bytes()
    before, after = (load_file(folder / "model.safetensors") for folder in (teacher, tmp_path))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_too_few_pieces_for_the_single_characters_are_refused(
    teacher: Path, few: Labelled, paragraphs: Words, tmp_path: Path
) -> None:
    with pytest.raises(
        UserError, match=r"20 pieces are fewer than the \d+ that the text's single characters"
    ) as error:
        trim(teacher, [s.words for s in few.train], paragraphs, TrimConfig(20), tmp_path)
    assert "Raise [trim] pieces" in error.value.remedy


def chosen(teacher: Path, labelled: dict[str, int], text: dict[str, int], config: TrimConfig) -> set[str]:
    names = tokens_by_id(teacher)
    encoder, spm = WordEncoder.load(teacher), read_sentencepiece(teacher / SPM)
    return {names[index] for index in choose_pieces(encoder, spm, Counter(labelled), Counter(text), config)}


def whole_words(teacher: Path) -> list[str]:
    """Words that are one piece of two letters or more."""
    encoder = WordEncoder.load(teacher)
    words = [name[1:] for name in tokens_by_id(teacher) if name[0] == "▁" and name[1:].isalpha() and len(name) > 2]
    return [word for word in words if len(encoder.sub_words([word])[0]) == 1]


def room_for_one(teacher: Path, *words: str) -> int:
    """As many pieces as the characters of `words` and one piece more take."""
    return len(chosen(teacher, {}, dict.fromkeys(words, 1), TrimConfig(300))) - len(words) + 1


def test_a_capitalised_words_pieces_count_more(teacher: Path) -> None:
    words = whole_words(teacher)
    name = next(word for word in words if word[0].isupper())
    common = next(word for word in words if word.islower())
    text, room = {name: 2, common: 9}, room_for_one(teacher, name, common)
    equal = chosen(teacher, {}, text, TrimConfig(room, capital_weight=1.0))
    assert f"▁{common}" in equal and f"▁{name}" not in equal
    favoured = chosen(teacher, {}, text, TrimConfig(room, capital_weight=5.0))
    assert f"▁{name}" in favoured and f"▁{common}" not in favoured


def test_pieces_of_the_training_sentences_come_before_more_frequent_ones(teacher: Path) -> None:
    rare, common = [word for word in whole_words(teacher) if word.islower()][:2]
    room = room_for_one(teacher, rare, common)
    assert f"▁{common}" in chosen(teacher, {}, {rare: 1, common: 100}, TrimConfig(room))
    kept = chosen(teacher, {rare: 1}, {rare: 1, common: 100}, TrimConfig(room))
    assert f"▁{rare}" in kept and f"▁{common}" not in kept


def test_characters_stay_that_the_text_has_only_inside_longer_pieces(teacher: Path) -> None:
    word = next(word for word in whole_words(teacher) if word.islower())
    kept = chosen(teacher, {}, {word: 1}, TrimConfig(300))
    assert kept.issuperset(word)
    assert not kept.issuperset("QWXZ")


def test_the_lowest_scoring_piece_stays_so_that_unknown_characters_cost_the_same(teacher: Path) -> None:
    pieces = read_sentencepiece(teacher / SPM).pieces
    lowest = min(pieces[3:], key=lambda piece: piece.score).piece
    assert lowest in chosen(teacher, {}, {"na": 1}, TrimConfig(300))


def test_a_narrow_student_is_trimmed_too(electra: Path, few: Labelled, paragraphs: Words, tmp_path: Path) -> None:
    report = trim(electra, [s.words for s in few.train], paragraphs, TrimConfig(KEPT), tmp_path)
    model = AutoModelForTokenClassification.from_pretrained(tmp_path)
    assert tuple(model.get_input_embeddings().weight.shape) == (KEPT, 16)
    assert report.pieces_after == model.config.vocab_size == KEPT
