"""What a bundle answers to one text, how two such answers compare, and whether this machine gives the golden ones.

The comparison is the one `make verify` makes; here it needs no more than the tagger does, and runs on the device.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .entities import group
from .errors import UserError
from .files import damaged
from .manifest import Setting, read_bundle
from .offsets import TextOffsets
from .protocol import Progress, Protocol, Steps, bundle_subject
from .rounds import load, worker_of
from .words import split_words

if TYPE_CHECKING:
    from .encode import Logits, WordEncoder

GOLDEN = "golden.jsonl"
LOGIT_WORDS = 4
LOGIT_DECIMALS = 4
_TEXT_FIELDS = ("words", "code_points", "utf16", "bytes", "windows")
_WINDOW = {"ids": "input_ids", "first": "first", "words": "words", "keep": "keep"}
_REMEDY = "Copy the bundle again; if that changes nothing, export its model again."


@dataclass(frozen=True)
class Answer:
    """What the runtime makes of one text: a line of golden.jsonl, whose form is golden.schema.json.

    Attributes:
        why: why the text is there: its language code, or what makes it hard.
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

    @property
    def sub_words(self) -> int:
        """Sub-words that reach the model, over all windows."""
        return sum(len(window["ids"]) for window in self.windows)


@dataclass(frozen=True)
class Flip:
    """A word tagged otherwise than the golden file says.

    Attributes:
        line: of golden.jsonl, from 1.
        index: of the word in its sentence, from 0.
        margin: by how much the expected tag led; below the tolerance a flip is allowed.
    """

    line: int
    index: int
    word: str
    expected: str
    found: str
    margin: float


@dataclass(frozen=True)
class Agreement:
    """How the answers of this machine compare with the golden ones.

    Attributes:
        same_ids: sentences whose words, offsets and windows of ids are all equal.
        same_tags: words with the golden tag.
        largest_logit_difference: over the golden logits; None where none could be compared.
        tolerance: what a logit may differ by, and below what margin a tag may.
        flips: every word with another tag.
        ok: whether `make verify` would accept all answers.
    """

    sentences: int
    words: int
    same_ids: int
    same_tags: int
    largest_logit_difference: float | None
    tolerance: float
    flips: tuple[Flip, ...]
    ok: bool


