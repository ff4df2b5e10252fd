"""text2labels.onnx: the tagger as one graph, from a sentence to labels, with the tokenizer inside.

For apps that have onnxruntime with onnxruntime-extensions and want no tokenizer code of their own. The graph
reads a sentence as the runtime does:

1. Characters get class letters from the runtime's own table of Unicode (RegexFullMatch, one set per class), and
   `words.RULE` runs over the letters. RE2 has no look-ahead: apostrophes that stand for a quotation mark get a
   letter of their own first, which says the same.
2. SentencePiece encodes each word alone, with its model inside the graph.
3. The model runs, and each word takes the label of its first sub-word.

Where it differs from `Tagger`:

- A text is one sentence; the app cuts text into sentences. One of more sub-words than the manifest's max_length is
  an error that names the node `text_graph.GUARD`; the runtime takes windows.
- The runtime composes text (NFC) first and the graph does not. SentencePiece's map composes what follows each
  other, not across another mark (U+00E9 U+0323, or E U+0329 U+0301). Composed text is read alike.
- A NUL ends the text: onnxruntime takes C strings.

Words, offsets and labels were those of the runtime, and scores within 1e-7, on all other of 10,000 generated
strings over all of Unicode (70 differed for the second reason), on the built-in text of ten languages, composed and
decomposed, and on the 2,618 dev sentences of MasakhaNER 1.0.

Source of the operators: onnxruntime-extensions/docs/custom_ops.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from export.atomic import write_bytes_atomic
from export.golden import golden_texts
from export.runtime.encode import Logits, WordEncoder, word_logits
from export.runtime.errors import UserError
from export.runtime.offsets import TextOffsets
from export.runtime.session import load_onnxruntime, open_session, session_logits, session_options
from export.runtime.words import split_words

PACKAGE = "onnxruntime-extensions"
# Below onnx/ and not beside it: optimum takes the first file it finds, and there that is the bundle's own model.
FILE = "onnx/text2labels/text2labels.onnx"
SENTENCEPIECE = "sentencepiece.bpe.model"
_SILENT = 4  # a sentence that is too long is told by an exception


class TaggedWord(NamedTuple):
    """One word: `begin` and `end` (exclusive) in UTF-8 bytes; `score` is the label's probability."""

    text: str
    begin: int
    end: int
    label: str
    score: float


class SentenceTooLong(UserError):
    """The sentence has more sub-words than the graph takes."""


@dataclass(frozen=True)
class Text2LabelsReport:
    """What a text2labels file holds and how it compares with the runtime on golden sentences.

    Attributes:
        bytes: of the file.
        requires: the package that brings its operators, pinned.
        max_length: sub-words in a sentence, <s> and </s> included.
        sentences: asked of both.
        too_long: how many of these the graph refuses.
        different: what makes hard those of which a word, an offset or a label differs.
        score_difference: the largest among the words of the others.
    """

    bytes: int
    requires: tuple[str, ...]
    max_length: int
    sentences: int
    too_long: int
    different: tuple[str, ...]
    score_difference: float


@dataclass(frozen=True)
class Parts:
    """The tagger that becomes a graph.

    Attributes:
        folder: a variant folder: tokenizer and ONNX model.
        model: the model in it, relative; its weights become part of the graph.
        labels: in the order of the model's outputs.
        languages: ISO 639-3; their golden sentences must be answered as the runtime does.
        max_length: sub-words in a sentence, <s> and </s> included.
        temperature: divides the logits before the softmax.
    """

    folder: Path
    model: str
    labels: tuple[str, ...]
    languages: tuple[str, ...]
    max_length: int
    temperature: float = 1.0


def require_extensions() -> None:
    """Raises UserError where onnxruntime-extensions is not installed."""
    if find_spec("onnxruntime_extensions") is None:
        raise UserError(
            f"text2labels.onnx needs {PACKAGE}, which is not installed.",
            "Run `make setup`, or leave text2labels out of the recipe.",
        )


