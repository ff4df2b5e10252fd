"""The measured process of PyTorch artifacts: the protocol of export/runtime/worker.py over torch.

`measure_candidates` starts `python -m toolkit.measure.torch_worker`; torch is imported by `load`, inside the
timed part.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from export.runtime.memory import read_memory
from export.runtime.worker import Loaded, Request, run_worker

if TYPE_CHECKING:
    pass


def open_fp32(model: Path) -> Callable[..., Any]:
    """A Hugging Face token-classification folder in fp32, whatever it was saved as."""
    import torch
    from transformers import AutoModelForTokenClassification

    return AutoModelForTokenClassification.from_pretrained(model, dtype=torch.float32, local_files_only=True).eval()


def open_bnb(model: Path) -> Callable[..., Any]:
    """A folder saved by bitsandbytes: its config.json says that and how its Linear layers are LLM.int8()."""
    from transformers import AutoModelForTokenClassification

    return AutoModelForTokenClassification.from_pretrained(model, dtype="auto", local_files_only=True).eval()


def open_torchscript(model: Path) -> Callable[..., Any]:
    """A traced model file. It is a program: the caller vouches for its digest."""
    import torch

    return torch.jit.load(model).eval()


BACKENDS: dict[str, Callable[[Path], Callable[..., Any]]] = {
    "torch": open_fp32,
    "bnb": open_bnb,
    "torchscript": open_torchscript,
}


def load_torch(request: Request) -> Loaded:
    """Open a PyTorch artifact.

    Args:
        request: `folder` (with tokenizer.json), `model`, `threads`, `max_length`, `backend` (see BACKENDS).
    """
    # transformers imports scikit-learn, and with it pandas, where it is installed. No tagger needs them, and
    # 140 MB that are there for seqeval's sake would flatter every ratio against this process.
    sys.modules.setdefault("sklearn", cast(ModuleType, None))
    started = time.perf_counter()
    import torch

    from export.parity import torch_logits
    from export.runtime.encode import WordEncoder

    packages = {"torch": str(torch.__version__)}
    if request["backend"] != "torchscript":
        import transformers
        from transformers import AutoModelForTokenClassification  # noqa: F401 (its import belongs to the imports)

        packages["transformers"] = transformers.__version__
    if request["backend"] == "bnb":
        import bitsandbytes

        packages["bitsandbytes"] = bitsandbytes.__version__
    imported = time.perf_counter()
    memory = read_memory()
    torch.set_num_threads(request["threads"])
    torch.set_num_interop_threads(1)
    encoder = WordEncoder.load(Path(request["folder"]), request["max_length"])
    read = time.perf_counter()
    model = BACKENDS[request["backend"]](Path(request["model"]))
    opened = time.perf_counter()
    seconds = {"imports": imported - started, "tokenizer": read - imported, "session": opened - read}
    return Loaded(torch_logits(model), encoder, seconds, memory, packages)


if __name__ == "__main__":
    run_worker(load_torch)
