"""A PyTorch tagger of a few kilobytes: two letters, one layer."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
PIECES = [*SPECIAL, "▁", "a", "b", "c"]


@pytest.fixture
def torch_folder(tmp_path: Path) -> Path:
    """A Hugging Face token-classification folder with tokenizer.json."""
    import torch
    from transformers import XLMRobertaConfig, XLMRobertaForTokenClassification

    folder = tmp_path / "teacher"
    torch.manual_seed(0)
    config = XLMRobertaConfig(
        vocab_size=len(PIECES),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=66,
        num_labels=3,
    )
    XLMRobertaForTokenClassification(config).save_pretrained(folder)
    vocabulary = [(piece, 0.0 if piece in SPECIAL else -1.0) for piece in PIECES]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture
def torchscript(torch_folder: Path) -> Path:
    """The same model, traced and frozen."""
    import torch
    from transformers import AutoModelForTokenClassification

    model = AutoModelForTokenClassification.from_pretrained(torch_folder, torchscript=True).eval()
    example = torch.ones(2, 5, dtype=torch.long)
    path = torch_folder.parent / "model.pt"
    torch.jit.freeze(torch.jit.trace(model, (example, example))).save(str(path))
    return path
