"""The teacher: an XLM-R encoder from a folder or the hub, checked, converted and, without a head, fine-tuned."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.runtime.errors import UserError
from toolkit.data.types import Labelled
from toolkit.recipe import TrainingConfig
from toolkit.tokenizer import SPM, read_sentencepiece, write_tokenizer

if TYPE_CHECKING:
    import torch

ARCHITECTURE = "xlm-roberta"


@dataclass(frozen=True)
class TeacherReport:
    """What the teacher is.

    Attributes:
        parameters: of the encoder and, where there is one, the head.
        labels: of the tagging head, () without one.
        rows_removed: embedding rows behind the tokenizer's last id, which no text can reach.
        converted: the published file the weights were read from.
    """

    parameters: int
    labels: tuple[str, ...]
    rows_removed: int
    converted: str


def read_teacher(source: Path, out: Path) -> TeacherReport:
    """Check a teacher folder and write it to `out` as fp32 safetensors with a tokenizer.json.

    Weights are read without executing anything: safetensors, or `.bin` with weights_only.

    Raises:
        UserError: not an XLM-R encoder, weights missing, truncated, of wrong shapes or in a pickle that holds
            more than tensors, or token ids beyond the embedding rows.
    """
    config = read_config(source)
    state, weights = read_weights(source)
    spm = read_sentencepiece(source / SPM)
    size = write_tokenizer(spm, out)
    model, labels = _build(config, state, source)
    table = model.get_input_embeddings().weight
    if size > table.shape[0]:
        raise UserError(
            f"{source}: the tokenizer has {size} ids but the embedding only {table.shape[0]} rows.",
            "The tokenizer and the weights are from different models; copy both from the same place.",
        )
    removed = table.shape[0] - size
    model.resize_token_embeddings(size)
    model.config.torch_dtype = "float32"
    model.save_pretrained(out)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return TeacherReport(parameters, labels, removed, weights)


def read_config(source: Path) -> dict[str, Any]:
    """The folder's config.json.

    Raises:
        UserError: missing, unreadable, or of another architecture.
    """
    path = source / "config.json"
    try:
        config = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise UserError(
            f"{source} has no config.json, so it is no model folder.",
            "Give a folder as Hugging Face publishes it (config.json, weights, sentencepiece.bpe.model).",
        ) from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}.", "Copy or download it again.") from error
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind != ARCHITECTURE:
        raise UserError(
            f"{source} is a '{kind}' model; a teacher must be an XLM-R encoder ({ARCHITECTURE}), as AfriBERTa is.",
            "Give castorini/afriberta_base, castorini/afriberta_large or a folder of that form.",
        )
    return dict(config)


def read_weights(source: Path) -> tuple[dict[str, torch.Tensor], str]:
    """Tensors by name, and the file they came from.

    Raises:
        UserError: no weights, a damaged file, or a pickle that is more than tensors.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    files = sorted(source.glob("*.safetensors")) or sorted(source.glob("pytorch_model*.bin"))
    if not files:
        raise UserError(
            f"{source} has no weights (model.safetensors or pytorch_model.bin).",
            "Copy or download the whole folder again.",
        )
    state: dict[str, torch.Tensor] = {}
    for file in files:
        try:
            if file.suffix == ".safetensors":
                state |= load_file(file)
            else:
                state |= torch.load(file, map_location="cpu", weights_only=True)
        except (SafetensorError, EOFError, RuntimeError) as error:
            raise UserError(
                f"{file} is damaged or incomplete: {str(error).splitlines()[0]}.",
                "Copy or download it again.",
            ) from error
        except Exception as error:  # torch raises pickle's and its own errors for what weights_only refuses
            raise UserError(
                f"{file} holds more than tensors and was not loaded, since it could run code.",
                "Ask its author for model.safetensors, or convert it on a machine you can lose.",
            ) from error
    return state, "+".join(file.name for file in files)


def _build(
    config: dict[str, Any], state: dict[str, torch.Tensor], source: Path
) -> tuple[Any, tuple[str, ...]]:
    """The torch model in fp32, with its tagging head where the weights have one."""
    from transformers import XLMRobertaConfig, XLMRobertaForTokenClassification, XLMRobertaModel

    shape = XLMRobertaConfig(**{**config, "torch_dtype": "float32"})
    tagger = "classifier.weight" in state
    labels: tuple[str, ...] = ()
    if tagger:
        shape.num_labels = state["classifier.weight"].shape[0]
        names = {int(index): name for index, name in (config.get("id2label") or {}).items()}
        if sorted(names) != list(range(shape.num_labels)) or names[0] != "O":
            raise UserError(
                f"{source}/config.json names {len(names)} labels for a head of {shape.num_labels}, or the first "
                "is not 'O'.",
                "Correct id2label, or give the encoder without its head.",
            )
        shape.id2label, shape.label2id = names, {name: index for index, name in names.items()}
        labels = tuple(names[index] for index in sorted(names))
        model: Any = XLMRobertaForTokenClassification(shape)
        wanted = state
    else:
        model = XLMRobertaModel(shape, add_pooling_layer=False)
        wanted = {name.removeprefix("roberta."): tensor for name, tensor in state.items()}
    own = model.state_dict()
    missing = sorted(set(own) - set(wanted))
    if missing:
        raise UserError(
            f"{source}: the weights lack {len(missing)} of the model's tensors, first {missing[0]}.",
            "config.json and weights are from different models, or a file is missing; copy them again.",
        )
    wrong = [name for name in own if own[name].shape != wanted[name].shape]
    if wrong:
        raise UserError(
            f"{source}: {wrong[0]} has shape {tuple(wanted[wrong[0]].shape)}, config.json says "
            f"{tuple(own[wrong[0]].shape)}.",
            "config.json and weights are from different models; copy both from the same place.",
        )
    model.load_state_dict({name: wanted[name].float() for name in own})
    return model, labels


def fine_tune(
    encoder: Path, data: Labelled, config: TrainingConfig, seed: int, out: Path, work: Path
) -> dict[str, Any]:
    """Put a fresh tagging head on `encoder` and train both on `data.train`; writes a model folder to `out`."""
    from transformers import AutoModelForTokenClassification, set_seed

    from export.runtime.encode import WordEncoder
    from toolkit.data.labelled import label_ids
    from toolkit.features import examples
    from toolkit.folders import copy_tokenizer
    from toolkit.training import TRAINING_LENGTH, fit, gold_loss

    set_seed(seed)
    names = dict(enumerate(data.labels))
    model = AutoModelForTokenClassification.from_pretrained(
        encoder, id2label=names, label2id={name: index for index, name in names.items()}
    )
    words = WordEncoder.load(encoder, TRAINING_LENGTH)
    features = examples(
        words, [sentence.words for sentence in data.train], label_ids(data.labels, data.train)
    )
    report = fit(model, features, gold_loss, config, work / "checkpoints", seed, "Fine-tuning the teacher")
    model.save_pretrained(out)
    copy_tokenizer(encoder, out)
    return report
