from __future__ import annotations

import io
import lzma
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from export.runtime.errors import UserError
from toolkit.data import hub_data
from toolkit.data.hub_data import load_hub, load_hub_corpus
from toolkit.data.types import Sentence

if TYPE_CHECKING:
    from conftest import StandInHub

NAMES = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-DATE", "I-DATE"]
BRANCH = "refs/convert/parquet"
ZipOf = Callable[[dict[str, bytes]], bytes]


def parquet(
    rows: list[tuple[list[Any], list[Any]]], names: list[str] | None = NAMES, tags: str = "ner_tags"
) -> bytes:
    from datasets import ClassLabel, Dataset, Features, List, Value

    plain = Value("int64" if isinstance(rows[0][1][0], int) else "string")
    inner = ClassLabel(names=names) if names else plain
    data = Dataset.from_dict(
        {"tokens": [words for words, _ in rows], tags: [labels for _, labels in rows]},
        features=Features({"tokens": List(Value("string")), tags: List(inner)}),
    )
    buffer = io.BytesIO()
    data.to_parquet(buffer)
    return buffer.getvalue()


def text_parquet(column: str, texts: list[str | None]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({column: texts}), buffer)
    return buffer.getvalue()


@cache  # made when a test first needs them: importing datasets takes seconds
def split(name: str) -> bytes:
    rows: dict[str, tuple[list[Any], list[Any]]] = {
        "train": (["Asha", "amefika"], [1, 0]),
        "dev": (["Moshi"], [5]),
        "test": (["leo"], [0]),
    }
    return parquet([rows[name]])


@pytest.mark.parametrize(
    "pattern",
    [
        "swa/{split}/0000.parquet",
        "swa/masakhaner-{split}.parquet",
        "swa/{split}-00000-of-00001.parquet",
        "data/{split}-00000-of-00001.parquet",
        "default/{split}/0000.parquet",
    ],
)
def test_splits_are_found_whatever_the_file_names(hub: StandInHub, pattern: str) -> None:
    names = {"train": "train", "validation": "dev", "test": "test"}
    files = {pattern.format(split=name): split(own) for name, own in names.items()}
    hub.add("dataset", "masakhane/masakhaner", files, BRANCH)
    hub.add("dataset", "masakhane/masakhaner", {"masakhaner.py": b"script"})
    data = load_hub("masakhane/masakhaner", "swa")
    assert (data.name, data.licence) == ("MasakhaNER 1.0", "CC BY-NC 4.0 (annotations)")
    assert data.source == f"masakhane/masakhaner@{hub.commit}"
    assert data.train == (Sentence(("Asha", "amefika"), ("B-PER", "O")),)
    assert (data.dev[0].tags, data.test[0].words) == (("B-LOC",), ("leo",))


def test_shards_of_a_split_are_read_in_order(hub: StandInHub) -> None:
    files = {f"swa/train/000{i}.parquet": parquet([([f"neno{i}"], [0])]) for i in (1, 0)}
    files |= {"swa/validation/0000.parquet": split("dev"), "swa/test/0000.parquet": split("test")}
    hub.add("dataset", "org/data", files, BRANCH)
    assert [s.words for s in load_hub("org/data", "swa").train] == [("neno0",), ("neno1",)]


def test_string_tags_and_other_column_names_are_read(hub: StandInHub) -> None:
    splits = {"train": ["B-ART"], "validation": ["O"], "test": ["I-ART"]}
    files = {f"data/{name}.parquet": parquet([([name], tags)], None, "tags") for name, tags in splits.items()}
    hub.tags["org/data"] = ["license:cc0-1.0"]
    hub.add("dataset", "org/data", files)
    data = load_hub("org/data", "swa")
    assert data.labels == ("O", "B-ART", "I-ART")
    assert (data.name, data.licence) == ("org/data", "cc0-1.0")


def test_tokens_are_freed_of_what_conll_cannot_hold(hub: StandInHub) -> None:
    odd = parquet([(["\ufeffAsha", "", "a b", " "], [1, 0, 0, 0]), ([""], [0])])
    hub.add(
        "dataset",
        "org/data",
        {"train.parquet": odd, "dev.parquet": split("dev"), "test.parquet": split("test")},
    )
    data = load_hub("org/data", "swa")
    assert data.train == (Sentence(("Asha", "a\u00a0b"), ("B-PER", "O")),)
    assert data.notes[:2] == (
        "tokens of org/data swa train freed of byte order marks and spaces: 2",
        "empty tokens of org/data swa train skipped: 3",
    )


def test_a_missing_language_lists_those_there_are(hub: StandInHub) -> None:
    hub.add("dataset", "org/data", {"hau/train/0.parquet": b"", "yor/train/0.parquet": b""}, BRANCH)
    with pytest.raises(UserError, match="has no 'swa'") as caught:
        load_hub("org/data", "swa")
    assert "hau, yor" in caught.value.remedy


def test_a_data_set_that_is_only_a_script_is_refused_and_not_run(hub: StandInHub) -> None:
    hub.add("dataset", "org/data", {"data.py": b"raise SystemExit", "README.md": b""})
    with pytest.raises(UserError, match="loading script, and scripts from the hub are never run") as caught:
        load_hub("org/data", "swa")
    assert "DATA=folder" in caught.value.remedy
    assert not any("resolve" in request for request in hub.requests)


