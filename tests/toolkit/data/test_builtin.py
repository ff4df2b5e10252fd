"""The demo text: valid, varied, the same everywhere, and nothing of dev or test to be learnt from train."""

from __future__ import annotations

import random
import re
import tomllib
import unicodedata
from functools import cache
from importlib.resources import files
from itertools import pairwise

import pytest

from export.runtime.errors import UserError
from export.runtime.words import split_words
from toolkit.data.builtin import DEMO_LANGUAGES, load_demo, load_demo_corpus
from toolkit.data.demo.generator import Rendered, Slot, Span, held_out, load_grammar, parse, render, sentences
from toolkit.data.types import Sentence

SPLITS = ("train", "dev", "test")
TYPES = {"PER", "LOC", "ORG", "DATE"}
PLACE_LISTS = ("city", "vowel_city", "country", "area", "county", "district", "region")

# sha256 of the labelled splits and of the paragraphs, seed 13. They change with a language's file, with the
# generator and with the word splitter, and must not change with anything else.
DIGESTS = {
    "amh": ("a4e355d2874e814e", "b1a43d8476385278"),
    "hau": ("9b211c676cb2a3d8", "0839b3af9a7bcaa2"),
    "ibo": ("b3c1c852fb9e07d9", "d5781814b086e495"),
    "kin": ("c97f68f8d5ac4430", "e16e31b64efaedd0"),
    "lug": ("098706ee4435c995", "92d9f048487da44a"),
    "luo": ("74cb132acdb8c268", "f6d6ba552dabd519"),
    "pcm": ("10f6edbbb0b51b8d", "b2000104bb48b1b0"),
    "swa": ("6c2761b6403ca8da", "35959097ff81c429"),
    "wol": ("ae5bbc837f93e8ea", "07e8d810911574bf"),
    "yor": ("5607ed7fc2f54227", "e2c34365edf1d90e"),
}


demo = cache(load_demo)
demo_corpus = cache(load_demo_corpus)


def entities(sentence: Sentence) -> list[tuple[str, str]]:
    """Type and words of each entity."""
    found: list[tuple[str, list[str]]] = []
    for word, tag in zip(sentence.words, sentence.tags, strict=True):
        if tag.startswith("B-"):
            found.append((tag[2:], [word]))
        elif tag.startswith("I-"):
            found[-1][1].append(word)
    return [(entity, " ".join(words)) for entity, words in found]


def language_file(lang: str) -> dict[str, dict[str, list[str]]]:
    return tomllib.loads((files("toolkit.data.demo") / f"{lang}.toml").read_text(encoding="utf-8"))


def names(lang: str, lists: list[str]) -> set[tuple[str | Slot, ...]]:
    """The different entries of some lists, shared ones taken in."""
    return {entry for name in lists for entry in load_grammar(lang).every[name]}


def test_the_ten_languages_are_there_and_another_is_refused_with_the_choices() -> None:
    assert DEMO_LANGUAGES == ("amh", "hau", "ibo", "kin", "lug", "luo", "pcm", "swa", "wol", "yor")
    for load in (load_demo, load_demo_corpus):
        with pytest.raises(UserError) as error:
            load("../amh")
        assert "amh" in error.value.remedy and "yor" in error.value.remedy


@pytest.mark.parametrize("lang", DEMO_LANGUAGES)
def test_same_seed_gives_the_pinned_text(lang: str) -> None:
    assert (demo(lang).digest[:16], demo_corpus(lang).digest[:16]) == DIGESTS[lang]


def test_another_seed_gives_another_text_from_the_same_templates() -> None:
    assert load_demo("swa", seed=14).digest != load_demo("swa").digest
    assert load_demo_corpus("swa", seed=14).digest != load_demo_corpus("swa").digest


