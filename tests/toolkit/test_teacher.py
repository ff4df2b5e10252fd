"""The teacher: what a published folder becomes, and why a bad one is refused."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModel,
    AutoModelForTokenClassification,
    XLMRobertaConfig,
    XLMRobertaForMaskedLM,
    XLMRobertaForTokenClassification,
)

from export.runtime.encode import WordEncoder
from export.runtime.errors import UserError
from toolkit.data.labelled import check_labels
from toolkit.data.types import Labelled
from toolkit.recipe import TrainingConfig
from toolkit.teacher import fine_tune, read_teacher

WEIGHTS = "model.safetensors"
BIN = "pytorch_model.bin"


@pytest.fixture
def source(published: Path, tmp_path: Path) -> Path:
    """A copy of the published folder, to change."""
    return Path(shutil.copytree(published, tmp_path / "teacher"))


def edit_config(source: Path, **changes: Any) -> None:
    config = json.loads((source / "config.json").read_text("utf-8"))
    (source / "config.json").write_text(json.dumps({**config, **changes}), "utf-8")


def edit_weights(source: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    state = load_file(source / WEIGHTS)
    change(state)
    save_file(state, source / WEIGHTS)


def as_bin(source: Path, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    """Replace model.safetensors by pytorch_model.bin, as AfriBERTa is published."""
    state = {name: tensor.to(dtype) for name, tensor in load_file(source / WEIGHTS).items()}
    torch.save(state, source / BIN)
    (source / WEIGHTS).unlink()
    return state


def logits(model: torch.nn.Module) -> torch.Tensor:
    ids = torch.tensor([[0, 5, 77, 200, 401, 9, 2], [0, 6, 12, 2, 1, 1, 1]])
    with torch.inference_mode():
        return model.eval()(input_ids=ids, attention_mask=(ids != 1).long())[0]


def test_a_published_folder_becomes_a_model_folder_with_the_same_logits(published: Path, teacher: Path) -> None:
    before = XLMRobertaForTokenClassification.from_pretrained(published)
    after = AutoModelForTokenClassification.from_pretrained(teacher)
    assert torch.equal(logits(before), logits(after))
    assert sorted(file.name for file in teacher.iterdir()) == [
        "config.json",
        "model.safetensors",
        "sentencepiece.bpe.model",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]


def test_rows_behind_the_last_id_are_removed_and_counted(published: Path, teacher: Path, tmp_path: Path) -> None:
    report = read_teacher(published, tmp_path / "out")
    model = AutoModelForTokenClassification.from_pretrained(teacher)
    assert report.rows_removed == 4
    assert model.config.vocab_size == WordEncoder.load(teacher).vocab_size == 402
    assert report.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert report.labels == tuple(model.config.id2label.values()) and report.labels[0] == "O"
    assert report.converted == WEIGHTS


def test_a_half_precision_bin_becomes_fp32_safetensors(source: Path, tmp_path: Path) -> None:
    half = as_bin(source, torch.float16)
    report = read_teacher(source, tmp_path / "out")
    written = load_file(tmp_path / "out" / WEIGHTS)
    assert report.converted == BIN
    assert {tensor.dtype for tensor in written.values()} == {torch.float32}
    name = "roberta.encoder.layer.1.output.dense.weight"
    assert torch.equal(written[name], half[name].float())


def test_weights_in_parts_are_put_together(published: Path, source: Path, tmp_path: Path) -> None:
    model = AutoModelForTokenClassification.from_pretrained(published)
    (source / WEIGHTS).unlink()
    model.save_pretrained(source, max_shard_size="60KB")
    parts = sorted(source.glob("*.safetensors"))
    assert len(parts) > 2
    report = read_teacher(source, tmp_path / "out")
    assert report.converted == "+".join(part.name for part in parts)
    assert torch.equal(logits(AutoModelForTokenClassification.from_pretrained(tmp_path / "out")), logits(model))
    parts[1].unlink()
    with pytest.raises(UserError, match=rf"{len(parts) - 1} of the {len(parts)} parts"):
        read_teacher(source, tmp_path / "again")


def test_a_masked_language_model_becomes_its_encoder(source: Path, tmp_path: Path) -> None:
    config = XLMRobertaConfig.from_pretrained(source)
    torch.manual_seed(1)
    published = XLMRobertaForMaskedLM(config)
    published.save_pretrained(source)
    report = read_teacher(source, tmp_path / "out")
    encoder = AutoModel.from_pretrained(tmp_path / "out", add_pooling_layer=False)
    assert report.labels == ()
    assert torch.equal(logits(encoder), logits(published.roberta))
    assert report.parameters == sum(parameter.numel() for parameter in encoder.parameters())


class Payload:
    """What a pickle can do: whoever loads it makes a folder."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("form", ["torch", "pickle"])
