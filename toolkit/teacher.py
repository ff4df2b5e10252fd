"""The teacher: an XLM-R encoder, checked, converted and, where it has no tagging head, fine-tuned."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.runtime.errors import UserError
from toolkit.data.types import Labelled
from toolkit.recipe import TrainingConfig
from toolkit.tokenizer import MAX_LENGTH, SPM, read_sentencepiece, write_tokenizer

if TYPE_CHECKING:
    import torch

ARCHITECTURE = "xlm-roberta"
PAD_ID = 1  # positions count from the one behind it


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
    spm = read_sentencepiece(source / SPM)
    state, weights = read_weights(source)
    model, labels = _build(config, state, source)
    size = write_tokenizer(spm, out)
    rows = model.config.vocab_size
    if size > rows:
        raise UserError(
            f"{source}: the tokenizer has {size} ids but the embedding only {rows} rows.",
            "The tokenizer and the weights are from different models; copy both from the same place.",
        )
    model.resize_token_embeddings(size)
    model.save_pretrained(out)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return TeacherReport(parameters, labels, rows - size, weights)


def read_config(source: Path) -> dict[str, Any]:
    """The folder's config.json.

    Raises:
        UserError: missing, unreadable, of another architecture, or of a form that AfriBERTa does not have.
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
    pad, positions = config.get("pad_token_id", PAD_ID), config.get("max_position_embeddings", 512)
    fewest = PAD_ID + 1 + MAX_LENGTH
    if pad != PAD_ID or not isinstance(positions, int) or positions < fewest:
        raise UserError(
            f"{path} says pad_token_id {pad} and max_position_embeddings {positions}; a teacher has {PAD_ID} "
            f"and at least {fewest}, as AfriBERTa.",
            "Give castorini/afriberta_base, castorini/afriberta_large or a folder of that form.",
        )
    return dict(config)


def read_weights(source: Path) -> tuple[dict[str, torch.Tensor], str]:
    """Tensors by name, and the file or files they came from.

    Raises:
        UserError: no weights, a part missing, a damaged file, or a pickle that is more than tensors.
    """
    state: dict[str, torch.Tensor] = {}
    files = _weight_files(source)
    for file in files:
        state |= _read_tensors(file)
    return state, "+".join(file.name for file in files)


def _weight_files(source: Path) -> list[Path]:
    """model.safetensors or pytorch_model.bin, whole or in its numbered parts; safetensors where both are."""
    for stem, suffix in (("model", "safetensors"), ("pytorch_model", "bin")):
        whole = source / f"{stem}.{suffix}"
        if whole.is_file():
            return [whole]
        parts = sorted(source.glob(f"{stem}-*-of-*.{suffix}"))
        if parts:
            count = int(parts[0].stem.rpartition("-of-")[2])
            if len(parts) != count:
                raise UserError(
                    f"{source} has {len(parts)} of the {count} parts of its weights.",
                    "Copy or download the whole folder again.",
                )
            return parts
    others = [file.name for suffix in ("safetensors", "bin") for file in sorted(source.glob(f"*.{suffix}"))]
    raise UserError(
        f"{source} has no weights (model.safetensors or pytorch_model.bin).",
        f"If {others[0]} holds them, rename it." if others else "Copy or download the whole folder again.",
    )


def _read_tensors(file: Path) -> dict[str, torch.Tensor]:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        loaded = torch.load(file, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, EOFError, RuntimeError) as error:
        raise _damaged(file, str(error).partition("\n")[0]) from error
    except Exception as error:  # pickle's own for what weights_only refuses, anything for what is no pickle
        with file.open("rb") as stream:
            start = stream.read(2)
        # An error page or a Git LFS pointer that was saved as the file is neither a zip nor a pickle.
        if start == b"PK" or start[:1] == b"\x80":
            raise _more_than_tensors(file) from error
        raise _damaged(file, "it is no PyTorch file") from error
    if not isinstance(loaded, dict) or not all(isinstance(value, torch.Tensor) for value in loaded.values()):
        raise _more_than_tensors(file)
    return loaded


def _damaged(file: Path, reason: str) -> UserError:
    return UserError(f"{file} is damaged or incomplete: {reason}.", "Copy or download it again.")


def _more_than_tensors(file: Path) -> UserError:
    return UserError(
        f"{file} holds more than tensors and was not loaded, since it could run code.",
        "Ask its author for model.safetensors, or convert it on a machine you can lose.",
    )


def _build(config: dict[str, Any], state: dict[str, torch.Tensor], source: Path) -> tuple[Any, tuple[str, ...]]:
    """The torch model in fp32, with its tagging head where the weights have one."""
    from transformers import XLMRobertaConfig, XLMRobertaForTokenClassification, XLMRobertaModel

    labels: tuple[str, ...] = ()
    names: dict[str, Any] = {}
    if "classifier.weight" in state:
        labels = _head_labels(config, state["classifier.weight"].shape[0], source)
        names = {"id2label": dict(enumerate(labels)), "label2id": {name: i for i, name in enumerate(labels)}}
    else:
        state = {name.removeprefix("roberta."): tensor for name, tensor in state.items()}
    try:
        shape = XLMRobertaConfig(**{**config, "torch_dtype": None, "dtype": "float32", **names})
        model: Any = (
            XLMRobertaForTokenClassification(shape) if labels else XLMRobertaModel(shape, add_pooling_layer=False)
        )
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"{source}/config.json describes no model: {reason}.",
            "Copy it again from where the weights are from.",
        ) from error
    own = model.state_dict()
    missing = sorted(set(own) - set(state))
    if missing:
        raise UserError(
            f"{source}: the weights lack {len(missing)} of the model's tensors, first {missing[0]}.",
            "config.json and weights are from different models, or a file is missing; copy them again.",
        )
    wrong = [name for name in own if own[name].shape != state[name].shape]
    if wrong:
        raise UserError(
            f"{source}: {wrong[0]} has shape {tuple(state[wrong[0]].shape)}, config.json says "
            f"{tuple(own[wrong[0]].shape)}.",
            "config.json and weights are from different models; copy both from the same place.",
        )
    model.load_state_dict({name: state[name].float() for name in own})
    return model, labels


def _head_labels(config: dict[str, Any], count: int, source: Path) -> tuple[str, ...]:
    """config.json's names of the head's `count` labels."""
    table = config.get("id2label")
    table = table if isinstance(table, dict) else {}
    labels = tuple(str(table.get(str(index))) for index in range(count))
    if len(table) != count or len(set(labels)) != count or labels[0] != "O":
        raise UserError(
            f"{source}/config.json names {len(table)} labels for a head of {count}, or two alike, or the first "
            "is not 'O'.",
            "Correct id2label, or give the encoder without its head.",
        )
    return labels


def fine_tune(
    encoder: Path, data: Labelled, config: TrainingConfig, seed: int, out: Path, work: Path
) -> dict[str, Any]:
    """Put a fresh tagging head on `encoder`, train both on `data.train`, write the model folder `out`."""
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
    features = examples(words, [sentence.words for sentence in data.train], label_ids(data.labels, data.train))
    report = fit(model, features, gold_loss, config, work / "checkpoints", seed, "Fine-tuning the teacher")
    model.save_pretrained(out)
    copy_tokenizer(encoder, out)
    return report
