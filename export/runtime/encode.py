"""Words to sub-word windows, and window logits back to one row per word.

Each word is encoded alone, as XLM-R taggers are trained (Devlin et al. 2019, section 5.3: the first sub-word
carries the label), so no tokenizer offsets are needed. Long input is cut into overlapping windows at word
boundaries; nothing is truncated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tokenizers import Tokenizer, models

from .errors import UserError
from .files import read_json
from .normalization import read_normalizer

Logits = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""input_ids int64 (b, n), attention_mask int64 (b, n) -> float32 (b, n, labels)."""

CERTAIN = 1e4
"""By how much "O" leads in the row of a word without sub-words: finite, and exp(-CERTAIN) is 0."""

LONGEST_WORD = 8192
"""Characters of a word that are read: what fills a window with SentencePiece's longest pieces (16 characters)."""

# What words read as is kept for so many of them, since most come again; not for long ones, which are rarely words.
_KNOWN_WORDS, _KNOWN_LENGTH = 4096, 64
KEPT_SEGMENTATIONS = 1000
_SPECIAL = ("<s>", "</s>", "<pad>", "<unk>", "<mask>")
_SURROGATE = re.compile("[\ud800-\udfff]")
_METASPACE = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}


class Window(NamedTuple):
    """One input of the model and which words it decides.

    input_ids: int64 (n,), with <s> and </s>.
    first: int64 (k,), position in `input_ids` of the first sub-word of each word of the window.
    words: int64 (k,), index of those words in the sentence; words without sub-words never appear.
    keep: bool (k,), True where this window decides the word's tag.
    """

    input_ids: np.ndarray
    first: np.ndarray
    words: np.ndarray
    keep: np.ndarray


