"""MasakhaNER 1.0 and 2.0, and any CoNLL folder of the same form (Adelani et al. 2021 and 2022)."""

from __future__ import annotations

import re
from pathlib import Path

from export.runtime.errors import UserError
from toolkit.data.conll import read_conll, read_conll_file
from toolkit.data.labelled import SPLITS, assemble, label_order
from toolkit.data.leaks import keys, without
from toolkit.data.types import Labelled, Sentence

LICENCE = "CC BY-NC 4.0 (annotations)"
OWN_LICENCE = "unknown (yours)"
SUFFIXES = (".txt", ".conll")

# Published sentence counts (train, dev), by which a folder of any name is recognised.
_COUNTS_1 = {
    "amh": (1750, 250), "hau": (1912, 276), "ibo": (2235, 320), "kin": (2116, 302), "lug": (1428, 200),
    "luo": (644, 92), "pcm": (2124, 306), "swa": (2109, 300), "wol": (1871, 267), "yor": (2171, 305),
}  # fmt: skip
_COUNTS_2 = {
    "bam": (4462, 638), "bbj": (3384, 483), "ewe": (3505, 501), "fon": (4343, 623), "hau": (5716, 816),
    "ibo": (7634, 1090), "kin": (7825, 1118), "lug": (4942, 706), "luo": (5161, 737), "mos": (4532, 648),
    "nya": (6250, 893), "pcm": (5646, 806), "sna": (6207, 887), "swa": (6593, 942), "tsn": (3489, 499),
    "twi": (4240, 605), "wol": (4593, 656), "xho": (5718, 817), "yor": (6876, 983), "zul": (5848, 836),
}  # fmt: skip
RELEASES = {"MasakhaNER 1.0": _COUNTS_1, "MasakhaNER 2.0": _COUNTS_2}
_COUNT_SLACK = 3  # copies of one release differ by a sentence or two, no more
_FOUR_TYPES = {"DATE", "PER", "ORG", "LOC"}
_NAMED_SO = re.compile(r"masakha[-_ ]?ne", re.IGNORECASE)


def load_folder(folder: Path, lang: str) -> Labelled:
    """Read `folder/LANG/{train,dev,test}.txt`, or the three files in `folder` itself.

    Without a test file (MasakhaNER 2.0 is often passed on so) half of dev stands in for it:
    see `toolkit.data.labelled.assemble`.

    Raises:
        UserError: folder or split missing, a bad line (file and line named), or a split left empty.
    """
    files = _split_files(folder, lang)
    read = {split: read_conll_file(path) for split, path in files.items()}
    raw = {split: file.sentences for split, file in read.items()}
    notes = [f"byte order mark removed from {split}" for split, file in read.items() if file.byte_order_mark]
    tokenless = sum(file.tokenless for file in read.values())
    notes += [f"lines with a tag and no token skipped: {tokenless}"] if tokenless else []
    name, licence, remarks = recognise(folder, lang, raw)
    return assemble(name, lang, raw, licence, "folder", (*notes, *remarks))


def read_split(folder: Path, lang: str, split: str) -> tuple[Sentence, ...]:
    """One split of a CoNLL folder exactly as it is in the file, for evaluation.

    Raises:
        UserError: no such split, or a bad line.
    """
    place = _place(folder, lang)
    path = _split_file(place, split)
    if path is None:
        raise UserError(
            f"{place} has no {split} split.", f"Put {split}.txt there, or name another split with --split."
        )
    return read_conll(path)


def mix(first: Labelled, second: Labelled) -> Labelled:
    """`first` with the train sentences of `second` added; dev and test stay those of `first`.

    The releases overlap (1.0's test sentences are inside 2.0's train), so every dev and test sentence
    of either is removed from the other's train.

    Raises:
        UserError: the two are in different languages.
    """
    if first.lang != second.lang:
        raise UserError(
            f"Cannot mix {first.name} ({first.lang}) with {second.name} ({second.lang}).",
            "Mix data in one language only.",
        )
    own = without(first.train, keys(second.dev, second.test))
    added = without(second.train, keys(first.dev, first.test))
    leaks = len(first.train) - len(own) + len(second.train) - len(added)
    return assemble(
        f"{first.name} + {second.name}",
        first.lang,
        {"train": own + added, "dev": first.dev, "test": first.test},
        first.licence if first.licence == second.licence else f"{first.licence}; {second.licence}",
        first.source if first.source == second.source else f"{first.source}; {second.source}",
        (f"train sentences removed because the other set holds them out: {leaks}",),
    )


def recognise(folder: Path, lang: str, splits: dict[str, tuple[Sentence, ...]]) -> tuple[str, str, tuple[str, ...]]:
    """Name, licence and notes of a folder.

    It is a release if its sentence counts and entity types are that release's. If only its name says
    MasakhaNER, the licence is taken for MasakhaNER's and the name stays the folder's, because scores on
    changed data are not MasakhaNER scores.
    """
    found = release_of(lang, splits)
    if found:
        return found, LICENCE, ()
    own_name = folder.resolve().name
    if any(_NAMED_SO.search(part) for part in folder.resolve().parts[-3:]):
        note = "named MasakhaNER but with other sentence counts: scores on it are not MasakhaNER scores"
        return own_name, LICENCE, (note,)
    return own_name, OWN_LICENCE, ()


def release_of(lang: str, splits: dict[str, tuple[Sentence, ...]]) -> str | None:
    """The MasakhaNER release that these splits are, by sentence counts and entity types."""
    kinds = {label[2:] for label in label_order(*splits.values())[1:]}
    if not kinds <= _FOUR_TYPES:
        return None
    for name, counts in RELEASES.items():
        expected = counts.get(lang, (0, 0))
        observed = (len(splits["train"]), len(splits["dev"]))
        if all(abs(a - b) <= _COUNT_SLACK for a, b in zip(observed, expected, strict=True)):
            return name
    return None


def _place(folder: Path, lang: str) -> Path:
    if not folder.is_dir():
        raise UserError(
            f"{folder} is not a folder.",
            "Give the folder that holds LANG/train.txt, LANG/dev.txt and LANG/test.txt.",
        )
    if (folder / lang).is_dir():
        return folder / lang
    if any(_split_file(folder, split) for split in SPLITS):
        return folder
    inside = sorted(path.name for path in folder.iterdir() if path.is_dir() and _split_file(path, "train"))
    remedy = f"Put train.txt, dev.txt and test.txt into {folder / lang}."
    raise UserError(
        f"{folder} has no data for {lang!r}: neither {lang}/train.txt nor train.txt is there.",
        f"It has: {', '.join(inside)}." if inside else remedy,
    )


def _split_files(folder: Path, lang: str) -> dict[str, Path]:
    place = _place(folder, lang)
    files = {split: path for split in SPLITS if (path := _split_file(place, split))}
    for split in ("train", "dev"):
        if split not in files:
            raise UserError(
                f"{place} has no {split}.txt.",
                f"Put about a tenth of the sentences there as {split}.txt (token and tag on each line)."
                if split == "dev"
                else "Put the sentences to learn from there as train.txt (token and tag on each line).",
            )
    return files


def _split_file(place: Path, split: str) -> Path | None:
    return next((path for suffix in SUFFIXES if (path := place / f"{split}{suffix}").is_file()), None)
