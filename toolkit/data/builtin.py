"""The demo text: tagged sentences and raw text in ten languages, written by this project.

It lets the main job run on a machine with no network. Its F1 says that the line works, nothing about a
language: it is never called MasakhaNER. Templates and gazetteers are in `demo/`.
"""

from __future__ import annotations

import hashlib
import json
import random

from export.runtime.errors import UserError
from export.runtime.words import split_words
from toolkit.data.demo.generator import TYPES, Grammar, Rendered, load_grammar, render, sentences
from toolkit.data.types import Corpus, Labelled, Sentence

NAME = "demo text"
LICENCE = "Apache-2.0"
SOURCE = "built-in"
DEMO_LANGUAGES = ("amh", "hau", "ibo", "kin", "lug", "luo", "pcm", "swa", "wol", "yor")
LABELS = ("O", *(f"{prefix}-{entity}" for entity in TYPES for prefix in "BI"))
COUNTS = {"test": 300, "dev": 200, "train": 1200}
PARAGRAPHS = 3000
LONGEST_PARAGRAPH = 4  # sentences


def load_demo(lang: str, seed: int = 13) -> Labelled:
    """Tagged demo text: 1200 train, 200 dev and 300 test sentences, the same for the same seed.

    The splits share no template, and dev and test also hold names that train never does.

    Raises:
        UserError: there is no demo text in that language.
    """
    splits = {
        split: tuple(_tag(sentence) for sentence in rendered)
        for split, rendered in _render(lang, seed).items()
    }
    plain = [[(s.words, s.tags) for s in splits[split]] for split in ("train", "dev", "test")]
    return Labelled(
        name=NAME,
        lang=lang,
        labels=LABELS,
        train=splits["train"],
        dev=splits["dev"],
        test=splits["test"],
        licence=LICENCE,
        source=SOURCE,
        digest=_digest([lang, LABELS, *plain]),
        notes=(),
    )


def load_demo_corpus(lang: str, seed: int = 13) -> Corpus:
    """Raw demo text: 3000 paragraphs of one to four sentences, none of them a dev or test sentence.

    Made from train's templates with all names, and from sentences found in no split: the templates of dev and
    test are unseen here too.

    Raises:
        UserError: there is no demo text in that language.
    """
    grammar = _grammar(lang)
    rendered = _render(lang, seed)
    kept_out = {sentence.text for split in ("dev", "test") for sentence in rendered[split]}
    rng = random.Random(f"{lang}:{seed}:corpus")
    templates = grammar.templates["train"] + grammar.templates["corpus"]
    paragraphs: dict[str, None] = {}
    while len(paragraphs) < PARAGRAPHS:
        chosen = rng.sample(templates, rng.randint(1, LONGEST_PARAGRAPH))
        texts = [render(template, grammar.every, rng).text for template in chosen]
        if kept_out.isdisjoint(texts):
            paragraphs[" ".join(texts)] = None
    return Corpus(
        name=NAME,
        lang=lang,
        paragraphs=tuple(paragraphs),
        licence=LICENCE,
        source=SOURCE,
        digest=_digest([lang, *paragraphs]),
        removed=0,
    )


def _grammar(lang: str) -> Grammar:
    if lang not in DEMO_LANGUAGES:
        raise UserError(
            f"There is no demo text in the language {lang!r}.",
            f"Choose one of {' '.join(DEMO_LANGUAGES)}, or give your own data with DATA=<folder>.",
        )
    return load_grammar(lang)


def _render(lang: str, seed: int) -> dict[str, list[Rendered]]:
    grammar = _grammar(lang)
    seen: set[str] = set()
    return {
        split: sentences(
            grammar.templates[split],
            grammar.train if split == "train" else grammar.every,
            random.Random(f"{lang}:{seed}:{split}"),
            count,
            seen,
        )
        for split, count in COUNTS.items()
    }


def _tag(sentence: Rendered) -> Sentence:
    """Splits into words as the runtime does; a word that touches an entity belongs to it."""
    words = split_words(sentence.text)
    tags = ["O"] * len(words)
    for span in sentence.spans:
        inside = [i for i, word in enumerate(words) if word.start < span.end and word.end > span.start]
        for i in inside:
            tags[i] = f"{'B' if i == inside[0] else 'I'}-{span.type}"
    return Sentence(tuple(word.text for word in words), tuple(tags))


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()
