"""The folder that goes to a device: plan.json, graphs without weights, a tokenizer and words to cut."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from calibration.device.features import Work, count_work
from calibration.device.graphs import DATA, data_bytes, encoder, kernel
from calibration.device.shapes import PIECES, Kernel, Standard
from export.atomic import write_bytes_atomic, write_json_atomic
from export.runtime.kernel_record import DataFile, Feed, Graph, KernelPlan, TextPlan

PLAN = "plan.json"
TOKENIZER = "tokenizer.json"
SENTENCES, WORDS = 400, 24
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
TAILED = 0.6  # share of the words that take a second sub-word, as in our languages: 0.65 words to a sub-word


def write_plan(folder: Path, items: Sequence[Kernel | Standard], **changes: Any) -> KernelPlan:
    """Write the plan for `items` into `folder`, a few megabytes in all.

    Args:
        items: what to time; those that need most memory last.
        changes: fields of KernelPlan that differ from its defaults, `threads` among them.
    """
    graphs = []
    needed = dict.fromkeys(DATA, 0)
    for number, item in enumerate(items):
        model = kernel(item) if isinstance(item, Kernel) else encoder(item.shape, item.precision)
        path = f"{number:02}.onnx"
        write_bytes_atomic(folder / path, model.SerializeToString())
        weights = data_bytes(model)
        needed = {kind: max(size, weights[kind]) for kind, size in needed.items()}
        graphs.append(Graph(item.name, path, sum(weights.values()), item.lengths, _feeds(item)))
    tokenizer, sentences = made_up_text()
    write_json_atomic(folder / TOKENIZER, tokenizer)
    data = tuple(DataFile(DATA[kind], kind, size) for kind, size in needed.items())
    plan = KernelPlan(data, tuple(graphs), TextPlan(TOKENIZER, sentences), **changes)
    write_json_atomic(folder / PLAN, plan.to_json())
    return plan


def count_plan(folder: Path, plan: KernelPlan) -> dict[str, Work]:
    """The operations of each graph of a plan, by name; data files that hold nothing stand in for the weights."""
    for file in plan.data:
        with (folder / file.path).open("wb") as stream:
            stream.truncate(file.bytes)
    try:
        return {graph.name: count_work(folder / graph.path) for graph in plan.graphs}
    finally:
        for file in plan.data:
            (folder / file.path).unlink()


def _feeds(item: Kernel | Standard) -> tuple[Feed, ...]:
    """A kernel takes ids from 4 on, behind the special ones; an artifact is given words."""
    return (Feed("input_ids", "int64", (1, None), 4, item.rows),) if isinstance(item, Kernel) else ()


def made_up_text() -> tuple[dict[str, Any], tuple[tuple[str, ...], ...]]:
    """A unigram tokenizer.json of random letters that costs about what AfriBERTa's does, and words of its pieces."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    source = random.Random(0)
    pieces = dict.fromkeys([*SPECIAL, "▁", *LETTERS])
    while len(pieces) < PIECES - 1:
        letters = "".join(source.choices(LETTERS, k=source.randint(2, 6)))
        pieces[letters if len(pieces) % 2 else f"▁{letters}"] = None
    likely = [(piece, 0.0 if piece in SPECIAL else -5 - index / 1e4) for index, piece in enumerate(pieces)]
    tokenizer = Tokenizer(models.Unigram([*likely, ("<mask>", 0.0)], unk_id=3))
    # AfriBERTa's steps but for its character map, which plain words like these do not need.
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    heads = [piece[1:] for piece in pieces if len(piece) > 2 and piece.startswith("▁")]
    tails = [piece for piece in pieces if len(piece) > 1 and piece[0] in LETTERS]
    sentences = tuple(
        tuple(source.choice(heads) + (source.choice(tails) if source.random() < TAILED else "") for _ in range(WORDS))
        for _ in range(SENTENCES)
    )
    return json.loads(tokenizer.to_str()), sentences