def test_a_pickle_that_runs_code_is_refused_and_does_not_run(source: Path, tmp_path: Path, form: str) -> None:
    marker = tmp_path / "ran"
    state = {**as_bin(source), "extra": Payload(marker)}
    if form == "torch":
        torch.save(state, source / BIN)
        torch.load(source / BIN, weights_only=False)  # proof that it would run
    else:
        (source / BIN).write_bytes(pickle.dumps(Payload(marker)))
        pickle.loads((source / BIN).read_bytes())
    marker.rmdir()
    with pytest.raises(UserError, match="more than tensors"):
        read_teacher(source, tmp_path / "out")
    assert not marker.exists() and not (tmp_path / "out").exists()


def test_a_pickle_beside_safetensors_is_not_even_read(source: Path, tmp_path: Path) -> None:
    (source / BIN).write_bytes(pickle.dumps(Payload(tmp_path / "ran")))
    assert read_teacher(source, tmp_path / "out").converted == WEIGHTS
    assert not (tmp_path / "ran").exists()


def test_a_training_checkpoint_is_no_weights_file(source: Path, tmp_path: Path) -> None:
    torch.save({"model": as_bin(source), "step": 3}, source / BIN)
    with pytest.raises(UserError, match="more than tensors"):
        read_teacher(source, tmp_path / "out")


