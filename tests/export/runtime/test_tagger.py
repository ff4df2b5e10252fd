from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from export.runtime import Tagger
from export.runtime.errors import UserError

TEXT = "Rais Samia Suluhu Hassan alitembelea Arusha."


def found(folder: Path, text: str) -> list[tuple[str, str]]:
    return [(entity.type, entity.text) for entity in Tagger.load(folder).tag(text)]


def change_manifest(folder: Path, **values: Any) -> None:
    (folder / "manifest.json").write_text(json.dumps(values), "utf-8")


def change_config(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), "utf-8")


def test_entities_have_offsets_into_the_text_in_three_units(bundle_folder: Path) -> None:
    text = "😀 Ni Samia Suluhu\u200b, ṣé Arusha?"
    person, place = Tagger.load(bundle_folder).tag(text)
    assert (person.type, person.text) == ("PER", "Samia Suluhu")
    assert (place.type, place.text) == ("LOC", "Arusha")
    for entity in (person, place):
        assert text[entity.start : entity.end] == entity.text
        assert text.encode()[entity.start_byte : entity.end_byte].decode() == entity.text
        units = text.encode("utf-16-le")[2 * entity.start_utf16 : 2 * entity.end_utf16]
        assert units.decode("utf-16-le") == entity.text


@pytest.mark.parametrize("temperature", [None, 1, 1.0, 2.5])
def test_score_is_the_mean_calibrated_probability(bundle_folder: Path, temperature: float | None) -> None:
    if temperature is not None:
        change_manifest(bundle_folder, confidence={"temperature": temperature})
    (entity,) = Tagger.load(bundle_folder).tag("Samia Suluhu")
    power = math.exp(4.0 / (temperature or 1.0))  # each word's logits are 4 for its tag, 0 for four others
    assert entity.score == pytest.approx(power / (power + 4), abs=1e-6)


def test_given_words_get_one_tag_each(bundle_folder: Path) -> None:
    tagger = Tagger.load(bundle_folder)
    assert tagger.tag_words(["Samia", "", "Suluhu", "\u200b", "na", "Arusha"]) == [
        "B-PER", "O", "I-PER", "O", "O", "B-LOC",
    ]  # fmt: skip
    assert tagger.tag_words([]) == []
    assert tagger.tag_words(["\u200b"]) == ["O"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        " \n\t\u2003",
        "\x00",
        "\ud800",
        "\ufe0f",
        "❤️😀🇰🇪",
        "<mask>",
        "</s><s>",
        "\u200b\u202a",
        "ọ\u0301\u0323",
    ],
)
def test_text_without_entities_gives_none(bundle_folder: Path, text: str) -> None:
    assert found(bundle_folder, text) == []


@pytest.mark.parametrize(
    "around",
    [
        "\ud800{}\udfff",
        "\x00{}\x00",
        "<mask>{}</s>",
        "<s> {} <pad>",
        "\u202a{}\u202c",
        "({})",
        "“{}”",
        "😀{}😀",
    ],
)
def test_odd_neighbours_leave_the_entity_alone(bundle_folder: Path, around: str) -> None:
    text = around.format("Samia")
    (entity,) = Tagger.load(bundle_folder).tag(text)
    assert (entity.text, entity.start) == ("Samia", text.index("Samia"))


def test_sentences_are_tagged_one_by_one(bundle_folder: Path) -> None:
    assert found(bundle_folder, "Ni Samia. Suluhu alifika Arusha.\nMjini kuzuri") == [
        ("PER", "Samia"), ("PER", "Suluhu"), ("LOC", "Arusha"), ("LOC", "Mjini"),
    ]  # fmt: skip
    assert found(bundle_folder, "አበበ ነው። Arusha Mjini") == [("PER", "አበበ"), ("LOC", "Arusha Mjini")]


def test_long_text_keeps_every_entity(bundle_folder: Path) -> None:
    change_manifest(bundle_folder, max_length=20)
    text = "na Samia Suluhu wa Arusha kwa " * 3400
    assert len(text) > 100_000
    entities = Tagger.load(bundle_folder).tag(text)
    assert len(entities) == 6800
    assert all(text[entity.start : entity.end] == entity.text for entity in entities)


def test_a_word_of_a_hundred_thousand_characters_is_one_word(bundle_folder: Path) -> None:
    assert found(bundle_folder, "Samia" + "a" * 100_000 + " Arusha")[-1] == ("LOC", "Arusha")


