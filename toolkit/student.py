"""The student: a smaller encoder that takes over from the teacher what fits its shape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import (
    ElectraConfig,
    ElectraForTokenClassification,
    XLMRobertaConfig,
    XLMRobertaForTokenClassification,
)

from export.runtime.errors import UserError
from toolkit.recipe import StudentConfig

PROBES = 400  # sentences for fitting the embedding projection


@dataclass(frozen=True)
class StudentReport:
    """What the student is and took over.

    Attributes:
        parameters: in all.
        taken_over: parts that came from the teacher.
        embedding_variance: share of the embedding table's variance that its narrower basis keeps, 1.0 at full
            width; None without a teacher's start.
    """

    parameters: int
    taken_over: tuple[str, ...]
    embedding_variance: float | None


def build_student(
    teacher: Any,
    config: StudentConfig,
    vocab_size: int,
    sentences: Sequence[torch.Tensor],
    ffn_importance: Sequence[torch.Tensor] | None = None,
) -> tuple[Any, StudentReport]:
    """A token classifier of the student's shape.

    Args:
        teacher: XLM-R token classifier whose ids the student shares.
        vocab_size: rows of the student's embedding table.
        sentences: int64 (n,) ids of real text, for the embedding projection.
        ffn_importance: per teacher layer, float (intermediate,): first-order importance of its feed-forward
            neurons (Molchanov et al. 2019); needed where the student keeps fewer.

    Raises:
        UserError: hidden is no multiple of heads, or the embedding is wider than hidden.
    """
    student = _fresh(teacher.config, config, vocab_size)
    taken: list[str] = []
    variance = None
    if config.start == "teacher":
        with torch.no_grad():
            variance = _take_embeddings(student, teacher, sentences, taken)
            _take_layers(student, teacher, ffn_importance, taken)
            if student.config.hidden_size == teacher.config.hidden_size:
                student.classifier.load_state_dict(teacher.classifier.state_dict())
                taken.append("tagging head")
    parameters = sum(parameter.numel() for parameter in student.parameters())
    return student, StudentReport(parameters, tuple(taken), variance)


def _fresh(teacher: Any, config: StudentConfig, vocab_size: int) -> Any:
    hidden = config.hidden or teacher.hidden_size
    embedding = config.embedding or hidden
    if hidden % config.heads:
        raise UserError(
            f"A student of width {hidden} cannot have {config.heads} heads: {hidden} is no multiple of it.",
            "Change [student] hidden or heads in the recipe.",
        )
    if embedding > hidden:
        raise UserError(
            f"The student's embedding ({embedding}) is wider than its hidden states ({hidden}).",
            "Make [student] embedding at most hidden.",
        )
    shape = {
        "vocab_size": vocab_size,
        "hidden_size": hidden,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "intermediate_size": config.ffn or teacher.intermediate_size,
        "hidden_act": teacher.hidden_act,
        "hidden_dropout_prob": 0.0,  # a distilled student underfits rather than overfits
        "attention_probs_dropout_prob": 0.0,
        "layer_norm_eps": teacher.layer_norm_eps,
        "pad_token_id": teacher.pad_token_id,
        "bos_token_id": teacher.bos_token_id,
        "eos_token_id": teacher.eos_token_id,
        "type_vocab_size": 1,
        "id2label": teacher.id2label,
        "label2id": teacher.label2id,
        "attn_implementation": "eager",
    }
    if embedding < hidden:
        # XLM-R counts positions from pad + 1, ELECTRA from 0.
        positions = teacher.max_position_embeddings - teacher.pad_token_id - 1
        electra = ElectraConfig(**shape, embedding_size=embedding, max_position_embeddings=positions)
        return ElectraForTokenClassification(electra)
    xlm = XLMRobertaConfig(**shape, max_position_embeddings=teacher.max_position_embeddings)
    return XLMRobertaForTokenClassification(xlm)


def encoder_of(model: Any) -> Any:
    """The encoder below a token classifier's head."""
    return getattr(model, model.base_model_prefix)


