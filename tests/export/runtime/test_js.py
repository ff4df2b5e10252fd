"""runtime/js against this runtime, in Node and in headless Chromium; and what its package promises.

Needs node, and the packages of tests/export/runtime/js/package.json (npm ci --ignore-scripts there).
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from export.bundle import write_bundle
from export.runtime.encode import WordEncoder
from export.runtime.entities import group
from export.runtime.tagger import Tagger
from export.runtime.words import RULE
from tests.export.conftest import build_details, build_variant
from tests.export.runtime.browser import CHROMIUM, replay_in_chromium
from tests.export.runtime.hard_texts import as_read, hard_texts
from toolkit.data.types import Labelled

TESTS = Path(__file__).with_name("js")
ROOT = TESTS.parents[3]
RUNTIME = ROOT / "export" / "runtime" / "js"
MODULES = TESTS / "node_modules"
LONGEST_LINE, LONGEST_FILE, MOST_BYTES = 118, 300, 15_000

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="needs node"),
    pytest.mark.skipif(
        not (MODULES / "onnxruntime-web").is_dir(),
        reason="needs npm packages: cd tests/export/runtime/js && npm ci --ignore-scripts",
    ),
    pytest.mark.xdist_group("node"),  # their wasm is compiled on every core
]


def run(*command: str | Path, **environment: str | Path) -> str:
    variables = {**os.environ, **{name: str(value) for name, value in environment.items()}}
    done = subprocess.run(
        [str(part) for part in command], cwd=TESTS, env=variables, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def write_lines(path: Path, values: Iterable[Any]) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values), "utf-8")
    return path


def compare(folder: Path, max_length: int, texts: Iterable[str], work: Path) -> dict[str, Any]:
    encoder = WordEncoder.load(folder, max_length)
    lines = write_lines(work / "texts.jsonl", (as_read(text, encoder) for text in texts))
    report: dict[str, Any] = json.loads(run("node", "compare.js", folder, str(max_length), lines))
    return report


def answers(folder: Path, questions: Iterable[Any], work: Path) -> list[Any]:
    output = run("node", "answer.js", folder, write_lines(work / "questions.jsonl", questions))
    return [json.loads(line) for line in output.splitlines()]


@pytest.fixture(scope="module")
def int8_bundle(teacher: Path, few: Labelled, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a SentencePiece character map and int8 operators, as users get them."""
    from export.variants import build_variant as build

    folder = tmp_path_factory.mktemp("js")
    build("onnx-fp32", teacher, folder / "fp32")
    build("onnx-int8", teacher, folder / "int8", folder / "fp32")
    details = build_details(
        model="onnx/model_int8.onnx", dtype="int8", labels=few.labels, max_length=512, temperature=1.7
    )
    return write_bundle(folder / "int8", details, folder / "bundle").folder


def test_the_word_rule_is_the_same_line() -> None:
    script = f"import {{ RULE }} from '{RUNTIME.as_uri()}/words.js'; process.stdout.write(RULE)"
    assert run("node", "--input-type=module", "--eval", script) == RULE


def test_the_golden_text_rules_hold(text_rules: list[dict[str, Any]], teacher: Path, tmp_path: Path) -> None:
    encoder = WordEncoder.load(teacher)
    lines = [{**as_read(rule["text"], encoder)} for rule in text_rules]
    for line, rule in zip(lines, text_rules, strict=True):
        assert line["words"] == [word[1:] for word in rule["words"]]
        assert line["sentences"] == rule["sentences"]
    report = json.loads(run("node", "compare.js", teacher, "512", write_lines(tmp_path / "rules.jsonl", lines)))
    assert (report["offsets"], report["sentences"], report["ids"]) == (0, 0, 0), report["examples"]
    assert report["texts"] == len(text_rules)


@pytest.mark.parametrize(("seed", "max_length"), [(1, 512), (2, 16)])
def test_any_text_is_read_alike(teacher: Path, tmp_path: Path, seed: int, max_length: int) -> None:
    report = compare(teacher, max_length, hard_texts(10_000, seed), tmp_path)
    assert (report["offsets"], report["sentences"], report["ids"]) == (0, 0, 0), report["examples"]
    assert (report["texts"], report["words"] > 100_000) == (10_000, True)


def test_what_other_tokenizers_read_in_their_own_way(teacher: Path, tmp_path: Path) -> None:
    signs = ["\u0344", "\u061c", "\u200d", "<mask>", "</s>", "▁", "\ud800", "\u0301" * 100_000, "a" * 100_000]
    texts = [text for sign in signs for text in (sign, f"Kano{sign}", f"{sign}Kano", f"Ka{sign}no")]
    report = compare(teacher, 64, texts, tmp_path)
    assert (report["offsets"], report["sentences"], report["ids"]) == (0, 0, 0), report["examples"]


