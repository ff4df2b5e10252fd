"""Entity F1 of a CoNLL file of predictions against a CoNLL file of gold tags."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from export.runtime.errors import UserError
from toolkit.bootstrap import SEED
from toolkit.data.conll import BYTE_ORDER_MARK, read_conll
from toolkit.data.types import Sentence
from toolkit.evaluate import Scores, entity_scores


def score_files(gold: Path, pred: Path, seed: int = SEED) -> Scores:
    """Scores of `pred` against `gold`, the same numbers as seqeval's default on the two files.

    Raises:
        UserError: a file is not CoNLL, or the two don't hold the same tokens in the same sentences; the
            message names the first line of each where they part.
    """
    gold_sentences, pred_sentences = read_conll(gold), read_conll(pred)
    _check_same_tokens(gold, gold_sentences, pred, pred_sentences)
    return entity_scores(
        [sentence.tags for sentence in gold_sentences], [sentence.tags for sentence in pred_sentences], seed
    )


def _check_same_tokens(
    gold: Path, gold_sentences: tuple[Sentence, ...], pred: Path, pred_sentences: tuple[Sentence, ...]
) -> None:
    for index, (g, p) in enumerate(zip(gold_sentences, pred_sentences, strict=False)):
        if g.words != p.words:
            raise _parted(index, gold, g.words, pred, p.words)
    counts = len(gold_sentences), len(pred_sentences)
    if counts[0] == counts[1]:
        return
    shared, longer = min(counts), gold if counts[0] > counts[1] else pred
    first_extra = _token_lines(longer)[shared][0]
    raise UserError(
        f"{gold} has {counts[0]} sentences and {pred} has {counts[1]}; the first {shared} are the same, and "
        f"{longer}:{first_extra} starts the first one without a counterpart.",
        "Give two files of the same sentences in the same order.",
    )


def _parted(
    index: int, gold: Path, gold_words: tuple[str, ...], pred: Path, pred_words: tuple[str, ...]
) -> UserError:
    """The error for two sentences that differ, at the first token that does."""
    shorter = min(len(gold_words), len(pred_words))
    at = next((i for i in range(shorter) if gold_words[i] != pred_words[i]), shorter)
    lookalike = at < shorter and _nfc(gold_words[at]) == _nfc(pred_words[at])
    remedy = (
        "They are the same in Unicode normal form C: write both files in one normal form."
        if lookalike
        else "Both files need the same tokens in the same sentences; only the tags may differ."
    )
    sides = " and ".join(
        _side(path, index, words, at, escape=lookalike) for path, words in ((gold, gold_words), (pred, pred_words))
    )
    return UserError(f"The files part at token {at + 1} of sentence {index + 1}: {sides}.", remedy)


def _nfc(word: str) -> str:
    return unicodedata.normalize("NFC", word)


def _side(path: Path, sentence: int, words: tuple[str, ...], at: int, *, escape: bool) -> str:
    lines = _token_lines(path)[sentence]
    if at == len(words):
        return f"{path}:{lines[-1]} ends its sentence before that"
    shown = ascii(words[at]) if escape or not words[at].isprintable() else repr(words[at])
    return f"{path}:{lines[at]} has {shown}"


def _token_lines(path: Path) -> list[list[int]]:
    """The line number of each token, sentence by sentence, of a file that `read_conll` has read."""
    sentences: list[list[int]] = [[]]
    text = path.read_bytes().decode("utf-8").removeprefix(BYTE_ORDER_MARK)
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.startswith("-DOCSTART-"):
            sentences.append([])
        elif re.split(r"[ \t]", line, maxsplit=1)[0]:
            sentences[-1].append(number)
    return [lines for lines in sentences if lines]
