"""Training learns, repeats itself, and goes on after a kill as if nothing had happened."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from export.runtime.encode import WordEncoder
from toolkit import training
from toolkit.data.labelled import label_ids
from toolkit.data.types import Labelled
from toolkit.features import Example, collate, examples
from toolkit.recipe import TrainingConfig
from toolkit.training import fit, gold_loss

CONFIG = TrainingConfig(learning_rate=2e-3, epochs=3, tokens_per_batch=300, warmup=0.1, bf16=False)
Build = Callable[..., Any]


class Killed(Exception):
    """Stands in for a kill."""


class Watch(TrainerCallback):
    """Records what happens, and dies at the end of a step."""

    def __init__(self, die_at: int | None = None) -> None:
        self.die_at = die_at
        self.steps: list[int] = []
        self.rates: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.steps.append(state.global_step)
        self.rates.append(kwargs["lr_scheduler"].get_last_lr()[0])
        if state.global_step == self.die_at:
            raise Killed


@pytest.fixture(scope="module")
def labelled(teacher: Path, few: Labelled) -> list[Example]:
    encoder = WordEncoder.load(teacher)
    return examples(encoder, [s.words for s in few.train], label_ids(few.labels, few.train))


def train(model: Any, labelled: list[Example], work: Path, *watches: Watch, **changes: Any) -> dict[str, Any]:
    config = TrainingConfig(**{**CONFIG.__dict__, **changes})
    return fit(model, labelled, gold_loss, config, work, 7, "training", watches)


def same_weights(one: torch.nn.Module, two: torch.nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), two.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def loss_on(model: Any, labelled: list[Example]) -> float:
    with torch.inference_mode():
        return float(gold_loss(model.eval(), collate(labelled, pad_id=1)))


def test_training_lowers_the_loss_and_says_what_it_did(
    build_model: Build, labelled: list[Example], tmp_path: Path
) -> None:
    model = build_model()
    before = loss_on(model, labelled)
    watch = Watch()
    report = train(model, labelled, tmp_path, watch)
    after = loss_on(model, labelled)
    assert after < 0.5 * before
    assert not model.training
    assert report["steps"] == len(watch.steps) == watch.steps[-1] > 20
    assert report["examples"] == len(labelled) == 60
    assert after * 0.5 < report["loss"] < before  # the last running loss, not the mean over the run
    assert report["seconds"] > 0


def test_the_learning_rate_warms_up_and_falls_to_zero(
    build_model: Build, labelled: list[Example], tmp_path: Path
) -> None:
    watch = Watch()
    train(build_model(), labelled, tmp_path, watch, warmup=0.25)
    peak = watch.rates.index(max(watch.rates))
    assert max(watch.rates) == pytest.approx(2e-3)
    assert peak + 1 == pytest.approx(0.25 * len(watch.rates), abs=1)
    assert watch.rates[: peak + 1] == sorted(watch.rates[: peak + 1])
    assert watch.rates[-1] == pytest.approx(0, abs=1e-9)


def test_the_same_seed_gives_the_same_weights(build_model: Build, labelled: list[Example], tmp_path: Path) -> None:
    models = [build_model(), build_model()]
    for number, model in enumerate(models):
        train(model, labelled, tmp_path / str(number), epochs=1)
    assert same_weights(*models)
    assert not same_weights(models[0], build_model())


@pytest.mark.parametrize("share", [0.45, 0.8])  # killed within the second and the third epoch
def test_a_killed_run_goes_on_to_the_weights_of_an_uninterrupted_one(
    build_model: Build, labelled: list[Example], tmp_path: Path, share: float
) -> None:
    uninterrupted = build_model()
    report = train(uninterrupted, labelled, tmp_path / "whole")
    die_at = int(share * report["steps"])
    with pytest.raises(Killed):
        train(build_model(), labelled, tmp_path / "cut", Watch(die_at))
    resumed, watch = build_model(seed=3), Watch()
    again = train(resumed, labelled, tmp_path / "cut", watch)
    assert 1 < watch.steps[0] <= die_at + 1 and watch.steps[-1] == report["steps"]
    assert same_weights(uninterrupted, resumed)
    assert (again["steps"], again["loss"]) == (report["steps"], report["loss"])


def test_a_finished_run_is_not_trained_again(build_model: Build, labelled: list[Example], tmp_path: Path) -> None:
    model, watch, again = build_model(), Watch(), build_model(seed=3)
    report = train(model, labelled, tmp_path, epochs=1)
    repeated = train(again, labelled, tmp_path, watch, epochs=1)
    assert watch.steps == [] and same_weights(model, again)
    assert (repeated["steps"], repeated["loss"]) == (report["steps"], report["loss"])


@pytest.mark.parametrize("damage", ["absent", "cut short"])
def test_a_half_written_checkpoint_is_passed_over(
    build_model: Build, labelled: list[Example], tmp_path: Path, damage: str
) -> None:
    with pytest.raises(Killed):
        train(build_model(), labelled, tmp_path, Watch(12))
    (whole,) = tmp_path.glob("checkpoint-*")
    step = json.loads((whole / "trainer_state.json").read_text("utf-8"))["global_step"]
    half = tmp_path / f"checkpoint-{step + 5}"
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"\x10")
    if damage == "cut short":
        (half / "trainer_state.json").write_text('{"global_step": ')
    watch = Watch()
    train(build_model(), labelled, tmp_path, watch)
    assert watch.steps[0] == step + 1
    assert not (half / "model.safetensors").exists() or (half / "model.safetensors").stat().st_size > 1


def test_only_the_last_checkpoint_is_kept(build_model: Build, labelled: list[Example], tmp_path: Path) -> None:
    report = train(build_model(), labelled, tmp_path, epochs=1)
    assert [folder.name for folder in tmp_path.glob("checkpoint-*")] == [f"checkpoint-{report['steps']}"]


def test_bfloat16_is_used_where_the_processor_has_it_and_weights_stay_fp32(
    build_model: Build, labelled: list[Example], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "has_bf16", lambda: True)
    for bf16 in (True, False):
        model = build_model()
        seen: set[torch.dtype] = set()
        layer = model.roberta.encoder.layer[0].output.dense
        layer.register_forward_hook(lambda module, args, output, seen=seen: seen.add(output.dtype))
        report = train(model, labelled, tmp_path / str(bf16), epochs=1, tokens_per_batch=1200, bf16=bf16)
        assert seen == {torch.bfloat16 if bf16 else torch.float32}
        assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
        assert 0 < report["loss"] < 10


def test_progress_reaches_the_end(
    build_model: Build, labelled: list[Example], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(build_model(), labelled, tmp_path, epochs=1)
    captured = capsys.readouterr()
    assert "training: 100 %" in captured.err and captured.out == ""
