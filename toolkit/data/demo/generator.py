"""Fills sentence templates from gazetteers, with a seeded random source.

A language is one TOML file beside this module, with names it shares with others in `common.toml`; the
README there tells the form. A slot `{PER}`, `{LOC}`, `{ORG}` or `{DATE}` becomes an entity, `{DATE:year}` an
entity drawn from the list `year`, and `{crop}` a plain word drawn from the list `crop`. Entries of a list may
hold slots themselves; inside an entity everything belongs to the entity.

Some names of every gazetteer are held out from train, so that dev and test hold names never seen in it.
"""

from __future__ import annotations

import random
import re
import tomllib
import zlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from typing import NamedTuple

# The list an entity slot draws from when it names none.
DEFAULT_LIST = {"DATE": "date", "PER": "person", "ORG": "organisation", "LOC": "place"}
SLOT = re.compile(r"\{(?:(?P<type>[A-Z]+)(?::(?P<of>[a-z_]+))?|(?P<word>[a-z_]+))\}")
HELD_OUT_ONE_IN = 5
REDRAWS = 50


class Slot(NamedTuple):
    """A place to fill. `type` is empty where the words that fill it are no entity."""

    type: str
    list: str


class Span(NamedTuple):
    """An entity in a rendered text: its type and its code-point offsets."""

    type: str
    start: int
    end: int


class Rendered(NamedTuple):
    """One sentence as a writer would type it, with its entities."""

    text: str
    spans: tuple[Span, ...]


Production = tuple[str | Slot, ...]
Lists = Mapping[str, tuple[Production, ...]]


@dataclass(frozen=True)
class Grammar:
    """A language's templates and lists, parsed.

    Attributes:
        every: list name -> its entries.
        train: the same without the names held out from train.
        templates: "train", "dev", "test" -> the split's templates; "corpus" -> sentences only in the corpus.
    """

    every: Lists
    train: Lists
    templates: Mapping[str, tuple[Production, ...]]


def parse(template: str) -> Production:
    """Splits a template into literal text and slots."""
    pieces: list[str | Slot] = []
    position = 0
    for match in SLOT.finditer(template):
        if match.start() > position:
            pieces.append(template[position : match.start()])
        entity = match["type"] or ""
        pieces.append(Slot(entity, match["word"] or match["of"] or DEFAULT_LIST[entity]))
        position = match.end()
    if position < len(template):
        pieces.append(template[position:])
    return tuple(pieces)


def held_out(gazetteer: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """The names that stay out of train: one in five of each list, by their spelling, and in every list alike."""
    return frozenset(
        name
        for names in gazetteer.values()
        for name in sorted(names, key=lambda name: zlib.crc32(name.encode()))[: len(names) // HELD_OUT_ONE_IN]
    )


@lru_cache(maxsize=16)
def load_grammar(lang: str) -> Grammar:
    """Reads the language's TOML file and the shared one.

    Raises:
        FileNotFoundError: the language has no file.
    """
    own, common = (_read(name) for name in (lang, "common"))
    shared = common["gazetteer"]
    gazetteer = {
        name: [entry for item in entries for entry in (shared[item[1:]] if item[0] == "@" else [item])]
        for name, entries in (shared | own["gazetteer"]).items()
    }
    words = {**common["words"], **own["words"]}
    every = {name: _parse_all(entries) for name, entries in {**gazetteer, **words}.items()}
    kept_out = held_out(gazetteer)
    in_train = {
        name: _parse_all([entry for entry in entries if entry not in kept_out]) for name, entries in gazetteer.items()
    }
    templates = {name: _parse_all(entries) for name, entries in own["templates"].items()}
    return Grammar(every, {**every, **in_train}, templates)


def _read(name: str) -> dict[str, dict[str, list[str]]]:
    return tomllib.loads((files(__package__) / f"{name}.toml").read_text(encoding="utf-8"))


def _parse_all(entries: Sequence[str]) -> tuple[Production, ...]:
    return tuple(parse(entry) for entry in dict.fromkeys(entries))


def sentences(
    templates: Sequence[Production], lists: Lists, rng: random.Random, count: int, seen: set[str]
) -> list[Rendered]:
    """Renders `count` sentences, none that is in `seen`.

    The templates take turns, so each comes as often as the others; one whose fillings are used up drops out.

    Args:
        seen: texts that must not come again; the new ones are added.

    Raises:
        ValueError: there are too few fillings for that many different sentences.
    """
    rendered: list[Rendered] = []
    turn = deque(templates)
    while len(rendered) < count:
        if not turn:
            raise ValueError(f"the templates have fillings for {len(rendered)} sentences, not {count}")
        template = turn.popleft()
        for _ in range(REDRAWS):
            sentence = render(template, lists, rng)
            if sentence.text not in seen:
                seen.add(sentence.text)
                rendered.append(sentence)
                turn.append(template)
                break
    rng.shuffle(rendered)
    return rendered


def render(template: Production, lists: Lists, rng: random.Random) -> Rendered:
    """Fills one template; no two slots of it get the same words, and no word comes twice in a row."""
    text = ""
    spans: list[Span] = []
    used: set[str] = set()
    for piece in template:
        if isinstance(piece, str):
            text += piece
            continue
        for _ in range(REDRAWS):
            filling = _fill(piece.list, lists, rng)
            words = filling.split()
            if filling not in used and all(one != other for one, other in pairwise(words)):
                break
        used.add(filling)
        if piece.type:
            spans.append(Span(piece.type, len(text), len(text) + len(filling)))
        text += filling
    return Rendered(text[0].upper() + text[1:], tuple(spans))


def _fill(name: str, lists: Lists, rng: random.Random) -> str:
    production = rng.choice(lists[name])
    return "".join(piece if isinstance(piece, str) else _fill(piece.list, lists, rng) for piece in production)
