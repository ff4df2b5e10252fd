"""What a student is trained on: gold labels and the teacher's logits, hidden states and attention."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from toolkit.features import IGNORED
from toolkit.recipe import DistillConfig
from toolkit.student import encoder_of, layer_map

Batch = dict[str, torch.Tensor]
MASKED_SHARE = 0.15  # Devlin et al. 2019
NEVER_MASKED = 3  # <s> <pad> </s>; <unk> may be, so that every text has something to predict


def unwrapped(model: Any) -> Any:
    """The model itself where Trainer wrapped it to use several GPUs."""
    return getattr(model, "module", model)


class TaskSpecificLoss:
    """Weighted sum over a batch of words, labelled or not.

    Logits: Kullback-Leibler divergence at a temperature, times its square (Hinton et al. 2015). Hidden states
    and attention follow TinyBERT (Jiao et al. 2020) with evenly mapped layers; attention is averaged over heads,
    so that student and teacher may differ in their number.
    """

    def __init__(self, config: DistillConfig, teacher: Any | None) -> None:
        """`teacher` shares the student's ids; needed only where hidden or attention have a weight."""
        self.config = config
        self.teacher = teacher
        self.inner = bool(config.hidden or config.attention)

    def __call__(self, model: Any, batch: Batch) -> torch.Tensor:
        output = model(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            output_hidden_states=self.inner,
            output_attentions=self.inner and bool(self.config.attention),
        )
        words = output.logits[batch["rows"], batch["positions"]].float()
        labelled = batch["labels"] != IGNORED
        loss = words.new_zeros(())
        if self.config.logits:
            loss = loss + self.config.logits * soft_cross_entropy(
                words, batch["teacher_logits"], self.config.temperature
            )
        if self.config.gold and labelled.any():
            # A sum over all words, so that a labelled word weighs the same in every batch.
            gold = functional.cross_entropy(words[labelled], batch["labels"][labelled], reduction="sum")
            loss = loss + self.config.gold * gold / len(words)
        if self.inner and labelled.any():
            loss = loss + self._inner_loss(unwrapped(model), batch, output, labelled)
        return loss

    def _inner_loss(self, model: Any, batch: Batch, output: Any, labelled: torch.Tensor) -> torch.Tensor:
        """Hidden states and attention of the batch's labelled sentences."""
        chosen = batch["rows"][labelled].unique()
        mask = batch["attention_mask"][chosen]
        teacher = self._teacher_on(batch["input_ids"].device)
        with torch.no_grad():
            target = teacher(
                input_ids=batch["input_ids"][chosen],
                attention_mask=mask,
                output_hidden_states=True,
                output_attentions=bool(self.config.attention),
            )
        pairs = layer_map(teacher.config.num_hidden_layers, model.config.num_hidden_layers)
        real = mask.bool()
        loss = output.logits.new_zeros((), dtype=torch.float32)
        for layer, source in enumerate(pairs):
            if self.config.hidden:
                states = output.hidden_states[layer + 1][chosen][real]
                if hasattr(model, "distill_projections"):
                    states = model.distill_projections[layer](states)
                loss = loss + self.config.hidden / len(pairs) * normalised_mse(
                    states, target.hidden_states[source + 1][real]
                )
            if self.config.attention:
                difference = output.attentions[layer][chosen].float().mean(1) - target.attentions[
                    source
                ].float().mean(1)
                loss = loss + self.config.attention / len(pairs) * difference[real].square().sum(-1).mean()
        return loss

    def _teacher_on(self, device: torch.device) -> Any:
        assert self.teacher is not None
        self.teacher = self.teacher.to(device).eval()
        return self.teacher


class TaskAgnosticLoss:
    """Masked language modelling plus the teacher's last hidden state per word (DistilBERT, Sanh et al. 2019).

    Expects the model that `masked_language_model` built.
    """

    def __init__(self, config: DistillConfig, mask_id: int) -> None:
        self.config = config
        self.mask_id = mask_id

    def __call__(self, model: Any, batch: Batch) -> torch.Tensor:
        model = unwrapped(model)
        ids, chosen = mask_tokens(batch["input_ids"], self.mask_id)
        states = encoder_of(model)(input_ids=ids, attention_mask=batch["attention_mask"])[0]
        loss = functional.cross_entropy(_vocabulary_scores(model, states[chosen]).float(), batch["input_ids"][chosen])
        if self.config.hidden:
            words = states[batch["rows"], batch["positions"]]
            if hasattr(model, "distill_projections"):
                words = model.distill_projections[-1](words)
            loss = loss + self.config.hidden * normalised_mse(words, batch["teacher_hidden"])
        return loss


def soft_cross_entropy(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """KL(teacher || student) of logits (k, labels) at `temperature`, mean over words, times its square."""
    divergence = functional.kl_div(
        functional.log_softmax(student / temperature, -1),
        functional.log_softmax(teacher / temperature, -1),
        log_target=True,
        reduction="batchmean",
    )
    return divergence * temperature**2


def normalised_mse(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Mean squared error of states (k, width) after layer normalisation, so that scale does not count."""
    width = student.shape[-1:]
    return functional.mse_loss(
        functional.layer_norm(student.float(), width), functional.layer_norm(teacher.float(), width)
    )


def mask_tokens(ids: torch.Tensor, mask_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Mask 15 % of the sub-words: 80 % become <mask>, 10 % a random piece, 10 % stay (Devlin et al. 2019).

    Returns the new ids and a bool mask of the positions to predict, at least one; both (b, n).
    """
    candidates = ids >= NEVER_MASKED
    chosen = (torch.rand(ids.shape, device=ids.device) < MASKED_SHARE) & candidates
    if not chosen.any():
        chosen = candidates & (candidates.flatten().cumsum(0).view(ids.shape) == 1)
    draw = torch.rand(ids.shape, device=ids.device)
    masked = torch.where(chosen & (draw < 0.8), torch.full_like(ids, mask_id), ids)
    random = torch.randint(NEVER_MASKED + 1, mask_id, ids.shape, device=ids.device)
    return torch.where(chosen & (draw >= 0.9), random, masked), chosen


def masked_language_model(student: Any) -> Any:
    """A masked language model that shares the student's encoder; its head is new, its decoder tied."""
    from transformers import ElectraForMaskedLM, XLMRobertaForMaskedLM

    if student.base_model_prefix == "electra":
        model: Any = ElectraForMaskedLM(student.config)
        model.electra = student.electra
    else:
        model = XLMRobertaForMaskedLM(student.config)
        model.roberta = student.roberta
    model.tie_weights()
    return model


def _vocabulary_scores(model: Any, states: torch.Tensor) -> torch.Tensor:
    """Scores over the vocabulary (k, vocabulary) of hidden states (k, hidden): only masked positions pay for it."""
    if model.base_model_prefix == "electra":
        scores: torch.Tensor = model.generator_lm_head(model.generator_predictions(states))
    else:
        scores = model.lm_head(states)
    return scores