def answer(text: str, encoder: WordEncoder, logits: Logits, labels: Sequence[str], why: str = "") -> Answer:
    """Run one text through word splitter, encoder, model and grouping.

    Raises:
        UserError: the model fails, answers nonsense, or has another number of labels.
    """
    from .encode import word_logits

    words = split_words(text)
    texts = [word.text for word in words]
    try:
        rows = word_logits(logits, encoder, texts)
    except Exception as error:  # onnxruntime's exceptions have no common base of their own
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"The model fails on {text[:40]!a}: {reason}.", _REMEDY) from error
    if rows.shape[1] != len(labels):
        raise UserError(f"The model has {rows.shape[1]} outputs for {len(labels)} labels.", _REMEDY)
    if not np.isfinite(rows).all():
        raise UserError(f"The model answers NaN or infinity to {text[:40]!a}.", _REMEDY)
    tags = [labels[index] for index in rows.argmax(axis=1)] if words else []
    best = np.sort(rows, axis=1)[:, -2:]
    offsets = TextOffsets(text)
    return Answer(
        why=why,
        text=text,
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


def differences(stored: Answer, found: Answer, tolerance: float) -> Iterator[str]:
    """What tells two answers to one text apart, beyond what int8 kernels of different CPUs may.

    Words, offsets, windows and grouping must be equal. A logit may differ by `tolerance`, and a tag where its
    margin is below `tolerance`.
    """
    for name in _TEXT_FIELDS:
        if getattr(stored, name) != getattr(found, name):
            yield f"has other {name} than the bundle says"
            return
    if _shapes(stored) != _shapes(found):
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


def compare(pairs: Iterable[tuple[Answer, Answer]], tolerance: float) -> Agreement:
    """Count over (golden, found) pairs what is equal, and list each word with another tag."""
    sentences = words = same_ids = same_tags = 0
    largest: float | None = None
    flips: list[Flip] = []
    ok = True
    for line, (stored, found) in enumerate(pairs, start=1):
        sentences += 1
        words += len(stored.words)
        ok = not any(differences(stored, found, tolerance)) and ok
        same_ids += all(getattr(stored, name) == getattr(found, name) for name in _TEXT_FIELDS)
        if stored.words != found.words or _shapes(stored) != _shapes(found):
            continue
        if stored.logits:
            largest = max(largest or 0.0, _largest(stored.logits, found.logits))
        table = zip(stored.words, stored.tags, found.tags, stored.margins, strict=True)
        new = [Flip(line, at, word, tag, now, gap) for at, (word, tag, now, gap) in enumerate(table) if tag != now]
        same_tags += len(stored.words) - len(new)
        flips += new
    return Agreement(sentences, words, same_ids, same_tags, largest, tolerance, tuple(flips), ok)


def read_golden(folder: Path) -> list[Answer]:
    """The lines of `folder`/golden.jsonl.

    Raises:
        UserError: the file is missing or damaged, or a line is not of its form.
    """
    path = folder / GOLDEN
    try:
        lines = path.read_bytes().removesuffix(b"\n").split(b"\n")
    except OSError as error:
        raise damaged(path, str(error)) from error
    answers = []
    for number, line in enumerate(lines, start=1):
        try:
            found = Answer(**json.loads(line))
        except (ValueError, TypeError, RecursionError) as error:
            raise damaged(path, f"line {number}: {error}") from error
        if not _well_formed(found):
            raise damaged(path, f"line {number} is not of its form")
        answers.append(found)
    return answers


def golden_agreement(
    folder: Path,
    threads: int | None = None,
    prepacking: bool | None = None,
    timeout: float = Protocol.timeout,
    progress: Progress | None = None,
) -> Agreement:
    """Answer a bundle's golden texts on this machine, in a process of its own, and compare.

    Args:
        folder: the bundle.
        threads, prepacking: None takes the bundle's own setting.
        timeout: seconds to wait for loading, and for each text.

    Raises:
        UserError: no bundle, or the process ended: then the message says by which signal.
    """
    bundle = read_bundle(folder)
    setting = Setting(
        bundle.setting.threads if threads is None else threads,
        bundle.setting.prepacking if prepacking is None else prepacking,
    )
    golden = read_golden(folder)
    steps = Steps(len(golden), progress)
    subject = bundle_subject(bundle, setting)
    found = []
    with worker_of(subject) as worker:
        load(worker, subject, timeout)
        for stored in golden:
            steps.next("replaying the golden sentences")
            reply = worker.ask("golden", timeout, text=stored.text, labels=list(bundle.labels))
            found.append(Answer(**reply))
    try:
        return compare(zip(golden, found, strict=True), bundle.tolerance)
    except (TypeError, ValueError, LookupError, ArithmeticError) as error:
        raise damaged(folder / GOLDEN, f"its answers cannot be compared ({error})") from error


def _well_formed(found: Answer) -> bool:
    """Whether strings and lists stand where they should; what the lists hold, comparing finds out."""
    lists = [getattr(found, field.name) for field in fields(Answer) if field.name not in ("why", "text")]
    if not all(isinstance(value, list) for value in lists):
        return False
    return all(isinstance(value, str) for value in (found.why, found.text, *found.words))


def _entities(tags: list[str]) -> list[list[Any]]:
    return [[entity.type, entity.start_word, entity.end_word] for entity in group(tags)]


def _shapes(one: Answer) -> tuple[int, int, tuple[int, ...]]:
    return len(one.tags), len(one.margins), tuple(map(len, one.logits))


def _largest(one: Any, other: Any) -> float:
    pairs = zip(_flat(one), _flat(other), strict=True)
    return max((abs(a - b) for a, b in pairs), default=0.0)


def _flat(values: Any) -> Iterator[float]:
    for value in values:
        if isinstance(value, list):
            yield from _flat(value)
        else:
            yield float(value)


def _rounded(values: np.ndarray) -> Any:
    return np.round(values.astype(np.float64), LOGIT_DECIMALS).tolist()