def test_the_data_say_what_they_are() -> None:
    data, corpus = load_demo("hau"), load_demo_corpus("hau")
    for loaded in (data, corpus):
        assert (loaded.name, loaded.lang) == ("demo text", "hau")
        assert (loaded.licence, loaded.source) == ("Apache-2.0", "built-in")
    assert data.labels == (
        "O", "B-DATE", "I-DATE", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC",
    )  # fmt: skip
    assert corpus.removed == 0 and corpus.notes == ()
    assert data.notes == ("all tokens are in NFC",)


@pytest.mark.parametrize("lang", DEMO_LANGUAGES)
def test_splits_have_their_size_and_valid_tags_of_every_type(lang: str) -> None:
    data = demo(lang)
    assert [len(getattr(data, split)) for split in SPLITS] == [1200, 200, 300]
    for split in SPLITS:
        seen = set()
        for sentence in getattr(data, split):
            assert len(sentence.words) == len(sentence.tags) > 2
            assert set(sentence.tags) <= set(data.labels)
            for before, tag in pairwise(("O", *sentence.tags)):
                assert not tag.startswith("I-") or before[2:] == tag[2:], sentence
            seen |= {entity for entity, _ in entities(sentence)}
        assert seen == TYPES, (split, seen)


@pytest.mark.parametrize("lang", DEMO_LANGUAGES)
def test_no_sentence_comes_twice_or_in_two_splits(lang: str) -> None:
    data = demo(lang)
    everything = [sentence.words for split in SPLITS for sentence in getattr(data, split)]
    assert len(set(everything)) == len(everything)


@pytest.mark.parametrize("lang", DEMO_LANGUAGES)
def test_no_template_is_shared_between_splits_or_with_the_corpus(lang: str) -> None:
    templates = load_grammar(lang).templates
    shapes = [
        tuple(piece if isinstance(piece, str) else "{}" for piece in template)
        for part in (*SPLITS, "corpus")
        for template in templates[part]
    ]
    assert len(set(shapes)) == len(shapes)
    assert sum(len(templates[split]) for split in SPLITS) >= 40


@pytest.mark.parametrize("lang", DEMO_LANGUAGES)
def test_no_paragraph_holds_a_dev_or_test_sentence_or_comes_twice(lang: str) -> None:
    data, corpus = demo(lang), demo_corpus(lang)
    assert len(set(corpus.paragraphs)) == len(corpus.paragraphs) == 3000
    words = " ".join(word.text for word in split_words(" ".join(corpus.paragraphs)))
    for sentence in (*data.dev, *data.test):
        assert " ".join(sentence.words) not in words


@pytest.mark.parametrize("lang", DEMO_LANGUAGES)
def test_names_held_out_from_train_stand_in_test(lang: str) -> None:
    data = demo(lang)
    named = {split: {pair for s in getattr(data, split) for pair in entities(s)} for split in SPLITS}
    for entity in ("PER", "LOC", "ORG"):
        in_test = {text for kind, text in named["test"] if kind == entity}
        in_train = {text for kind, text in named["train"] if kind == entity}
        assert len(in_test - in_train) >= 0.1 * len(in_test), entity
    grammar = load_grammar(lang)
    for name, entries in grammar.train.items():
        assert entries, f"every entry of {name} is held out"


@pytest.mark.parametrize("lang", DEMO_LANGUAGES)
def test_there_are_enough_names_of_each_kind(lang: str) -> None:
    lists = list(language_file(lang)["gazetteer"])
    given = [name for name in lists if name.startswith("given")]
    family = [name for name in lists if name.startswith("family")]
    places = [name for name in lists if name in PLACE_LISTS]
    organisations = [name for name in lists if name not in (*given, *family, *places)]
    counts = [len(names(lang, kind)) for kind in (given, family, places, organisations)]
    assert all(count >= least for count, least in zip(counts, (60, 60, 60, 40), strict=True)), counts


@pytest.mark.parametrize("lang", DEMO_LANGUAGES)
def test_every_list_is_used_and_every_slot_has_its_list(lang: str) -> None:
    grammar, file = load_grammar(lang), language_file(lang)
    own = {*file["gazetteer"], *file["words"]}
    productions = [production for name in own for production in grammar.every[name]]
    productions += [template for templates in grammar.templates.values() for template in templates]
    asked = {piece.list for production in productions for piece in production if isinstance(piece, Slot)}
    assert asked <= set(grammar.every)
    assert own <= asked