def cut(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def drop(name: str) -> Callable[[dict[str, torch.Tensor]], object]:
    return lambda state: state.pop(name)


def replace_tensor(name: str, *shape: int) -> Callable[[dict[str, torch.Tensor]], object]:
    return lambda state: state.update({name: torch.zeros(shape)})


TABLE = "roberta.embeddings.word_embeddings.weight"
BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "no weights": (lambda s: (s / WEIGHTS).unlink(), "has no weights"),
    "truncated safetensors": (lambda s: cut(s / WEIGHTS, 0.6), "model.safetensors is damaged or incomplete"),
    "safetensors cut in its header": (lambda s: cut(s / WEIGHTS, 0.001), "damaged or incomplete"),
    "truncated bin": (lambda s: (as_bin(s), cut(s / BIN, 0.6)), "pytorch_model.bin is damaged or incomplete"),
    "Git LFS pointer as bin": (
        lambda s: (as_bin(s), (s / BIN).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")),
        "it is no PyTorch file",
    ),
    "no config": (lambda s: (s / "config.json").unlink(), "no config.json"),
    "config is no JSON": (lambda s: (s / "config.json").write_text("{"), "config.json cannot be read"),
    "config is a list": (lambda s: (s / "config.json").write_text("[]"), "'None' model"),
    "wrong architecture": (lambda s: edit_config(s, model_type="bert"), "'bert' model"),
    "impossible shape": (lambda s: edit_config(s, num_attention_heads=5), "describes no model"),
    "other padding id": (lambda s: edit_config(s, pad_token_id=0), "pad_token_id 0"),
    "too few positions": (lambda s: edit_config(s, max_position_embeddings=130), "max_position_embeddings 130"),
    "config says other width": (lambda s: edit_config(s, hidden_size=64), r"has shape \(\d+, 32\), config.json says"),
    "config says more layers": (lambda s: edit_config(s, num_hidden_layers=3), "lack 16 of the model's tensors"),
    "a tensor missing": (lambda s: edit_weights(s, drop(TABLE)), f"lack 1 .* first {TABLE}"),
    "ids beyond the rows": (
        lambda s: (edit_weights(s, replace_tensor(TABLE, 401, 32)), edit_config(s, vocab_size=401)),
        "402 ids but the embedding only 401 rows",
    ),
    "config says more rows": (lambda s: edit_config(s, vocab_size=500), r"\(406, 32\), config.json says \(500, 32\)"),
    "head without names": (lambda s: edit_config(s, id2label=None), "names 0 labels for a head of 9"),
    "label names missing": (lambda s: edit_config(s, id2label={"0": "O", "1": "B-PER"}), "names 2 labels"),
    "first label is not O": (
        lambda s: edit_config(s, id2label={str(i): f"LABEL_{i}" for i in range(9)}),
        "the first is not 'O'",
    ),
    "two labels alike": (
        lambda s: edit_config(s, id2label={"0": "O", **{str(i): "B-PER" for i in range(1, 9)}}),
        "two alike",
    ),
    "no SentencePiece model": (
        lambda s: (s / "sentencepiece.bpe.model").unlink(),
        "sentencepiece.bpe.model is missing",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_folder_is_refused_with_the_reason(source: Path, tmp_path: Path, case: str) -> None:
    spoil, reason = BAD[case]
    spoil(source)
    with pytest.raises(UserError, match=reason) as error:
        read_teacher(source, tmp_path / "out")
    assert error.value.remedy
    assert not (tmp_path / "out" / WEIGHTS).exists()


def test_oddly_named_weights_are_named_in_the_remedy(source: Path, tmp_path: Path) -> None:
    (source / WEIGHTS).rename(source / "afriberta.fp32.safetensors")
    with pytest.raises(UserError, match="has no weights") as error:
        read_teacher(source, tmp_path / "out")
    assert "If afriberta.fp32.safetensors holds them, rename it" in error.value.remedy


def test_data_with_a_tag_the_head_does_not_know_is_refused(few: Labelled) -> None:
    check_labels(few.labels, few)
    with pytest.raises(UserError, match=r"knows O, B-PER.* also uses .*I-DATE"):
        check_labels(("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG"), few)
    check_labels(few.labels, replace(few, labels=("O", "B-PER")))  # fewer tags than the head knows are fine


def test_fine_tuning_puts_a_head_on_an_encoder_and_repeats_itself(
    published: Path, source: Path, few: Labelled, tmp_path: Path
) -> None:
    XLMRobertaForTokenClassification.from_pretrained(published).roberta.save_pretrained(source)
    read_teacher(source, tmp_path / "encoder")
    config = TrainingConfig(learning_rate=3e-3, epochs=3, tokens_per_batch=600, bf16=False)
    reports = [
        fine_tune(tmp_path / "encoder", few, config, 5, tmp_path / name, tmp_path / f"work {name}")
        for name in ("one", "two")
    ]
    assert reports[0]["examples"] == 60 and reports[0]["steps"] % 3 == 0
    assert reports[0]["loss"] == reports[1]["loss"] < 1.9  # nine labels at random: ln 9 = 2.2
    models = [AutoModelForTokenClassification.from_pretrained(tmp_path / name) for name in ("one", "two")]
    assert models[0].config.id2label == dict(enumerate(few.labels))
    assert torch.equal(*(logits(model) for model in models))
    start = AutoModel.from_pretrained(tmp_path / "encoder", add_pooling_layer=False)
    assert not torch.equal(
        models[0].roberta.embeddings.word_embeddings.weight, start.embeddings.word_embeddings.weight
    )
    assert WordEncoder.load(tmp_path / "one").vocab_size == 402
