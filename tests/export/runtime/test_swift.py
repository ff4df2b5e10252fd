"""runtime/swift against this runtime. The model is Python's: the harness asks for the logits of ids it made.

Needs Swift: see swift_toolchain.py. A Swift string holds no lone surrogates, so texts with them are left out.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
import unicodedata
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from export.bundle import write_bundle
from export.manifest import file_entry
from export.runtime.characters import normalize
from export.runtime.entities import group
from export.runtime.tagger import Tagger
from export.runtime.words import RULE
from tests.export.conftest import build_details
from tests.export.runtime.hard_texts import hard_texts
from tests.export.runtime.swift_harness import PACKAGE, Harness, compare, encodable, needs_swift
from toolkit.data.types import Labelled


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Harness:
    return Harness(tmp_path_factory.mktemp("swift"))


@pytest.fixture(scope="module")
def int8_bundle(teacher: Path, few: Labelled, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a SentencePiece character map and int8 operators, as users get them."""
    from export.variants import build_variant as build

    folder = tmp_path_factory.mktemp("swift-bundle")
    build("onnx-fp32", teacher, folder / "fp32")
    build("onnx-int8", teacher, folder / "int8", folder / "fp32")
    details = build_details(
        model="onnx/model_int8.onnx", dtype="int8", labels=few.labels, max_length=512, temperature=1.7
    )
    return write_bundle(folder / "int8", details, folder / "bundle").folder


def test_the_word_rule_it_follows_is_the_present_one() -> None:
    run = RULE.removeprefix("A?").split("(?:A", 1)[0]
    source = (PACKAGE / "Sources" / "AfribertaEdge" / "Words.swift").read_text("utf-8")
    assert f"/// RUN   {run}\n".replace("/// ", "///     ") in source
    assert f"///     RULE  {RULE.replace(run, 'RUN')}\n" in source


@needs_swift
def test_every_short_row_of_classes_is_cut_alike(harness: Harness, teacher: Path) -> None:
    one_of_each = "Bŋ\u03015'.,\u200b\ufe0f !"  # u o M D A F N X V S P; l is read as o is
    rows = itertools.chain.from_iterable(itertools.product(one_of_each, repeat=count) for count in range(1, 5))
    source = random.Random(0)
    longer = (source.choices(one_of_each, k=source.randint(5, 14)) for _ in range(5_000))
    report = compare(harness, teacher, 512, ("".join(row) for row in itertools.chain(rows, longer)))
    assert report["texts"] == 11 + 11**2 + 11**3 + 11**4 + 5_000


@needs_swift
def test_the_golden_text_rules_hold(harness: Harness, teacher: Path, text_rules: list[dict[str, Any]]) -> None:
    texts = [rule["text"] for rule in text_rules if list(encodable([rule["text"]]))]
    assert compare(harness, teacher, 512, texts)["texts"] >= len(text_rules) - 1


@needs_swift
@pytest.mark.parametrize(("seed", "max_length"), [(1, 512), (2, 16)])
def test_any_text_is_read_alike(harness: Harness, teacher: Path, seed: int, max_length: int) -> None:
    report = compare(harness, teacher, max_length, hard_texts(10_000, seed))
    assert report["texts"] > 9_500 and report["words"] > 100_000


@needs_swift
def test_what_other_tokenizers_read_in_their_own_way(harness: Harness, teacher: Path) -> None:
    signs = ["\u0344", "\u061c", "\u200d", "<mask>", "</s>", "▁", "\r\n", "\u212b", "\u0301" * 100_000, "a" * 100_000]
    signs += ["aX".replace("X", "\u200b") * 50_000, "1," * 50_000]
    texts = [text for sign in signs for text in (sign, f"Kano{sign}", f"{sign}Kano", f"Ka{sign}no")]
    compare(harness, teacher, 64, texts)


@needs_swift
def test_normalization_forms_are_those_of_python(harness: Harness) -> None:
    source = random.Random(0)
    every = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    decomposing = [one for one in every if unicodedata.decomposition(one)]
    marks = [one for one in every if unicodedata.combining(one)]
    hangul = [chr(code) for code in (*range(0x1100, 0x1200), *range(0xAC00, 0xAD00))]
    texts = [text for one in decomposing for text in (one, unicodedata.normalize("NFD", one) + source.choice(marks))]
    pools: list[Any] = [every, marks, marks, decomposing, hangul, "aeou"]
    texts += ["".join(source.choice(source.choice(pools)) for _ in range(source.randint(1, 8))) for _ in range(5_000)]
    forms: list[Any] = ["NFC", "NFD", "NFKC", "NFKD"]
    questions = [(form, text) for text in texts for form in forms]
    found = harness.ask("normalize", harness.lines(questions))
    wrong = [
        (form, ascii(text))
        for (form, text), one in zip(questions, found, strict=True)
        if one != normalize(form, text)
    ]
    assert not wrong, (len(wrong), wrong[:5])