@pytest.mark.parametrize("lang", DEMO_LANGUAGES)
def test_text_is_nfc_with_every_slot_filled(lang: str) -> None:
    data, corpus = demo(lang), demo_corpus(lang)
    words = [word for split in SPLITS for sentence in getattr(data, split) for word in sentence.words]
    for text in (" ".join(words), " ".join(corpus.paragraphs)):
        assert unicodedata.is_normalized("NFC", text)
        assert not re.search(r"[{}@\[\]\x00-\x1f]|  ", text)


@pytest.mark.parametrize("lang", DEMO_LANGUAGES)
def test_text_is_in_the_language_s_script(lang: str) -> None:
    letters = [c for paragraph in demo_corpus(lang).paragraphs[:200] for c in paragraph if c.isalpha()]
    ethiopic = sum("ETHIOPIC" in unicodedata.name(c) for c in letters) / len(letters)
    assert ethiopic == (1.0 if lang == "amh" else 0.0)


def test_a_prefix_written_onto_a_name_is_part_of_its_first_word() -> None:
    lists = {"place": (("አዲስ አበባ",),), "date": (("ọnwa Mee",),)}
    amharic = render(parse("በ{LOC} ነው።"), lists, random.Random(0))
    assert amharic == Rendered("በአዲስ አበባ ነው።", (Span("LOC", 1, 8),))
    assert parse("{PER} na {crop}{LOC:city}.") == (
        Slot("PER", "person"), " na ", Slot("", "crop"), Slot("LOC", "city"), ".",
    )  # fmt: skip
    igbo = [(s.words, s.tags) for s in demo("ibo").train if any(w.startswith("n'ọnwa") for w in s.words)]
    assert igbo
    for words, tags in igbo:
        at = next(i for i, word in enumerate(words) if word.startswith("n'ọnwa"))
        assert tags[at] in ("B-DATE", "I-DATE") and tags[at + 1] == "I-DATE"


def test_slots_of_one_sentence_get_different_words() -> None:
    lists = {"city": (("Moshi",), ("Tanga",)), "pair": ((Slot("", "city"), " ", Slot("", "city")),)}
    rng = random.Random(3)
    for _ in range(50):
        two = render(parse("{LOC:city} na {LOC:city}"), lists, rng)
        assert {two.text[span.start : span.end] for span in two.spans} == {"Moshi", "Tanga"}
        assert render(parse("{PER:pair}"), lists, rng).text in ("Moshi Tanga", "Tanga Moshi")


def test_templates_take_turns_and_too_few_fillings_are_told() -> None:
    lists = {"city": tuple((name,) for name in ("Moshi", "Tanga", "Lindi", "Mbeya"))}
    templates = [parse("{LOC:city} leo"), parse("{LOC:city} kesho")]
    seen = {"Moshi leo"}
    texts = [s.text for s in sentences(templates, lists, random.Random(1), 6, seen)]
    assert len(set(texts)) == 6 and "Moshi leo" not in texts
    assert sum(text.endswith("leo") for text in texts) == 3
    with pytest.raises(ValueError, match="1 sentences, not 2"):
        sentences(templates, lists, random.Random(1), 2, seen)


def test_one_name_in_five_of_each_list_is_held_out_from_every_list() -> None:
    lists = {"city": [f"city {i}" for i in range(20)], "port": [*(f"city {i}" for i in range(4)), "Lamu"]}
    names = held_out(lists)
    assert len(names & set(lists["city"])) in (4, 5)
    assert names == held_out({name: entries[::-1] for name, entries in lists.items()})
    grammar = load_grammar("swa")
    assert 70 <= len(grammar.train["given"]) <= 80 < len(grammar.every["given"]) == 100
    assert not {entry for (entry,) in grammar.train["given"]} & set(held_out(language_file("swa")["gazetteer"]))
