from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from export.runtime.errors import UserError
from toolkit.data.masakhaner import LICENCE, OWN_LICENCE, load_folder, mix, read_split

Folder = Callable[..., Path]


def numbered(prefix: str, count: int, tag: str = "O") -> str:
    return "".join(f"{prefix}{i} {tag}\n\n" for i in range(count))


def test_a_folder_of_the_users_own_keeps_its_name_and_labels(conll_folder: Folder) -> None:
    folder = conll_folder(train="Ndovu B-ANIMAL\n", dev="Simba B-ANIMAL\n", test="Twiga O\n")
    data = load_folder(folder, "swa")
    assert (data.name, data.licence, data.source) == ("own", OWN_LICENCE, "folder")
    assert data.labels == ("O", "B-ANIMAL", "I-ANIMAL")


def test_the_three_files_may_lie_in_the_folder_itself(conll_folder: Folder) -> None:
    folder = conll_folder(train="a O\n", dev="b O\n", test="c O\n")
    (folder / "swa" / "test.txt").rename(folder / "swa" / "test.conll")
    assert load_folder(folder / "swa", "swa").test == load_folder(folder, "swa").test


def test_a_folder_with_masakhaners_counts_is_recognised_whatever_its_name(conll_folder: Folder) -> None:
    folder = conll_folder("luo", train=numbered("a", 644, "B-PER"), dev=numbered("b", 92), test=numbered("c", 186))
    data = load_folder(folder, "luo")
    assert (data.name, data.licence) == ("MasakhaNER 1.0", LICENCE)


def test_other_entity_types_are_never_taken_for_masakhaner(conll_folder: Folder) -> None:
    folder = conll_folder("luo", train=numbered("a", 644, "B-ANIMAL"), dev=numbered("b", 92), test=numbered("c", 9))
    assert load_folder(folder, "luo").name == "own"


def test_a_changed_copy_keeps_the_licence_but_not_the_name(conll_folder: Folder) -> None:
    folder = conll_folder(name="MasakhaNER2.0", train="a B-PER\n", dev="b O\n", test="c O\n")
    data = load_folder(folder, "swa")
    assert (data.name, data.licence) == ("MasakhaNER2.0", LICENCE)
    assert any("not MasakhaNER scores" in note for note in data.notes)


def test_release_two_without_its_test_says_that_half_of_dev_stands_in(conll_folder: Folder) -> None:
    folder = conll_folder("wol", train=numbered("a", 4593), dev=numbered("b", 656))
    data = load_folder(folder, "wol")
    assert data.name == "MasakhaNER 2.0 (half of dev as test)"
    assert len(data.dev) + len(data.test) == 656


def test_byte_order_marks_and_tokenless_lines_are_noted(conll_folder: Folder) -> None:
    folder = conll_folder(train="\ufeffa O\n O\n", dev="b O\n", test="\ufeffc O\n")
    data = load_folder(folder, "swa")
    assert data.notes[:3] == (
        "byte order mark removed from train",
        "byte order mark removed from test",
        "lines with a tag and no token skipped: 1",
    )
    assert data.train[0].words == ("a",)


def test_a_missing_language_lists_those_there_are(conll_folder: Folder) -> None:
    folder = conll_folder("hau", train="a O\n")
    with pytest.raises(UserError, match="no data for 'swa'") as caught:
        load_folder(folder, "swa")
    assert "hau" in caught.value.remedy


@pytest.mark.parametrize(
    ("splits", "missing"), [({"train": "a O\n", "test": "c O\n"}, "dev"), ({"dev": "b O\n"}, "train")]
)
def test_a_missing_split_is_named(conll_folder: Folder, splits: dict[str, str], missing: str) -> None:
    with pytest.raises(UserError, match=f"has no {missing}.txt") as caught:
        load_folder(conll_folder(**splits), "swa")
    assert f"{missing}.txt" in caught.value.remedy


def test_an_empty_split_names_its_file(conll_folder: Folder) -> None:
    with pytest.raises(UserError, match=r"dev\.txt has no sentence"):
        load_folder(conll_folder(train="a O\n", dev="\n", test="c O\n"), "swa")


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a folder"):
        load_folder(tmp_path / "none", "swa")


def test_one_split_reads_without_the_others(conll_folder: Folder) -> None:
    folder = conll_folder(test="a O\n\na O\n")
    assert len(read_split(folder, "swa", "test")) == 2
    with pytest.raises(UserError, match="has no dev split"):
        read_split(folder, "swa", "dev")


def test_mixing_keeps_each_sets_held_out_sentences_out_of_the_others_train(conll_folder: Folder) -> None:
    first = load_folder(conll_folder(name="one", train="a B-PER\n\nq O\n", dev="b O\n", test="c O\n"), "swa")
    second = load_folder(conll_folder(name="two", train="x B-ART\n\nC O\n\nb O\n", dev="y O\n", test="q O\n"), "swa")
    mixed = mix(first, second)
    assert [s.words for s in mixed.train] == [("a",), ("x",)]
    assert (mixed.dev, mixed.test) == (first.dev, first.test)
    assert mixed.labels == ("O", "B-PER", "I-PER", "B-ART", "I-ART")
    assert mixed.name == "one + two"
    assert mixed.notes[0] == "train sentences removed because the other set holds them out: 3"


def test_mixing_two_languages_is_refused(conll_folder: Folder) -> None:
    splits = {"train": "a O\n", "dev": "b O\n", "test": "c O\n"}
    first = load_folder(conll_folder("swa", name="one", **splits), "swa")
    second = load_folder(conll_folder("hau", name="two", **splits), "hau")
    with pytest.raises(UserError, match="Cannot mix"):
        mix(first, second)
