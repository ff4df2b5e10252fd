"""Tagged data (parquet) and unlabelled text (zip, text files or parquet) from the hub."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from export.runtime.errors import UserError
from toolkit.data import corpus
from toolkit.data.conll import BYTE_ORDER_MARK, check_tag
from toolkit.data.hub import Listing, download, list_repo
from toolkit.data.labelled import assemble
from toolkit.data.masakhaner import LICENCE
from toolkit.data.types import Corpus, Labelled, Sentence

# The hub converts data sets to parquet on a branch of its own, also those that are a script on main.
REVISIONS = ("refs/convert/parquet", "main")
RELEASES = {"masakhane/masakhaner": "MasakhaNER 1.0", "masakhane/masakhaner2": "MasakhaNER 2.0"}
# castorini/afriberta-corpus names its folders in English; gahuza is Kinyarwanda and Kirundi together.
AFRIBERTA_FOLDERS = {
    "amh": "amharic", "hau": "hausa", "ibo": "igbo", "kin": "gahuza",
    "pcm": "pidgin", "swa": "swahili", "yor": "yoruba",
}  # fmt: skip
MAX_UNPACKED = 8 << 30  # bytes; the largest of AfriBERTa's zips unpacks to far less
_SPLIT_NAMES = {"train": "train", "validation": "dev", "valid": "dev", "dev": "dev", "test": "test"}
_SHARED_FOLDERS = {"", "data", "default"}  # folders that name no language
_WORDS, _TAGS, _TEXT = ("tokens", "words"), ("ner_tags", "tags", "labels"), ("text", "content")


def load_hub(repo_id: str, lang: str, revision: str | None = None) -> Labelled:
    """Tagged data from parquet files on the hub, pinned to the commit in `source`.

    Raises:
        UserError: unreachable, unknown or script-only data set, no such language, unexpected columns.
    """
    listing = list_repo(repo_id, "dataset", (revision,) if revision else REVISIONS)
    paths = {split: download(listing, names) for split, names in labelled_files(listing, lang).items()}
    notes: list[str] = []
    splits = {
        split: tuple(
            sentence for path in own for sentence in _read_sentences(path, f"{repo_id} {lang} {split}", notes)
        )
        for split, own in paths.items()
    }
    name = RELEASES.get(repo_id, repo_id)
    licence = LICENCE if repo_id in RELEASES else listing.licence
    return assemble(name, lang, splits, licence, listing.source, notes)


def labelled_files(listing: Listing, lang: str) -> dict[str, tuple[str, ...]]:
    """Split -> parquet files of one language.

    File names vary from conversion to conversion (`swa/train/0000.parquet`, `swa/masakhaner-train.parquet`,
    `data/train-00000-of-00001.parquet`), so the split is looked for anywhere in the path.

    Raises:
        UserError: no parquet file, no such language, or no train or dev split.
    """
    found: dict[str, list[str]] = {}
    for name in _of_language(_parquet_files(listing), lang, listing.repo_id):
        words = re.split(r"[/._-]", name.lower())
        split = next((_SPLIT_NAMES[word] for word in words if word in _SPLIT_NAMES), None)
        if split:
            found.setdefault(split, []).append(name)
    for split in ("train", "dev"):
        if split not in found:
            raise UserError(
                f"{listing.repo_id} has no {split} split for {lang!r}.",
                "Name a data set with train and dev splits.",
            )
    return {split: tuple(names) for split, names in found.items()}


def load_hub_corpus(
    repo_id: str,
    lang: str,
    exclude: Iterable[Sentence],
    revision: str | None = None,
    max_bytes: int = corpus.MAX_BYTES,
) -> Corpus:
    """Unlabelled text of one language from the hub, read in place and never unpacked to disk.

    Raises:
        UserError: unreachable, no text for the language, a damaged, encrypted or oversized archive.
    """
    listing = corpus_listing(repo_id, lang, revision)
    paths = download(listing, corpus_files(listing, lang))
    lines = (line for path in paths for line in _text_lines(path))
    return corpus.collect(lines, repo_id, lang, exclude, listing.licence, listing.source, max_bytes=max_bytes)


def corpus_listing(repo_id: str, lang: str, revision: str | None = None) -> Listing:
    """Where the text of a corpus is: zip or text files on main, else the parquet branch.

    Raises:
        UserError: as `list_repo`.
    """
    if revision:
        return list_repo(repo_id, "dataset", (revision,))
    listing = list_repo(repo_id, "dataset")
    if _plain_files(listing, lang) or repo_id.endswith("/afriberta-corpus"):
        return listing
    return list_repo(repo_id, "dataset", REVISIONS)


def corpus_files(listing: Listing, lang: str) -> tuple[str, ...]:
    """The files of one language.

    Raises:
        UserError: there are none.
    """
    if plain := _plain_files(listing, lang):
        return plain
    names = _of_language(_parquet_files(listing), lang, listing.repo_id)
    return tuple(name for name in names if "train" in re.split(r"[/._-]", name.lower()))


def _plain_files(listing: Listing, lang: str) -> tuple[str, ...]:
    folder = AFRIBERTA_FOLDERS.get(lang, lang)
    wanted = (f"{folder}/train.zip", f"{lang}/train.zip", *(f"{lang}{suffix}" for suffix in corpus.SUFFIXES))
    return tuple(name for name in wanted if name in listing.files)[:1]


def _parquet_files(listing: Listing) -> list[str]:
    names = sorted(name for name in listing.files if name.endswith(".parquet"))
    if names:
        return names
    script = any(name.endswith(".py") for name in listing.files)
    raise UserError(
        f"{listing.repo_id} has no parquet files"
        f"{': it is a loading script, and scripts from the hub are never run' if script else ''}.",
        "Download its files and give their folder instead (DATA=folder for CoNLL, CORPUS=folder for text).",
    )


def _of_language(names: list[str], lang: str, repo_id: str) -> list[str]:
    """The files below a folder named by the language, or all if no folder names anything."""
    own = [name for name in names if lang in name.split("/")[:-1]]
    if own:
        return own
    folders = {name.rpartition("/")[0].split("/")[0] for name in names}
    named = sorted(folders - _SHARED_FOLDERS - _SPLIT_NAMES.keys())
    if not named:
        return names
    raise UserError(f"{repo_id} has no {lang!r}.", f"It has: {', '.join(named)}.")


@contextmanager
def _open_parquet(path: Path) -> Iterator[Any]:
    """A pyarrow ParquetFile; a damaged one is named."""
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            yield file
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{path} is damaged: {error}.", "Delete it and run again to download it anew.") from error


def _columns(file: Any, groups: tuple[tuple[str, ...], ...], where: str) -> list[str]:
    """For each group of accepted names, the column that the file has."""
    present = file.schema_arrow.names
    chosen = [next((name for name in group if name in present), "") for group in groups]
    if not all(chosen):
        wanted = " and ".join(" or ".join(group) for group in groups)
        raise UserError(
            f"{where} has the columns {', '.join(present)}; {wanted} expected.",
            "Name another data set, or save this one as a folder of CoNLL or text files.",
        )
    return chosen


def _read_sentences(path: Path, where: str, notes: list[str]) -> Iterator[Sentence]:
    from datasets import ClassLabel, Features

    with _open_parquet(path) as file:
        words_column, tags_column = _columns(file, (_WORDS, _TAGS), where)
        feature = Features.from_arrow_schema(file.schema_arrow)[tags_column]
        table = file.read(columns=[words_column, tags_column])
    inner = getattr(feature, "feature", feature)
    names = inner.names if isinstance(inner, ClassLabel) else None
    empty = changed = 0
    for row, (words, tags) in enumerate(
        zip(table[words_column].to_pylist(), table[tags_column].to_pylist(), strict=True)
    ):
        if len(words) != len(tags):
            raise UserError(f"{where} row {row}: {len(words)} tokens but {len(tags)} tags.", "Name another data set.")
        kept: list[tuple[str, str]] = []
        for word, tag in zip(words, tags, strict=True):
            label = _label(tag, names, f"{where} row {row}")
            # A token is a word: an inner space would break it in CoNLL, a byte order mark is no text.
            clean = "\u00a0".join(word.removeprefix(BYTE_ORDER_MARK).split())
            if clean:
                changed += clean != word
                kept.append((clean, label))
            else:
                empty += 1
        if kept:
            yield Sentence(tuple(word for word, _ in kept), tuple(tag for _, tag in kept))
    if changed:
        notes.append(f"tokens of {where} freed of byte order marks and spaces: {changed}")
    if empty:
        notes.append(f"empty tokens of {where} skipped: {empty}")


def _label(tag: int | str, names: list[str] | None, where: str) -> str:
    if isinstance(tag, int):
        if names is None or not 0 <= tag < len(names):
            raise UserError(f"{where}: tag number {tag} has no name.", "Name a data set with tag names.")
        tag = names[tag]
    check_tag(tag, where)
    return tag


def _text_lines(path: Path) -> Iterator[bytes | None]:
    if path.suffix == ".zip":
        yield from _zip_lines(path)
    elif path.suffix == ".parquet":
        with _open_parquet(path) as file:
            (column,) = _columns(file, (_TEXT,), path.name)
            for batch in file.iter_batches(columns=[column]):
                for text in batch.column(0).to_pylist():
                    yield from (line.encode("utf-8") for line in (text or "").split("\n"))
    else:
        yield from corpus.file_lines(path)


def _zip_lines(path: Path) -> Iterator[bytes | None]:
    """The lines of every .txt file in a zip, streamed."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if info.filename.endswith(".txt") and _is_text(info)]
            if sum(info.file_size for info in members) > MAX_UNPACKED:
                raise UserError(
                    f"{path} unpacks to more than {MAX_UNPACKED >> 30} GiB.",
                    "Give a folder of text files instead.",
                )
            for info in members:
                with archive.open(info) as stream:
                    yield from corpus.stream_lines(cast(BinaryIO, stream))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UserError(
            f"{path} is damaged or encrypted: {error}.", "Delete it and run again to download it anew."
        ) from error


def _is_text(info: zipfile.ZipInfo) -> bool:
    return not info.is_dir() and not info.filename.startswith("__MACOSX/")
