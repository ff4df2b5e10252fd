"""golden.jsonl: pins everything between text and tags, and notices when any of it changes."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from export.golden import golden_texts, make_golden, replay_golden, schema
from export.manifest import GOLDEN, read_manifest
from export.runtime.encode import Logits, WordEncoder
from export.runtime.errors import UserError
from export.runtime.session import open_session, session_logits

TEN = ("amh", "hau", "ibo", "kin", "lug", "luo", "pcm", "swa", "wol", "yor")
Replay = Callable[..., list[str]]


@pytest.fixture(scope="module")
def lines(finished_bundle: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (finished_bundle / GOLDEN).read_bytes().splitlines()]


@pytest.fixture(scope="module")
def model(finished_bundle: Path) -> tuple[WordEncoder, Logits]:
    manifest = read_manifest(finished_bundle / "manifest.json")
    session = open_session(finished_bundle / manifest.model)
    return WordEncoder.load(finished_bundle, manifest.max_length), session_logits(session)


@pytest.fixture
def replay(finished_bundle: Path, model: tuple[WordEncoder, Logits]) -> Replay:
    labels = read_manifest(finished_bundle / "manifest.json").labels

    def run(values: list[Any], tolerance: float = 0.01, noise: float = 0.0) -> list[str]:
        def noisy(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
            output = model[1](ids, mask).copy()
            output[..., 0] += noise
            return output

        data = [json.dumps(value).encode() for value in values]
        return list(replay_golden(data, model[0], noisy, labels, tolerance))

    return run


def test_every_language_has_sentences_of_its_own_with_its_signs() -> None:
    shared = {item.text for item in golden_texts(())}
    assert len(shared) >= 20
    own = {lang: [item.text for item in golden_texts((lang,)) if item.text not in shared] for lang in TEN}
    for lang, sentences in own.items():
        assert len(set(sentences)) >= 8, lang
        assert all(sentence == unicodedata.normalize("NFC", sentence) for sentence in sentences), lang
    for lang, signs in {
        "amh": "።፣፤",
        "hau": "ƙɗɓ'",
        "ibo": "ụọị'",
        "lug": "ŋ'",
        "yor": "ẹọṣ",
        "wol": "ëñŋ",
        "swa": "'",
    }.items():
        assert set(signs) <= set("".join(own[lang])), lang
    assert golden_texts(("xyz",)) == golden_texts(())


def test_the_shared_texts_hold_what_breaks_taggers() -> None:
    texts = [item.text for item in golden_texts(())]
    together = "".join(texts)
    for sign in (
        "\0",
        "\u200b",
        "\ufeff",
        "\ufe0f",
        "<mask>",
        "</s>",
        "▁",
        "\u0301",
        "\u202e",
        "🎉",
        "\U0010fffd",
    ):
        assert sign in together
    assert any(text and not text.strip() for text in texts)
    assert any(unicodedata.normalize("NFC", text) != text for text in texts)
    assert max(map(len, texts)) > 3000


def test_lines_follow_the_published_schema_and_their_offsets_the_text(lines: list[dict[str, Any]]) -> None:
    validator = jsonschema.Draft202012Validator(schema())
    for line in lines:
        validator.validate(line)
        text, utf16, utf8 = line["text"], line["text"].encode("utf-16-le"), line["text"].encode()
        assert len(line["words"]) == len(line["tags"]) == len(line["margins"])
        for word, points, units, octets in zip(
            line["words"], line["code_points"], line["utf16"], line["bytes"], strict=True
        ):
            assert text[slice(*points)] == word
            assert utf16[2 * units[0] : 2 * units[1]].decode("utf-16-le") == word
            assert utf8[slice(*octets)].decode() == word


def test_each_encodable_word_is_kept_in_one_window_and_long_text_needs_several(
    lines: list[dict[str, Any]],
) -> None:
    for line in lines:
        kept = [
            word
            for window in line["windows"]
            for word, keep in zip(window["words"], window["keep"], strict=True)
            if keep
        ]
        assert sorted(set(kept)) == sorted(kept)
        assert set(kept) <= set(range(len(line["words"])))
    assert max(len(line["windows"]) for line in lines) > 3


def test_the_same_model_replays_without_a_difference(lines: list[dict[str, Any]], replay: Replay) -> None:
    assert replay(lines, tolerance=0.0) == []


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("words", ["Rais Samia"], "other words"),
        ("code_points", [], "other code_points"),
        ("utf16", [[0, 5]], "other utf16"),
        ("bytes", [[1, 4]], "other bytes"),
        ("windows", [], "other windows"),
        ("tags", ["O"] * 6, "another number of tags"),
        ("tags", ["O"] * 7, "is tagged|tags 'Rais' \\(word 0\\) I-LOC, the bundle says 'O'"),
        ("entities", [["PER", 0, 7]], "entities that do not follow"),
        ("logits", [[0.0] * 5] * 4, "logits that differ"),
        ("logits", [[0.0] * 4] * 4, "another number of"),
        ("logits", [[0.0] * 5, [0.0]], "another number of"),
        ("margins", [0.0] * 7, "margins that differ"),
        ("margins", [10**400] * 7, "at most"),
        ("margins", "many", "must be of type array"),
        ("text", "Other text.", "other words"),
        ("text", 5, "must be of type string"),
        ("why", None, "must be of type string"),
        ("unknown", 1, "not a known key"),
    ],
)
def test_any_change_to_a_line_is_told_with_its_number(
    field: str, value: Any, told: str, lines: list[dict[str, Any]], replay: Replay
) -> None:
    problems = replay([lines[1], {**lines[0], field: value}])
    assert problems
    assert all(problem.startswith("golden.jsonl:2:") for problem in problems)
    assert any(re.search(told, problem) for problem in problems), problems


def test_a_line_that_is_no_json_is_told(model: tuple[WordEncoder, Logits]) -> None:
    for data in (b"", b"{", b'{"why": "\\ud800"}', b"[]"):
        (problem,) = replay_golden([data], *model, ("O", "B-PER"), 0.1)
        assert problem.startswith("golden.jsonl:1:")


def test_a_tag_may_differ_only_where_its_margin_is_below_the_tolerance(
    lines: list[dict[str, Any]], replay: Replay
) -> None:
    """Output 0 is raised by as much as another CPU might: a word moves to O only where it was close."""
    close = min(
        (margin, line["text"])
        for line in lines
        for margin, tag in zip(line["margins"], line["tags"], strict=True)
        if tag != "O"
    )[0]
    assert 0 < close < 2
    assert replay(lines, tolerance=close + 0.5, noise=close + 0.4) == []
    told = replay(lines, tolerance=close / 2, noise=close + 0.4)
    assert any("O, the bundle says" in problem for problem in told)
    assert any("logits that differ" in problem for problem in told)


def test_a_model_that_fails_or_answers_nonsense_is_a_user_error(model: tuple[WordEncoder, Logits]) -> None:
    def answers(value: Any) -> Logits:
        def logits(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
            if isinstance(value, Exception):
                raise value
            return np.full((*ids.shape, 2), value, np.float32)

        return logits

    labels = ("O", "B-PER")
    assert len(make_golden(model[0], answers(0.5), labels, ())) == len(golden_texts(()))
    with pytest.raises(UserError, match="NaN"):
        make_golden(model[0], answers(np.nan), labels, ())
    with pytest.raises(UserError, match="fails on"):
        make_golden(model[0], answers(RuntimeError("out of range")), labels, ())
    with pytest.raises(UserError, match="2 outputs for 3 labels"):
        make_golden(model[0], answers(0.5), ("O", "B-A", "I-A"), ())
