"""golden.jsonl: what a bundle answers, pinned when it is made and replayed wherever it is checked.

One line per sentence: the text, its words with their offsets, the windows that reach the model, the tags
and a few logits. A runtime in any language that reproduces it treats text as this one does.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from export.atomic import canonical_json
from export.runtime.encode import Logits, WordEncoder, word_logits
from export.runtime.entities import group
from export.runtime.errors import UserError
from export.runtime.offsets import TextOffsets
from export.runtime.words import split_words
from export.strict_json import loads, violations

LOGIT_WORDS = 4
LOGIT_DECIMALS = 4
_SHOWN = 3  # mismatches told per sentence
# Legal inside JSON, but many a reader of lines breaks there.
_LINE_BREAKS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}


@dataclass(frozen=True)
class GoldenText:
    """A sentence to answer; `why` is its language code, or what makes a shared one hard."""

    why: str
    text: str


@dataclass(frozen=True)
class Answer:
    """What the runtime makes of one text: a line of golden.jsonl, whose form is golden.schema.json.

    Attributes:
        why: see `GoldenText`.
        words: the words, as the splitter cuts them.
        code_points, utf16, bytes: [start, end] of each word in the text, in three units.
        windows: each with `ids`; `first`, `words` (indices) and `keep` of the words it holds.
        tags: one per word.
        entities: [type, first word, one past its last word].
        logits: (up to 4, labels), of the first words.
        margins: per word, by how much the best logit leads the second.
    """

    why: str
    text: str
    words: list[str]
    code_points: list[list[int]]
    utf16: list[list[int]]
    bytes: list[list[int]]
    windows: list[dict[str, list[int]]]
    tags: list[str]
    entities: list[list[Any]]
    logits: list[list[float]]
    margins: list[float]


@cache
def golden_texts(languages: tuple[str, ...]) -> tuple[GoldenText, ...]:
    """Our sentences of the languages, where we have some, then those that every bundle answers."""
    path = Path(__file__).parent / "golden_sentences.toml"
    sentences = tomllib.loads(path.read_text("utf-8"))
    own = [GoldenText(lang, text) for lang in languages for text in sentences["languages"].get(lang, ())]
    shared = [GoldenText(item["why"], item["text"] * item.get("repeat", 1)) for item in sentences["shared"]]
    return (*own, *shared)


def answer(item: GoldenText, encoder: WordEncoder, logits: Logits, labels: Sequence[str]) -> Answer:
    """Run one text through word splitter, encoder, model and grouping.

    Raises:
        UserError: the model fails, answers nonsense, or has another number of labels.
    """
    words = split_words(item.text)
    texts = [word.text for word in words]
    try:
        rows = word_logits(logits, encoder, texts)
    except Exception as error:  # onnxruntime's exceptions have no common base of their own
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"The model fails on {item.text[:40]!a}: {reason}.", "Export it again.") from error
    if rows.shape[1] != len(labels):
        sizes = f"{rows.shape[1]} outputs for {len(labels)} labels"
        raise UserError(f"The model has {sizes}.", "Export it again.")
    if not np.isfinite(rows).all():
        raise UserError(f"The model answers NaN or infinity to {item.text[:40]!a}.", "Export it again.")
    tags = [labels[index] for index in rows.argmax(axis=1)] if words else []
    best = np.sort(rows, axis=1)[:, -2:]
    offsets = TextOffsets(item.text)
    return Answer(
        why=item.why,
        text=item.text,
        words=texts,
        code_points=[[word.start, word.end] for word in words],
        utf16=[[offsets.utf16(word.start), offsets.utf16(word.end)] for word in words],
        bytes=[[offsets.byte(word.start), offsets.byte(word.end)] for word in words],
        windows=[
            {name: np.asarray(getattr(window, field)).astype(int).tolist() for name, field in _WINDOW.items()}
            for window in encoder.windows(texts)
        ],
        tags=tags,
        entities=_entities(tags),
        logits=_rounded(rows[:LOGIT_WORDS]),
        margins=_rounded(best[:, 1] - best[:, 0]),
    )


_WINDOW = {"ids": "input_ids", "first": "first", "words": "words", "keep": "keep"}


def _rounded(values: np.ndarray) -> Any:
    return np.round(values.astype(np.float64), LOGIT_DECIMALS).tolist()


def make_golden(encoder: WordEncoder, logits: Logits, labels: Sequence[str], languages: Sequence[str]) -> list[str]:
    """The lines of golden.jsonl (without line ends) for a model, from our own sentences."""
    answers = (answer(item, encoder, logits, labels) for item in golden_texts(tuple(languages)))
    return [canonical_json(asdict(item)).translate(_LINE_BREAKS) for item in answers]


def replay_golden(
    lines: Sequence[bytes], encoder: WordEncoder, logits: Logits, labels: Sequence[str], tolerance: float
) -> Iterator[str]:
    """Answer every line again; yields what differs, each a line that names golden.jsonl and its line number.

    Words, offsets, windows and grouping must be equal. A logit may differ by `tolerance`, and a tag where its
    margin is below `tolerance`: int8 kernels differ between CPUs.
    """
    for number, line in enumerate(lines, 1):
        where = f"golden.jsonl:{number}"
        try:
            stored = _parse(line, where)
            found = answer(GoldenText(stored.why, stored.text), encoder, logits, labels)
            differences = list(_differences(stored, found, tolerance))
        except UserError as error:
            differences, stored = [error.message], None
        for difference in differences[:_SHOWN]:
            text = f" {stored.text[:40]!a}" if stored else ""
            yield f"{where}:{text} {difference}. Model, tokenizer or golden file is not the original."


@cache
def schema() -> dict[str, Any]:
    """The published JSON Schema of a line."""
    value: dict[str, Any] = json.loads((Path(__file__).parent / "golden.schema.json").read_text("utf-8"))
    return value


def _parse(line: bytes, where: str) -> Answer:
    value = loads(line, where)
    if problem := next(violations(value, schema()), None):
        raise UserError(f"{where}: {problem}.")
    return Answer(**value)


def _differences(stored: Answer, found: Answer, tolerance: float) -> Iterator[str]:
    for name in ("words", "code_points", "utf16", "bytes", "windows"):
        if getattr(stored, name) != getattr(found, name):
            yield f"has other {name} than the bundle says"
            return
    shapes = [np.shape(found.logits), np.shape(found.margins), len(found.tags)]
    if [_shape(stored.logits), np.shape(stored.margins), len(stored.tags)] != shapes:
        yield "has another number of tags, logits or margins than the bundle says"
        return
    for index, (expected, tag) in enumerate(zip(stored.tags, found.tags, strict=True)):
        if expected != tag and not stored.margins[index] < tolerance:
            word = f"{found.words[index][:40]!a} (word {index})"
            yield f"tags {word} {tag}, the bundle says {ascii(expected)[:40]}"
    if _entities(stored.tags) != stored.entities:
        yield "has entities that do not follow from its tags"
    rounding = 10.0**-LOGIT_DECIMALS
    if (off := _largest(stored.logits, found.logits)) > tolerance + rounding:
        yield f"has logits that differ by {off:.4f}, more than the {tolerance:g} allowed"
    # Two logits that move apart change their margin by twice as much.
    if (off := _largest(stored.margins, found.margins)) > 2 * (tolerance + rounding):
        yield f"has margins that differ by {off:.4f}, more than the {2 * tolerance:g} allowed"


def _entities(tags: list[str]) -> list[list[Any]]:
    return [[entity.type, entity.start_word, entity.end_word] for entity in group(tags)]


def _shape(rows: list[list[float]]) -> tuple[int, ...] | None:
    return None if len({len(row) for row in rows}) > 1 else np.shape(rows)


def _largest(one: Any, other: Any) -> float:
    return float(np.abs(np.array(one, np.float64) - np.array(other, np.float64)).max(initial=0.0))
