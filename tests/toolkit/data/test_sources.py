from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import toolkit
from export.runtime.errors import UserError
from toolkit.data.sources import (
    SourceRef,
    Sources,
    download_bytes,
    load_labelled,
    load_unlabelled,
    resolve,
    teacher_folder,
)
from toolkit.data.types import Corpus, Sentence

if TYPE_CHECKING:
    from conftest import StandInHub

SPLITS = {f"swa/{split}/0000.parquet": b"x" for split in ("train", "validation", "test")}


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, str]:
    """The three environment variables, each naming an existing folder."""
    found = {}
    for name in ("AFRIBERTA_DIR", "MASAKHANER_DIR", "CORPUS_DIR"):
        (tmp_path / name).mkdir()
        found[name] = str(tmp_path / name)
    (tmp_path / "CORPUS_DIR" / "swa.txt").write_text("Aya.")
    return found


def filled(hub: StandInHub, zip_of: Callable[[dict[str, bytes]], bytes]) -> None:
    hub.add("model", "castorini/afriberta_base", {"config.json": b"{}", "pytorch_model.bin": b"1234"})
    hub.add("dataset", "masakhane/masakhaner", SPLITS, "refs/convert/parquet")
    hub.add("dataset", "castorini/afriberta-corpus", {"swahili/train.zip": zip_of({"a.txt": b"Aya.\n"})})


def kinds(sources: Sources) -> tuple[str, str, str]:
    return sources.teacher.kind, sources.data.kind, sources.corpus.kind


def test_auto_takes_the_folders_of_the_environment_without_asking_the_hub(
    hub: StandInHub, folders: dict[str, str]
) -> None:
    found = resolve("auto", "auto", "auto", folders, "swa")
    assert kinds(found) == ("folder", "folder", "folder")
    assert found.teacher == SourceRef("folder", folders["AFRIBERTA_DIR"], "AFRIBERTA_DIR is set")
    assert (found.notice, hub.requests) == ((), [])


def test_auto_takes_the_hub_where_no_folder_is_named(
    hub: StandInHub, zip_of: Callable[[dict[str, bytes]], bytes]
) -> None:
    filled(hub, zip_of)
    found = resolve("auto", "", "auto", {}, "swa")
    assert kinds(found) == ("hub", "hub", "hub")
    assert [found.teacher.value, found.data.value, found.corpus.value] == [
        "castorini/afriberta_base", "masakhane/masakhaner", "castorini/afriberta-corpus",
    ]  # fmt: skip
    assert not any("resolve" in request for request in hub.requests), "nothing is downloaded"
    assert download_bytes(found, "swa") == 2 + 4 + 3 + len(zip_of({"a.txt": b"Aya.\n"}))


def test_languages_of_the_second_release_come_from_its_own_hub_id(
    hub: StandInHub, zip_of: Callable[[dict[str, bytes]], bytes]
) -> None:
    filled(hub, zip_of)
    hub.add(
        "dataset",
        "masakhane/masakhaner2",
        {k.replace("swa", "zul"): b"" for k in SPLITS},
        "refs/convert/parquet",
    )
    assert resolve("auto", "auto", "auto", {}, "zul").data.value == "masakhane/masakhaner2"


def test_unreachable_auto_falls_back_to_the_whole_pair_with_one_loud_line(
    hub: StandInHub, folders: dict[str, str]
) -> None:
    hub.stop()
    for env in (
        {},
        {"AFRIBERTA_DIR": folders["AFRIBERTA_DIR"]},
        {"MASAKHANER_DIR": folders["MASAKHANER_DIR"]},
    ):
        found = resolve("auto", "auto", "auto", env, "swa")
        assert kinds(found) == ("builtin", "builtin", "builtin")
        (line,) = found.notice
        assert "BUILT-IN TEACHER AND DEMO TEXT" in line
        assert f"Could not reach {hub.url}" in line
        assert ("AFRIBERTA_DIR" in line) is ("AFRIBERTA_DIR" not in env)
        assert download_bytes(found, "swa") == 0


def test_auto_uses_what_is_cached_and_falls_back_for_a_language_that_is_not(
    hub: StandInHub, zip_of: Callable[[dict[str, bytes]], bytes]
) -> None:
    filled(hub, zip_of)
    splits = SPLITS | {name.replace("swa", "hau"): b"y" for name in SPLITS}
    hub.add("dataset", "masakhane/masakhaner", splits, "refs/convert/parquet")
    online = resolve("auto", "auto", "auto", {}, "swa")
    teacher_folder(online.teacher)
    load_unlabelled(online.corpus, "swa", ())
    with pytest.raises(UserError, match="is damaged"):  # not real parquet, but cached
        load_labelled(online.data, "swa")
    hub.stop()
    assert resolve("auto", "auto", "auto", {}, "swa") == online
    assert kinds(resolve("auto", "auto", "auto", {}, "hau")) == ("builtin", "builtin", "builtin")


def test_auto_does_not_fall_back_for_a_language_without_demo_text(hub: StandInHub) -> None:
    hub.stop()
    with pytest.raises(UserError, match="Could not reach"):
        resolve("auto", "auto", "auto", {}, "zul")


@pytest.mark.parametrize(("teacher", "data"), [("builtin", "auto"), ("auto", "builtin"), ("builtin", "builtin")])
def test_naming_one_of_the_pair_brings_the_other(
    hub: StandInHub, folders: dict[str, str], teacher: str, data: str
) -> None:
    found = resolve(teacher, data, "auto", folders, "swa")
    assert kinds(found) == ("builtin", "builtin", "builtin")
    assert (found.notice, hub.requests) == ((), [])


