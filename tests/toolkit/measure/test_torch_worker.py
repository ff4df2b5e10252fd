from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from export.parity import torch_logits
from export.runtime.worker import Request
from toolkit.measure.torch_worker import load_torch

IDS = np.array([[0, 5, 6, 7, 2]], np.int64)


@pytest.fixture(autouse=True)
def one_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch allows the inter-op pool to be set once per process; a worker loads once, this process often."""
    monkeypatch.setattr(torch, "set_num_interop_threads", lambda threads: None)


def request(folder: Path, backend: str, model: Path) -> Request:
    return {"folder": str(folder), "model": str(model), "threads": 1, "max_length": 64, "backend": backend}


def expected_logits(folder: Path) -> np.ndarray:
    from transformers import AutoModelForTokenClassification

    model = AutoModelForTokenClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        return model(torch.from_numpy(IDS)).logits.numpy()


def test_fp32_and_torchscript_answer_as_the_model_does(torch_folder: Path, torchscript: Path) -> None:
    expected = expected_logits(torch_folder)
    for backend, model in (("torch", torch_folder), ("torchscript", torchscript)):
        loaded = load_torch(request(torch_folder, backend, model))
        logits = loaded.logits(IDS, np.ones_like(IDS))
        assert logits.dtype == np.float32
        np.testing.assert_allclose(logits, expected, atol=1e-5)
        assert set(loaded.seconds) == {"imports", "session", "tokenizer"}


def test_a_half_precision_folder_runs_in_fp32(torch_folder: Path) -> None:
    from transformers import AutoModelForTokenClassification

    half = torch_folder.parent / "half"
    AutoModelForTokenClassification.from_pretrained(torch_folder).half().save_pretrained(half)
    (half / "tokenizer.json").write_bytes((torch_folder / "tokenizer.json").read_bytes())
    logits = load_torch(request(half, "torch", half)).logits(IDS, np.ones_like(IDS))
    difference = np.abs(logits - expected_logits(torch_folder)).max()
    assert 0 < difference < 1e-2  # rounded once, when it was saved
    assert (logits.astype(np.float16).astype(np.float32) != logits).any()


def test_saved_llm_int8_loads_as_its_config_says(torch_folder: Path) -> None:
    from transformers import AutoModelForTokenClassification, BitsAndBytesConfig

    folder = torch_folder.parent / "bnb"
    AutoModelForTokenClassification.from_pretrained(
        torch_folder, quantization_config=BitsAndBytesConfig(load_in_8bit=True), device_map={"": "cpu"}
    ).save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes((torch_folder / "tokenizer.json").read_bytes())
    loaded = load_torch(request(folder, "bnb", folder))
    assert loaded.packages.keys() == {"torch", "transformers", "bitsandbytes"}
    logits = loaded.logits(IDS, np.ones_like(IDS))
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, expected_logits(torch_folder), atol=0.05)


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: (rows, None), lambda rows: {"logits": rows}])
def test_logits_are_found_in_whatever_a_model_returns(wrap: object) -> None:
    rows = torch.ones(1, 5, 3, dtype=torch.bfloat16)
    logits = torch_logits(lambda ids, mask: wrap(rows))(IDS, np.ones_like(IDS))  # type: ignore[operator]
    assert logits.shape == (1, 5, 3)
    assert logits.dtype == np.float32
