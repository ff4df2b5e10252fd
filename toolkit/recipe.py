"""Recipes: what a run does to the teacher, read from recipes/*.toml into frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from export.runtime.errors import UserError
from toolkit.prune import PruneConfig
from toolkit.tables import from_table, read_toml

RECIPES = Path(__file__).with_name("recipes")


def _within(config: object, name: str, low: float, high: float) -> None:
    value = getattr(config, name)
    if not low <= value <= high:  # not a number is outside too
        raise UserError(f"{name} is {value}, outside {low:g} to {high:g}.", "Correct the value.")


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

    def __post_init__(self) -> None:
        """Raises UserError for values outside their range, as do the tables below."""
        _within(self, "learning_rate", 1e-9, 1.0)
        _within(self, "epochs", 1, 10_000)
        _within(self, "tokens_per_batch", 1, 10**7)
        _within(self, "warmup", 0.0, 1.0)
        _within(self, "weight_decay", 0.0, 1.0)


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

    def __post_init__(self) -> None:
        _within(self, "layers", 1, 100)
        _within(self, "heads", 1, 1000)
        for name in ("hidden", "ffn", "embedding"):
            _within(self, name, 0, 10**5)


@dataclass(frozen=True)
class DistillConfig:
    """What the student learns from.

    Attributes:
        kind: 'task-specific' imitates the tagger on labelled and unlabelled text; 'task-agnostic' imitates
            the encoder as a masked language model on unlabelled text and is then fine-tuned on gold labels.
        temperature: of the logits (Hinton et al. 2015).
        gold: weight of cross-entropy against gold labels, on labelled sentences.
        logits: weight of the Kullback-Leibler divergence from the teacher's word logits.
        hidden: weight of the mean squared error of layer-normalised hidden states: per sub-word and mapped
            layer on labelled sentences (task-specific), per word and of the last layer on unlabelled text
            (task-agnostic).
        attention: weight of the mean squared error of attention between sub-words, averaged over heads; on
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

    def __post_init__(self) -> None:
        _within(self, "temperature", 0.01, 1000.0)
        for name in ("gold", "logits", "hidden", "attention"):
            _within(self, name, 0.0, 1e6)
        _within(self, "unlabelled_tokens", 0, 10**10)
        _within(self, "labelled_repeats", 0, 10_000)
        if (
            self.kind == "task-specific"
            and not self.labelled_repeats
            and not (self.unlabelled_tokens and self.logits)
        ):
            raise UserError(
                "the student would see no text.", "Raise labelled_repeats, or unlabelled_tokens and logits, above 0."
            )


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

    def __post_init__(self) -> None:
        _within(self, "pieces", 1, 10**7)
        _within(self, "capital_weight", 1e-6, 1e6)


@dataclass(frozen=True)
class Recipe:
    """One way from a teacher to a small model. Stages whose table is absent do not run.

    Attributes:
        name: file name without .toml.
        description: one line for --help and the report.
        fine_tune: how a teacher without a tagging head is fine-tuned: AfriBERTa's recipe.
        gold_only: training of the baseline, the student's shape on gold labels alone.
        text2labels: also ship the tagger as one ONNX graph with the tokenizer inside, for apps that have
            onnxruntime-extensions; nearly doubles the bundle, not what the tagger needs of it.
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
    text2labels: bool = False


def recipe_names() -> list[str]:
    """Names of the recipes that come with the toolkit."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def load_recipe(name: str) -> Recipe:
    """A recipe by name, or the user's own from a path ending in .toml.

    Raises:
        UserError: no such recipe (lists them), or a key or value that is not allowed (names file and key).
    """
    own = name.endswith(".toml")
    path = Path(name) if own else RECIPES / f"{name}.toml"
    if not (path.is_file() if own else name in recipe_names()):
        raise UserError(
            f"Unknown recipe '{name}'.", f"Choose one of {', '.join(recipe_names())}, or give a .toml file."
        )
    table = read_toml(path)
    if "name" in table:
        raise UserError(f"{path}: unknown key 'name'.", "Remove it: a recipe is named after its file.")
    recipe = from_table(Recipe, {"name": path.stem, **table}, str(path))
    if (recipe.student is None) != (recipe.distill is None):
        raise UserError(f"{path}: [student] and [distill] go together.", "Add the missing table or remove the other.")
    return recipe
