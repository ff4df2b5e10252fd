"""runtime/kotlin against this runtime: words, offsets, ids, entities and scores.

With MASAKHANER_DIR the dev sentences of all its languages are compared too.
"""

from __future__ import annotations

import json
import os
import random
import sys
import unicodedata
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from export.bundle import write_bundle
from export.character_table import UNICODE
from export.runtime.characters import Form, normalize
from export.runtime.encode import WordEncoder
from export.runtime.entities import group
from export.runtime.tagger import Tagger
from tests.export.conftest import build_details
from tests.export.runtime.conftest import tokenizer_specification
from tests.export.runtime.hard_texts import as_read, as_windows, hard_texts
from tests.export.runtime.kotlin_harness import ROOT, needs_kotlin, run, write_lines
from toolkit.data.masakhaner import read_split
from toolkit.data.types import Labelled
from toolkit.raw_text import detokenise

BUILTIN = ROOT / "toolkit" / "builtin" / "teacher"
MASAKHANER = os.environ.get("MASAKHANER_DIR")

pytestmark = needs_kotlin


def compare(folder: Path, max_length: int, lines: Iterable[Any], work: Path) -> dict[str, Any]:
    (report,) = run("compare", folder, str(max_length), write_lines(work / "texts.jsonl", lines))
    assert (report["offsets"], report["sentences"], report["ids"]) == (0, 0, 0), report["examples"]
    return report


def compare_texts(folder: Path, max_length: int, texts: Iterable[str], work: Path) -> dict[str, Any]:
    encoder = WordEncoder.load(folder, max_length)
    return compare(folder, max_length, (as_read(text, encoder) for text in texts), work)