def _take_embeddings(student: Any, teacher: Any, sentences: Sequence[torch.Tensor], taken: list[str]) -> float | None:
    """The teacher's table in the basis that keeps most of its frequency-weighted variance.

    The projection up (ELECTRA) is the least-squares fit to the teacher's normalised embeddings of real text.
    """
    source, target = encoder_of(teacher).embeddings, encoder_of(student).embeddings
    offset = teacher.config.pad_token_id + 1
    table = source.word_embeddings.weight  # the constant type embedding falls to the centring below
    width = target.word_embeddings.weight.shape[1]
    narrow = width < student.config.hidden_size
    if not narrow and width == table.shape[1]:
        target.load_state_dict(source.state_dict())
        taken.append("embeddings")
        return 1.0
    if width > table.shape[1]:
        return None
    counts = torch.ones(len(table))
    for index, count in Counter(i for sentence in sentences for i in sentence.tolist()).items():
        counts[index] += count
    centred = table - table.mean(0)
    weights = (counts / counts.sum()).sqrt()[:, None]
    basis = torch.linalg.svd(centred * weights, full_matrices=False).Vh[:width].T
    target.word_embeddings.weight.copy_(centred @ basis)
    target.token_type_embeddings.weight.zero_()
    positions = source.position_embeddings.weight[offset:] @ basis
    start = 0 if narrow else offset
    target.position_embeddings.weight[start : start + len(positions)] = positions
    taken.append(f"embeddings, first {width} principal components")
    if narrow and student.config.hidden_size == teacher.config.hidden_size:
        _fit_projection(encoder_of(student), source, sentences[:PROBES], offset)
        taken.append("embedding projection by least squares")
    kept = (centred @ basis).square().sum() / centred.square().sum()
    return round(float(kept), 4)


def _fit_projection(student: Any, source: Any, sentences: Sequence[torch.Tensor], offset: int) -> None:
    """Least squares from the student's normalised embeddings (n, e) to the teacher's (n, hidden)."""
    inputs, outputs = [], []
    for ids in sentences:
        ids = ids[None]
        positions = torch.arange(ids.shape[1])[None]
        outputs.append(source(input_ids=ids, position_ids=positions + offset)[0])
        inputs.append(student.embeddings(input_ids=ids, position_ids=positions)[0])
    features = torch.cat(inputs)
    features = torch.cat([features, torch.ones(len(features), 1)], dim=1)
    solution = torch.linalg.lstsq(features, torch.cat(outputs), driver="gelsd").solution
    student.embeddings_project.weight.copy_(solution[:-1].T)
    student.embeddings_project.bias.copy_(solution[-1])


def layer_map(teacher_layers: int, student_layers: int) -> list[int]:
    """Which teacher layer each student layer starts from and imitates: evenly spaced, the last by the last.

    A student with more layers than the teacher shares some of them.
    """
    return [max(1, round((i + 1) * teacher_layers / student_layers)) - 1 for i in range(student_layers)]


def _take_layers(student: Any, teacher: Any, importance: Sequence[torch.Tensor] | None, taken: list[str]) -> None:
    """Attention and feed-forward weights of the mapped layers, where the widths agree.

    Heads are a partition of the same matrices, so a student with another number of heads takes them over too,
    cut anew.
    """
    if student.config.hidden_size != teacher.config.hidden_size:
        return
    width = student.config.intermediate_size
    sources = encoder_of(teacher).encoder.layer
    mapped = layer_map(len(sources), student.config.num_hidden_layers)
    for layer, index in zip(encoder_of(student).encoder.layer, mapped, strict=True):
        state = sources[index].state_dict()
        full = state["intermediate.dense.weight"].shape[0]
        if width > full:
            state = {name: value for name, value in state.items() if not name.startswith(("inter", "output."))}
        elif width < full:
            assert importance is not None, "narrower feed-forward layers need importances"
            best = importance[index].topk(width).indices.sort().values
            state["intermediate.dense.weight"] = state["intermediate.dense.weight"][best]
            state["intermediate.dense.bias"] = state["intermediate.dense.bias"][best]
            state["output.dense.weight"] = state["output.dense.weight"][:, best]
        layer.load_state_dict(state, strict=False)
    taken.append(f"layers {', '.join(str(index + 1) for index in mapped)}")
    if width < encoder_of(teacher).config.intermediate_size:
        taken.append(f"the {width} most important feed-forward neurons of each")
