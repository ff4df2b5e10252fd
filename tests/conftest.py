"""A teacher of 47,000 parameters in the form AfriBERTa is published in, and what is made from it.

Folders here are shared by the whole session: a test that changes one takes a copy.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from toolkit.data.builtin import load_demo
from toolkit.data.types import Labelled

# Read when torch is imported: tests run side by side, and must not depend on the number of cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

PIECES = 400
LONGEST = "test_pipeline.py"
SPM = "sentencepiece.bpe.model"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest file first, so that the other workers are not waiting for it at the end."""
    items.sort(key=lambda item: item.path.name != LONGEST)


@pytest.fixture(scope="session")
def demo() -> Labelled:
    """Swahili demo text."""
    return load_demo("swa")


@pytest.fixture(scope="session")
def few(demo: Labelled) -> Labelled:
    """The same with 60 train, 20 dev and 20 test sentences."""
    return replace(demo, train=demo.train[:60], dev=demo.dev[:20], test=demo.test[:20])


@pytest.fixture(scope="session")
def paragraphs(demo: Labelled) -> list[tuple[str, ...]]:
    """Words of 400 demo sentences, as unlabelled text."""
    return [sentence.words for sentence in demo.train[-400:]]


@pytest.fixture(scope="session")
def train_sentencepiece() -> Callable[..., bytes]:
    """Trains a SentencePiece model on Swahili, Yoruba and Hausa demo text."""

    def train(model_type: str = "unigram", pieces: int = PIECES) -> bytes:
        import sentencepiece

        text = [" ".join(s.words) for lang in ("swa", "yor", "hau") for s in load_demo(lang).train]
        out = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(text),
            model_writer=out,
            vocab_size=pieces,
            model_type=model_type,
            num_threads=1,
            minloglevel=2,
        )
        return out.getvalue()

    return train


@pytest.fixture(scope="session")
def build_model(demo: Labelled) -> Callable[..., Any]:
    """Builds a torch token classifier, random but with logits far enough apart to have tags."""

    def build(architecture: str = "xlm-roberta", seed: int = 0, **changes: Any) -> Any:
        import torch
        from transformers import AutoConfig, AutoModelForTokenClassification

        shape: dict[str, Any] = {
            "vocab_size": PIECES + 2,
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 64,
            "max_position_embeddings": 514 if architecture == "xlm-roberta" else 512,
            "type_vocab_size": 1,
            "pad_token_id": 1,
            "layer_norm_eps": 1e-5,
            "initializer_range": 0.2,
            "id2label": dict(enumerate(demo.labels)),
            "label2id": {label: index for index, label in enumerate(demo.labels)},
        }
        if architecture == "electra":
            shape["embedding_size"] = 16
        torch.manual_seed(seed)
        config = AutoConfig.for_model(architecture, **{**shape, **changes})
        return AutoModelForTokenClassification.from_config(config, attn_implementation="eager").eval()

    return build


@pytest.fixture(scope="session")
def published(
    tmp_path_factory: pytest.TempPathFactory,
    train_sentencepiece: Callable[..., bytes],
    build_model: Callable[..., Any],
) -> Path:
    """A teacher as AfriBERTa is published: no tokenizer.json, no maximum length, four rows without a piece."""
    folder = tmp_path_factory.mktemp("published")
    build_model(vocab_size=PIECES + 6).save_pretrained(folder)
    (folder / SPM).write_bytes(train_sentencepiece())
    return folder


@pytest.fixture(scope="session")
def teacher(tmp_path_factory: pytest.TempPathFactory, published: Path) -> Path:
    """The converted teacher."""
    from toolkit.teacher import read_teacher

    folder = tmp_path_factory.mktemp("converted") / "teacher"
    read_teacher(published, folder)
    return folder


@pytest.fixture(scope="session")
def electra(tmp_path_factory: pytest.TempPathFactory, teacher: Path, build_model: Callable[..., Any]) -> Path:
    """A model folder with an embedding narrower than its hidden states."""
    from toolkit.folders import copy_tokenizer

    folder = tmp_path_factory.mktemp("electra")
    build_model("electra").save_pretrained(folder)
    copy_tokenizer(teacher, folder)
    return folder


@dataclass(frozen=True)
class Exported:
    """A model folder and its ONNX variants, with what their exporters reported."""

    architecture: str
    model: Path
    fp32: Path
    int8: Path
    fp32_report: dict[str, Any]
    int8_report: dict[str, Any]


@pytest.fixture(scope="session", params=["xlm-r", "electra"])
def exported(
    request: pytest.FixtureRequest, teacher: Path, electra: Path, tmp_path_factory: pytest.TempPathFactory
) -> Exported:
    """Both architectures as ONNX, fp32 and int8."""
    from export.variants import build_variant

    model = teacher if request.param == "xlm-r" else electra
    fp32, int8 = (tmp_path_factory.mktemp(f"{request.param}-{name}") for name in ("fp32", "int8"))
    fp32_report = build_variant("onnx-fp32", model, fp32)
    int8_report = build_variant("onnx-int8", model, int8, fp32)
    return Exported(request.param, model, fp32, int8, fp32_report, int8_report)
