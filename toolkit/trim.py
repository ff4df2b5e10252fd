"""Vocabulary trimming: only the pieces that a language's text uses stay, in tokenizer and embedding alike.

Exact for kept text: a unigram model scores a segmentation by the sum of its pieces' scores, so a word whose
best segmentation consists of kept pieces is cut as before (Kudo 2018; load-what-you-need, Abdaoui et al. 2020).
"""

from __future__ import annotations

import copy
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.runtime.encode import WordEncoder
from export.runtime.errors import UserError
from toolkit.recipe import TrimConfig
from toolkit.tokenizer import SPM, read_sentencepiece, write_tokenizer

SPECIAL = 4  # <s> <pad> </s> <unk>
HELD_OUT = 10  # every tenth paragraph is evidence, not vocabulary


@dataclass(frozen=True)
class TrimReport:
    """The evidence, on text that had no say in the choice.

    Attributes:
        pieces_before, pieces_after: rows of the embedding table.
        words: held-out word tokens that were compared.
        coverage: share of their sub-word tokens (before) that were kept.
        identical: share of them cut exactly as before.
        fertility_before, fertility_after: sub-words per word.
        unknown_before, unknown_after: share of sub-words that are <unk>.
    """

    pieces_before: int
    pieces_after: int
    words: int
    coverage: float
    identical: float
    fertility_before: float
    fertility_after: float
    unknown_before: float
    unknown_after: float


def trim(
    model: Path,
    labelled: Iterable[Sequence[str]],
    paragraphs: Sequence[Sequence[str]],
    config: TrimConfig,
    out: Path,
) -> TrimReport:
    """Write `model` with `config.pieces` embedding rows to `out`.

    Kept, in this order: special pieces, single characters that the text uses, the lowest-scoring piece, the
    pieces of the labelled training text, then those of unlabelled text, each by weighted frequency.

    Args:
        labelled: words of the training sentences.
        paragraphs: words of unlabelled text; every tenth is held out as evidence.

    Raises:
        UserError: fewer pieces than the text's single characters.
    """
    encoder = WordEncoder.load(model)
    spm = read_sentencepiece(model / SPM)
    used = [words for number, words in enumerate(paragraphs) if number % HELD_OUT]
    evidence = [words for number, words in enumerate(paragraphs) if number % HELD_OUT == 0]
    labelled_words = Counter(word for words in labelled for word in words)
    text_words = Counter(word for words in used for word in words)
    kept = choose_pieces(encoder, spm, labelled_words, text_words, config)
    size = _write_trimmed(model, spm, kept, out)
    after = WordEncoder.load(out)
    assert size == len(kept) == after.vocab_size  # rows and ids part ways silently (unilm#313)
    held_out = Counter(word for words in evidence for word in words) or labelled_words
    return _evidence(encoder, after, set(kept), held_out)


def choose_pieces(
    encoder: WordEncoder,
    spm: Any,
    labelled: Mapping[str, int],
    text: Mapping[str, int],
    config: TrimConfig,
) -> list[int]:
    """Ids to keep, ascending, in XLM-R's numbering (piece k of the SentencePiece file is id k + 1)."""
    last = encoder.vocab_size - 1
    if config.pieces >= encoder.vocab_size:
        return list(range(encoder.vocab_size))
    weights: defaultdict[int, float] = defaultdict(float)
    for words in (text, labelled):
        for word, ids in zip(words, _ids_per_word(encoder, list(words)), strict=True):
            weight = words[word] * (config.capital_weight if word[:1].isupper() else 1.0)
            for index in ids:
                weights[index] += weight
    pieces = spm.pieces
    used = [i for i in weights if SPECIAL <= i < last]
    # Characters alone too, even where the text has them only inside longer pieces: other words will need them.
    characters = {character for i in used for character in pieces[i - 1].piece}
    single = {i for i in used if len(pieces[i - 1].piece.lstrip("▁")) <= 1}
    single |= {i for i in range(SPECIAL, last) if pieces[i - 1].piece in characters}
    # SentencePiece scores an unknown character by the worst piece, so that one anchors all segmentations.
    anchor = min(range(3, len(pieces)), key=lambda k: pieces[k].score) + 1
    keep = single | {anchor}
    room = config.pieces - SPECIAL - 1
    if len(keep) > room:
        raise UserError(
            f"{config.pieces} pieces are fewer than the {len(keep) + SPECIAL + 1} that the text's single "
            "characters alone need.",
            "Raise [trim] pieces in the recipe.",
        )
    trained = _ids(encoder, list(labelled))
    ranked = sorted(set(used) - keep, key=lambda i: (i not in trained, -weights[i], i))
    keep.update(ranked[: room - len(keep)])
    return [0, 1, 2, 3, *sorted(keep), last]


def _ids_per_word(encoder: WordEncoder, words: list[str]) -> list[list[int]]:
    per_word: list[list[int]] = [[] for _ in words]
    ids, owners = encoder.sub_words(words)
    for index, owner in zip(ids.tolist(), owners.tolist(), strict=True):
        per_word[owner].append(index)
    return per_word


def _ids(encoder: WordEncoder, words: list[str]) -> set[int]:
    return set(encoder.sub_words(words)[0].tolist())


def _write_trimmed(model: Path, spm: Any, kept: Sequence[int], out: Path) -> int:
    """Tokenizer files and weights with only the kept rows; returns the number of ids."""
    from safetensors.torch import load_file, save_file

    smaller = copy.deepcopy(spm)
    del smaller.pieces[:]
    smaller.pieces.extend(spm.pieces[:3])
    smaller.pieces.extend(spm.pieces[index - 1] for index in kept[SPECIAL:-1])
    size = write_tokenizer(smaller, out)
    config = json.loads((model / "config.json").read_text("utf-8"))
    config["vocab_size"] = size
    (out / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    state = load_file(model / "model.safetensors")
    for name, tensor in state.items():
        if name.endswith("embeddings.word_embeddings.weight"):
            state[name] = tensor[list(kept)].contiguous()
    save_file(state, out / "model.safetensors", metadata={"format": "pt"})
    return size


def _evidence(before: WordEncoder, after: WordEncoder, kept: set[int], held_out: Mapping[str, int]) -> TrimReport:
    words = list(held_out)
    order = sorted(kept)
    tokens = covered = same = unknown = new_tokens = new_unknown = total = 0
    pairs = zip(words, _ids_per_word(before, words), _ids_per_word(after, words), strict=True)
    for word, old, new in pairs:
        count = held_out[word]
        total += count
        tokens += count * len(old)
        covered += count * sum(index in kept for index in old)
        unknown += count * old.count(before.unk_id)
        new_tokens += count * len(new)
        new_unknown += count * new.count(after.unk_id)
        same += count * (old == [order[index] for index in new])
    tokens, new_tokens, total = max(1, tokens), max(1, new_tokens), max(1, total)
    return TrimReport(
        before.vocab_size,
        after.vocab_size,
        total,
        round(covered / tokens, 5),
        round(same / total, 5),
        round(tokens / total, 4),
        round(new_tokens / total, 4),
        round(unknown / tokens, 6),
        round(new_unknown / new_tokens, 6),
    )
