"""The tokenizer's files: their ids are those of XLM-R's own tokenizer, in every way they are read."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerBase, XLMRobertaTokenizer

from export.runtime.encode import WordEncoder
from export.runtime.errors import UserError
from export.runtime.words import split_words
from toolkit.data.builtin import load_demo
from toolkit.tokenizer import SPM, read_sentencepiece, write_tokenizer

ODD_WORDS = [
    "ng'ombe",
    "n’ụlọ",
    "10:30",
    "1,000",
    "…",
    "ﬁ",
    "№",
    "❤️",
    "🇰🇪",
    "a\u200bb",
    "a\u00a0b",
    "½",
    "漢字",
    "´´",
]
ODD_TEXTS = [
    "Rais  Samia   Suluhu alitembelea Arusha.",
    " \t Mji wa Nairobi \n\n na Kisumu \r\n",
    "a \u00a0 b\u3000c",
    "‘Yan Kano; ng'ombe wa n'ụlọ — 'hii' \"hii\" (2-1), 10:30, 1,000.5!",
    "Hii… ni ﬁ ❤️ 🇰🇪 «x» \u200bna\u200b",
    unicodedata.normalize("NFD", "Ọlá lọ sí Èkó láti kọ́ ẹ̀kọ́."),
    "",
]


@pytest.fixture(scope="module")
def plain(teacher: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(teacher)


def per_word(encoder: WordEncoder, words: list[str]) -> list[list[int]]:
    ids, owners = encoder.sub_words(words)
    return [ids[owners == index].tolist() for index in range(len(words))]


@pytest.mark.parametrize("lang", ["swa", "yor", "amh", "hau"])
def test_a_words_ids_are_those_of_the_slow_tokenizer(teacher: Path, lang: str) -> None:
    slow = XLMRobertaTokenizer(str(teacher / SPM))
    words = sorted({word for sentence in load_demo(lang).test for word in sentence.words}) + ODD_WORDS
    encoder = WordEncoder.load(teacher)
    expected = [slow.convert_tokens_to_ids(slow.tokenize(unicodedata.normalize("NFC", word))) for word in words]
    found = per_word(encoder, words)
    # The same pieces in another order have the same score (in "aa|a" and "a|aa"): either is right.
    assert [sorted(ids) for ids in found] == [sorted(ids) for ids in expected]
    assert sum(a != b for a, b in zip(found, expected, strict=True)) <= len(words) / 100
    assert per_word(encoder, [unicodedata.normalize("NFD", word) for word in words]) == found


@pytest.mark.parametrize("lang", ["swa", "yor", "amh"])
def test_plain_transformers_gives_raw_text_the_same_ids(
    teacher: Path, plain: PreTrainedTokenizerBase, lang: str
) -> None:
    encoder = WordEncoder.load(teacher)
    sentences = [" ".join(sentence.words) for sentence in load_demo(lang).dev]
    decomposed = [unicodedata.normalize("NFD", text) for text in sentences]
    for text in [*sentences, *decomposed, *ODD_TEXTS]:
        words = [word.text for word in split_words(text)]
        assert plain(text)["input_ids"] == [0, *encoder.sub_words(words)[0].tolist(), 2], text


def test_ids_begin_with_xlm_rs_special_tokens_and_end_with_mask(
    teacher: Path, plain: PreTrainedTokenizerBase
) -> None:
    spm = read_sentencepiece(teacher / SPM)
    assert plain.convert_ids_to_tokens([0, 1, 2, 3]) == ["<s>", "<pad>", "</s>", "<unk>"]
    assert plain.convert_ids_to_tokens([4, 5]) == [spm.pieces[3].piece, spm.pieces[4].piece]
    assert len(plain) == len(spm.pieces) + 2 == plain.mask_token_id + 1 == WordEncoder.load(teacher).vocab_size
    assert (plain.bos_token_id, plain.pad_token_id, plain.eos_token_id, plain.unk_token_id) == (0, 1, 2, 3)


def test_the_maximum_length_that_afriberta_leaves_out_is_set(teacher: Path, plain: PreTrainedTokenizerBase) -> None:
    assert plain.model_max_length == 512
    assert AutoTokenizer.from_pretrained(teacher, use_fast=False).model_max_length == 512
    assert len(plain("a " * 2000, truncation=True)["input_ids"]) == 512


def test_offsets_of_plain_transformers_point_at_the_words(plain: PreTrainedTokenizerBase) -> None:
    text = "Rais  Samia alitembelea Arusha."
    encoding = plain(text, return_offsets_mapping=True)
    starts = {start for start, end in encoding["offset_mapping"] if end}
    assert {word.start for word in split_words(text)} <= starts


def test_the_same_model_gives_the_same_bytes(teacher: Path, tmp_path: Path) -> None:
    size = write_tokenizer(read_sentencepiece(teacher / SPM), tmp_path)
    assert size == 402
    for file in tmp_path.iterdir():
        assert file.read_bytes() == (teacher / file.name).read_bytes(), file.name


def test_tokenizer_json_holds_the_scores_of_the_sentencepiece_model(teacher: Path) -> None:
    vocabulary = json.loads((teacher / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]
    pieces = read_sentencepiece(teacher / SPM).pieces
    assert [entry[0] for entry in vocabulary[4:-1]] == [piece.piece for piece in pieces[3:]]
    assert vocabulary[100][1] == pytest.approx(pieces[99].score)


def test_a_bpe_model_is_refused(train_sentencepiece: Callable[..., bytes], tmp_path: Path) -> None:
    (tmp_path / SPM).write_bytes(train_sentencepiece("bpe"))
    with pytest.raises(UserError, match="not a unigram SentencePiece model"):
        read_sentencepiece(tmp_path / SPM)


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "not a unigram"), (b"not a model", "is not a"), (b"\x0a\xff\xff\xff\x7f", "not a SentencePiece model")],
)
def test_what_is_no_sentencepiece_model_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / SPM).write_bytes(data)
    with pytest.raises(UserError, match=reason):
        read_sentencepiece(tmp_path / SPM)