@pytest.fixture(scope="module")
def int8_bundle(teacher: Path, few: Labelled, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a SentencePiece character map and int8 operators, as users get them."""
    from export.variants import build_variant as build

    folder = tmp_path_factory.mktemp("kotlin")
    build("onnx-fp32", teacher, folder / "fp32")
    build("onnx-int8", teacher, folder / "int8", folder / "fp32")
    details = build_details(
        model="onnx/model_int8.onnx", dtype="int8", labels=few.labels, max_length=512, temperature=1.7
    )
    return write_bundle(folder / "int8", details, folder / "bundle").folder


def test_every_short_row_of_classes_is_cut_alike(teacher: Path, tmp_path: Path) -> None:
    # One character for each class of characters (words.RULE); white space parts the rows.
    rows = ["".join(row) for length in range(1, 6) for row in product("a\u03011'.,\u200b\ufe0f-", repeat=length)]
    texts = [" ".join(rows[start : start + 1000]) for start in range(0, len(rows), 1000)]
    report = compare_texts(teacher, 512, texts, tmp_path)
    assert report["words"] > len(rows) > 60_000


def test_the_golden_text_rules_hold(text_rules: list[dict[str, Any]], teacher: Path, tmp_path: Path) -> None:
    encoder = WordEncoder.load(teacher)
    lines = [
        {**as_read(rule["text"], encoder), "words": [word[1:] for word in rule["words"]]}
        | {"sentences": rule["sentences"]}
        for rule in text_rules
    ]
    assert compare(teacher, 512, lines, tmp_path)["texts"] == len(text_rules)


@pytest.mark.parametrize(("seed", "max_length"), [(1, 512), (2, 16)])
def test_any_text_is_read_alike(teacher: Path, tmp_path: Path, seed: int, max_length: int) -> None:
    report = compare_texts(teacher, max_length, hard_texts(10_000, seed), tmp_path)
    assert (report["texts"], report["words"] > 100_000) == (10_000, True)


def test_what_other_tokenizers_read_in_their_own_way(teacher: Path, tmp_path: Path) -> None:
    signs = ["\u0344", "\u061c", "\u200d", "<mask>", "</s>", "▁", "\ud800", "\u0301" * 100_000, "a" * 100_000]
    texts = [text for sign in signs for text in (sign, f"Kano{sign}", f"{sign}Kano", f"Ka{sign}no")]
    texts += ["a1" * 50_000, "a'" * 50_000, "1.\u200b" * 10_000]  # regular expressions would overflow the stack
    encoder = WordEncoder.load(teacher, 64)
    # As words that somebody else split: the rule never leaves a special token whole.
    given = ["<mask>", "</s>", "<s>Kano", "Ka<pad>no", "<unk>", "a b", " ", ""]
    split = as_read(" ".join(given), encoder) | {"given": given, "windows": as_windows(given, encoder)}
    compare(teacher, 64, [split, *(as_read(text, encoder) for text in texts)], tmp_path)


def test_equal_paths_and_unknown_characters_are_cut_alike(tmp_path: Path) -> None:
    specification = tokenizer_specification()
    source = random.Random(0)
    # Whole scores make many paths equal; one piece stands there twice.
    pieces = ["".join(source.choices("abc▁", k=source.randint(2, 4))) for _ in range(60)]
    specification["model"]["vocab"] += [[piece, -float(source.randint(5, 15))] for piece in pieces]
    specification["model"]["vocab"] += [["ab", -12.0], ["ab", -9.0]]
    (tmp_path / "tokenizer.json").write_text(json.dumps(specification), "utf-8")
    words = ["".join(source.choices("aaabbbccc▁éሰ😀", k=source.randint(1, 12))) for _ in range(20_000)]
    encoder = WordEncoder.load(tmp_path, 512)
    given = [words[start : start + 50] for start in range(0, len(words), 50)]
    lines = [as_read(" ".join(row), encoder) for row in given]
    assert compare(tmp_path, 512, lines, tmp_path)["texts"] == len(given)
    ids = {one for line in lines for window in line["windows"] for one in window[0]}
    assert {3, len(specification["model"]["vocab"]) - 1} < ids


@pytest.mark.skipif(unicodedata.unidata_version != UNICODE, reason="needs the Unicode of the table")
def test_combining_classes_are_those_of_the_tables_unicode() -> None:
    (found,) = run("combining")
    assert found == [unicodedata.combining(chr(code)) for code in range(sys.maxunicode + 1)]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_marks_of_every_kind_compose_alike(tmp_path: Path, form: Form) -> None:
    # Java 17 knows Unicode 13 and Android 7 Unicode 8: they leave newer marks where they stand.
    source = random.Random(0)
    marks = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.combining(chr(code))]
    composed = [chr(code) for code in range(0xC0, 0x3000) if unicodedata.decomposition(chr(code))]
    pools: list[Any] = [marks, marks, composed, "aeoạáếⴰ가각\u1100\u1161\u11a8\u0bc6\u0bbe\U00011935\U00011930"]
    texts = ["".join(source.choice(source.choice(pools)) for _ in range(source.randint(2, 8))) for _ in range(20_000)]
    lines = write_lines(tmp_path / "texts.jsonl", texts)
    (found,) = run("normalize", form, lines)
    wrong = [text for text, one in zip(texts, found, strict=True) if one != normalize(form, text)]
    assert wrong == []


def test_the_golden_file_of_an_int8_bundle_is_answered(int8_bundle: Path) -> None:
    (report,) = run("golden", int8_bundle, logits=Tagger.load(int8_bundle)._logits)
    assert report["problems"] == []
    assert report["words"] > 500 and report["largest"] < 0.001


def test_entities_offsets_and_scores_are_those_of_python(finished_bundle: Path, tmp_path: Path) -> None:
    texts = [*hard_texts(300, seed=3), "Rais wa Nairobi 😀 alifika Mombasa. " * 40]
    tagger = Tagger.load(finished_bundle)
    lines = write_lines(tmp_path / "texts.jsonl", ({"text": text} for text in texts))
    found = run("answer", finished_bundle, lines, logits=tagger._logits)
    count = 0
    for text, entities in zip(texts, found, strict=True):
        expected = [list(entity) for entity in tagger.tag(text)]
        assert [one[:-1] for one in entities] == [one[:-1] for one in expected]
        assert [one[-1] for one in entities] == pytest.approx([one[-1] for one in expected], abs=1e-6)
        count += len(expected)
    assert count > 1000


def test_tags_are_grouped_alike(finished_bundle: Path, tmp_path: Path) -> None:
    source = random.Random(0)
    tags = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "E-PER", "S-LOC", "I-A-B", "B", ""]
    questions: list[dict[str, Any]] = []
    for _ in range(500):
        chosen = source.choices(tags, k=source.randint(0, 12))
        questions.append({"tags": chosen, "scores": [source.random() for _ in chosen]})
    found = run("answer", finished_bundle, write_lines(tmp_path / "questions.jsonl", questions))
    for question, entities in zip(questions, found, strict=True):
        expected = [list(entity) for entity in group(question["tags"], question["scores"])]
        assert [one[:3] for one in entities] == [one[:3] for one in expected], question
        assert [one[3] for one in entities] == pytest.approx([one[3] for one in expected])


def test_scores_are_calibrated_alike(int8_bundle: Path, tmp_path: Path) -> None:
    tagger = Tagger.load(int8_bundle)
    words = [["Rais", "Samia", "alifika", "Nairobi", "."], ["\u200b", "Kano"], []]
    lines = write_lines(tmp_path / "words.jsonl", ({"words": one} for one in words))
    found = run("answer", int8_bundle, lines, logits=tagger._logits)
    for sentence, one in zip(words, found, strict=True):
        assert one["tags"] == tagger.tag_words(sentence)
        assert one["scores"] == pytest.approx(tagger._predict(sentence)[1] if sentence else [], abs=1e-6)


@pytest.mark.skipif(MASAKHANER is None, reason="needs MASAKHANER_DIR; with AFRIBERTA_DIR it takes that tokenizer")
def test_every_dev_sentence_is_read_alike(tmp_path: Path) -> None:
    from toolkit.teacher import read_teacher

    data = Path(str(MASAKHANER))
    folder = tmp_path / "teacher"
    read_teacher(Path(os.environ.get("AFRIBERTA_DIR") or BUILTIN), folder)
    encoder = WordEncoder.load(folder)
    lines = []
    for lang in sorted(entry.name for entry in data.iterdir() if entry.is_dir()):
        for sentence in read_split(data, lang, "dev"):
            lines.append(as_read(detokenise(sentence.words)[0], encoder))
            given = {"given": sentence.words, "windows": as_windows(sentence.words, encoder)}
            lines.append(as_read(" ".join(sentence.words), encoder) | given)
    report = compare(folder, 512, lines, tmp_path)
    assert report["texts"] == len(lines) > 1000
