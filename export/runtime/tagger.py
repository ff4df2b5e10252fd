"""Tag text with a bundle: `Tagger.load(path).tag(text)`, or this file as a command (`--help`).

Needs numpy, onnxruntime and tokenizers; no torch. Run as a script it works from any folder and writes no
bytecode into the bundle.
"""

from __future__ import annotations

import sys

if __name__ == "__main__" and not __package__:
    # A script's folder is no package: start again as `runtime.tagger`, with the bundle on the path instead.
    import runpy
    from pathlib import Path

    sys.dont_write_bytecode = True
    here = Path(__file__).resolve().parent
    sys.path[0] = str(here.parent)
    try:
        runpy.run_module(f"{here.name}.tagger", run_name="__main__", alter_sys=True)
    except ModuleNotFoundError as missing:
        from runtime.compatibility import missing_package

        print(missing_package(missing.name), file=sys.stderr)
        sys.exit(2)

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .encode import Logits, WordEncoder, word_logits
from .entities import group
from .errors import UserError
from .files import damaged, field, read_json
from .manifest import read_manifest
from .offsets import TextOffsets
from .sentences import split_sentences
from .session import open_session, session_logits
from .words import split_words

LONGEST_WINDOW = 512  # sub-words, with <s> and </s>: where AfriBERTa's position table ends


class TaggedEntity(NamedTuple):
    """An entity in the user's own string; every `end` is exclusive.

    start, end: code points (Python). start_byte, end_byte: UTF-8 bytes. start_utf16, end_utf16: UTF-16 units
    (JavaScript, Java, Kotlin, Swift). score: mean probability of its words' tags, 0 to 1.
    """

    type: str
    text: str
    start: int
    end: int
    start_byte: int
    end_byte: int
    start_utf16: int
    end_utf16: int
    score: float


class Tagger:
    """A loaded bundle."""

    def __init__(self, logits: Logits, encoder: WordEncoder, labels: Sequence[str], temperature: float = 1.0) -> None:
        """Put the parts together; `load` reads them from a bundle.

        Args:
            logits: the model.
            encoder: its tokenizer.
            labels: its labels in output order; label 0 is "O".
            temperature: divides the logits before the softmax, for calibrated scores (Guo et al. 2017).
        """
        self.labels = tuple(labels)
        self.encoder = encoder
        self.temperature = temperature
        self._logits = logits

    @classmethod
    def load(cls, path: str | Path, threads: int | None = None) -> Tagger:
        """Open the bundle (or model folder) at `path`; `threads` overrides the manifest's.

        Raises:
            UserError: a file is missing or damaged, or holds something this runtime cannot run.
        """
        folder = Path(path)
        manifest_path = folder / "manifest.json"
        config = read_json(folder / "config.json")
        manifest = read_manifest(folder, optional=True)  # a candidate not bundled yet has none
        settings = field(manifest_path, manifest, "session", dict, {})
        encoder = WordEncoder.load(folder, _max_length(folder, config, manifest))
        session = open_session(
            _model_path(folder, manifest),
            threads=field(manifest_path, settings, "threads", int, 1) if threads is None else threads,
            prepacking=field(manifest_path, settings, "prepacking", bool, True),
        )
        labels, temperature = _labels(folder, config), _temperature(manifest_path, manifest)
        return cls(session_logits(session), encoder, labels, temperature)

    def tag(self, text: str) -> list[TaggedEntity]:
        """The entities of `text`, in order. Any string gives an answer; blank text gives none."""
        offsets = TextOffsets(text)
        found = []
        for words in split_sentences(text, split_words(text)):
            for entity in group(*self._predict([word.text for word in words])):
                start, end = words[entity.start_word].start, words[entity.end_word - 1].end
                found.append(
                    TaggedEntity(
                        type=entity.type,
                        text=text[start:end],
                        start=start,
                        end=end,
                        start_byte=offsets.byte(start),
                        end_byte=offsets.byte(end),
                        start_utf16=offsets.utf16(start),
                        end_utf16=offsets.utf16(end),
                        score=entity.score,
                    )
                )
        return found

    def tag_words(self, words: Sequence[str]) -> list[str]:
        """One tag per word of an already split sentence."""
        return self._predict(words)[0] if words else []

    def _predict(self, words: Sequence[str]) -> tuple[list[str], list[float]]:
        """Per word the tag and its probability."""
        rows = word_logits(self._logits, self.encoder, words)
        if rows.shape[1] != len(self.labels):
            raise UserError(
                f"The model gives {rows.shape[1]} labels and config.json names {len(self.labels)}.",
                "The files belong to different models; make or copy the bundle again.",
            )
        probabilities = _softmax(rows / self.temperature)
        best = rows.argmax(axis=1)
        return [self.labels[i] for i in best], probabilities[np.arange(len(rows)), best].tolist()


def _softmax(rows: np.ndarray) -> np.ndarray:
    """Row-wise softmax in float64, (n, labels)."""
    powers = np.exp(rows.astype(np.float64) - rows.max(axis=1, keepdims=True))
    result: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return result


def _max_length(folder: Path, config: dict[str, Any], manifest: dict[str, Any]) -> int:
    """Window in sub-words: as the manifest says, else the tokenizer; at most what there are positions for."""
    positions = field(folder / "config.json", config, "max_position_embeddings", int, LONGEST_WINDOW + 2) - 2
    longest = min(positions, LONGEST_WINDOW)
    path = folder / "manifest.json"
    if manifest.get("max_length") is None:
        path = folder / "tokenizer_config.json"
        manifest = {"max_length": read_json(path, optional=True).get("model_max_length")}
    named = field(path, manifest, "max_length", float, float(longest))
    return int(named) if named < longest else longest  # AfriBERTa's tokenizer says 1e30


def _model_path(folder: Path, manifest: dict[str, Any]) -> Path:
    named = field(folder / "manifest.json", manifest, "model", str, "")
    if not named:
        candidates = sorted(folder.glob("onnx/*.onnx"))
        if len(candidates) != 1:
            raise UserError(
                f"{folder} has {len(candidates)} files onnx/*.onnx and no manifest that names the model.",
                "Give the folder of a bundle.",
            )
        return candidates[0]
    if Path(named).is_absolute() or ".." in Path(named).parts:
        raise damaged(folder / "manifest.json", f"its model {named!r} lies outside the bundle")
    return folder / named


def _labels(folder: Path, config: dict[str, Any]) -> tuple[str, ...]:
    path = folder / "config.json"
    table: dict[str, str] = field(path, config, "id2label", dict, {})
    if not table or set(table) != {str(i) for i in range(len(table))}:
        raise damaged(path, "id2label does not number the labels 0, 1, 2, …")
    labels = tuple(str(table[str(i)]) for i in range(len(table)))
    if labels[0] != "O":
        raise damaged(path, "label 0 is not O")
    return labels


def _temperature(path: Path, manifest: dict[str, Any]) -> float:
    value = field(path, field(path, manifest, "confidence", dict, {}), "temperature", float, 1.0)
    if not 0 < value < math.inf:
        raise damaged(path, f"the confidence temperature {value!r} is no positive number")
    return value


if __name__ == "__main__":
    from .command import main

    sys.exit(main())
