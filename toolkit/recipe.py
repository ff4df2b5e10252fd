"""Recipes: what a run does to the teacher, read from recipes/*.toml into frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from export.runtime.errors import UserError
from toolkit.prune import PruneConfig
from toolkit.tables import from_table, read_toml

RECIPES = Path(__file__).with_name("recipes")


@dataclass(frozen=True)
class TrainingConfig:
    """Optimisation of one training run. AdamW, eps 1e-8, gradients clipped at norm 1, linear decay.

    Attributes:
        learning_rate: peak, per step.
        epochs: passes over the training examples.
        tokens_per_batch: sub-words in a batch, padding included; batches hold sentences of like length.
        warmup: share of the steps in which the learning rate rises from 0.
        weight_decay: decoupled.
        bf16: forward passes in bfloat16 (autocast) where the processor or GPU has it.
    """

    learning_rate: float
    epochs: int = 1
    tokens_per_batch: int = 1024
    warmup: float = 0.05
    weight_decay: float = 0.0
    bf16: bool = True


@dataclass(frozen=True)
class StudentConfig:
    """The student's shape; 0 means as the teacher.

    Attributes:
        layers, heads: of the encoder.
        hidden: hidden width.
        ffn: feed-forward width.
        embedding: width of the embedding table; below `hidden` the student is an ELECTRA encoder, which
            projects embeddings up (Clark et al. 2020, section 3.2), else XLM-R as the teacher.
        start: 'teacher' takes over what fits (evenly spaced layers, the most important feed-forward neurons,
            the embedding table by PCA); 'random' takes over nothing.
    """

    layers: int
    heads: int
    hidden: int = 0
    ffn: int = 0
    embedding: int = 0
    start: Literal["teacher", "random"] = "teacher"


@dataclass(frozen=True)
class DistillConfig:
    """What the student learns from.

    Attributes:
        kind: 'task-specific' imitates the tagger on labelled and unlabelled text; 'task-agnostic' imitates
            the encoder as a masked language model on unlabelled text and is then fine-tuned on gold labels.
        temperature: of the logits (Hinton et al. 2015).
        gold: weight of cross-entropy against gold labels, on labelled sentences.
        logits: weight of the Kullback-Leibler divergence from the teacher's word logits.
        hidden: weight of the mean squared error of layer-normalised hidden states, pooled per word; on
            labelled sentences (task-specific) or on unlabelled text, last layer (task-agnostic).
        attention: weight of the mean squared error of word-to-word attention, averaged over heads; on
            labelled sentences.
        unlabelled_tokens: how many sub-words of unlabelled text are used.
        labelled_repeats: how often the labelled sentences are mixed in.
    """

    kind: Literal["task-specific", "task-agnostic"] = "task-specific"
    temperature: float = 2.0
    gold: float = 0.5
    logits: float = 1.0
    hidden: float = 0.0
    attention: float = 0.0
    unlabelled_tokens: int = 1_000_000
    labelled_repeats: int = 3
    training: TrainingConfig = TrainingConfig(learning_rate=5e-4)
    fine_tune: TrainingConfig = TrainingConfig(learning_rate=1e-4, epochs=10)


@dataclass(frozen=True)
class TrimConfig:
    """How much vocabulary stays.

    Attributes:
        pieces: rows of the trimmed embedding table, special pieces included.
        when: 'first' trims the teacher, so that student and teacher share ids; 'last' the result.
        capital_weight: how much more a piece of a capitalised word counts than its frequency says: names are
            what the tagger is for. Scripts without capitals are unaffected.
    """

    pieces: int
    when: Literal["first", "last"] = "first"
    capital_weight: float = 5.0


@dataclass(frozen=True)
class Recipe:
    """One way from a teacher to a small model. Stages whose table is absent do not run.

    Attributes:
        name: file name without .toml.
        description: one line for --help and the report.
        fine_tune: how a teacher without a tagging head is fine-tuned: AfriBERTa's recipe.
        gold_only: training of the baseline, the student's shape on gold labels alone.
    """

    name: str
    description: str
    fine_tune: TrainingConfig
    student: StudentConfig | None = None
    distill: DistillConfig | None = None
    prune: PruneConfig | None = None
    recover: TrainingConfig = TrainingConfig(learning_rate=1e-4, epochs=3)
    trim: TrimConfig | None = None
    gold_only: TrainingConfig = TrainingConfig(learning_rate=5e-4, epochs=12)


def recipe_names() -> list[str]:
    """Names of the recipes that come with the toolkit."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def load_recipe(name: str) -> Recipe:
    """A recipe by name, or the user's own from a path ending in .toml.

    Raises:
        UserError: no such recipe (lists them), or a key or value that is not allowed.
    """
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    if not path.is_file():
        raise UserError(
            f"Unknown recipe '{name}'.", f"Choose one of {', '.join(recipe_names())}, or give a .toml file."
        )
    recipe = from_table(Recipe, {"name": path.stem, **read_toml(path)}, str(path))
    if (recipe.student is None) != (recipe.distill is None):
        raise UserError(
            f"{path}: [student] and [distill] go together.", "Add the missing table or remove the other."
        )
    return recipe