@pytest.mark.parametrize("missing", ["train", "validation"])
def test_a_missing_split_is_named(hub: StandInHub, missing: str) -> None:
    files = {f"swa/{name}/0.parquet": b"" for name in ("train", "validation", "test") if name != missing}
    hub.add("dataset", "org/data", files, BRANCH)
    with pytest.raises(UserError, match=f"no {'dev' if missing == 'validation' else missing} split"):
        load_hub("org/data", "swa")


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (lambda: b"PAR1 not really", "is damaged"),
        (lambda: split("train")[:-20], "is damaged"),
        (lambda: text_parquet("sentence", ["leo"]), "columns sentence; tokens or words and ner_tags"),
        (lambda: parquet([(["a", "b"], [0])]), "train row 0: 2 tokens but 1 tags"),
        (lambda: parquet([(["a"], ["S-PER"])], None), "train row 0: unknown tag 'S-PER'"),
        (lambda: parquet([(["a"], [7])], None), "train row 0: tag number 7 has no name"),
    ],
)
def test_unusable_parquet_is_explained(hub: StandInHub, train: Callable[[], bytes], message: str) -> None:
    hub.add(
        "dataset",
        "org/data",
        {"train.parquet": train(), "dev.parquet": split("dev"), "test.parquet": split("test")},
    )
    with pytest.raises(UserError, match=message):
        load_hub("org/data", "swa")


def test_a_given_revision_is_used(hub: StandInHub) -> None:
    files = {"train.parquet": split("train"), "dev.parquet": split("dev"), "test.parquet": split("test")}
    hub.add("dataset", "org/data", files, "v2")
    assert load_hub("org/data", "swa", "v2").train
    with pytest.raises(UserError, match="no such revision"):
        load_hub("org/data", "swa", "v3")


def test_afribertas_zip_is_read_in_place(hub: StandInHub, zip_of: ZipOf) -> None:
    text = "Aya ya kwanza.\n\nAsha alifika Moshi siku ya Jumatatu asubuhi.\n"
    archive = zip_of({"train.txt": text.encode(), "__MACOSX/._train.txt": b"junk", "labels.csv": b"a,b"})
    hub.tags["castorini/afriberta-corpus"] = ["license:apache-2.0"]
    hub.add("dataset", "castorini/afriberta-corpus", {"swahili/train.zip": archive, "afriberta-corpus.py": b""})
    words = ("Asha", "alifika", "Moshi", "siku", "ya", "Jumatatu", "asubuhi", ".")
    found = load_hub_corpus("castorini/afriberta-corpus", "swa", [Sentence(words, ("O",) * 8)])
    assert found.paragraphs == ("Aya ya kwanza.",)
    assert (found.removed, found.licence) == (1, "apache-2.0")
    assert found.source == f"castorini/afriberta-corpus@{hub.commit}"


def test_a_language_that_afribertas_corpus_lacks_is_refused(hub: StandInHub, zip_of: ZipOf) -> None:
    hub.add("dataset", "castorini/afriberta-corpus", {"swahili/train.zip": zip_of({"a.txt": b"a"})})
    with pytest.raises(UserError, match="no parquet files"):
        load_hub_corpus("castorini/afriberta-corpus", "luo", ())


@pytest.mark.parametrize(
    ("files", "revision"),
    [
        (lambda: {"swa.txt.xz": lzma.compress(b"moja\nmbili")}, "main"),
        (lambda: {"swa/train/0.parquet": text_parquet("text", ["moja\n", None, "mbili"])}, BRANCH),
        (lambda: {"train.parquet": text_parquet("content", ["moja", "mbili"]), "test.parquet": b""}, "main"),
    ],
)
def test_corpora_of_text_files_or_parquet_are_read(
    hub: StandInHub, files: Callable[[], dict[str, bytes]], revision: str
) -> None:
    hub.add("dataset", "org/text", {"README.md": b""})
    hub.add("dataset", "org/text", files(), revision)
    assert load_hub_corpus("org/text", "swa", ()).paragraphs == ("moja", "mbili")
    assert load_hub_corpus("org/text", "swa", (), revision).paragraphs == ("moja", "mbili")


def test_reading_a_zip_stops_at_the_limit(hub: StandInHub, zip_of: ZipOf) -> None:
    hub.add("dataset", "org/text", {"swa/train.zip": zip_of({"a.txt": b"neno\n" * 100_000})})
    found = load_hub_corpus("org/text", "swa", (), max_bytes=40)
    assert len(found.paragraphs) == 10


def damaged(archive: bytes) -> bytes:
    middle = len(archive) // 2
    return archive[: middle - 8] + b"\xff" * 16 + archive[middle + 8 :]


def encrypted(archive: bytes) -> bytes:
    """Set the 'encrypted' flag of the only member, in its local header and in the directory."""
    local, central = archive.index(b"PK\x03\x04") + 6, archive.index(b"PK\x01\x02") + 8
    return bytes(byte | 1 if i in (local, central) else byte for i, byte in enumerate(archive))


@pytest.mark.parametrize("spoil", [lambda a: b"no zip", lambda a: a[:-30], damaged, encrypted])
def test_a_damaged_or_encrypted_zip_is_named(hub: StandInHub, zip_of: ZipOf, spoil: Callable[[bytes], bytes]) -> None:
    text = "\n".join(f"aya namba {i * 7919 % 104729}" for i in range(2000)).encode()
    hub.add("dataset", "org/text", {"swa/train.zip": spoil(zip_of({"a.txt": text}))})
    with pytest.raises(UserError, match=r"train\.zip is damaged or encrypted"):
        load_hub_corpus("org/text", "swa", ())


def test_a_zip_that_unpacks_to_too_much_is_refused(
    hub: StandInHub, zip_of: ZipOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_data, "MAX_UNPACKED", 1000)
    hub.add("dataset", "org/text", {"swa/train.zip": zip_of({"a.txt": b"\n" * 600, "b.txt": b"\n" * 600})})
    with pytest.raises(UserError, match="unpacks to more than"):
        load_hub_corpus("org/text", "swa", ())
