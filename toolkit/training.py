"""One training run on `transformers.Trainer`: seeds, checkpoints, resume, several GPUs where there are."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from toolkit.console import Advance, console
from toolkit.features import Batches, Example, collate
from toolkit.recipe import TrainingConfig

Loss = Callable[[torch.nn.Module, dict[str, torch.Tensor]], torch.Tensor]
TRAINING_LENGTH = 164  # sub-words in a window; AfriBERTa's NER recipe (Ogueji et al. 2021)
CHECKPOINTS = 6  # per run: a kill costs at most a sixth of it


def gold_loss(model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Cross-entropy of the words' gold labels; scalar."""
    output = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    words = output.logits[batch["rows"], batch["positions"]].float()
    return torch.nn.functional.cross_entropy(words, batch["labels"])


def fit(
    model: Any,
    examples: Sequence[Example],
    loss: Loss,
    config: TrainingConfig,
    work: Path,
    seed: int,
    label: str,
    callbacks: Sequence[TrainerCallback] = (),
) -> dict[str, Any]:
    """Train `model` in place on `examples`, resuming from the last checkpoint in `work` if there is one.

    Args:
        loss: (model, batch of `features.collate`) -> scalar; may hold a frozen teacher.
        work: folder for checkpoints, kept by the caller across a kill and removed when done.
        label: what the progress bar says.

    Returns:
        steps, the last running loss, and seconds of this process's training.
    """
    pad_id = model.config.pad_token_id
    lengths = [len(example["input_ids"]) for example in examples]
    batches = Batches(lengths, config.tokens_per_batch, seed)
    steps = len(batches) * config.epochs
    # TrainingArguments sets this and never takes it back: a later run without bf16 would use it all the same.
    os.environ.pop("ACCELERATE_MIXED_PRECISION", None)
    arguments = TrainingArguments(
        output_dir=str(work),
        num_train_epochs=config.epochs,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        warmup_steps=round(config.warmup * steps),
        lr_scheduler_type="linear",
        adam_epsilon=1e-8,
        max_grad_norm=1.0,
        bf16=config.bf16 and has_bf16(),
        seed=seed,
        data_seed=seed,
        save_strategy="steps",
        save_steps=max(1, steps // CHECKPOINTS),
        save_total_limit=1,
        logging_strategy="steps",
        logging_steps=max(1, steps // 20),
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=torch.cuda.is_available(),
        # Batches differ in size, so processes may end an epoch on unequal ones.
        accelerator_config={"even_batches": False},
        log_level="error",
    )
    with console.progress(label, steps) as advance:
        trainer = _Trainer(
            model=model,
            args=arguments,
            train_dataset=list(examples),
            data_collator=partial(collate, pad_id=pad_id),
            callbacks=[_Progress(advance), *callbacks],
        )
        trainer.loss, trainer.batches = loss, batches
        # Trainer prints its log dictionaries through this callback when there is no progress bar.
        trainer.remove_callback(_printer())
        with warnings.catch_warnings():
            # Checkpoints are then sorted by their step, which is what they are named by.
            warnings.filterwarnings("ignore", "mtime may not be reliable")
            result = trainer.train(resume_from_checkpoint=_last_checkpoint(work))
    model.eval()
    return {
        "steps": int(result.global_step),
        "loss": next((entry["loss"] for entry in reversed(trainer.state.log_history) if "loss" in entry), None),
        "seconds": round(result.metrics["train_runtime"], 1),
        "examples": len(examples),
    }


class _Trainer(Trainer):
    """Trainer with our loss and our batches of like length."""

    loss: Loss
    batches: Batches

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        return self.loss(model, inputs)

    def get_train_dataloader(self) -> DataLoader[Any]:
        loader: DataLoader[Any] = DataLoader(
            cast(Any, self.train_dataset), batch_sampler=self.batches, collate_fn=self.data_collator
        )
        prepared: DataLoader[Any] = self.accelerator.prepare(loader)
        return prepared


class _Progress(TrainerCallback):
    """Moves the console's bar."""

    def __init__(self, advance: Advance) -> None:
        self.advance = advance

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.advance(state.global_step)


def _printer() -> type[TrainerCallback]:
    from transformers.trainer_callback import PrinterCallback

    return PrinterCallback


def _last_checkpoint(work: Path) -> str | None:
    """The newest checkpoint that was written to its end; a half-written one is removed."""
    while work.is_dir() and (last := get_last_checkpoint(str(work))):
        try:
            json.loads((Path(last) / "trainer_state.json").read_text("utf-8"))  # Trainer writes this file last
        except (OSError, ValueError):
            shutil.rmtree(last)
        else:
            console.note(f"Resuming from {Path(last).name}.")
            return last
    return None


def has_bf16() -> bool:
    """bfloat16 in hardware; emulated it would be slower than float32."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported()
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
