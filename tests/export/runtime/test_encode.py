from __future__ import annotations

import json
import random
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentencepiece
from transformers import XLMRobertaTokenizer, XLMRobertaTokenizerFast

from export.runtime.encode import CERTAIN, WordEncoder, composing, word_logits
from export.runtime.errors import UserError
from export.runtime.words import split_words

TEXT = """Juma na Achieng' walikwenda Arusha kuona ng'ombe 1,000 saa 10:30 asubuhi.
Ọ̀gbẹ́ni Adéwálé lọ sí Ìbàdàn; Ngozi nọ n'ụlọ akwụkwọ dị n'Enugu. “Karibuni sana”, alisema Hauwa.
አበበ በአዲስ አበባ ይኖራል። ጫልቱ ግን በመቀሌ፣ ትግራይ ናት። Ɗalibai sun tafi Kano; Ŋoor ak Aminata ñëw nañu Ndar…
"""
LETTERS = "".join(sorted(set(TEXT) - {"…"})) + "\u0301\u0323\u0308\ufe0f\u200b\u200d❤Ωж"


@pytest.fixture(scope="module")
def xlmr_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer as AfriBERTa publishes one, trained on three lines, and the tokenizer.json made from it."""
    folder = tmp_path_factory.mktemp("xlmr")
    (folder / "text.txt").write_text(TEXT * 20, "utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "text.txt"),
        model_prefix=str(folder / "sentencepiece.bpe"),
        vocab_size=190,
        hard_vocab_limit=False,
        character_coverage=0.98,
        num_threads=1,
        minloglevel=2,
    )
    slow = XLMRobertaTokenizer(str(folder / "sentencepiece.bpe.model"))
    slow.save_pretrained(folder)
    XLMRobertaTokenizerFast.from_pretrained(folder).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def encoder(xlmr_folder: Path) -> WordEncoder:
    return WordEncoder.load(xlmr_folder)


def ids_by_word(encoder: WordEncoder, words: list[str]) -> list[list[int]]:
    ids, owners = encoder.sub_words(words)
    return [ids[owners == index].tolist() for index in range(len(words))]


def some_words(count: int, seed: int = 0, letters: str = LETTERS) -> list[str]:
    source = random.Random(seed)
    return ["".join(source.choices(letters, k=source.randint(1, 9))) for _ in range(count)]


def test_ids_are_those_of_the_word_alone_in_transformers(xlmr_folder: Path, encoder: WordEncoder) -> None:
    slow = XLMRobertaTokenizer.from_pretrained(xlmr_folder)
    words = [word.text for word in split_words(TEXT)] + some_words(1500) + some_words(500, letters="aﬁ½…™´①ｱ")
    expected = [slow.convert_tokens_to_ids(slow.tokenize(unicodedata.normalize("NFC", word))) for word in words]
    assert ids_by_word(encoder, words) == expected
    assert sum(len(ids) > 1 for ids in expected) > 500  # not all of them one piece or unknown
    assert (encoder.bos_id, encoder.pad_id, encoder.eos_id, encoder.unk_id) == (0, 1, 2, 3)
    assert encoder.vocab_size == len(slow)


def test_decomposed_words_get_the_ids_of_composed_ones(encoder: WordEncoder) -> None:
    composed = [word.text for word in split_words(TEXT)]
    decomposed = [unicodedata.normalize("NFD", word) for word in composed]
    assert decomposed != composed
    assert ids_by_word(encoder, decomposed) == ids_by_word(encoder, composed)


def test_composing_changes_only_sentencepiece_normalizers() -> None:
    charsmap = {"type": "Precompiled", "precompiled_charsmap": ""}
    composed = {"type": "Sequence", "normalizers": [{"type": "NFC"}, charsmap]}
    assert composing(charsmap) == composed
    assert composing({"type": "Sequence", "normalizers": [charsmap]}) == composed
    for normalizer in (composed, None, {"type": "Lowercase"}, {"type": "Sequence", "normalizers": []}):
        assert composing(normalizer) == normalizer


@pytest.mark.parametrize("text", ["<s>", "</s>", "<pad>", "<unk>", "<mask>", "a<mask>b", " <mask>", "special 0"])
def test_text_that_looks_special_stays_text(xlmr_folder: Path, encoder: WordEncoder, text: str) -> None:
    raw = sentencepiece.SentencePieceProcessor(model_file=str(xlmr_folder / "sentencepiece.bpe.model"))
    (ids,) = ids_by_word(encoder, [text])
    expected = [raw.unk_id() if piece == 0 else piece for piece in raw.encode(text)]
    assert ids == [3 if piece == raw.unk_id() else piece + 1 for piece in expected]
    assert not {0, 1, 2, encoder.vocab_size - 1} & set(ids)


def test_words_without_sub_words_have_no_position(encoder: WordEncoder) -> None:
    (window,) = encoder.windows(["Juma", "", "\u200b", " ", "Arusha"])
    assert window.words.tolist() == [0, 4]
    assert window.first.dtype == window.words.dtype == window.input_ids.dtype == np.int64
    assert window.keep.tolist() == [True, True]
    assert encoder.windows(["\u200b"]) == encoder.windows([]) == []


def test_lone_surrogates_read_as_the_replacement_character(encoder: WordEncoder) -> None:
    assert ids_by_word(encoder, ["a\ud800b", "\udfff"]) == ids_by_word(encoder, ["a\ufffdb", "\ufffd"])


def test_one_window_holds_the_first_sub_word_of_each_word(encoder: WordEncoder) -> None:
    words = ["Juma", "xyz", "Arusha", "."]
    ids, owners = encoder.sub_words(words)
    (window,) = encoder.windows(words)
    assert window.input_ids.tolist() == [0, *ids.tolist(), 2]
    assert window.first.tolist() == [1 + owners.tolist().index(word) for word in range(4)]


@pytest.mark.parametrize("max_length", [3, 4, 5, 8, 16, 33])
def test_windows_cover_long_text_exactly_once(xlmr_folder: Path, max_length: int) -> None:
    encoder = WordEncoder.load(xlmr_folder, max_length)
    for seed in range(20):
        words = some_words(60, seed)
        ids, owners = encoder.sub_words(words)
        windows = encoder.windows(words)
        kept = [word for window in windows for word in window.words[window.keep].tolist()]
        assert sorted(kept) == sorted(set(owners.tolist()))
        for window in windows:
            assert len(window.input_ids) <= max_length
            assert (window.input_ids[0], window.input_ids[-1]) == (encoder.bos_id, encoder.eos_id)
            firsts = [ids[owners.tolist().index(word)] for word in window.words.tolist()]
            assert window.input_ids[window.first].tolist() == firsts


def test_a_kept_word_has_a_quarter_window_of_context_on_both_sides(bundle_folder: Path) -> None:
    encoder = WordEncoder.load(bundle_folder, max_length=42)  # 40 sub-words, and every word is one
    words = ["Samia"] * 500
    windows = encoder.windows(words)
    for window in windows:
        kept = window.words[window.keep]
        left = kept[0] - window.words[0] if window.words[0] else np.inf
        right = window.words[-1] - kept[-1] if window.words[-1] < 499 else np.inf
        assert min(left, right) >= 9
    assert len(windows) == 24  # half-overlapping: 20 new words each


def test_each_word_is_kept_where_its_nearer_cut_is_farthest(xlmr_folder: Path) -> None:
    encoder = WordEncoder.load(xlmr_folder, max_length=20)
    words = some_words(80, seed=3)
    counts = np.bincount(encoder.sub_words(words)[1], minlength=len(words)).clip(max=18)
    context: dict[int, list[tuple[int, bool]]] = {}
    windows = encoder.windows(words)
    for number, window in enumerate(windows):
        sizes = counts[window.words]
        left = np.cumsum(sizes) - sizes if number else np.full(len(sizes), 999)
        right = sizes.sum() - np.cumsum(sizes) if number < len(windows) - 1 else np.full(len(sizes), 999)
        for word, nearer, keep in zip(window.words, np.minimum(left, right), window.keep, strict=True):
            context.setdefault(int(word), []).append((int(nearer), bool(keep)))
    assert max(len(places) for places in context.values()) > 1
    for places in context.values():
        assert max(places)[0] == next(nearer for nearer, keep in places if keep)


def test_a_word_longer_than_a_window_keeps_its_beginning(xlmr_folder: Path) -> None:
    encoder = WordEncoder.load(xlmr_folder, max_length=10)
    long = "Ndarkanoarusha" * 10
    ids = encoder.sub_words([long])[0]
    windows = encoder.windows(["Juma", long, "na"])
    assert sum(int(window.keep.sum()) for window in windows) == 3
    holder = next(window for window in windows if 1 in window.words)
    assert holder.input_ids.tolist() == [0, *ids[:8].tolist(), 2]


@pytest.mark.parametrize("text", ["Samia Suluhu alitembelea Arusha. " * 3031, "Samia" * 20_000, "\u0301" * 100_000])
def test_a_hundred_thousand_characters_are_encoded(bundle_folder: Path, text: str) -> None:
    words = [word.text for word in split_words(text)]
    windows = WordEncoder.load(bundle_folder).windows(words)
    assert sum(int(window.keep.sum()) for window in windows) == len(words)


def test_word_logits_are_those_of_the_first_sub_words(encoder: WordEncoder) -> None:
    def logits(input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        assert input_ids.shape == attention_mask.shape and attention_mask.all()
        return np.stack([input_ids, input_ids * 0, -input_ids], axis=-1).astype(np.float32)

    words = ["Juma", "\u200b", "Arusha"]
    ids = ids_by_word(encoder, words)
    rows = word_logits(logits, encoder, words)
    assert rows.dtype == np.float32
    expected = [[ids[0][0], 0, -ids[0][0]], [0, -CERTAIN, -CERTAIN], [ids[2][0], 0, -ids[2][0]]]
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_array_equal(word_logits(logits, encoder, ["\u200b"]), [[0, -CERTAIN, -CERTAIN]])
    assert word_logits(logits, encoder, []).shape == (0, 3)


def test_windows_change_no_logits_of_a_model_without_context(bundle_folder: Path) -> None:
    def logits(input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        return np.sin(input_ids[..., None] * np.array([1.0, 2.0])).astype(np.float32)

    words = some_words(300)
    whole, cut = (WordEncoder.load(bundle_folder, max_length) for max_length in (5000, 12))
    np.testing.assert_array_equal(word_logits(logits, whole, words), word_logits(logits, cut, words))


def specification(folder: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    return value


def test_special_tokens_may_lie_outside_the_model(bundle_folder: Path) -> None:
    changed = specification(bundle_folder)
    changed["model"]["vocab"].pop()  # <mask> stays in added_tokens
    assert WordEncoder(changed).vocab_size == WordEncoder(specification(bundle_folder)).vocab_size


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model": {"type": "BPE", "vocab": {}}}, "holds no unigram model"),
        ({"model": None}, "holds no unigram model"),
        (
            {"model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0]]}, "added_tokens": []},
            "lacks <s>",
        ),
        ({"model": {"type": "Unigram", "unk_id": 0, "vocab": [1, 2]}}, "its vocabulary is malformed"),
        ({"added_tokens": [{"content": "<s>"}]}, "its vocabulary is malformed"),
        ({"normalizer": {"type": "Nonsense"}}, "tokenizer.json cannot be used"),
    ],
)
def test_other_tokenizers_are_refused(bundle_folder: Path, change: dict[str, Any], reason: str) -> None:
    changed = specification(bundle_folder) | change
    (bundle_folder / "tokenizer.json").write_text(json.dumps(changed), "utf-8")
    with pytest.raises(UserError, match=reason):
        WordEncoder.load(bundle_folder)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]", b"[" * 100_000])
def test_damaged_tokenizer_is_refused(bundle_folder: Path, content: bytes) -> None:
    (bundle_folder / "tokenizer.json").write_bytes(content)
    with pytest.raises(UserError, match=r"tokenizer\.json cannot be used"):
        WordEncoder.load(bundle_folder)


def test_missing_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"tokenizer\.json is missing"):
        WordEncoder.load(tmp_path)


def test_a_window_needs_room_for_a_word(bundle_folder: Path) -> None:
    with pytest.raises(UserError, match="A window of 2 sub-words"):
        WordEncoder.load(bundle_folder, max_length=2)
