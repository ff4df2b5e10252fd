"""fp32, fp16 and LLM.int8() side by side at AfriBERTa's base and large shapes, batch 1, 8 and 32.

    python tests/benchmarks/gpu_llm_int8.py [--quick] [--device cuda|cpu] [--length 64] [--rounds 30]

Measures forward passes on a GPU, or on the CPU where there is none, and every line says which. Weights are
random, so nothing here says anything about F1. LLM.int8() multiplies features beyond its threshold of 6
apart, in half precision; random weights have none, trained encoders may have a few (Kovaleva et al. 2021,
"BERT Busters"), so it is measured without ('llm-int8') and with four of them ('llm-int8 + outliers'). The
precisions take turns within each round, so that a busy machine slows all of them; ratios are to fp32 of the
same shape and batch. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import platform
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import bitsandbytes
import numpy as np
import torch
import transformers
from transformers import AutoModelForTokenClassification, XLMRobertaConfig, XLMRobertaForTokenClassification

from export.bnb import export_llm_int8

LAYERS = {"base": 8, "large": 10}
BATCHES = (1, 8, 32)
TAGS = 9
OUTLIER_FEATURES = 4
OUTLIER_GAIN = 30.0  # a LayerNorm gain that takes most values of a feature beyond 6


def afriberta_like(shape: str, folder: Path, outliers: int = 0) -> int:
    """Save a randomly initialised tagger of AfriBERTa's `shape`; returns its number of parameters.

    `outliers` features of every layer's input get values beyond LLM.int8()'s threshold.
    """
    torch.manual_seed(0)
    config = XLMRobertaConfig(
        vocab_size=70_006,
        hidden_size=768,
        num_hidden_layers=LAYERS[shape],
        num_attention_heads=6,
        intermediate_size=3072,
        max_position_embeddings=514,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        num_labels=TAGS,
    )
    model = XLMRobertaForTokenClassification(config)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.LayerNorm):
                module.weight[:outliers] = OUTLIER_GAIN
    model.save_pretrained(folder)
    return model.num_parameters()


def load(folder: Path, device: str, dtype: torch.dtype) -> tuple[Any, int]:
    """The model in evaluation mode, and the bytes its tensors hold on the device."""
    model = AutoModelForTokenClassification.from_pretrained(folder, dtype=dtype, device_map={"": device}).eval()
    return model, sum(tensor.nbytes for tensor in model.state_dict().values())


def milliseconds(run: Callable[[], object], device: str) -> float:
    """One call, waiting for the GPU to finish."""
    if device == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    run()
    if device == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - started) * 1000


def measure(models: dict[str, Any], batch: int, length: int, device: str, rounds: int) -> dict[str, list[float]]:
    """Milliseconds per forward pass, `rounds` of each precision in turns, after unmeasured ones."""
    unmeasured = 5 if device == "cuda" else 1
    ids = torch.randint(4, 70_006, (batch, length), device=device)
    mask = torch.ones_like(ids)
    times: dict[str, list[float]] = {name: [] for name in models}
    with torch.inference_mode():
        for turn in range(rounds + unmeasured):
            for name, model in models.items():
                taken = milliseconds(partial(model, input_ids=ids, attention_mask=mask), device)
                if turn >= unmeasured:
                    times[name].append(taken)
    return times


def peak_bytes(model: Any, batch: int, length: int, device: str) -> int | None:
    """The most GPU memory that one forward pass takes beyond what is there before it; None on a CPU."""
    if device != "cuda":
        return None
    ids = torch.randint(4, 70_006, (batch, length), device=device)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    with torch.inference_mode():
        model(input_ids=ids, attention_mask=torch.ones_like(ids))
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def benchmark(
    shape: str, batches: tuple[int, ...], device: str, length: int, rounds: int, work: Path
) -> list[dict[str, Any]]:
    """One row per precision and batch size."""
    parameters = afriberta_like(shape, work / shape)
    afriberta_like(shape, work / f"{shape}-outliers", OUTLIER_FEATURES)
    int8 = export_llm_int8(work / shape, work / f"{shape}-int8", device)
    export_llm_int8(work / f"{shape}-outliers", work / f"{shape}-int8-outliers", device)
    loaded = {
        "fp32": load(work / shape, device, torch.float32),
        "fp16": load(work / shape, device, torch.float16),
        "llm-int8": load(work / f"{shape}-int8", device, torch.float16),
        "+ outliers": load(work / f"{shape}-int8-outliers", device, torch.float16),
    }
    models = {name: model for name, (model, _) in loaded.items()}
    rows = []
    for batch in batches:
        # A large batch on a CPU takes seconds; it is also steadier.
        times = measure(models, batch, length, device, max(2, rounds // batch) if device == "cpu" else rounds)
        reference = float(np.median(times["fp32"]))
        for name, values in times.items():
            p50, p90 = np.percentile(values, [50, 90])
            rows.append(
                {
                    "shape": shape,
                    "parameters": parameters,
                    "device": device,
                    "precision": "llm-int8 + outliers" if name == "+ outliers" else name,
                    "batch": batch,
                    "length": length,
                    "rounds": len(values),
                    "p50_ms": round(float(p50), 3),
                    "p90_ms": round(float(p90), 3),
                    "sentences_per_second": round(batch * 1000 / float(p50), 1),
                    "speed_to_fp32": round(reference / float(p50), 2),
                    "weights_bytes": loaded[name][1],
                    "forward_peak_bytes": peak_bytes(models[name], batch, length, device),
                    "int8_layers": 0 if name in ("fp32", "fp16") else int8.int8_layers,
                    "embedding_bytes": embedding_bytes(models[name]),
                }
            )
            print(line(rows[-1]), flush=True)
    del loaded, models
    gc.collect()
    return rows


def embedding_bytes(model: Any) -> int:
    """Bytes of the word embedding."""
    return int(model.get_input_embeddings().weight.nbytes)


def line(row: dict[str, Any]) -> str:
    """One row of the table."""
    peak = "-" if row["forward_peak_bytes"] is None else f"{row['forward_peak_bytes'] / 1e6:.1f}"
    times = f"{row['p50_ms']:>11.2f}{row['p90_ms']:>11.2f}{row['sentences_per_second']:>11.1f}"
    megabytes = f"{row['weights_bytes'] / 1e6:>11.1f}{row['embedding_bytes'] / 1e6:>11.1f}{peak:>9}"
    return (
        f"{row['shape']:<6}{row['device']:<6}{row['precision']:<20}{row['batch']:>5}{row['length']:>7}"
        f"{row['rounds']:>7}{times}{row['speed_to_fp32']:>8.2f}{megabytes}"
    )


HEADER = (
    f"{'shape':<6}{'on':<6}{'precision':<20}{'batch':>5}{'length':>7}{'rounds':>7}"
    f"{'p50 ms':>11}{'p90 ms':>11}{'sent./s':>11}{'× fp32':>8}"
    f"{'MB weights':>11}{'of it emb.':>11}{'MB peak':>9}"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="base shape, batch 1 and 8, three rounds")
    parser.add_argument("--device", choices=("cuda", "cpu"), help="default: a GPU where there is one")
    parser.add_argument("--length", type=int, default=64, help="sub-words per sentence")
    parser.add_argument("--rounds", type=int, help="default: 100 on a GPU, 20 on a CPU (fewer for large batches)")
    parser.add_argument("--threads", type=int, default=1, help="on a CPU")
    arguments = parser.parse_args()
    logging.getLogger("transformers").setLevel(logging.ERROR)
    torch.set_num_threads(arguments.threads)
    device = arguments.device or ("cuda" if torch.cuda.is_available() else "cpu")
    rounds = arguments.rounds or (3 if arguments.quick else 100 if device == "cuda" else 20)
    shapes = ("base",) if arguments.quick else tuple(LAYERS)
    batches = BATCHES[:2] if arguments.quick else BATCHES
    if device == "cpu":
        print("No GPU is used: these are CPU latencies and say nothing about a GPU.")
    print(HEADER)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as work:
        for shape in shapes:
            rows += benchmark(shape, batches, device, arguments.length, rounds, Path(work))
    result = {
        "benchmark": "gpu_llm_int8",
        "device": device,
        "device_name": torch.cuda.get_device_name() if device == "cuda" else platform.processor() or "cpu",
        "threads": arguments.threads if device == "cpu" else None,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "bitsandbytes": bitsandbytes.__version__,
        "rows": rows,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
