"""The plan before the work: what it estimates, and when it asks."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from export.runtime.errors import UserError
from toolkit import plan as module
from toolkit.data.hub import Listing
from toolkit.data.sources import SourceRef, Sources
from toolkit.plan import FIXED_SECONDS, Plan, make_plan, probe_flops
from toolkit.recipe import load_recipe

BUILTIN = SourceRef("builtin", "builtin", "named")
TAGGER = {
    "model_type": "xlm-roberta",
    "architectures": ["XLMRobertaForTokenClassification"],
    "hidden_size": 256,
    "num_hidden_layers": 4,
    "intermediate_size": 1024,
    "max_position_embeddings": 514,
}


def teacher_in(folder: Path, **changed: Any) -> SourceRef:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({**TAGGER, **changed}))
    return SourceRef("folder", str(folder), "AFRIBERTA_DIR is set")


def a_run(teacher: SourceRef, recipe: str = "edge", train: int = 2000) -> Any:
    """What a plan reads of a run."""
    data = SimpleNamespace(train=range(train), dev=range(300), test=range(600))
    sources = Sources(teacher, BUILTIN, SourceRef("train", "", "no text"), ())
    return SimpleNamespace(sources=sources, lang="swa", data=data, recipe=load_recipe(recipe))


@pytest.fixture(autouse=True)
def steady_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "probe_flops", lambda: 1e11)


def test_the_probe_finds_a_speed_that_a_computer_can_have() -> None:
    assert 1e7 < probe_flops() < 1e14


def test_a_recipe_that_trains_nothing_is_only_evaluated(tmp_path: Path) -> None:
    plan = make_plan(a_run(teacher_in(tmp_path / "t"), "trim-int8"))
    assert [name for name, _ in plan.seconds] == ["evaluation and measuring"]
    assert plan.total > FIXED_SECONDS


def test_distillation_has_its_stages_and_grows_with_the_text(tmp_path: Path) -> None:
    run = a_run(teacher_in(tmp_path / "t"))
    plan = dict(make_plan(run).seconds)
    assert list(plan) == ["evaluation and measuring", "teacher's outputs", "distillation", "baselines"]
    more = replace(run.recipe.distill, unlabelled_tokens=2 * run.recipe.distill.unlabelled_tokens)
    run.recipe = replace(run.recipe, distill=more)
    grown = dict(make_plan(run).seconds)
    assert grown["teacher's outputs"] == 2 * plan["teacher's outputs"]
    assert plan["distillation"] < grown["distillation"] < 2 * plan["distillation"]
    assert grown["baselines"] == plan["baselines"]


def test_a_slower_machine_takes_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = a_run(teacher_in(tmp_path / "t"))
    fast = make_plan(run).total
    monkeypatch.setattr(module, "probe_flops", lambda: 1e10)
    assert make_plan(run).total - FIXED_SECONDS == pytest.approx(10 * (fast - FIXED_SECONDS))


def test_a_teacher_without_a_head_is_fine_tuned_first(tmp_path: Path) -> None:
    headless = teacher_in(tmp_path / "t", architectures=["XLMRobertaForMaskedLM"])
    assert "fine-tuning" in dict(make_plan(a_run(headless, "trim-int8")).seconds)


def test_what_a_configuration_leaves_out_is_xlm_rs(tmp_path: Path) -> None:
    ref = teacher_in(tmp_path / "t")
    sparse = {"model_type": "xlm-roberta", "architectures": None, "max_position_embeddings": 514}
    (tmp_path / "t" / "config.json").write_text(json.dumps(sparse))
    base = teacher_in(tmp_path / "b", architectures=[], hidden_size=768, num_hidden_layers=12, intermediate_size=3072)
    assert make_plan(a_run(ref)).seconds == make_plan(a_run(base)).seconds


@pytest.mark.parametrize("value", ["256", 0, None, 2.5])
def test_a_shape_that_is_none_is_refused(value: object, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="hidden_size"):
        make_plan(a_run(teacher_in(tmp_path / "t", hidden_size=value)))


def test_the_sources_are_named_with_the_reason_for_each(tmp_path: Path) -> None:
    plan = make_plan(a_run(teacher_in(tmp_path / "t")))
    assert dict(plan.sources) == {
        "teacher": f"{tmp_path / 't'} (AFRIBERTA_DIR is set)",
        "data": "builtin (named)",
        "corpus": "train (no text)",
    }
    assert plan.download == 0


def test_nothing_but_the_configuration_is_fetched_before_the_plan_is_agreed_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "snapshot"
    teacher_in(folder)
    files = {"config.json": 700, "model.safetensors": 500_000_000}
    listing = Listing("org/teacher", "model", "c0ffee", files, "mit", "main")
    fetched: list[str] = []

    def download(asked: Listing, names: tuple[str, ...]) -> tuple[Path, ...]:
        fetched.extend(names)
        return tuple(folder / name for name in names)

    monkeypatch.setattr(module.hub, "list_repo", lambda *_: listing)
    monkeypatch.setattr(module.hub, "download", download)
    monkeypatch.setattr(module, "download_bytes", lambda *_: 500_000_700)
    plan = make_plan(a_run(SourceRef("hub", "org/teacher@v1", "named")))
    assert fetched == ["config.json"]
    assert plan.download == 500_000_700


class Keyboard(io.StringIO):
    """A terminal with an answer typed."""

    def isatty(self) -> bool:
        return True


def a_plan(minutes: float, download: int = 0) -> Plan:
    return Plan((("teacher", "builtin (named)"),), download, (("distillation", 60 * minutes),))


@pytest.mark.parametrize(("minutes", "yes"), [(29.9, False), (31, True), (600, True)])
def test_short_or_agreed_work_is_not_asked_about(
    minutes: float, yes: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    plan = a_plan(minutes, 3_000_000)
    plan.show()
    plan.confirm(yes, "the command")
    said = capsys.readouterr().err
    assert "teacher  builtin (named)" in said
    assert "at most" in said and "distillation" in said
    assert "download 3.00 MB" in said


@pytest.mark.parametrize("stdin", [None, io.StringIO("y\n")], ids=["closed", "a pipe"])
def test_long_work_without_a_terminal_stops_with_the_command_to_run(
    stdin: io.StringIO | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", stdin)
    with pytest.raises(UserError, match="31 min 00 s") as caught:
        a_plan(31).confirm(False, "python -m toolkit bundle --lang swa")
    assert "python -m toolkit bundle --lang swa --yes" in caught.value.remedy
    assert "YES=1" in caught.value.remedy and "TEACHER=builtin DATA=builtin" in caught.value.remedy


@pytest.mark.parametrize("answer", ["y\n", "Yes\n", " y \n"])
def test_yes_on_a_terminal_goes_on(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Keyboard(answer))
    a_plan(31).confirm(False, "")


@pytest.mark.parametrize("answer", ["n\n", "\n", "", "maybe\n"])
def test_anything_else_on_a_terminal_stops_before_any_work(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Keyboard(answer))
    with pytest.raises(UserError, match="before any work"):
        a_plan(31).confirm(False, "")
