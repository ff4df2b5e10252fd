"""int8 in onnxruntime against the fp32 teacher in PyTorch, at the shape of AfriBERTa base.

    python tests/benchmarks/base_shape.py

Weights are random and seeded: they decide answers, not speed, memory or bytes. Text is made of the
tokenizer's own pieces. Measured side by side, one process each, batch 1, one thread: the teacher with all
70,006 pieces, int8 as it is, int8 trimmed to 9,000 pieces, and trimmed with its weights in a memory-mapped
file. The last line of output is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from export.onnx import export_onnx
from export.quantize import quantize_dynamic_int8, to_external_data
from export.runtime.measurement import Measurement
from export.runtime.rounds import Protocol
from toolkit.measure.interleave import Candidate, measure_candidates

SHAPE: dict[str, Any] = {
    "hidden_size": 768,
    "num_attention_heads": 6,
    "intermediate_size": 3072,
    "max_position_embeddings": 514,
    "layer_norm_eps": 1e-5,
    "type_vocab_size": 1,
    "num_labels": 9,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
}
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
# What to reach: p50 against PyTorch, peak memory as a share of PyTorch's, model file against the fp32 one.
GOALS = {"speedup": 4.0, "peak_memory_share": 0.2, "times_smaller": 6.5}
SHIPPED = "trimmed int8, mapped"  # the one the goals are about
PROTOCOL = Protocol(seconds=20.0, warm_seconds=1.0, cold_seconds=20.0)


def pieces(count: int) -> list[str]:
    """Special pieces, letters and then made-up pieces, every other one beginning a word."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    source = random.Random(0)
    found = dict.fromkeys([*SPECIAL, "▁", *letters])
    while len(found) < count - 1:
        piece = "".join(source.choices(letters, k=source.randint(3, 6)))
        found[piece if len(found) % 2 else f"▁{piece}"] = None
    return [*found, "<mask>"]