def test_the_pair_works_with_a_corpus_of_the_users_own(folders: dict[str, str]) -> None:
    found = resolve("builtin", "builtin", folders["CORPUS_DIR"], {}, "swa")
    assert kinds(found) == ("builtin", "builtin", "folder")


@pytest.mark.parametrize(("teacher", "data"), [("builtin", "org/data"), ("org/model", "builtin")])
def test_half_of_the_pair_with_something_else_is_refused(teacher: str, data: str) -> None:
    with pytest.raises(UserError, match="builtin cannot go with") as caught:
        resolve(teacher, data, "auto", {}, "swa")
    assert "TEACHER=builtin DATA=builtin" in caught.value.remedy


def test_a_named_teacher_never_falls_back(hub: StandInHub, folders: dict[str, str]) -> None:
    hub.stop()
    with pytest.raises(UserError, match="DATA was left to 'auto', and MASAKHANER_DIR is not set") as caught:
        resolve(folders["AFRIBERTA_DIR"], "auto", "auto", {}, "swa")
    assert "MASAKHANER_DIR=" in caught.value.remedy
    assert "TEACHER=builtin DATA=builtin" in caught.value.remedy


@pytest.mark.parametrize("value", ["./none", "/none/there", "one/two/three", "justaname", "~/x"])
def test_a_folder_that_does_not_exist_is_refused(value: str) -> None:
    with pytest.raises(UserError, match="no such folder"):
        resolve(value, "auto", "auto", {}, "swa")


def test_an_environment_variable_that_names_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"AFRIBERTA_DIR=.*no such folder") as caught:
        resolve("auto", "auto", "auto", {"AFRIBERTA_DIR": str(tmp_path / "none")}, "swa")
    assert "unset it" in caught.value.remedy


@pytest.mark.parametrize(("lang", "own_folder"), [("luo", False), ("luo", True)])
def test_a_language_without_a_corpus_learns_from_the_train_text(
    hub: StandInHub,
    folders: dict[str, str],
    zip_of: Callable[[dict[str, bytes]], bytes],
    lang: str,
    own_folder: bool,
) -> None:
    filled(hub, zip_of)
    env = folders if own_folder else {k: v for k, v in folders.items() if k != "CORPUS_DIR"}
    found = resolve("auto", "auto", "auto", env, lang)
    assert found.corpus.kind == "train"
    assert "labelled train text is used instead" in found.notice[0]
    held = Sentence(("Jana", "tulienda", "sokoni", "na", "mama", "yangu"), ("O",) * 6)
    train = [Sentence(("Moshi", "ni", "mji", "."), ("B-LOC", "O", "O", "O")), held]
    text = load_unlabelled(found.corpus, lang, [held], train)
    assert text.paragraphs == ("Moshi ni mji .",)
    assert text.removed == 1


def test_a_named_corpus_is_not_replaced(hub: StandInHub, folders: dict[str, str]) -> None:
    found = resolve("auto", "auto", "org/text@v1", folders, "luo")
    assert found.corpus == SourceRef("hub", "org/text@v1", "named")
    assert resolve("auto", "auto", "builtin", folders, "swa").corpus.kind == "builtin"


def test_folders_are_loaded_by_their_readers(folders: dict[str, str]) -> None:
    place = Path(folders["MASAKHANER_DIR"]) / "swa"
    place.mkdir()
    for split in ("train", "dev", "test"):
        (place / f"{split}.txt").write_text(f"{split} O\n")
    found = resolve("auto", "auto", "auto", folders, "swa")
    assert load_labelled(found.data, "swa").train[0].words == ("train",)
    assert load_unlabelled(found.corpus, "swa", ()).paragraphs == ("Aya.",)
    assert teacher_folder(found.teacher) == Path(folders["AFRIBERTA_DIR"])


def test_hub_ids_are_loaded_by_their_readers(hub: StandInHub, zip_of: Callable[[dict[str, bytes]], bytes]) -> None:
    filled(hub, zip_of)
    found = resolve("auto", "auto", "auto", {}, "swa")
    assert load_unlabelled(found.corpus, "swa", ()).paragraphs == ("Aya.",)
    assert (teacher_folder(found.teacher) / "pytorch_model.bin").read_bytes() == b"1234"
    with pytest.raises(UserError, match="is damaged"):
        load_labelled(found.data, "swa")


def test_the_built_in_pair_is_loaded_from_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    text = Corpus("demo text", "swa", ("Moja mbili.", "Tatu."), "ours", "built-in", "digest", 0)
    monkeypatch.setattr("toolkit.data.builtin.load_demo", lambda lang: f"demo in {lang}")
    monkeypatch.setattr("toolkit.data.builtin.load_demo_corpus", lambda lang: text)
    found = resolve("builtin", "builtin", "auto", {}, "swa")
    assert load_labelled(found.data, "swa") == "demo in swa"
    assert load_unlabelled(found.corpus, "swa", ()) is text
    cleaned = load_unlabelled(found.corpus, "swa", [Sentence(("Tatu", "."), ("O", "O"))])
    assert (cleaned.paragraphs, cleaned.removed) == (("Moja mbili.",), 1)
    assert teacher_folder(found.teacher) == Path(toolkit.__file__).parent / "builtin" / "teacher"