@needs_swift
def test_unknown_bytes_fall_back_to_their_pieces(harness: Harness, teacher: Path, tmp_path: Path) -> None:
    specification = json.loads((teacher / "tokenizer.json").read_text("utf-8"))
    specification["model"]["vocab"] += [[f"<0x{byte:02X}>", -20.0] for byte in range(256) if byte != 0xF0]
    specification["model"]["byte_fallback"] = True
    (tmp_path / "tokenizer.json").write_text(json.dumps(specification), "utf-8")
    compare(harness, tmp_path, 64, ["Kano 漢字", "😀", "阿😀a", "<0x41>"])


@needs_swift
def test_the_golden_file_of_an_int8_bundle_is_answered(harness: Harness, int8_bundle: Path) -> None:
    logits = Tagger.load(int8_bundle)._logits
    (report,) = harness.ask_with_model(logits, "golden", harness.bundle(int8_bundle))
    assert report["problems"] == []
    assert report["words"] > 500 and report["largest"] <= 1e-4 and report["flips"] == 0


@needs_swift
def test_a_changed_golden_file_is_noticed(harness: Harness, int8_bundle: Path) -> None:
    name = harness.bundle(int8_bundle)
    path = harness.work / name / "golden.jsonl"
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    lines[0]["windows"][0]["ids"][1] += 1
    lines[1]["words"][0] += "\u0301"
    lines[2]["logits"][0][0] += 9
    lines[3]["utf16"][0][1] += 1
    path.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    manifest = json.loads((harness.work / name / "manifest.json").read_text("utf-8"))
    manifest["files"]["golden.jsonl"] = asdict(file_entry(path))
    (harness.work / name / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    (report,) = harness.ask_with_model(Tagger.load(int8_bundle)._logits, "golden", name)
    told = {problem.split(":")[1] + problem.split(":")[2][:9] for problem in report["problems"]}
    assert {"1 other wi", "2 other wo", "3 other lo", "4 other ut"} <= told


@needs_swift
def test_entities_offsets_and_scores_are_those_of_python(harness: Harness, finished_bundle: Path) -> None:
    texts = [*encodable(hard_texts(300, seed=3)), "Rais wa Nairobi 😀 alifika\r\nMombasa. " * 40, "", " \n"]
    tagger = Tagger.load(finished_bundle)
    questions = harness.lines({"text": text} for text in texts)
    found = harness.ask_with_model(tagger._logits, "answer", harness.bundle(finished_bundle), questions)
    count = 0
    for text, answer in zip(texts, found, strict=True):
        expected = tagger.tag(text)
        assert [{name: one[name] for name in one if name != "score"} for one in answer["answer"]] == [
            {
                "type": one.type,
                "text": one.text,
                "slice": one.text,
                "codePoints": [one.start, one.end],
                "bytes": [one.start_byte, one.end_byte],
                "utf16": [one.start_utf16, one.end_utf16],
            }
            for one in expected
        ]
        scores = [one["score"] for one in answer["answer"]]
        assert scores == pytest.approx([one.score for one in expected], abs=1e-6)
        count += len(expected)
    assert count > 1000


@needs_swift
def test_tags_are_grouped_alike(harness: Harness, finished_bundle: Path) -> None:
    source = random.Random(0)
    tags = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "E-PER", "S-LOC", "I-A-B", "B", "B-\u0301", ""]
    questions = []
    for _ in range(500):
        chosen = source.choices(tags, k=source.randint(0, 12))
        questions.append({"tags": chosen, "scores": [source.random() for _ in chosen]})
    found = harness.ask("answer", harness.bundle(finished_bundle), harness.lines(questions))
    for question, answer in zip(questions, found, strict=True):
        expected = [list(entity) for entity in group(question["tags"], question["scores"])]
        assert [one[:3] for one in answer["answer"]] == [one[:3] for one in expected], question
        assert [one[3] for one in answer["answer"]] == pytest.approx([one[3] for one in expected])


@needs_swift
def test_scores_are_calibrated_alike(harness: Harness, int8_bundle: Path) -> None:
    tagger = Tagger.load(int8_bundle)
    words = [["Rais", "Samia", "alifika", "Nairobi", "."], ["\u200b", "Kano"], []]
    questions = harness.lines({"words": one} for one in words)
    found = harness.ask_with_model(tagger._logits, "answer", harness.bundle(int8_bundle), questions)
    for sentence, answer in zip(words, found, strict=True):
        assert answer["answer"]["tags"] == tagger.tag_words(sentence)
        expected = tagger._predict(sentence)[1] if sentence else []
        assert answer["answer"]["scores"] == pytest.approx(expected, abs=1e-6)
