"""The demo text: tagged sentences and raw text in ten languages, written by this project.

It lets the main job run on a machine with no network. Its F1 says that the line works, nothing about a
language: it is never called MasakhaNER. Templates and gazetteers are in `demo/`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice

from export.runtime.errors import UserError
from export.runtime.words import split_words
from toolkit.data.corpus import collect
from toolkit.data.demo.generator import Grammar, Rendered, load_grammar, render, sentences
from toolkit.data.labelled import assemble
from toolkit.data.types import Corpus, Labelled, Sentence

NAME = "demo text"
LICENCE = "Apache-2.0"
SOURCE = "built-in"
DEMO_LANGUAGES = ("amh", "hau", "ibo", "kin", "lug", "luo", "pcm", "swa", "wol", "yor")
COUNTS = {"test": 300, "dev": 200, "train": 1200}
PARAGRAPHS = 3000
LONGEST_PARAGRAPH = 4  # sentences


def load_demo(lang: str, seed: int = 13) -> Labelled:
    """Tagged demo text: 1200 train, 200 dev and 300 test sentences, the same for the same seed.

    The splits share no template, and dev and test also hold names that train never does.

    Raises:
        UserError: there is no demo text in that language.
    """
    grammar = _grammar(lang)
    seen: set[str] = set()
    splits = {}
    for split, count in COUNTS.items():
        lists = grammar.train if split == "train" else grammar.every
        rng = random.Random(f"{lang}:{seed}:{split}")
        rendered = sentences(grammar.templates[split], lists, rng, count, seen)
        splits[split] = [_tag(sentence) for sentence in rendered]
    return assemble(NAME, lang, splits, LICENCE, SOURCE)


def load_demo_corpus(lang: str, seed: int = 13) -> Corpus:
    """Raw demo text: 3000 paragraphs of one to four sentences, none of them a dev or test sentence.

    Made from train's templates with all names, and from sentences found in no split: the templates of dev and
    test are unseen here too.

    Raises:
        UserError: there is no demo text in that language.
    """
    labelled = load_demo(lang, seed)
    paragraphs = _paragraphs(_grammar(lang), random.Random(f"{lang}:{seed}:corpus"))
    lines = (paragraph.encode() for paragraph in islice(paragraphs, PARAGRAPHS))
    return collect(lines, NAME, lang, (*labelled.dev, *labelled.test), LICENCE, SOURCE)


def _grammar(lang: str) -> Grammar:
    if lang not in DEMO_LANGUAGES:
        raise UserError(
            f"There is no demo text in the language {lang!r}.",
            f"Choose one of {' '.join(DEMO_LANGUAGES)}, or give your own data with DATA=<folder>.",
        )
    return load_grammar(lang)


def _paragraphs(grammar: Grammar, rng: random.Random) -> Iterator[str]:
    """Without end, no paragraph twice."""
    templates = grammar.templates["train"] + grammar.templates["corpus"]
    seen: set[str] = set()
    while True:
        chosen = rng.sample(templates, rng.randint(1, LONGEST_PARAGRAPH))
        paragraph = " ".join(render(template, grammar.every, rng).text for template in chosen)
        if paragraph not in seen:
            seen.add(paragraph)
            yield paragraph


def _tag(sentence: Rendered) -> Sentence:
    """Splits into words as the runtime does; a word that touches an entity belongs to it."""
    words = split_words(sentence.text)
    tags = ["O"] * len(words)
    for span in sentence.spans:
        inside = [i for i, word in enumerate(words) if word.start < span.end and word.end > span.start]
        for i in inside:
            tags[i] = f"{'B' if i == inside[0] else 'I'}-{span.type}"
    return Sentence(tuple(word.text for word in words), tuple(tags))
