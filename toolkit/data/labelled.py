"""From three lists of sentences to a `Labelled` set: labels in a stable order, no leaks, quirks counted."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from export.atomic import canonical_json
from export.runtime.errors import UserError
from toolkit.data.leaks import keys, sentence_key, without
from toolkit.data.types import Labelled, Sentence

SPLITS = ("train", "dev", "test")
MIN_DEV_TO_HALVE = 100  # sentences; half of fewer is too small to decide or to report anything
_MASAKHANER_TYPES = ("DATE", "PER", "ORG", "LOC")  # MasakhaNER's own order of its four types
_ZERO_WIDTH = re.compile("[\u200b-\u200d\u2060\ufeff]")
_DIRECTIONAL = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def assemble(
    name: str,
    lang: str,
    splits: Mapping[str, Sequence[Sentence]],
    licence: str,
    source: str,
    notes: Iterable[str] = (),
) -> Labelled:
    """Derive labels, keep dev and test out of train and test out of dev, and describe the quirks.

    Without "test", dev is halved by a hash of each sentence: one half stays dev and decides, the other
    stands in for test, and the name says so, because no published score compares with it.

    Args:
        splits: "train", "dev" and, if there is one, "test".
        notes: what the reader of the data already found.

    Raises:
        UserError: a split is empty, from the start or because all of it is in dev or test as well; or
            there is no test and dev is too small to halve.
    """
    if "test" not in splits:
        dev, test = _halve(splits["dev"], f"{name} ({lang})")
        splits = {"train": splits["train"], "dev": dev, "test": test}
        name = f"{name} (half of dev as test)"
        notes = (*notes, "no test split: half of dev, chosen by a hash of each sentence, stands in for it")
    test = tuple(splits["test"])
    dev = without(splits["dev"], keys(test))
    train = without(splits["train"], keys(test))
    from_test = len(splits["train"]) - len(train)
    train = without(train, keys(dev))
    removed = {
        "train sentences removed because test has them": from_test,
        "train sentences removed because dev has them": len(splits["train"]) - from_test - len(train),
        "dev sentences removed because test has them": len(splits["dev"]) - len(dev),
    }
    for split, kept in zip(SPLITS, (train, dev, test), strict=True):
        if not kept:
            raise UserError(
                f"The {split} split of {name} ({lang}) is empty"
                f"{' once the sentences of dev and test are removed' if splits[split] else ''}.",
                "Give it sentences that the other splits do not have, one token and its tag a line.",
            )
    labels = label_order(train, dev, test)
    return Labelled(
        name=name,
        lang=lang,
        labels=labels,
        train=train,
        dev=dev,
        test=test,
        licence=licence,
        source=source,
        digest=_digest(lang, labels, (train, dev, test)),
        notes=(*notes, *_counted(removed), *describe((train, dev, test))),
    )


def label_order(*splits: Iterable[Sentence]) -> tuple[str, ...]:
    """ "O", then B- and I- of each type that occurs: MasakhaNER's types in its own order, others by name."""
    types = {tag[2:] for tag in _tags(*splits) if tag != "O"}
    known = [kind for kind in _MASAKHANER_TYPES if kind in types]
    ordered = known + sorted(types.difference(known))
    return ("O", *(f"{prefix}-{kind}" for kind in ordered for prefix in "BI"))


def describe(splits: Sequence[Sequence[Sentence]]) -> tuple[str, ...]:
    """One line per oddity of the text, with its count over all splits, and the Unicode form."""
    words = [word for split in splits for sentence in split for word in sentence.words]
    decomposed = sum(not unicodedata.is_normalized("NFC", word) for word in words)
    unseen = sorted(_tags(*splits[1:]) - _tags(splits[0]))
    counts = {
        "orphan I- tags kept; each opens an entity": sum(orphans(s) for split in splits for s in split),
        "tokens of combining marks or variation selectors alone kept": sum(map(_only_marks, words)),
        "tokens with zero-width characters kept": sum(bool(_ZERO_WIDTH.search(word)) for word in words),
        "tokens with directional marks kept": sum(bool(_DIRECTIONAL.search(word)) for word in words),
        "tokens with other control or format characters kept": sum(map(_other_controls, words)),
    }
    form = f"tokens not in NFC kept as written: {decomposed} of {len(words)}" if decomposed else ""
    return (
        *_counted(counts),
        form or "all tokens are in NFC",
        *((f"tags that train never shows: {', '.join(unseen)}",) if unseen else ()),
    )


def orphans(sentence: Sentence) -> int:
    """The I- tags that follow neither B- nor I- of their own type."""
    previous = ("O", *sentence.tags[:-1])
    return sum(
        tag.startswith("I-") and tag[2:] != before[2:] for before, tag in zip(previous, sentence.tags, strict=True)
    )


def _halve(dev: Sequence[Sentence], where: str) -> tuple[tuple[Sentence, ...], tuple[Sentence, ...]]:
    if len(dev) < MIN_DEV_TO_HALVE:
        raise UserError(
            f"{where} has no test split, and its dev split ({len(dev)} sentences) is too small to halve.",
            f"Add a test split, or bring dev to {MIN_DEV_TO_HALVE} sentences or more.",
        )
    # By a hash of the text, not by position: repeated sentences fall on one side, also when dev grows.
    second = [hashlib.sha256(sentence_key(sentence).encode()).digest()[0] % 2 == 1 for sentence in dev]
    return (
        tuple(sentence for sentence, is_test in zip(dev, second, strict=True) if not is_test),
        tuple(sentence for sentence, is_test in zip(dev, second, strict=True) if is_test),
    )


def _tags(*splits: Iterable[Sentence]) -> set[str]:
    return {tag for split in splits for sentence in split for tag in sentence.tags}


def _only_marks(word: str) -> bool:
    return all(unicodedata.category(character) in ("Mn", "Me") for character in word)


def _other_controls(word: str) -> bool:
    return not word.isprintable() and any(
        unicodedata.category(character) in ("Cc", "Cf")
        and not _ZERO_WIDTH.match(character)
        and not _DIRECTIONAL.match(character)
        for character in word
    )


def _counted(counts: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(f"{what}: {count}" for what, count in counts.items() if count)


def _digest(lang: str, labels: tuple[str, ...], splits: Sequence[Sequence[Sentence]]) -> str:
    content = [[[sentence.words, sentence.tags] for sentence in split] for split in splits]
    return hashlib.sha256(canonical_json([lang, labels, content]).encode("utf-8", "surrogatepass")).hexdigest()


def check_labels(labels: Sequence[str], data: Labelled) -> None:
    """The teacher's head must know every tag that the data uses.

    Raises:
        UserError: lists both label sets.
    """
    unknown = sorted(set(data.labels) - set(labels))
    if unknown:
        raise UserError(
            f"The teacher's head knows {', '.join(labels)}; {data.name} also uses {', '.join(unknown)}.",
            "Give the encoder without its head (it is then fine-tuned on your labels), or data with its tags.",
        )


def label_ids(labels: Sequence[str], sentences: Sequence[Sentence]) -> list[list[int]]:
    """Each sentence's tags as indices into `labels`."""
    index = {label: number for number, label in enumerate(labels)}
    return [[index[tag] for tag in sentence.tags] for sentence in sentences]
