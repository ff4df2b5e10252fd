from __future__ import annotations

import json
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, pre_tokenizers

from export.runtime.words import SPLIT_PATTERN, pre_tokenizer_json, split_words

# Signs that the regex engines know and this Python does not yet are the known exception (README.md).
ASSIGNED = [chr(c) for c in range(sys.maxunicode + 1) if unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co")]
TRICKY = "aZ1९ ,.:'’‘-_<>/@▁\t\n\u200b\u200d\u202a\ufeff\x00\u0301\u0323\ufe0f፡።ሰŋỌ😀🏿🇰½´`\ufffd\u3000\x85\u034f"
LANGUAGES = {"amh", "hau", "ibo", "kin", "lug", "luo", "pcm", "swa", "wol", "yor"}

any_text = st.text(st.one_of(st.sampled_from(TRICKY), st.characters()), max_size=60)
assigned_text = st.text(st.one_of(st.sampled_from(TRICKY), st.sampled_from(ASSIGNED)), max_size=60)


def by_tokenizers(text: str) -> list[tuple[str, int, int]]:
    split = pre_tokenizers.Split(Regex(SPLIT_PATTERN), "removed", invert=True)
    return [(word, start, end) for word, (start, end) in split.pre_tokenize_str(text)]


def texts_of(word_list: str) -> list[str]:
    return [word.text for word in split_words(word_list)]


def test_golden_file_covers_the_ten_languages(text_rules: list[dict[str, Any]]) -> None:
    assert {rule["lang"] for rule in text_rules} >= LANGUAGES


def test_words_and_their_code_points_match_the_golden_file(text_rules: list[dict[str, Any]]) -> None:
    for rule in text_rules:
        expected = [(text, start, end) for text, start, end, *_ in rule["words"]]
        assert split_words(rule["text"]) == expected, rule["id"]


def test_split_pre_tokenizer_finds_the_golden_words(text_rules: list[dict[str, Any]]) -> None:
    for rule in text_rules:
        if rule["id"] != "lone-surrogates":  # no UTF-8 string holds one
            assert by_tokenizers(rule["text"]) == split_words(rule["text"]), rule["id"]


def test_split_pre_tokenizer_agrees_on_every_assigned_character() -> None:
    for first in range(0, len(ASSIGNED), 5000):
        text = "".join(f"1{character}b'{character} " for character in ASSIGNED[first : first + 5000])
        assert by_tokenizers(text) == split_words(text)


@settings(max_examples=300, deadline=None)
@given(assigned_text)
def test_split_pre_tokenizer_agrees_on_random_text(text: str) -> None:
    assert by_tokenizers(text) == split_words(text)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_javascript_finds_the_golden_words(text_rules: list[dict[str, Any]]) -> None:
    script = (
        "const [pattern, texts] = JSON.parse(require('fs').readFileSync(0, 'utf8'));"
        "console.log(JSON.stringify(texts.map(text => text.match(new RegExp(pattern, 'gu')) || [])))"
    )
    tricky = ["".join(pair) for pair in zip(TRICKY, TRICKY[3:] + TRICKY[:3], strict=True)]
    texts = [*(rule["text"] for rule in text_rules), *tricky, TRICKY]
    asked = json.dumps([SPLIT_PATTERN, texts])
    answer = subprocess.run(["node", "-e", script], input=asked, capture_output=True, text=True, check=True).stdout
    assert json.loads(answer) == [texts_of(text) for text in texts]


@settings(max_examples=300, deadline=None)
@given(any_text)
def test_words_tile_all_that_is_visible(text: str) -> None:
    words = split_words(text)
    covered = set()
    last = 0
    for word in words:
        assert last <= word.start < word.end
        assert text[word.start : word.end] == word.text
        assert not any(character.isspace() and character not in "\x1c\x1d\x1e\x1f" for character in word.text)
        covered.update(range(word.start, word.end))
        last = word.end
    for position in set(range(len(text))) - covered:
        assert unicodedata.category(text[position]) in ("Zs", "Zl", "Zp", "Cc", "Cf", "Mn"), ascii(text[position])


@pytest.mark.parametrize("mark", ["\u200b", "\u200e", "\u202a", "\ufeff", "\x00", "\u00ad", "\u200d", "\ufe0f"])
def test_invisible_marks_are_no_words_and_no_edges(mark: str) -> None:
    assert texts_of(mark) == []
    assert texts_of(f"{mark}Kisumu{mark} {mark} na{mark}") == ["Kisumu", "na"]
    assert texts_of(f"Ki{mark}sumu") == [f"Ki{mark}sumu"]


def test_composed_and_decomposed_text_split_alike(text_rules: list[dict[str, Any]]) -> None:
    for rule in text_rules:
        if rule["lang"] in LANGUAGES and "modifier" not in rule["id"]:
            forms = [unicodedata.normalize(form, rule["text"]) for form in ("NFC", "NFD")]
            composed, decomposed = ([unicodedata.normalize("NFC", w) for w in texts_of(form)] for form in forms)
            assert composed == decomposed, rule["id"]


@pytest.mark.parametrize("unit", ["a", "a'", "1,", "\u200b", "a\u200b", "'", "a1", "\u0301", ".", "1.a\u0301'\u200b"])
def test_a_hundred_thousand_characters_without_spaces_are_split(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    words = split_words(text)
    assert sum(len(word.text) for word in words) <= len(text)
    assert by_tokenizers(text) == words


def test_pre_tokenizer_of_tokenizer_json_gives_each_word_its_prefix() -> None:
    model = {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0]], "byte_fallback": False}
    tokenizer = Tokenizer.from_str(
        json.dumps({"version": "1.0", "model": model} | {"pre_tokenizer": pre_tokenizer_json()})
    )
    assert tokenizer.pre_tokenizer is not None
    pieces = tokenizer.pre_tokenizer.pre_tokenize_str("Ng’ombe 1,000\u200b waliuzwa Arusha.")
    assert pieces == [
        ("▁Ng’ombe", (0, 7)),
        ("▁1,000", (8, 13)),
        ("▁waliuzwa", (15, 23)),
        ("▁Arusha", (24, 30)),
        ("▁.", (30, 31)),
    ]


def test_splitter_loads_nothing_heavy() -> None:
    heavy = "{'numpy', 'onnxruntime', 'tokenizers', 'torch'}"
    code = f"import sys, export.runtime.words; print(sorted({heavy} & set(sys.modules)))"
    root = Path(__file__).parents[3]
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert answer.stdout.strip() == "[]"
