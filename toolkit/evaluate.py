"""Entity F1 of anything that answers `logits(input_ids, attention_mask)`: torch model, variant or bundle.

Sentences go in one by one, without padding, in windows where they are long; nothing is truncated, so the F1
is that of the artifact as its users run it. Scores are seqeval's default (Nakayama 2018; conlleval's rules).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from export.archive import unpack_zip
from export.onnx_scan import TEXT_OPERATORS, scan_onnx
from export.runtime.encode import Logits, WordEncoder, word_logits
from export.runtime.errors import UserError
from export.runtime.tagger import Tagger
from toolkit.bootstrap import SEED, f1_interval
from toolkit.counts import Span, check_aligned, count_spans, count_spans_by_type, entity_sets
from toolkit.data.types import Sentence

Progress = Callable[[int, int], None]
"""Called with (sentences done, sentences in all)."""


@dataclass(frozen=True)
class Scores:
    """Entity F1, precision and recall, micro-averaged, 0..100, as seqeval's default counts them.

    Where there is nothing to find and nothing was found, all are 0, as in seqeval, the interval too.

    Attributes:
        per_type: entity type -> {"f1", "precision", "recall", "support", "interval"}, sorted by type; a type
            that was only predicted is listed with support 0.
        support: gold entities.
        interval: 95 % of F1, bootstrap over sentences.
    """

    f1: float
    precision: float
    recall: float
    per_type: dict[str, dict[str, Any]]
    support: int
    interval: tuple[float, float]


def entity_scores(gold: Sequence[Sequence[str]], pred: Sequence[Sequence[str]], seed: int = SEED) -> Scores:
    """Scores of predicted tags, one sequence per sentence.

    Raises:
        ValueError: gold and pred differ in the number of sentences or of a sentence's tags.
    """
    check_aligned(gold, pred)
    return span_scores(entity_sets(gold), entity_sets(pred), seed)


def span_scores(gold: Sequence[set[Span]], pred: Sequence[set[Span]], seed: int = SEED) -> Scores:
    """`entity_scores` from each sentence's sets of (type, start, end)."""
    overall = count_spans(gold, pred)
    per_type = {
        type_: {
            "f1": counts.f1,
            "precision": counts.precision,
            "recall": counts.recall,
            "support": counts.support,
            "interval": f1_interval(counts, seed),
        }
        for type_, counts in count_spans_by_type(gold, pred).items()
    }
    return Scores(
        f1=overall.f1,
        precision=overall.precision,
        recall=overall.recall,
        per_type=per_type,
        support=overall.support,
        interval=f1_interval(overall, seed),
    )


def predict(
    logits: Logits,
    encoder: WordEncoder,
    labels: Sequence[str],
    sentences: Sequence[Sentence],
    progress: Progress | None = None,
) -> list[list[str]]:
    """The most probable tag of every word, sentence by sentence.

    Args:
        logits: input_ids and attention_mask int64 (1, n) -> float32 (1, n, labels).
        labels: the model's id2label in order.
    """
    predictions = []
    for done, sentence in enumerate(sentences, start=1):
        best = word_logits(logits, encoder, sentence.words).argmax(axis=1)
        predictions.append([labels[int(index)] for index in best])
        if progress is not None:
            progress(done, len(sentences))
    return predictions


@dataclass(frozen=True)
class Evaluation:
    """What a bundle made of one split.

    Attributes:
        predictions: the sentences with predicted tags, as `toolkit.data.conll.write_conll` takes them.
        notes: what to know when reading the scores, a sentence each.
    """

    scores: Scores
    predictions: tuple[Sentence, ...]
    notes: tuple[str, ...]


def evaluate_bundle(
    bundle: Path, sentences: Sequence[Sentence], labels: Sequence[str], progress: Progress | None = None
) -> Evaluation:
    """Run a bundle (folder or zip) or model folder over labelled sentences, as its users would run it.

    Args:
        sentences: one split, with gold tags.
        labels: the label set of the data.

    Raises:
        UserError: the bundle cannot be opened or is not safe to open, or the data has labels that its model
            does not know.
    """
    with _opened(bundle) as folder:
        _refuse_unsafe_models(folder)
        tagger = Tagger.load(folder)
        notes = _label_notes(bundle, tagger.labels, labels)
        predictions = []
        for done, sentence in enumerate(sentences, start=1):
            predictions.append(Sentence(sentence.words, tuple(tagger.tag_words(sentence.words))))
            if progress is not None:
                progress(done, len(sentences))
    scores = entity_scores([s.tags for s in sentences], [s.tags for s in predictions])
    return Evaluation(scores, tuple(predictions), notes)


@contextmanager
def _opened(bundle: Path) -> Iterator[Path]:
    """The bundle as a folder; a zip is unpacked, with all checks, into a temporary one."""
    if not bundle.is_file():
        yield bundle
        return
    with TemporaryDirectory() as temporary:
        if problems := unpack_zip(bundle, Path(temporary)):
            raise UserError(
                f"{bundle} is not a sound bundle: {problems[0]}", "`make verify` lists all that is wrong."
            )
        yield Path(temporary)


def _refuse_unsafe_models(folder: Path) -> None:
    """A stranger's model must not reach for files outside its folder or for operators of its own.

    Those of text2labels.onnx may be there: nothing is opened with the library that has them.
    """
    for model in sorted(folder.glob("**/*.onnx")):
        beside = frozenset(f.name for f in model.parent.iterdir() if f.is_file() and not f.is_symlink())
        if problem := next(scan_onnx(model).problems(beside, TEXT_OPERATORS), None):
            raise UserError(f"{model} {problem}.", "Use a bundle whose model stands alone.")


def _label_notes(bundle: Path, known: Sequence[str], used: Sequence[str]) -> tuple[str, ...]:
    """Refuse data with labels that the model lacks; say which entity types only the model has."""
    if set(used) - set(known):
        raise UserError(
            f"The labels of {bundle} and of the data don't match: the bundle has {', '.join(known)}; "
            f"the data has {', '.join(used)}.",
            "Use data with the bundle's labels, or make a bundle from this data (make bundle DATA=...).",
        )
    spare = sorted({_type(label) for label in known} - {_type(label) for label in used})
    if not spare:
        return ()
    return (f"The data has no {', '.join(spare)}: every such entity the bundle finds counts as wrong.",)


def _type(label: str) -> str:
    return label.partition("-")[2] or label