@pytest.mark.parametrize(
    ("manifest", "tokenizer", "positions", "expected"),
    [
        ({"max_length": 128}, 256, 514, 128),
        ({}, 256, 514, 256),
        ({}, 10**30, 514, 512),
        ({}, 1e30, 130, 128),
        ({}, None, 514, 512),
        ({"max_length": 512}, None, 130, 128),
    ],
)
def test_window_is_what_the_files_allow(
    bundle_folder: Path, manifest: dict[str, Any], tokenizer: float | None, positions: int, expected: int
) -> None:
    change_manifest(bundle_folder, **manifest)
    change_config(bundle_folder, max_position_embeddings=positions)
    (bundle_folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": tokenizer}))
    assert Tagger.load(bundle_folder).encoder.max_length == expected


def test_manifest_names_the_model_among_several(bundle_folder: Path) -> None:
    shutil.copyfile(bundle_folder / "onnx" / "model.onnx", bundle_folder / "onnx" / "model_int8.onnx")
    with pytest.raises(UserError, match=r"has 2 files onnx/\*\.onnx and no manifest"):
        Tagger.load(bundle_folder)
    change_manifest(bundle_folder, model="onnx/model_int8.onnx", session={"threads": 2, "prepacking": False})
    assert found(bundle_folder, TEXT) == [("PER", "Samia Suluhu Hassan"), ("LOC", "Arusha")]


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        ({"model": "../model.onnx"}, "lies outside the bundle"),
        ({"model": "/etc/model.onnx"}, "lies outside the bundle"),
        ({"model": 3}, "model is 3"),
        ({"model": "onnx/none.onnx"}, "no model at"),
        ({"session": {"threads": "two"}}, "threads is 'two'"),
        ({"session": []}, r"session is \[\]"),
        ({"confidence": {"temperature": 0}}, "temperature 0.0 is no positive number"),
        ({"confidence": {"temperature": math.nan}}, "temperature nan is no positive number"),
        ({"max_length": "long"}, "max_length is 'long'"),
        ({"max_length": 2}, "A window of 2 sub-words"),
    ],
)
def test_unusable_manifest_is_refused(bundle_folder: Path, manifest: dict[str, Any], reason: str) -> None:
    change_manifest(bundle_folder, **manifest)
    with pytest.raises(UserError, match=reason):
        Tagger.load(bundle_folder)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ({}, "does not number the labels"),
        ({"1": "O"}, "does not number the labels"),
        ({"0": "B-PER", "1": "O"}, "label 0 is not O"),
        (["O"], "id2label is"),
    ],
)
def test_unusable_labels_are_refused(bundle_folder: Path, labels: Any, reason: str) -> None:
    change_config(bundle_folder, id2label=labels)
    with pytest.raises(UserError, match=reason):
        Tagger.load(bundle_folder)


def test_labels_of_another_model_are_refused(bundle_folder: Path) -> None:
    change_config(bundle_folder, id2label={"0": "O", "1": "B-PER"})
    with pytest.raises(UserError, match=r"gives 5 labels and config\.json names 2"):
        Tagger.load(bundle_folder).tag(TEXT)


def test_decomposed_text_keeps_its_own_offsets(bundle_folder: Path) -> None:
    text = unicodedata.normalize("NFD", "Ìyá Ọlá àti ") + "Samia"
    (entity,) = Tagger.load(bundle_folder).tag(text)
    assert text[entity.start : entity.end] == "Samia"


def run_script(folder: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(folder / "runtime" / "tagger.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", cwd=cwd, check=False)


def test_script_runs_from_any_folder_and_leaves_no_trace(bundle_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    before = sorted(bundle_folder.rglob("*"))
    answer = run_script(bundle_folder, TEXT, cwd=tmp_path / "elsewhere")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == "PER\t0.932\t5-24\tSamia Suluhu Hassan\nLOC\t0.932\t37-43\tArusha\n"
    assert sorted(bundle_folder.rglob("*")) == before


def test_script_tells_of_a_broken_bundle_in_one_line(bundle_folder: Path) -> None:
    (bundle_folder / "config.json").unlink()
    answer = run_script(bundle_folder, TEXT, cwd=bundle_folder)
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
    assert "config.json is missing. Give the folder of a bundle" in answer.stderr


def test_script_names_a_library_that_is_not_installed(bundle_folder: Path) -> None:
    script = str(bundle_folder / "runtime" / "tagger.py")
    answer = subprocess.run([sys.executable, "-S", "-E", script, TEXT], capture_output=True, text=True, check=False)
    assert answer.returncode == 2
    assert answer.stderr == "numpy is not installed. Run: python3 -m pip install numpy onnxruntime tokenizers\n"
