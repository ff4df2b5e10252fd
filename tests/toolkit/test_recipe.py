"""Recipes: those that come with the toolkit, and mistakes in one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.runtime.errors import UserError
from toolkit.recipe import RECIPES, TrainingConfig, load_recipe, recipe_names

START = 'description = "mine"\n[fine_tune]\nlearning_rate = 5e-5\n'
STUDENT = START + "[student]\nlayers = 2\nheads = 2\n"


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(text, "utf-8")
    return str(path)


def test_the_recipes_of_the_paper_and_the_default_are_there() -> None:
    assert {"edge", "trim-int8", "paper-4x4", "paper-4x6", "paper-6x4", "paper-6x6"} <= set(recipe_names())


@pytest.mark.parametrize("name", recipe_names())
def test_a_shipped_recipe_loads_and_says_what_it_does(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert 20 < len(recipe.description) < 120
    assert recipe.student or recipe.trim or recipe.prune


def test_the_tagger_as_one_graph_is_made_only_where_a_recipe_asks_for_it(tmp_path: Path) -> None:
    assert not any(load_recipe(name).text2labels for name in recipe_names())
    assert load_recipe(written(tmp_path, "text2labels = true\n" + START + "[trim]\npieces = 300\n")).text2labels
    with pytest.raises(UserError, match="text2labels is 1, not a bool"):
        load_recipe(written(tmp_path, "text2labels = 1\n" + START))


@pytest.mark.parametrize("name", [name for name in recipe_names() if name.startswith("paper-")])
def test_a_student_of_the_paper_has_the_layers_and_heads_of_its_name_at_hidden_768(name: str) -> None:
    student = load_recipe(name).student
    assert student is not None
    assert name == f"paper-{student.layers}x{student.heads}"
    assert (student.hidden, student.ffn, student.embedding) == (768, 3072, 0)


@pytest.mark.parametrize("name", recipe_names())
def test_a_teacher_without_a_head_is_fine_tuned_as_afriberta_was(name: str) -> None:
    fine_tune = load_recipe(name).fine_tune
    assert (fine_tune.learning_rate, fine_tune.epochs, fine_tune.warmup) == (5e-5, 50, 0.0)
    assert fine_tune.weight_decay == 0.0


def test_a_recipe_of_ones_own_is_a_path_and_named_after_its_file(tmp_path: Path) -> None:
    recipe = load_recipe(written(tmp_path, START))
    assert recipe.name == "mine"
    assert recipe.fine_tune == TrainingConfig(learning_rate=5e-5)
    assert recipe.student is recipe.distill is recipe.prune is recipe.trim is None


@pytest.mark.parametrize("name", ["edg", "", "../recipes/edge", "none.toml"])
def test_an_unknown_recipe_lists_the_choices(name: str) -> None:
    with pytest.raises(UserError, match="Unknown recipe") as caught:
        load_recipe(name)
    assert all(known in caught.value.remedy for known in recipe_names())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (START + "[distil]\n", "unknown key 'distil'"),
        (START + "[trim]\npieces = 100\nsize = 1\n", "trim: unknown key 'size'"),
        ("[fine_tune]\nlearning_rate = 5e-5\n", "'description' is missing"),
        ('description = "x"\n', "'fine_tune' is missing"),
        ('name = "other"\n' + START, "unknown key 'name'"),
        (STUDENT, "student. and .distill. go together"),
        (START + "[distill]\n", "student. and .distill. go together"),
        (START + "epochs = 0\n", "fine_tune: epochs is 0"),
        (START + "epochs = 1.5\n", "fine_tune: epochs is 1.5"),
        (START.replace("5e-5", "nan"), "fine_tune: learning_rate is nan"),
        (START.replace("5e-5", "inf"), "fine_tune: learning_rate is inf"),
        (START.replace("5e-5", "-1"), "fine_tune: learning_rate is -1"),
        (START + "warmup = 1.5\n", "fine_tune: warmup is 1.5"),
        (START + "tokens_per_batch = 0\n", "fine_tune: tokens_per_batch is 0"),
        (START + "[trim]\npieces = 0\n", "trim: pieces is 0"),
        (START + "[trim]\npieces = 9\ncapital_weight = 0\n", "trim: capital_weight is 0"),
        (STUDENT.replace("layers = 2", "layers = 0") + "[distill]\n", "student: layers is 0"),
        (STUDENT.replace("heads = 2", "heads = -1") + "[distill]\n", "student: heads is -1"),
        (STUDENT + "hidden = -8\n[distill]\n", "student: hidden is -8"),
        (STUDENT + 'start = "warm"\n[distill]\n', "student: start is 'warm'"),
        (STUDENT + "[distill]\ntemperature = 0\n", "distill: temperature is 0"),
        (STUDENT + "[distill]\nlogits = -1\n", "distill: logits is -1"),
        (STUDENT + "[distill]\nlabelled_repeats = 0\nunlabelled_tokens = 0\n", "the student would see no text"),
        (STUDENT + "[distill]\nlabelled_repeats = 0\nlogits = 0\n", "distill: the student would see no text"),
        (START + '[prune]\nkind = "magnitude"\nsparsity = 1.0\n', "prune: Prune sparsity 1.0"),
        (START + '[prune]\nkind = "structured"\n', "prune: Structured pruning"),
    ],
    ids=str,
)
def test_a_mistake_is_told_with_file_and_key(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said) as caught:
        load_recipe(written(tmp_path, text))
    assert str(tmp_path / "mine.toml") in caught.value.message
    assert caught.value.remedy


def test_recipes_are_data_that_lies_beside_the_code() -> None:
    assert {path.stem for path in RECIPES.glob("*.toml")} == set(recipe_names())