def test_the_golden_file_of_an_int8_bundle_is_answered(int8_bundle: Path) -> None:
    report = json.loads(run("node", "answer.js", int8_bundle))
    assert report["problems"] == []
    assert report["words"] > 500 and report["largest"] < 1


def test_entities_offsets_and_scores_are_those_of_python(finished_bundle: Path, tmp_path: Path) -> None:
    texts = [text for text in hard_texts(300, seed=3)] + ["Rais wa Nairobi 😀 alifika Mombasa. " * 40]
    tagger = Tagger.load(finished_bundle)
    names = {"startCodePoint": "start", "endCodePoint": "end", "startByte": "start_byte", "endByte": "end_byte"}
    names |= {"start": "start_utf16", "end": "end_utf16", "type": "type", "text": "text"}
    found = answers(finished_bundle, ({"text": text} for text in texts), tmp_path)
    count = 0
    for text, entities in zip(texts, found, strict=True):
        expected = tagger.tag(text)
        assert [{name: one[name] for name in names} for one in entities] == [
            {name: getattr(one, other) for name, other in names.items()} for one in expected
        ]
        scores = [one["score"] for one in entities]
        assert scores == pytest.approx([one.score for one in expected], abs=1e-5)
        count += len(expected)
    assert count > 1000


def test_tags_are_grouped_alike(finished_bundle: Path, tmp_path: Path) -> None:
    source = random.Random(0)
    tags = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "E-PER", "S-LOC", "I-A-B", "B", ""]
    questions = []
    for _ in range(500):
        chosen = source.choices(tags, k=source.randint(0, 12))
        questions.append({"tags": chosen, "scores": [source.random() for _ in chosen]})
    for question, found in zip(questions, answers(finished_bundle, questions, tmp_path), strict=True):
        expected = [list(entity) for entity in group(question["tags"], question["scores"])]
        assert [one[:3] for one in found] == [one[:3] for one in expected], question
        assert [one[3] for one in found] == pytest.approx([one[3] for one in expected])


def test_scores_are_calibrated_alike(int8_bundle: Path, tmp_path: Path) -> None:
    tagger = Tagger.load(int8_bundle)
    words = [["Rais", "Samia", "alifika", "Nairobi", "."], ["\u200b", "Kano"], []]
    for sentence, found in zip(words, answers(int8_bundle, ({"words": one} for one in words), tmp_path), strict=True):
        assert found["tags"] == tagger.tag_words(sentence)
        assert found["scores"] == pytest.approx(tagger._predict(sentence)[1] if sentence else [], abs=0.02)


def test_bundles_load_from_anywhere_and_broken_ones_are_refused(finished_bundle: Path, tmp_path: Path) -> None:
    variant = build_variant(tmp_path / "variant", external=True)
    external = write_bundle(variant, build_details(), tmp_path / "external").folder
    assert (external / "onnx" / "model.onnx_data").is_file()
    run("node", "--test", "loading.test.js", BUNDLE=finished_bundle, EXTERNAL=external)


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_a_browser_answers_the_golden_file(int8_bundle: Path, tmp_path: Path) -> None:
    report = replay_in_chromium(int8_bundle, TESTS, tmp_path)
    assert report["problems"] == []
    assert report["words"] > 500


def test_types_hold() -> None:
    run(MODULES / ".bin" / "tsc", "-p", ".")


def test_the_package_is_small() -> None:
    options = ("--bundle", "--minify", "--format=esm", "--charset=utf8", "--external:@huggingface/tokenizers")
    minified = run("node", MODULES / "esbuild" / "bin" / "esbuild", RUNTIME / "index.js", *options)
    assert len(minified.encode()) <= MOST_BYTES


def test_peer_dependencies_are_the_tested_versions() -> None:
    peers = json.loads((RUNTIME / "package.json").read_text("utf-8"))["peerDependencies"]
    tested = json.loads((TESTS / "package.json").read_text("utf-8"))["devDependencies"]
    assert {name: peers[name] for name in peers.keys() & tested.keys()} == {
        name: tested[name] for name in ("@huggingface/tokenizers", "onnxruntime-web")
    }


def test_sources_are_short() -> None:
    for file in (*RUNTIME.glob("*.js"), *RUNTIME.glob("*.ts"), *TESTS.glob("*.js"), *TESTS.glob("*.ts")):
        lines = file.read_text("utf-8").splitlines()
        assert len(lines) <= LONGEST_FILE, file.name
        assert max(map(len, lines)) <= LONGEST_LINE, file.name


def test_a_bundle_carries_the_package(finished_bundle: Path) -> None:
    shipped = {file.name for file in (finished_bundle / "runtime" / "js").iterdir()}
    assert shipped == {file.name for file in RUNTIME.iterdir() if file.is_file()}
    assert {"index.js", "index.d.ts", "package.json", "README.md"} <= shipped