def write_tokenizer(folder: Path, vocabulary: list[str]) -> None:
    """tokenizer.json: a unigram model that prefers the first pieces."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    scored = [(piece, 0.0 if piece in SPECIAL else -5 - index / 1e4) for index, piece in enumerate(vocabulary)]
    tokenizer = Tokenizer(models.Unigram(scored, unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.save(str(folder / "tokenizer.json"))


def make_sentences(vocabulary: list[str], count: int = 200) -> list[list[str]]:
    """Sentences of words of one or two pieces, 24 words each, from the pieces that trimming keeps."""
    source = random.Random(1)
    begin = [piece[1:] for piece in vocabulary if piece.startswith("▁") and len(piece) > 1]
    inside = [piece for piece in vocabulary[len(SPECIAL) + 27 :] if not piece.startswith("▁")]
    return [
        [source.choice(begin) + (source.choice(inside) if source.random() < 0.5 else "") for _ in range(24)]
        for _ in range(count)
    ]


def make_models(folder: Path, rows: int, kept: int, layers: int) -> None:
    """The teacher in folder/teacher; in folder/trimmed the same with its first rows and the <mask> row."""
    import torch
    from transformers import XLMRobertaConfig, XLMRobertaForTokenClassification

    torch.manual_seed(0)
    model = XLMRobertaForTokenClassification(
        XLMRobertaConfig(vocab_size=rows, num_hidden_layers=layers, **SHAPE)
    ).eval()
    vocabulary = pieces(rows)
    embeddings = model.get_input_embeddings()
    for name, size in (("teacher", rows), ("trimmed", kept)):
        chosen = [*range(size - 1), rows - 1]
        kept_rows = torch.nn.Embedding.from_pretrained(embeddings.weight[chosen], padding_idx=1)
        model.set_input_embeddings(kept_rows)
        model.config.vocab_size = size
        model.save_pretrained(folder / name)
        write_tokenizer(folder / name, [vocabulary[index] for index in chosen])


def make_variants(folder: Path) -> list[Candidate]:
    """Export, quantize and lay out the candidates; the teacher first."""
    candidates = [Candidate("PyTorch fp32", "torch", folder / "teacher")]
    for source, name in (("teacher", "int8"), ("trimmed", "trimmed int8")):
        fp32, int8 = folder / source / "model.onnx", folder / name / "onnx" / "model_int8.onnx"
        export_onnx(folder / source, fp32)
        quantize_dynamic_int8(fp32, int8)
        fp32.unlink()
        for file in ("config.json", "tokenizer.json"):
            shutil.copy(folder / source / file, folder / name / file)
        candidates.append(Candidate(name, "onnx", folder / name, int8))
    mapped = folder / SHIPPED
    shutil.copytree(folder / "trimmed int8", mapped)
    model = mapped / "onnx" / "model_int8.onnx"
    to_external_data(model)
    candidates.append(Candidate(SHIPPED, "onnx", mapped, model))
    candidates.append(Candidate("… without prepacking", "onnx", mapped, model, prepacking=False))
    return candidates


def figures(found: Measurement, teacher: Measurement) -> dict[str, Any]:
    """What the goals are about, for one candidate."""
    peak, base = found.memory.peak, teacher.memory.peak
    lengths = {str(speedup.length): round(speedup.median, 2) for speedup in found.speedups if speedup.length}
    return {
        "model_mb": round(found.sizes.model / 1e6, 1),
        "times_smaller": round(teacher.sizes.model / found.sizes.model, 2),
        "p50_ms": {str(bucket.length): round(bucket.total.p50, 1) for bucket in found.buckets},
        "samples": {str(bucket.length): bucket.total.samples for bucket in found.buckets},
        "speedups": lengths,
        "speedup": round(statistics.median(lengths.values()), 2),
        "peak_mb": None if peak is None else round(peak / 1e6),
        "anonymous_mb": None if found.memory.anonymous is None else round(found.memory.anonymous / 1e6),
        "imports_mb": None if found.memory_imported.peak is None else round(found.memory_imported.peak / 1e6),
        "peak_memory_share": None if peak is None or base is None else round(peak / base, 3),
        "cold_start_ms": round(1000 * found.cold_start.total),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Build, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pieces", type=int, default=70_006, help="vocabulary of the teacher")
    parser.add_argument("--kept", type=int, default=9_000, help="vocabulary after trimming")
    parser.add_argument("--layers", type=int, default=8, help="8 is base; 4 small, 10 large")
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_models(folder, chosen.pieces, chosen.kept, chosen.layers)
        candidates = make_variants(folder)
        sentences = make_sentences(pieces(chosen.pieces)[: chosen.kept - 1])
        measured = measure_candidates(candidates, sentences, chosen.threads, PROTOCOL, zipped=False)
    teacher = measured[candidates[0].name]
    table = {name: figures(found, teacher) for name, found in measured.items()}
    columns = (
        "model_mb",
        "times_smaller",
        "speedup",
        "peak_mb",
        "anonymous_mb",
        "peak_memory_share",
        "cold_start_ms",
    )
    sys.stdout.write(" | ".join(("", *columns)) + "\n")
    for name, row in table.items():
        sys.stdout.write(" | ".join((name, *(str(row[column]) for column in columns))) + "\n")
    machine = teacher.machine
    record = {
        "benchmark": "base_shape",
        "machine": {"cpu": machine.cpu, "flags": machine.flags, "cores": machine.cores, "os": machine.os},
        "versions": {"python": machine.python, "onnxruntime": machine.onnxruntime, **dict(teacher.packages)},
        "threads": chosen.threads,
        "layers": chosen.layers,
        "goals": {key: {"goal": goal, "reached": table[SHIPPED][key]} for key, goal in GOALS.items()},
        "candidates": table,
    }
    sys.stdout.write(json.dumps(record) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