def export_text2labels(parts: Parts, out: Path) -> Text2LabelsReport:
    """Write the tagger as one graph to `out`, after comparing it with the runtime.

    Raises:
        UserError: onnxruntime-extensions or the SentencePiece model is missing, or a golden sentence of the
            languages is answered in another way than the runtime answers it. Nothing is written then.
    """
    require_extensions()
    from export.text_graph import text_graph

    sentencepiece = parts.folder / SENTENCEPIECE
    if not sentencepiece.is_file():
        raise UserError(
            f"text2labels.onnx needs a SentencePiece model, and there is no {sentencepiece}.",
            "Give a teacher that has one, or leave text2labels out of the recipe.",
        )
    encoder = WordEncoder.load(parts.folder, parts.max_length)
    graph = text_graph(
        parts.folder / parts.model,
        sentencepiece.read_bytes(),
        parts.labels,
        (encoder.bos_id, encoder.eos_id),
        parts.temperature,
        parts.max_length,
    )
    data = graph.SerializeToString(deterministic=True)
    report = _compared(Text2Labels(data), encoder, parts, len(data))
    write_bytes_atomic(out, data)
    return report


class Text2Labels:
    """An opened text2labels.onnx: what an app does with it, in Python."""

    def __init__(self, model: Path | bytes, threads: int = 1) -> None:
        """Open a file, or what one holds.

        Raises:
            UserError: onnxruntime-extensions is not installed, or onnxruntime cannot open the model.
        """
        require_extensions()
        import onnxruntime_extensions

        ort = load_onnxruntime()
        options = session_options(threads)
        options.log_severity_level = _SILENT
        options.register_custom_ops_library(onnxruntime_extensions.get_library_path())
        source = model if isinstance(model, bytes) else str(model)
        try:
            self._session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions have no common base of their own
            reason = str(error).splitlines()[0]
            raise UserError(f"text2labels.onnx cannot be opened: {reason}", "Make the bundle again.") from error

    def __call__(self, sentence: str) -> list[TaggedWord]:
        """The words of a sentence with their labels. A lone surrogate reads as U+FFFD.

        Raises:
            SentenceTooLong: it has more sub-words than the graph takes.
        """
        from export.text_graph import GUARD

        text = sentence.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        try:
            outputs = self._session.run(None, {"text": np.array([text], object)})
        except Exception as error:
            if GUARD not in str(error):
                raise
            raise SentenceTooLong("The sentence has too many sub-words.", "Cut it into sentences.") from error
        return [TaggedWord(*word) for word in zip(*(output.tolist() for output in outputs), strict=True)]


def by_runtime(logits: Logits, encoder: WordEncoder, parts: Parts, sentence: str) -> list[TaggedWord]:
    """What the runtime makes of a text that it takes for one sentence."""
    words, offsets = split_words(sentence), TextOffsets(sentence)
    rows = word_logits(logits, encoder, [word.text for word in words]) / parts.temperature
    powers = np.exp(rows.astype(np.float64) - rows.max(axis=1, keepdims=True))
    scores = powers.max(axis=1) / powers.sum(axis=1)
    return [
        TaggedWord(word.text, offsets.byte(word.start), offsets.byte(word.end), parts.labels[best], score)
        for word, best, score in zip(words, rows.argmax(axis=1).tolist(), scores.tolist(), strict=True)
    ]


def _compared(graph: Text2Labels, encoder: WordEncoder, parts: Parts, size: int) -> Text2LabelsReport:
    logits = session_logits(open_session(parts.folder / parts.model))
    texts = golden_texts(parts.languages)
    too_long, different, apart = 0, [], [0.0]
    for item in texts:
        try:
            found = graph(item.text)
        except SentenceTooLong:
            too_long += 1
            continue
        expected = by_runtime(logits, encoder, parts, item.text)
        if [word[:-1] for word in found] == [word[:-1] for word in expected]:
            apart += [abs(one.score - other.score) for one, other in zip(found, expected, strict=True)]
        elif item.why in parts.languages:
            raise UserError(
                f"text2labels.onnx answers {item.text!r} in another way than the runtime.",
                "Use the pinned packages (make setup), or leave text2labels out of the recipe.",
            )
        else:
            different.append(item.why)
    package = f"{PACKAGE}=={version(PACKAGE)}"
    return Text2LabelsReport(size, (package,), parts.max_length, len(texts), too_long, tuple(different), max(apart))
