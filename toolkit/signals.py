"""What the teacher says about a text, computed once and stored compactly.

Rows are words, not sub-words, so a student may have a vocabulary of its own. Logits are float16 (18 bytes a word
with nine labels); hidden states, which only task-agnostic distillation reads, are int8 with one scale per row.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.runtime.encode import CERTAIN, WordEncoder

TOKENS_PER_BATCH = 8192
LONGEST = 256  # words; longer paragraphs are cut, batches would be mostly padding


@dataclass(frozen=True)
class Signals:
    """A teacher's outputs on sentences.

    Attributes:
        sentences: words of each.
        labelled: how many of them, from the first, are the labelled training sentences.
        starts: int64 (sentences,), index of each sentence's first word in the rows below.
        logits: float16 (words, labels), or None.
        hidden: int8 (words, width) with scale float16 (words, 1), or None.
    """

    sentences: list[list[str]]
    labelled: int
    starts: np.ndarray
    logits: np.ndarray | None
    hidden: tuple[np.ndarray, np.ndarray] | None

    def rows(self, example: dict[str, Any]) -> np.ndarray:
        """Row numbers of the words that a training example decides, int64 (k,)."""
        rows: np.ndarray = self.starts[example["sentence"]] + example["words"]
        return rows

    def hidden_rows(self, rows: np.ndarray) -> np.ndarray:
        """Hidden states of some words, float32 (k, width)."""
        assert self.hidden is not None
        states, scale = self.hidden
        dequantized: np.ndarray = states[rows].astype(np.float32) * scale[rows].astype(np.float32)
        return dequantized


def sample_unlabelled(
    paragraphs: Sequence[Sequence[str]], encoder: WordEncoder, tokens: int, seed: int
) -> list[list[str]]:
    """Randomly drawn paragraphs (as words), until they hold about `tokens` sub-words or the text ends."""
    order = np.random.default_rng(seed).permutation(len(paragraphs))
    chosen: list[list[str]] = []
    used = 0
    for index in order:
        if used >= tokens:
            break
        words = list(paragraphs[index][:LONGEST])
        if len(words) < 3:
            continue
        chosen.append(words)
        used += len(encoder.sub_words(words)[0]) + 2
    return chosen


def write_signals(
    teacher: Path,
    labelled: Sequence[Sequence[str]],
    unlabelled: Sequence[Sequence[str]],
    hidden: bool,
    out: Path,
) -> dict[str, Any]:
    """Run the teacher over all sentences and store logits (a tagger) or hidden states (`hidden`)."""
    import torch
    from transformers import AutoModel, AutoModelForTokenClassification

    from toolkit.console import console
    from toolkit.features import Batches, collate, examples
    from toolkit.training import has_bf16

    loader = AutoModel if hidden else AutoModelForTokenClassification
    model = loader.from_pretrained(teacher)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = model.to(device).eval()
    sentences = [*labelled, *unlabelled]
    features = examples(WordEncoder.load(teacher), sentences)
    lengths = [len(words) for words in sentences]
    starts = np.cumsum([0, *lengths])
    width = model.config.hidden_size if hidden else model.config.num_labels
    rows = np.zeros((int(starts[-1]), width), np.int8 if hidden else np.float16)
    scale = np.ones((len(rows), 1), np.float16)
    if not hidden:
        rows[:, 1:] = -CERTAIN  # words without sub-words are certainly outside
    batches = Batches([len(example["input_ids"]) for example in features], TOKENS_PER_BATCH, 0, shuffle=False)
    with console.progress("Teacher's outputs", len(batches)) as advance, torch.inference_mode():
        for number, indices in enumerate(batches):
            chosen = [features[i] for i in indices]
            batch = {name: tensor.to(device) for name, tensor in collate(chosen, model.config.pad_token_id).items()}
            with torch.autocast(device, torch.bfloat16, enabled=has_bf16()):
                output = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])[0]
            values = output[batch["rows"], batch["positions"]].float().cpu().numpy()
            where = np.concatenate([starts[example["sentence"]] + example["words"] for example in chosen])
            if hidden:
                top = np.maximum(np.abs(values).max(axis=1, keepdims=True), 1e-6) / 127
                rows[where] = np.rint(values / top).astype(np.int8)
                scale[where] = top.astype(np.float16)
            else:
                rows[where] = values.astype(np.float16)
            advance(number + 1)
    np.save(out / ("hidden.npy" if hidden else "logits.npy"), rows)
    if hidden:
        np.save(out / "scale.npy", scale)
    # Escaped, so that words with line separators, no-break spaces or lone surrogates come back as they are.
    (out / "sentences.json").write_text(json.dumps(sentences), encoding="ascii")
    return {
        "sentences": len(sentences),
        "labelled": len(labelled),
        "words": len(rows),
        "bytes_per_word": round(rows[:1].nbytes + (2 if hidden else 0), 1),
    }


def read_signals(folder: Path, labelled: int) -> Signals:
    """Load what `write_signals` stored; arrays are memory-mapped."""
    sentences = json.loads((folder / "sentences.json").read_text("ascii"))
    starts = np.cumsum([0, *map(len, sentences)])[:-1]
    logits = folder / "logits.npy"
    if logits.is_file():
        return Signals(sentences, labelled, starts, np.load(logits, mmap_mode="r"), None)
    hidden = np.load(folder / "hidden.npy", mmap_mode="r"), np.load(folder / "scale.npy", mmap_mode="r")
    return Signals(sentences, labelled, starts, None, hidden)