class WordEncoder:
    """The tokenizer of a model folder, applied to words.

    A word's ids are those `transformers.XLMRobertaTokenizer` gives for the word alone in NFC, but text that
    looks like a special token (`<mask>`, `</s>`) stays text, a lone surrogate reads as U+FFFD, and of a word
    only the first `LONGEST_WORD` characters are read.
    """

    def __init__(self, specification: dict[str, Any], max_length: int = 512, source: str = "tokenizer.json"):
        """Take the parsed tokenizer.json; `source` names it in errors.

        Raises:
            UserError: not a unigram tokenizer with XLM-R's special pieces, or max_length below 3.
        """
        if max_length < 3:
            raise UserError(
                f"A window of {max_length} sub-words has no room for a word between <s> and </s>.",
                "Give a max length of 3 or more; models of this kind have 512.",
            )
        self.max_length = max_length
        special = _special_ids(specification, source)
        self.bos_id, self.eos_id = special["<s>"], special["</s>"]
        self.pad_id, self.unk_id = special["<pad>"], special["<unk>"]
        self.vocab_size = max(len(specification["model"]["vocab"]), *(i + 1 for i in special.values()))
        try:
            normalizer = read_normalizer(composing(specification.get("normalizer")))
            self._tokenizer = _for_single_words(specification, special)
        except Exception as error:  # tokenizers raises bare Exception
            raise _unusable(source, str(error)) from error

        def read(word: str) -> str:
            return normalizer(_SURROGATE.sub("\ufffd", word[:LONGEST_WORD]))

        self._read, self._read_known = read, lru_cache(_KNOWN_WORDS)(read)

    @classmethod
    def load(cls, folder: Path, max_length: int = 512) -> WordEncoder:
        """Read `folder`/tokenizer.json. `max_length` is the window in sub-words, <s> and </s> included.

        Raises:
            UserError: the file is missing or is no tokenizer this runtime can use.
        """
        path = Path(folder) / "tokenizer.json"
        return cls(read_json(path), max_length, source=str(path))

    def sub_words(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Sub-word ids of all words in a row, int64 (n,), and the index of each one's word, int64 (n,)."""
        if not words:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        read = [(self._read_known if len(word) <= _KNOWN_LENGTH else self._read)(word) for word in words]
        encoding = self._tokenizer.encode(read, is_pretokenized=True, add_special_tokens=False)
        return np.array(encoding.ids, np.int64), np.array(encoding.word_ids, np.int64)

    def windows(self, words: Sequence[str]) -> list[Window]:
        """Cut a sentence into windows of at most `max_length` sub-words.

        Windows overlap by half, so a word near a cut has a quarter of a window of context on both sides.
        Every word with sub-words is kept in exactly one window: the one where it has most context. Of a word
        longer than a window only the first sub-words are used; the first one carries the tag anyway.
        """
        ids, owners = self.sub_words(words)
        room = self.max_length - 2
        encodable, begins, counts = np.unique(owners, return_index=True, return_counts=True)
        counts = np.minimum(counts, room)
        ranges = _window_ranges(counts.tolist(), room)
        keeper = _keepers(counts, ranges)
        windows = []
        for number, (start, end) in enumerate(ranges):
            spans = zip(begins[start:end].tolist(), counts[start:end].tolist(), strict=True)
            pieces = [ids[begin : begin + count] for begin, count in spans]
            windows.append(
                Window(
                    input_ids=np.concatenate([[self.bos_id], *pieces, [self.eos_id]]).astype(np.int64),
                    first=1 + np.cumsum(counts[start:end]) - counts[start:end],
                    words=encodable[start:end],
                    keep=keeper[start:end] == number,
                )
            )
        return windows


def composing(normalizer: dict[str, Any] | None) -> dict[str, Any] | None:
    """`normalizer` of a tokenizer.json, made to read decomposed text (NFD) like composed text.

    The tokenizers library applies a SentencePiece character map to one base letter and its marks at a time
    and drops the marks that the map's entry doesn't name: of e + dot below + acute, as NFD Yoruba has it, the
    acute is lost. After composition (NFC) the map has nothing to do there. Idempotent.
    """
    if normalizer is None:
        return None
    steps = normalizer.get("normalizers", []) if normalizer.get("type") == "Sequence" else [normalizer]
    kinds = [step.get("type") for step in steps]
    if "Precompiled" not in kinds or kinds[0] in ("NFC", "NFKC"):
        return normalizer
    return {"type": "Sequence", "normalizers": [{"type": "NFC"}, *steps]}


def word_logits(logits: Logits, encoder: WordEncoder, words: Sequence[str]) -> np.ndarray:
    """One row of logits per word, float32 (len(words), labels): that of the word's first sub-word.

    One forward pass per window, batch 1, no padding. A word without sub-words is certain to be label 0 ("O").
    """
    windows = encoder.windows(words)
    if not windows:  # the number of labels is still the model's to say
        empty = np.array([encoder.bos_id, encoder.eos_id], np.int64)
        none = np.zeros(0, np.int64)
        windows = [Window(empty, none, none, np.zeros(0, bool))]
    rows: np.ndarray | None = None
    for window in windows:
        ids = window.input_ids[np.newaxis]
        output = logits(ids, np.ones_like(ids))[0]
        if rows is None:
            rows = np.full((len(words), output.shape[-1]), -CERTAIN, np.float32)
            rows[:, 0] = 0.0
        rows[window.words[window.keep]] = output[window.first[window.keep]]
    assert rows is not None
    return rows


def _window_ranges(counts: list[int], room: int) -> list[tuple[int, int]]:
    """Half-overlapping word ranges (start, end) whose sub-words fit in `room`; each ends beyond the last."""
    ranges: list[tuple[int, int]] = []
    start = end = used = 0
    while end < len(counts):
        while end < len(counts) and used + counts[end] <= room:
            used += counts[end]
            end += 1
        ranges.append((start, end))
        if end < len(counts):
            # Step back for context, but leave room for the next word, or no window would ever reach it.
            context = min(room // 2, room - counts[end])
            start, used = end, 0
            while start > 0 and used + counts[start - 1] <= context:
                start -= 1
                used += counts[start]
    return ranges


def _keepers(counts: np.ndarray, ranges: list[tuple[int, int]]) -> np.ndarray:
    """For each word the number of the window where its nearer cut is farthest away, int64 (words,).

    The beginning and the end of the text are no cuts. The earlier window wins a tie.
    """
    before = np.concatenate([[0], np.cumsum(counts)])
    best = np.full(len(counts), -1, np.int64)
    keeper = np.zeros(len(counts), np.int64)
    far = before[-1] + 1
    for number, (start, end) in enumerate(ranges):
        left = before[start:end] - before[start] if start else np.full(end - start, far)
        right = before[end] - before[start + 1 : end + 1] if end < len(counts) else np.full(end - start, far)
        context = np.minimum(left, right)
        better = context > best[start:end]
        best[start:end][better] = context[better]
        keeper[start:end][better] = number
    return keeper


def _special_ids(specification: dict[str, Any], source: str) -> dict[str, int]:
    """Id of each of XLM-R's special tokens; <mask> may be absent."""
    model = specification.get("model")
    if not isinstance(model, dict) or model.get("type") != "Unigram" or not model.get("vocab"):
        raise _unusable(source, "it holds no unigram model")
    try:
        ids = {token["content"]: int(token["id"]) for token in specification.get("added_tokens") or []}
        ids |= {piece: index for index, (piece, _) in enumerate(model["vocab"]) if piece in _SPECIAL}
    except (TypeError, ValueError, KeyError) as error:
        raise _unusable(source, "its vocabulary is malformed") from error
    missing = [token for token in _SPECIAL[:4] if token not in ids]
    if missing:
        raise _unusable(source, f"it lacks {' '.join(missing)}")
    return {token: ids[token] for token in _SPECIAL if token in ids}


def _for_single_words(specification: dict[str, Any], special: dict[str, int]) -> Tokenizer:
    """The tokenizer without normalizer, word splitter, post-processor and what reads text as special tokens.

    The vocabulary goes in as a list: read from JSON by the library it would cost 3 MB more at 6,000 pieces.
    """
    model = specification["model"]
    vocabulary = [(piece, score) for piece, score in model["vocab"]]
    for index in special.values():
        if index < len(vocabulary):
            # Metaspace turns every space into ▁, so a piece that holds spaces matches no text.
            vocabulary[index] = (f" special {index} ", vocabulary[index][1])
    without_vocabulary = {
        "version": specification.get("version", "1.0"),
        "normalizer": None,
        "pre_tokenizer": _METASPACE,
        "model": {"type": "Unigram", "unk_id": 0, "vocab": vocabulary[:1]},
        "added_tokens": [],
        "post_processor": None,
        "decoder": None,
        "truncation": None,
        "padding": None,
    }
    tokenizer = Tokenizer.from_str(json.dumps(without_vocabulary))
    tokenizer.model = models.Unigram(vocabulary, model.get("unk_id"), bool(model.get("byte_fallback", False)))
    if hasattr(tokenizer.model, "_resize_cache"):  # by default 10,000 words, which may be long ones: 120 MB
        tokenizer.model._resize_cache(KEPT_SEGMENTATIONS)
    return tokenizer


def _unusable(source: str, reason: str) -> UserError:
    return UserError(
        f"{source} cannot be used: {reason}.",
        "A SentencePiece unigram tokenizer of an XLM-R model is needed: make or copy the bundle again.",
    )
