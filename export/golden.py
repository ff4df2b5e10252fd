"""golden.jsonl: what a bundle answers, pinned when it is made and replayed wherever it is checked.

One line per sentence: the text, its words with their offsets, the windows that reach the model, the tags
and a few logits. A runtime in any language that reproduces it treats text as this one does. How a text is
answered and two answers compared is runtime/answers.py's: a device replays the file with what ships in the bundle.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from export.atomic import canonical_json
from export.runtime.answers import Answer, answer, differences
from export.runtime.encode import Logits, WordEncoder
from export.runtime.errors import UserError
from export.strict_json import loads, violations

_SHOWN = 3  # mismatches told per sentence
# Legal inside JSON, but many a reader of lines breaks there.
_LINE_BREAKS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}


@dataclass(frozen=True)
class GoldenText:
    """A sentence to answer; `why` is its language code, or what makes a shared one hard."""

    why: str
    text: str


@cache
def golden_texts(languages: tuple[str, ...]) -> tuple[GoldenText, ...]:
    """Our sentences of the languages, where we have some, then those that every bundle answers."""
    path = Path(__file__).parent / "golden_sentences.toml"
    sentences = tomllib.loads(path.read_text("utf-8"))
    own = [GoldenText(lang, text) for lang in languages for text in sentences["languages"].get(lang, ())]
    shared = [GoldenText(item["why"], item["text"] * item.get("repeat", 1)) for item in sentences["shared"]]
    return (*own, *shared)


def make_golden(encoder: WordEncoder, logits: Logits, labels: Sequence[str], languages: Sequence[str]) -> list[str]:
    """The lines of golden.jsonl (without line ends) for a model, from our own sentences."""
    texts = golden_texts(tuple(languages))
    answers = (answer(item.text, encoder, logits, labels, item.why) for item in texts)
    return [canonical_json(asdict(item)).translate(_LINE_BREAKS) for item in answers]


def replay_golden(
    lines: Sequence[bytes], encoder: WordEncoder, logits: Logits, labels: Sequence[str], tolerance: float
) -> Iterator[str]:
    """Answer every line again; yields what differs, each a line that names golden.jsonl and its line number.

    How much may differ says `differences`: int8 kernels are not the same on every CPU.
    """
    for number, line in enumerate(lines, 1):
        where = f"golden.jsonl:{number}"
        try:
            stored = _parse(line, where)
            found = answer(stored.text, encoder, logits, labels)
            told = list(differences(stored, found, tolerance))
        except UserError as error:
            told, stored = [error.message], None
        for difference in told[:_SHOWN]:
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
