from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest

from export.runtime.errors import UserError
from toolkit.data.labelled import assemble, label_order, orphans
from toolkit.data.types import Labelled, Sentence


def tagged(text: str) -> Sentence:
    """'Asha/B-PER alikuja' -> a sentence; a word without a tag has O."""
    pairs = [
        (word.rpartition("/")[0] or word, word.rpartition("/")[2] if "/" in word else "O") for word in text.split()
    ]
    return Sentence(tuple(word for word, _ in pairs), tuple(tag for _, tag in pairs))


def made(**splits: list[str]) -> Labelled:
    rows = {split: [tagged(text) for text in texts] for split, texts in splits.items()}
    return assemble("own", "swa", rows, "mine", "folder")


def test_masakhaner_types_come_in_its_own_order_and_others_by_name() -> None:
    four = [tagged("a/B-LOC b/I-ORG c/B-PER d/B-DATE")]
    assert label_order(four) == (
        "O", "B-DATE", "I-DATE", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC",
    )  # fmt: skip
    assert label_order([tagged("x/B-ZOO y/I-ART z/B-PER")]) == (
        "O", "B-PER", "I-PER", "B-ART", "I-ART", "B-ZOO", "I-ZOO",
    )  # fmt: skip
    assert label_order([tagged("leo")]) == ("O",)


def test_sentences_of_dev_and_test_leave_train_and_those_of_test_leave_dev() -> None:
    data = made(
        train=["moja mbili", "Tatu nne", "tano sita", "saba nane", "saba nane"],
        dev=["tatu nne .", "kumi moja", "Tano sita"],
        test=["tano sita", "mia"],
    )
    assert [s.words for s in data.train] == [("moja", "mbili"), ("saba", "nane"), ("saba", "nane")]
    assert [s.words for s in data.dev] == [("tatu", "nne", "."), ("kumi", "moja")]
    assert len(data.test) == 2
    assert data.notes[:3] == (
        "train sentences removed because test has them: 1",
        "train sentences removed because dev has them: 1",
        "dev sentences removed because test has them: 1",
    )


def test_a_split_left_empty_is_refused() -> None:
    with pytest.raises(UserError, match="is empty once the sentences of dev and test are removed"):
        made(train=["moja"], dev=["mbili"], test=["Moja ."])
    with pytest.raises(UserError, match=r"test split of own \(swa\) is empty\."):
        made(train=["moja"], dev=["mbili"], test=[])


def test_every_oddity_is_counted() -> None:
    decomposed = unicodedata.normalize("NFD", "ọjọ́")
    odd = f"Moshi/I-LOC \ufe0f a\u200bb \u202ac \u00add \u0301 {decomposed} e"
    data = made(train=["moja Asha/B-PER"], dev=[odd], test=["tatu Juma/I-PER"])
    assert data.notes == (
        "orphan I- tags kept; each opens an entity: 2",
        "tokens of combining marks or variation selectors alone kept: 2",
        "tokens with zero-width characters kept: 1",
        "tokens with directional marks kept: 1",
        "tokens with other control or format characters kept: 1",
        "tokens not in NFC kept as written: 1 of 12",
        "tags that train never shows: I-LOC, I-PER",
    )
    assert data.dev[0].words[1] == "\ufe0f"


def test_clean_text_gets_only_its_unicode_form_noted() -> None:
    assert made(train=["moja"], dev=["mbili"], test=["tatu"]).notes == ("all tokens are in NFC",)


@pytest.mark.parametrize(
    ("tags", "count"),
    [
        (("O", "B-PER", "I-PER", "I-PER"), 0),
        (("I-PER", "I-PER"), 1),
        (("B-PER", "I-LOC"), 1),
        (("B-PER", "O", "I-PER"), 1),
    ],
)
def test_orphans_are_inside_tags_without_an_entity_of_their_type_before(tags: tuple[str, ...], count: int) -> None:
    assert orphans(Sentence(("x",) * len(tags), tags)) == count


def test_the_digest_follows_the_content_and_not_the_name() -> None:
    rows = {"train": [tagged("moja")], "dev": [tagged("mbili")], "test": [tagged("tatu")]}
    first = assemble("a", "swa", rows, "x", "folder")
    assert assemble("b", "swa", rows, "y", "elsewhere", ["note"]).digest == first.digest
    assert assemble("a", "hau", rows, "x", "folder").digest != first.digest
    changed = {**rows, "train": [replace(rows["train"][0], tags=("B-PER",))]}
    assert assemble("a", "swa", changed, "x", "folder").digest != first.digest


def test_half_of_dev_stands_in_for_a_missing_test_whatever_the_order() -> None:
    dev = [f"sentensi namba {i}" for i in range(200)]
    data = made(train=["moja"], dev=dev)
    assert data.name == "own (half of dev as test)"
    assert "no test split" in data.notes[0]
    assert len(data.dev) + len(data.test) == 200
    assert 70 <= len(data.test) <= 130
    again = made(train=["moja"], dev=dev[::-1])
    assert set(again.test) == set(data.test)


def test_a_small_dev_is_not_halved() -> None:
    with pytest.raises(UserError, match=r"no test split, and its dev split \(2 sentences\)") as caught:
        made(train=["moja"], dev=["mbili", "tatu"])
    assert "100 sentences" in caught.value.remedy
